"""The multipart body under its caps: no server is needed to refuse it."""

import asyncio
import base64
import hashlib
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kit.errors import Refusal
from locker.deposits.receive import Limits, Received, receive
from locker.deposits.refusals import DigestMismatch, MultipartMalformed, NotPdf, PartTooLarge, TooSlow

PDF = b"%PDF-1.7\n" + b"x" * 1000
JSON = b'{"type": "BIRTHEXTRACT"}'
BOUNDARY = "frontier"
DATA_LIMITS = {"data_max_bytes": 2_000, "data_signature_max_bytes": 500}


def part(name: str, media_type: str | None, content: bytes, **headers: str) -> bytes:
    lines = [f'Content-Disposition: form-data; name="{name}"; filename="f"']
    lines += [f"Content-Type: {media_type}"] if media_type else []
    lines += [f"{key.replace('_', '-')}: {value}" for key, value in headers.items()]
    return f"--{BOUNDARY}\r\n".encode() + "\r\n".join(lines).encode() + b"\r\n\r\n" + content + b"\r\n"


def body(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


DOCUMENT = part("document", "application/pdf", PDF)
DEPOSIT = part("deposit", "application/json", JSON)


async def received(
    content: bytes,
    *,
    frame: int = 100,
    content_type: str = f"multipart/form-data; boundary={BOUNDARY}",
    content_length: int | None = None,
    repr_digest: str | None = None,
    pdf_max_bytes: int = 10_000,
    receive_max_s: float = 5,
    frames: AsyncIterator[bytes] | None = None,
) -> tuple[Received, bytes]:
    async def framed() -> AsyncIterator[bytes]:
        for start in range(0, len(content), frame):
            yield content[start : start + frame]

    limits = Limits(
        pdf_max_bytes=pdf_max_bytes, json_max_bytes=1_000, **DATA_LIMITS, receive_max_s=receive_max_s, folder=None
    )
    async with receive(
        frames or framed(),
        content_type=content_type,
        content_length=content_length,
        repr_digest=repr_digest,
        limits=limits,
    ) as found:
        return found, found.pdf.read_bytes()


def sha256_field(content: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(content).digest()).decode()}:"


@pytest.mark.parametrize("frame", [1, 7, 100, 10_000])
@pytest.mark.parametrize("parts", [(DOCUMENT, DEPOSIT), (DEPOSIT, DOCUMENT)])
async def test_both_parts_arrive_in_either_order_and_any_frames(frame: int, parts: tuple[bytes, bytes]) -> None:
    found, pdf = await received(body(*parts), frame=frame)
    assert (pdf, found.deposit, found.pdf_length) == (PDF, JSON, len(PDF))
    assert found.pdf_sha256 == hashlib.sha256(PDF).digest()


async def test_the_file_is_gone_after_the_context() -> None:
    found, _ = await received(body(DOCUMENT, DEPOSIT))
    assert not Path(found.pdf).exists()
    assert not found.pdf.parent.exists()


async def test_order_and_boundary_do_not_change_what_the_key_belongs_to() -> None:
    one, _ = await received(body(DOCUMENT, DEPOSIT))
    other, _ = await received(body(DEPOSIT, DOCUMENT))
    third, _ = await received(body(DEPOSIT, part("document", "application/pdf", PDF + b"y")))
    assert one.request_sha256 == other.request_sha256 != third.request_sha256


async def test_a_part_without_a_media_type_is_known_by_its_name() -> None:
    found, _ = await received(body(part("document", None, PDF), part("deposit", None, JSON)))
    assert found.deposit == JSON


