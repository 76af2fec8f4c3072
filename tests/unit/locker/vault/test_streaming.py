"""The sealed format: the same bytes as Tink's, and nothing changed goes unnoticed."""

import io
import itertools
import json
import os
from pathlib import Path

import pytest
import tink
from hypothesis import given, settings
from hypothesis import strategies as st
from tink import cleartext_keyset_handle, streaming_aead
from tink.proto import aes_gcm_hkdf_streaming_pb2, common_pb2, tink_pb2

from locker.vault.streaming import (
    HEADER_BYTES,
    PLAIN_BYTES,
    SEGMENT_BYTES,
    Decryptor,
    Encryptor,
    NotAuthentic,
    ciphertext_length,
    ciphertext_span,
    decrypt_range,
    decrypt_small,
    plaintext_start,
    segment_at,
    segment_count,
)

VECTORS = Path(__file__).parents[3] / "vectors" / "vault"
KEY = bytes(range(32))
FIRST = PLAIN_BYTES - HEADER_BYTES
EDGES = [0, 1, 15, 16, 17, FIRST - 1, FIRST, FIRST + 1, FIRST + PLAIN_BYTES - 1, FIRST + PLAIN_BYTES]
EDGES += [FIRST + PLAIN_BYTES + 1, FIRST + 4 * PLAIN_BYTES, 1_000_003]


class KeepOpen(io.BytesIO):
    """Tink closes what it wrote to; we want to read it."""

    def close(self) -> None:
        pass


def tink_primitive(key: bytes) -> streaming_aead.StreamingAead:
    streaming_aead.register()
    value = aes_gcm_hkdf_streaming_pb2.AesGcmHkdfStreamingKey(
        version=0,
        key_value=key,
        params=aes_gcm_hkdf_streaming_pb2.AesGcmHkdfStreamingParams(
            ciphertext_segment_size=SEGMENT_BYTES, derived_key_size=32, hkdf_hash_type=common_pb2.SHA256
        ),
    )
    keyset = tink_pb2.Keyset(primary_key_id=1)
    keyset.key.add(
        key_data=tink_pb2.KeyData(
            type_url="type.googleapis.com/google.crypto.tink.AesGcmHkdfStreamingKey",
            value=value.SerializeToString(),
            key_material_type=tink_pb2.KeyData.SYMMETRIC,
        ),
        status=tink_pb2.ENABLED,
        key_id=1,
        output_prefix_type=tink_pb2.RAW,
    )
    handle = cleartext_keyset_handle.read(tink.BinaryKeysetReader(keyset.SerializeToString()))
    return handle.primitive(streaming_aead.StreamingAead)


def tink_encrypt(key: bytes, associated_data: bytes, plaintext: bytes) -> bytes:
    sink = KeepOpen()
    with tink_primitive(key).new_encrypting_stream(sink, associated_data) as stream:
        stream.write(plaintext)
    return sink.getvalue()


def tink_decrypt(key: bytes, associated_data: bytes, ciphertext: bytes) -> bytes:
    with tink_primitive(key).new_decrypting_stream(io.BytesIO(ciphertext), associated_data) as stream:
        return stream.read()


def encrypt(plaintext: bytes, *, key: bytes = KEY, associated_data: bytes = b"aad", frame: int = 100_000) -> bytes:
    encryptor = Encryptor(key, associated_data)
    frames = [plaintext[place : place + frame] for place in range(0, len(plaintext), frame)]
    return encryptor.header + b"".join(encryptor.update(each) for each in frames) + encryptor.finalize()


def noise(length: int) -> bytes:
    return os.urandom(length)


@pytest.mark.parametrize("length", EDGES)
def test_tink_opens_what_we_seal(length: int) -> None:
    plaintext = noise(length)
    assert tink_decrypt(KEY, b"aad", encrypt(plaintext)) == plaintext


