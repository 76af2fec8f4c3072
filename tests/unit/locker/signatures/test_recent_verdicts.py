"""A file judged before is not judged again, unless something that decides is another."""

import hashlib
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from kit.errors import Unavailable
from locker.signatures.judge import SignatureJudge, signature_workers
from locker.signatures.policies import DEPOSIT, VERIFY
from locker.signatures.schema import Verdict
from tests.unit.locker.signatures.data_signatures import DATA, cades, jades
from tests.unit.locker.signatures.signature_pki import NOW, crl, issue, name, pki, sealed_pdf, trust


async def test_a_verdict_is_given_again_without_a_worker_and_only_for_the_same_question(tmp_path: Path) -> None:
    pool = signature_workers(workers=1, wall_s=60.0)
    judge = SignatureJudge(pool)
    path = tmp_path / "document.pdf"
    path.write_bytes(sealed_pdf())
    known = trust()
    first = await judge.validate(path, trust=known, policy=VERIFY, at=NOW)
    assert first.passed
    await pool.close()
    later = NOW + timedelta(minutes=1)
    again = await judge.validate(path, trust=known, policy=VERIFY, at=later)
    assert again == msgspec.structs.replace(first, judged_for=later)

    for other in (
        {"trust": trust(crls=(crl(pki().root), crl(pki().issuing, revoked=[(pki().seal, NOW)]))), "policy": VERIFY},
        {"trust": known, "policy": DEPOSIT},
    ):
        with pytest.raises(Unavailable):
            await judge.validate(path, at=later, **other)
    with pytest.raises(Unavailable):
        await judge.validate(path, trust=known, policy=VERIFY, at=NOW + timedelta(minutes=6))
    path.write_bytes(sealed_pdf() + b"\n")
    with pytest.raises(Unavailable):
        await judge.validate(path, trust=known, policy=VERIFY, at=later)


async def test_g_02_what_was_said_of_data_in_a_container_is_not_said_of_the_data_alone(tmp_path: Path) -> None:
    pool = signature_workers(workers=1, wall_s=60.0)
    judge = SignatureJudge(pool)
    path = tmp_path / "document"

    async def judged(content: bytes) -> Verdict:
        path.write_bytes(content)
        return await judge.validate_any(path, None, trust=trust(), policy=VERIFY, at=NOW)

    try:
        assert (await judged(jades(DATA))).passed
        assert not (await judged(DATA)).passed
        # Nor may somebody's wrapping speak against what others sealed.
        pdf = sealed_pdf()
        assert not (await judged(cades(pdf, issue(name("Nobody"), by=None), held=True))).passed
        assert (await judged(pdf)).passed
    finally:
        await pool.close()


async def test_a_file_whose_digest_is_known_is_not_read_for_a_verdict_that_is_at_hand(tmp_path: Path) -> None:
    pool = signature_workers(workers=1, wall_s=60.0)
    judge = SignatureJudge(pool)
    path = tmp_path / "document.pdf"
    path.write_bytes(sealed_pdf())
    sha256 = hashlib.sha256(sealed_pdf()).digest()
    try:
        first = await judge.validate_any(path, None, trust=trust(), policy=VERIFY, at=NOW, sha256=sha256)
        path.unlink()
        assert await judge.validate_any(path, None, trust=trust(), policy=VERIFY, at=NOW, sha256=sha256) == first
    finally:
        await pool.close()


async def test_a_wrong_digest_is_believed_of_no_file(tmp_path: Path) -> None:
    """What is kept is kept under the digest of what the judge read."""
    pool = signature_workers(workers=1, wall_s=60.0)
    judge = SignatureJudge(pool)
    path = tmp_path / "document.pdf"
    path.write_bytes(b"%PDF-1.7 nothing\n%%EOF\n")
    of_another = hashlib.sha256(sealed_pdf()).digest()
    try:
        await judge.validate_any(path, None, trust=trust(), policy=VERIFY, at=NOW, sha256=of_another)
        path.write_bytes(sealed_pdf())
        assert (await judge.validate_any(path, None, trust=trust(), policy=VERIFY, at=NOW, sha256=of_another)).passed
    finally:
        await pool.close()
