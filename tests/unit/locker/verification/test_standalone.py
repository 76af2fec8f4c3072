"""``khizana serve verification``: no database, trust in a folder."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from jose import jws

from kit.errors import TooManyRequests
from kit.settings import SettingRefused, decode
from kit.throttle import Limit
from kit.workers import WorkerPool
from locker.trust.read_list import list_workers
from locker.verification.folder_register import FolderRegister, read_files, read_trust
from locker.verification.standalone import VerificationSettings
from tests.locker_world import INTERIOR, sealed
from tests.unit.locker.signatures.signature_pki import pki as authorities
from tests.unit.locker.trust.trust_list_maker import Service, operator, trust_list
from tests.verification_service import trust_folder, verification_service

pytestmark = pytest.mark.asyncio


@pytest.fixture
def folder(tmp_path: Path) -> tuple[Path, Any]:
    return trust_folder(tmp_path)


async def test_it_starts_without_a_database_and_verifies(tmp_path: Path) -> None:
    with verification_service(tmp_path) as service:
        pdf = sealed(service.pki, service.pki.seals[INTERIOR])
        async with httpx.AsyncClient(base_url=service.url, timeout=60) as client:
            found = await client.post("/v1/verifications", files={"document": ("d.pdf", pdf, "application/pdf")})
            answer = found.json()["answer"]
            assert answer["signature"]["indication"] == "TOTAL-PASSED", answer
            assert answer["standing"] == "unknown"
            assert answer["signature"]["trust_version"] == read_files(service.trust).version
            page = await client.post(
                "/verify",
                files={"document": ("d.pdf", pdf, "application/pdf")},
                headers={"Accept": "text/html", "Accept-Language": "fr"},
            )
            assert "Inaltéré et signé par" in page.text
            certificate = await client.post(
                "/v1/verifications?report=pdf", content=pdf, headers={"Content-Type": "application/pdf"}
            )
            assert certificate.content.startswith(b"%PDF-")
            [key] = (await client.get("/.well-known/jwks.json")).json()["keys"]
            assert jws.verify(found.json()["signed_answer"], key, algorithms=["ES256"])
            assert (await client.get("/")).headers["location"] == "/verify"
            # Of the locker nothing else is there.
            assert (await client.get("/v1/documents")).status_code == 404
            unknown = await client.get("/nothing", headers={"Accept": "text/html"})
            assert unknown.status_code == 404
            assert "<h1" in unknown.text


@pytest_asyncio.fixture
async def readers() -> AsyncIterator[WorkerPool]:
    pool = list_workers()
    yield pool
    await pool.close()


async def test_what_changes_in_the_folder_counts(
    folder: tuple[Path, Any], readers: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("locker.verification.folder_register._LOOKED_AT_AGAIN_S", 0.0)
    trust, pki = folder
    register = await FolderRegister.open(trust, readers)
    before = await register.trust()
    (trust / "crls" / "broken.crl").write_bytes(b"half a li")
    assert await register.trust() == before
    (trust / "crls" / "broken.crl").unlink()
    (trust / "time-stamp-anchors").mkdir()
    (trust / "time-stamp-anchors" / "tsa.pem").write_text(pki.tsa.pem)
    after = await register.trust()
    assert after.time_stamp_anchors == (pki.tsa.der,)
    assert after.version != before.version


async def test_a_trust_list_in_the_folder_is_believed_if_its_signer_is_known(
    tmp_path: Path, readers: WorkerPool
) -> None:
    trust = tmp_path / "lists-only"
    by = operator()
    for name in ("lists", "list-signers"):
        (trust / name).mkdir(parents=True)
    (trust / "lists" / "national.xml").write_bytes(trust_list(by, Service(authorities().issuing)))
    with pytest.raises(SettingRefused, match=r"lists/national\.xml"):
        await read_trust(trust, readers)
    (trust / "list-signers" / "operator.der").write_bytes(by.der)
    found = await read_trust(trust, readers)
    assert [service.certificates for service in found.services] == [(authorities().issuing.der,)]


async def test_a_folder_that_trusts_nobody_or_cannot_be_read_stops_the_start(folder: tuple[Path, Any]) -> None:
    trust, _pki = folder
    (trust / "anchors" / "other.pem").write_text("no certificate")
    with pytest.raises(SettingRefused, match=r"anchors/other\.pem"):
        read_files(trust)
    for file in (trust / "anchors").iterdir():
        file.unlink()
    with pytest.raises(SettingRefused, match="nobody would be trusted"):
        read_files(trust)


async def test_production_wants_https(tmp_path: Path) -> None:
    environ = {
        "KHIZANA_VERIFICATION_URL": "http://verify.example",
        "KHIZANA_VERIFICATION_TRUST_FOLDER": str(tmp_path),
        "KHIZANA_VERIFICATION_KEYS_FOLDER": str(tmp_path),
    }
    with pytest.raises(SettingRefused, match="KHIZANA_VERIFICATION_URL"):
        decode(environ, VerificationSettings)


async def test_the_throttle_counts_in_memory_and_forgets(folder: tuple[Path, Any], readers: WorkerPool) -> None:
    register = await FolderRegister.open(folder[0], readers)
    limit = Limit("verify", attempts=3, per_s=3_600)
    for _ in range(3):
        await register.count(limit, "192.0.2.1")
    with pytest.raises(TooManyRequests) as refused:
        await register.count(limit, "192.0.2.1")
    assert int(refused.value.headers["Retry-After"]) > 0
    await register.count(limit, "192.0.2.2")