@pytest.mark.parametrize("length", EDGES)
def test_we_open_what_tink_seals(length: int) -> None:
    plaintext = noise(length)
    ciphertext = tink_encrypt(KEY, b"aad", plaintext)
    assert decrypt_range(KEY, b"aad", ciphertext, length=length) == plaintext
    assert decrypt_small(KEY, b"aad", ciphertext) == plaintext


@pytest.mark.parametrize("length", EDGES)
def test_the_length_of_the_object_is_known_before_it_is_sealed(length: int) -> None:
    assert len(encrypt(bytes(length))) == ciphertext_length(length) == len(tink_encrypt(KEY, b"", bytes(length)))


def test_a_250_kb_document_costs_104_bytes() -> None:
    assert ciphertext_length(250_000) - 250_000 == 104


@settings(max_examples=60, deadline=None)
@given(length=st.integers(0, 3 * SEGMENT_BYTES), frame=st.integers(1, 2 * SEGMENT_BYTES), data=st.data())
def test_any_range_of_any_frames_equals_the_slice(length: int, frame: int, data: st.DataObject) -> None:
    plaintext = noise(length)
    ciphertext = encrypt(plaintext, frame=max(frame, length // 200 + 1))
    start = data.draw(st.integers(0, length))
    end = data.draw(st.integers(start, length))
    assert decrypt_range(KEY, b"aad", ciphertext, length=length, start=start, end=end) == plaintext[start:end]


@settings(max_examples=40, deadline=None)
@given(
    edge=st.integers(0, 3), around=st.integers(-20, 20), frame=st.sampled_from([SEGMENT_BYTES, PLAIN_BYTES, 262_144])
)
def test_lengths_around_each_segment_edge_come_back(edge: int, around: int, frame: int) -> None:
    plaintext = noise(max(0, FIRST + (edge - 1) * PLAIN_BYTES + around))
    ciphertext = encrypt(plaintext, frame=frame)
    assert len(ciphertext) == ciphertext_length(len(plaintext))
    assert decrypt_small(KEY, b"aad", ciphertext) == plaintext


@given(offset=st.integers(0, 10**12))
def test_each_offset_lies_in_its_segment(offset: int) -> None:
    number = segment_at(offset)
    assert plaintext_start(number) <= offset < plaintext_start(number + 1)


def test_two_seals_of_the_same_bytes_share_nothing() -> None:
    first, second = encrypt(bytes(1000)), encrypt(bytes(1000))
    assert first[1:] != second[1:]
    assert first[HEADER_BYTES:] != second[HEADER_BYTES:]


LENGTH = FIRST + PLAIN_BYTES + 500
PLACES = {
    "length of the header": 0,
    "salt": 1,
    "end of the salt": 32,
    "nonce prefix": 33,
    "end of the nonce prefix": 39,
    "first byte": 40,
    "tag of the first segment": SEGMENT_BYTES - 1,
    "second segment": SEGMENT_BYTES,
    "last segment": 2 * SEGMENT_BYTES,
    "last tag": ciphertext_length(LENGTH) - 1,
}


@pytest.mark.parametrize("bit", range(8))
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
def test_one_flipped_bit_opens_nothing(place: int, bit: int) -> None:
    ciphertext = bytearray(encrypt(bytes(LENGTH)))
    ciphertext[place] ^= 1 << bit
    with pytest.raises(NotAuthentic):
        decrypt_range(KEY, b"aad", bytes(ciphertext), length=LENGTH)


def test_every_bit_of_a_small_object_counts() -> None:
    ciphertext = encrypt(b"seven__")
    for place in range(len(ciphertext) * 8):
        flipped = bytearray(ciphertext)
        flipped[place // 8] ^= 1 << place % 8
        with pytest.raises(NotAuthentic):
            decrypt_range(KEY, b"aad", bytes(flipped), length=7)


def segments(ciphertext: bytes) -> list[bytes]:
    return [ciphertext[place : place + SEGMENT_BYTES] for place in range(0, len(ciphertext), SEGMENT_BYTES)]


def test_segments_cannot_change_places() -> None:
    plaintext = noise(FIRST + 3 * PLAIN_BYTES)
    first, second, third, last = segments(encrypt(plaintext))
    for order in ([first, third, second, last], [first, second, second, last], [first, second, last, third]):
        with pytest.raises(NotAuthentic):
            decrypt_range(KEY, b"aad", b"".join(order), length=len(plaintext))


@pytest.mark.parametrize("cut", [1, 16, 17, PLAIN_BYTES, SEGMENT_BYTES, 2 * SEGMENT_BYTES])
def test_a_cut_object_opens_nothing_even_if_the_row_agrees(cut: int) -> None:
    plaintext = noise(FIRST + 2 * PLAIN_BYTES)
    ciphertext = encrypt(plaintext)[:-cut]
    with pytest.raises(NotAuthentic):
        decrypt_range(KEY, b"aad", ciphertext, length=len(plaintext))
    with pytest.raises(NotAuthentic):
        decrypt_small(KEY, b"aad", ciphertext)


@pytest.mark.parametrize("more", [b"\0", bytes(16), bytes(17), bytes(SEGMENT_BYTES)])
def test_appended_bytes_are_noticed(more: bytes) -> None:
    plaintext = noise(FIRST + PLAIN_BYTES)
    with pytest.raises(NotAuthentic):
        decrypt_range(KEY, b"aad", encrypt(plaintext) + more, length=len(plaintext))
    with pytest.raises(NotAuthentic):
        decrypt_small(KEY, b"aad", encrypt(plaintext) + more)


@pytest.mark.parametrize("claimed", [0, FIRST, FIRST + 1, 2 * PLAIN_BYTES - HEADER_BYTES, 10**6])
def test_a_wrong_length_in_the_row_fails_as_damage(claimed: int) -> None:
    ciphertext = encrypt(noise(FIRST + PLAIN_BYTES + 5))
    decryptor = Decryptor(KEY, b"aad", ciphertext[:HEADER_BYTES], length=claimed)
    with pytest.raises(NotAuthentic):
        decryptor.open(0, ciphertext)


def test_another_key_or_purpose_opens_nothing() -> None:
    ciphertext = encrypt(b"x")
    for key, associated_data in [(bytes(32), b"aad"), (KEY, b"aae"), (KEY, b"")]:
        with pytest.raises(NotAuthentic):
            decrypt_range(key, associated_data, ciphertext, length=1)


@pytest.mark.parametrize("ciphertext", [b"", b"\x28", bytes(HEADER_BYTES), b"\x28" + bytes(54)])
def test_what_is_too_short_to_be_an_object_is_not_authentic(ciphertext: bytes) -> None:
    with pytest.raises(NotAuthentic):
        decrypt_small(KEY, b"", ciphertext)


def test_spans_cover_the_object_without_gap() -> None:
    for length in EDGES:
        spans = [ciphertext_span(number, number, length=length) for number in range(segment_count(length))]
        assert spans[0][0] == 0
        assert spans[-1][1] == ciphertext_length(length)
        assert all(before[1] == after[0] for before, after in itertools.pairwise(spans))


@pytest.mark.parametrize("vector", json.loads((VECTORS / "streaming.json").read_text()), ids=lambda v: v["what"])
def test_stored_vectors_open(vector: dict[str, str]) -> None:
    """Sealed once by the named program: a change of ours that could not read older objects fails here."""
    plaintext = bytes.fromhex(vector["pattern"]) * int(vector["times"])
    ciphertext = bytes.fromhex((VECTORS / vector["file"]).read_text())
    key, associated_data = bytes.fromhex(vector["key"]), bytes.fromhex(vector["associated_data"])
    assert decrypt_range(key, associated_data, ciphertext, length=len(plaintext)) == plaintext
    assert tink_decrypt(key, associated_data, ciphertext) == plaintext
