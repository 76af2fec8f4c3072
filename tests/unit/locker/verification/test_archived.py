"""Years later the file proves nothing by itself; its archived copy does."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.unit.locker.archive.test_archive import (
    AFTER_ITS_OWN,
    DAY,
    MARGIN,
    TODAY,
    YEAR,
    Archive,
    archive,
    opened,
    tsa,
    world,
)
from tests.unit.locker.signatures.data_signatures import cades
from tests.unit.locker.signatures.signature_pki import issue, name

__all__ = ["archive", "opened", "world"]

# The archive's second time stamp holds, nothing that the file itself brings does.
YEARS_LATER = TODAY + 6 * YEAR - MARGIN
assert YEARS_LATER > AFTER_ITS_OWN

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def verify(kept: Archive, pdf: bytes, *, now: datetime, **query: str) -> dict[str, Any]:
    """As it is answered when the clock says ``now``."""
    state = kept.world.app.state
    before = state.desk
    state.desk = replace(before, clock=lambda: now)
    try:
        answer = await kept.world.locker.post(
            "/v1/verifications", params=query, content=pdf, headers={"Content-Type": "application/pdf"}
        )
    finally:
        state.desk = before
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_the_archived_copy_speaks_for_a_file_that_cannot_prove_itself_any_more(archive: Archive) -> None:
    document_id = await archive.deposit()
    headers = archive.world.citizen()
    pdf = (await archive.world.locker.get(f"/v1/documents/{document_id}/original", headers=headers)).content
    alone = await verify(archive, pdf, now=YEARS_LATER)
    assert alone["answer"]["signature"]["indication"] == "INDETERMINATE"
    await archive.renew()
    await archive.renew(TODAY + DAY)
    late = TODAY + 3 * YEAR - MARGIN + DAY
    archive.authority.holder = tsa(late)
    await archive.renew(late)
    found = await verify(archive, pdf, now=YEARS_LATER)
    signature = found["answer"]["signature"]
    assert (signature["indication"], signature["judged"]) == ("TOTAL-PASSED", "archive")
    assert signature["policy"].startswith("khizana-archive/")
    assert found["answer"]["sha256"] == found["report"]["sha256"] == alone["report"]["sha256"]
    earlier = (YEARS_LATER - timedelta(days=20)).isoformat()
    then = (await verify(archive, pdf, now=YEARS_LATER, at=earlier))["answer"]
    assert (then["signature"]["indication"], then["standing"]) == ("TOTAL-PASSED", "valid")
    # Of bytes that were never deposited no copy speaks.
    altered = await verify(archive, pdf[:-1], now=YEARS_LATER)
    assert altered["answer"]["signature"]["judged"] == "now"


async def test_g_02_the_copy_does_not_speak_for_a_signature_that_somebody_brings_beside_the_document(
    archive: Archive,
) -> None:
    document_id = await archive.deposit()
    headers = archive.world.citizen()
    pdf = (await archive.world.locker.get(f"/v1/documents/{document_id}/original", headers=headers)).content
    await archive.renew()
    stranger = issue(name("Ministry of Tests"), by=None)
    answer = await archive.world.locker.post(
        "/v1/verifications",
        files={"document": ("d.pdf", pdf), "signature": ("d.p7s", cades(pdf, by=stranger))},
    )
    signature = answer.json()["answer"]["signature"]
    assert (signature["indication"], signature["judged"]) == ("INDETERMINATE", "now"), answer.text


@pytest.mark.parametrize("report", ["", "simple", "detailed", "etsi", "pdf"])
@pytest.mark.parametrize("at", ["0001-01-01", "0001-01-01T00:00:00Z"])
async def test_the_first_day_of_all_is_a_day_like_any_other(archive: Archive, at: str, report: str) -> None:
    document_id = await archive.deposit()
    headers = archive.world.citizen()
    pdf = (await archive.world.locker.get(f"/v1/documents/{document_id}/original", headers=headers)).content
    answer = await archive.world.locker.post(
        "/v1/verifications",
        params={"at": at} | ({"report": report} if report else {}),
        content=pdf,
        headers={"Content-Type": "application/pdf"},
    )
    assert answer.status_code == 200, answer.text
