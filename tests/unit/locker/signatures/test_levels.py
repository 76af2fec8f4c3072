"""What ``prepare`` makes is what our own judge calls it, level by level, and holds when the certificates have ended."""

from datetime import timedelta

import pytest

from locker.signatures.policies import deposit_policy
from locker.signatures.prepare import (
    add_validation_data,
    new_field_name,
    prepare_signature,
    prepare_time_stamp,
    sha256_around,
)
from locker.signatures.room import RoomTooSmall, fill
from locker.signatures.seal import seal
from locker.signatures.seal_request import ValidationData
from tests.unit.locker.signatures.signature_pki import NOW, YEAR, crl, issue, judged, name, pki, plain_pdf

MINUTE = timedelta(minutes=1)


def data() -> ValidationData:
    made = pki()
    later = NOW + MINUTE
    return ValidationData(
        certificates=(made.issuing.der, made.root.der), crls=(crl(made.root, at=later), crl(made.issuing, at=later))
    )


def time_stamped(pdf: bytes, field_name: str = "Archive1", at=NOW + 2 * MINUTE, authority=None) -> bytes:
    authority = (authority or pki().tsa).time_stamper(at)
    prepared, room = prepare_time_stamp(pdf, reserved_bytes=authority.token_size_bytes, field_name=field_name)
    return fill(prepared, room, authority.token(room.digest, "sha256").dump())


def b_b() -> bytes:
    return seal(plain_pdf(), sealer=pki().seal.sealer(), at=NOW)


def b_t() -> bytes:
    return seal(plain_pdf(), sealer=pki().seal.sealer(), timestamper=pki().tsa.time_stamper(), at=NOW)


@pytest.mark.parametrize(
    ("level", "pdf"),
    [
        ("B", b_b),
        ("T", b_t),
        # What is done when the authority was away: the time stamp comes as a revision of its own.
        ("T", lambda: time_stamped(b_b(), "TimeStamp1")),
        ("LT", lambda: add_validation_data(b_t(), data())),
        ("LTA", lambda: time_stamped(add_validation_data(b_t(), data()))),
        ("LTA", lambda: time_stamped(add_validation_data(time_stamped(b_b(), "TimeStamp1", NOW), data()))),
    ],
    ids=["B-B", "B-T", "B-T-later", "B-LT", "B-LTA", "B-LTA-later"],
)
def test_each_level_is_passed_at_that_level(level: str, pdf) -> None:
    verdict = judged(pdf(), policy=deposit_policy(minimum_level=level), at=NOW + 10 * MINUTE, seals=(pki().seal.der,))
    assert verdict.passed, verdict.reasons
    assert verdict.signatures[0].level == f"PAdES-BASELINE-{level}"


def test_lta_holds_when_the_seals_certificate_has_ended_and_b_t_does_not() -> None:
    late = NOW + 3 * YEAR + timedelta(days=1)
    authority = issue(name("A TSA of longer life"), by=pki().root, time_stamping=True, not_after=NOW + 9 * YEAR)
    with_data = add_validation_data(b_t(), data())
    archived = time_stamped(with_data, authority=authority)
    assert judged(archived, at=late, crls=()).passed
    assert not judged(b_t(), at=late, crls=()).passed


def test_a_higher_level_begins_with_all_bytes_of_the_lower_one() -> None:
    first = b_b()
    assert time_stamped(add_validation_data(first, data())).startswith(first)


def test_validation_data_that_is_there_adds_no_revision() -> None:
    once = add_validation_data(b_t(), data_ := data())
    assert add_validation_data(once, data_) == once, "not again"
    more = add_validation_data(once, ValidationData(certificates=(pki().tsa.der,)))
    assert more.startswith(once)
    assert more != once
    assert judged(more, at=NOW + 10 * MINUTE).passed


def test_the_digest_is_of_everything_but_the_room() -> None:
    prepared, room = prepare_signature(plain_pdf(), reserved_bytes=4000, at=NOW)
    assert room.digest == sha256_around(prepared, room)
    assert prepared[room.start : room.start + 2] == b"<0"
    assert prepared[room.end - 2 : room.end] == b"0>"


def test_a_container_that_does_not_fit_is_not_cut() -> None:
    prepared, room = prepare_signature(plain_pdf(), reserved_bytes=100, at=NOW)
    with pytest.raises(RoomTooSmall):
        fill(prepared, room, bytes(101))


def test_a_field_name_is_new() -> None:
    assert new_field_name(b_b(), "Archive") == "Archive1"
    assert new_field_name(time_stamped(b_b(), "Archive1"), "Archive") == "Archive2"


@pytest.mark.parametrize("holder", ["seal", "rsa_seal"])
def test_the_container_is_read_by_openssl_too(holder: str, tmp_path) -> None:
    import shutil
    import subprocess

    if shutil.which("openssl") is None:
        pytest.skip("SKIPPED: no openssl here to read the container a second time")
    by = getattr(pki(), holder)
    prepared, room = prepare_signature(plain_pdf(), reserved_bytes=8000, at=NOW)
    sealer = by.sealer()
    attributes = sealer.signed_attributes(room.digest)
    (tmp_path / "cms").write_bytes(sealer.cms(attributes, sealer.key.sign(attributes, "sha256")))
    (tmp_path / "content").write_bytes(prepared[: room.start] + prepared[room.end :])
    from cryptography.hazmat.primitives.serialization import Encoding

    (tmp_path / "root").write_bytes(pki().root.certificate.public_bytes(Encoding.PEM))
    words = ["cms", "-verify", "-binary", "-inform", "DER", "-in", "cms", "-content", "content", "-CAfile", "root"]
    words += ["-purpose", "any", "-attime", str(int(NOW.timestamp())), "-out", "out"]
    answer = subprocess.run(["openssl", *words], cwd=tmp_path, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