@pytest.mark.parametrize(
    ("content", "refusal"),
    [
        (body(DOCUMENT), MultipartMalformed),
        (body(DEPOSIT), MultipartMalformed),
        (body(), MultipartMalformed),
        (b"", MultipartMalformed),
        (body(DOCUMENT, DOCUMENT), MultipartMalformed),
        (body(DOCUMENT, DEPOSIT, DEPOSIT), MultipartMalformed),
        (body(DOCUMENT, part("other", "text/plain", b"x")), MultipartMalformed),
        (body(DOCUMENT, DEPOSIT)[:-20], MultipartMalformed),
        (DOCUMENT + DEPOSIT, MultipartMalformed),
        (body(part("document", "application/pdf", b""), DEPOSIT), NotPdf),
        (body(part("document", "application/pdf", b"%"), DEPOSIT), NotPdf),
        (body(part("document", "application/pdf", b"%PDF-"), DEPOSIT), NotPdf),
        (body(part("document", "application/pdf", b"MZ" + PDF), DEPOSIT), NotPdf),
        (body(part("document", "application/pdf", b" " * 1000 + PDF), DEPOSIT), NotPdf),
        (body(part("document", "application/pdf", PDF * 10), DEPOSIT), PartTooLarge),
        (body(DOCUMENT, part("deposit", "application/json", b" " * 1001)), PartTooLarge),
        (body(part("x" * 20_000, "application/pdf", PDF), DEPOSIT), MultipartMalformed),
    ],
)
@pytest.mark.parametrize("frame", [64, 100_000])
async def test_what_is_not_a_deposit_is_refused(content: bytes, refusal: type[Refusal], frame: int) -> None:
    with pytest.raises(refusal):
        await received(content, frame=frame)


@pytest.mark.parametrize(
    "content_type",
    [
        "application/pdf",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        f"multipart/mixed; boundary={BOUNDARY}",
        "multipart/form-data; boundary=" + "b" * 71,
        "",
    ],
)
async def test_a_content_type_without_a_usable_boundary_is_refused(content_type: str) -> None:
    with pytest.raises(MultipartMalformed):
        await received(body(DOCUMENT, DEPOSIT), content_type=content_type)


async def test_an_announced_length_beyond_the_cap_is_refused_unread() -> None:
    async def never() -> AsyncIterator[bytes]:
        raise AssertionError("a byte was read")
        yield b""

    with pytest.raises(PartTooLarge):
        await received(b"", content_length=10**9, frames=never())


async def test_an_endless_body_is_refused_at_the_cap() -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        yield DOCUMENT[: -len(b"\r\n")]
        while True:
            read += 100
            yield b"x" * 100

    with pytest.raises(PartTooLarge):
        await received(b"", frames=endless())
    assert read < 30_000


async def test_a_body_that_stalls_is_given_up() -> None:
    async def stalling() -> AsyncIterator[bytes]:
        yield DOCUMENT
        await asyncio.sleep(30)

    with pytest.raises(TooSlow):
        await received(b"", frames=stalling(), receive_max_s=0.05)


@pytest.mark.parametrize("of", [PDF, body(DOCUMENT, DEPOSIT)])
async def test_a_right_digest_of_the_document_or_of_the_body_passes(of: bytes) -> None:
    await received(body(DOCUMENT, DEPOSIT), repr_digest=sha256_field(of))


@pytest.mark.parametrize(
    "digest", [sha256_field(b"other"), "sha-256=:!:", "sha-256=", f"sha-512=:x:, {sha256_field(b'')}"]
)
async def test_u_21_a_wrong_digest_is_refused(digest: str) -> None:
    with pytest.raises(DigestMismatch):
        await received(body(DOCUMENT, DEPOSIT), repr_digest=digest)


async def test_a_part_may_carry_its_own_digest() -> None:
    await received(body(part("document", "application/pdf", PDF, Repr_Digest=sha256_field(PDF)), DEPOSIT))
    with pytest.raises(DigestMismatch):
        await received(body(part("document", "application/pdf", PDF, Repr_Digest=sha256_field(b"other")), DEPOSIT))


async def test_memory_does_not_grow_with_the_document() -> None:
    async def frames() -> AsyncIterator[bytes]:
        yield DEPOSIT + DOCUMENT[: -len(b"\r\n")]
        for _ in range(400):
            yield b"y" * 65_536
        yield f"\r\n--{BOUNDARY}--\r\n".encode()

    async def discard() -> None:
        async with receive(
            frames(),
            content_type=f"multipart/form-data; boundary={BOUNDARY}",
            content_length=None,
            repr_digest=None,
            limits=Limits(pdf_max_bytes=10**9, json_max_bytes=1_000, **DATA_LIMITS, receive_max_s=30, folder=None),
        ) as found:
            assert found.pdf_length > 26_000_000

    tracemalloc.start()
    await discard()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000
