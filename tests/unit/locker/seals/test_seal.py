"""Seals that the locker makes, from the request to the judge's verdict: real PostgreSQL, S3, workers, authority."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.pdf_utils.writer import copy_into_new_writer

from kit.audit import Audit
from kit.throttle import Throttle
from locker.seals.ask_time_stamp import TimeStampAuthorities
from locker.seals.complete import complete_due
from locker.seals.forget import forget_expired
from locker.signatures.time_stamp_client import TimeStampAuthorityAway
from locker.sweeping.reconcile import reconcile
from locker.sweeping.sweep import sweep
from tests.locker_world import INTERIOR, JUSTICE, LOCKER, plain_pdf
from tests.unit.locker.seals.sealing_world import Sealing, dark_in, enable_for, open_sealing, revoke, silence, stranger
from tests.unit.locker.signatures.signature_pki import pki as signature_pki
from tests.unit.locker.signatures.signature_pki import raw_pdf, signed_by_other_software

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sealing(dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sealing]:
    async with open_sealing(dsns, s3, tmp_path_factory.mktemp("sealing")) as opened:
        yield opened


@pytest.fixture(autouse=True)
def honest(sealing: Sealing) -> None:
    sealing.authority.away, sealing.authority.lie = False, None


@pytest.mark.parametrize("level", ["B-B", "B-T", "B-LT", "B-LTA"])
async def test_a_seal_has_the_level_that_was_asked_for_by_our_own_judge(
    sealing: Sealing, tmp_path: Path, level: str
) -> None:
    answer = await sealing.ask(level=level, reason="Extract delivered", location="Rabat")
    assert answer.status_code == 201, answer.text
    sealed = answer.json()
    assert (sealed["level"], sealed["pending"], sealed["indication"]) == (level, None, "TOTAL-PASSED")
    assert answer.headers["location"] == f"{LOCKER}/v1/seals/{sealed['seal_id']}"
    verdict = await sealing.judged(await sealing.document(sealed), tmp_path, level=level)
    assert verdict.passed, verdict.reasons
    [signature] = verdict.signatures
    assert signature.level == f"PAdES-BASELINE-{level.removeprefix('B-')}"
    assert (signature.docmdp, signature.registered_seal) == (1, True)
    assert (signature.stated_reason, signature.stated_location) == ("Extract delivered", "Rabat")


async def test_g_11_while_the_authority_is_away_it_is_b_b_now_and_the_rest_later(
    sealing: Sealing, tmp_path: Path
) -> None:
    sealing.authority.away = True
    sealed = (await sealing.ask(level="B-LTA")).json()
    assert (sealed["level"], sealed["pending"], sealed["version"]) == ("B-B", "B-LTA", 1)
    first = await sealing.document(sealed)
    assert (await sealing.judged(first, tmp_path, level="B-B")).passed
    assert await complete_due(sealing.desk) == 0, "still away"

    sealing.authority.away = False
    await _due_now(sealing)
    assert await complete_due(sealing.desk) == 1
    later = (await sealing.get(f"/v1/seals/{sealed['seal_id']}")).json()
    assert (later["level"], later["pending"], later["version"]) == ("B-LTA", None, 2)
    whole = await sealing.document(later)
    assert whole.startswith(first), "a new version beside the old one, which stands as it was"
    assert await sealing.document(later, version=1) == first
    verdict = await sealing.judged(whole, tmp_path, level="B-LTA")
    assert verdict.passed, verdict.reasons
    assert await complete_due(sealing.desk) == 0, "nothing is left to do"


async def test_many_workers_complete_a_seal_once(sealing: Sealing) -> None:
    sealing.authority.away = True
    sealed = (await sealing.ask(level="B-T")).json()
    sealing.authority.away = False
    await _due_now(sealing)
    assert sorted(await asyncio.gather(*(complete_due(sealing.desk) for _ in range(4)))) == [0, 0, 0, 1]
    versions = await sealing.world.rows(
        "SELECT version, level FROM locker.seal_version WHERE seal_id = $1 ORDER BY version", sealed["seal_id"]
    )
    assert [(row["version"], row["level"]) for row in versions] == [(1, "B-B"), (2, "B-T")]


async def test_who_wants_no_fall_back_is_told_that_the_authority_is_away(sealing: Sealing) -> None:
    sealing.authority.away = True
    answer = await sealing.ask(level="B-T", fall_back=False, key="whole")
    assert (answer.status_code, answer.json()["code"]) == (503, "time-stamp-authority-away")
    sealing.authority.away = False
    assert (await sealing.ask(level="B-T", fall_back=False, key="whole")).json()["level"] == "B-T"


async def test_who_waits_for_a_time_stamp_takes_no_place_of_another_administration(sealing: Sealing) -> None:
    (sealing.keys_folder / f"{JUSTICE}.pem").write_bytes(sealing.world.pki.seals[JUSTICE].key_pem)
    await enable_for(sealing.world, JUSTICE)
    waiting = await sealing.world.owner_db.fetchval(
        "SELECT count(*) FROM locker.seal WHERE administration = $1 AND pending IS NOT NULL", INTERIOR
    )
    limits = msgspec.structs.replace(sealing.desk.limits, pending_max=waiting + 1)
    sealing.authority.away = True
    try:
        async with sealing.with_parts(limits=limits):
            assert (await sealing.ask(level="B-T")).json()["pending"] == "B-T"
            full = await sealing.ask(level="B-T")
            assert (full.status_code, full.json()["code"]) == (503, "pending-full")
            other = await sealing.ask(level="B-T", administration=JUSTICE)
            assert other.json()["pending"] == "B-T"
    finally:
        await sealing.owner("UPDATE locker.sealing SET disabled_at = now() WHERE administration = $1", JUSTICE)


@pytest.mark.parametrize("lie", ["imprint", "nonce", "signature", "status"])
async def test_an_authority_that_lies_is_as_good_as_away(sealing: Sealing, lie: str) -> None:
    sealing.authority.lie = lie
    sealed = (await sealing.ask(level="B-T")).json()
    assert (sealed["level"], sealed["pending"]) == ("B-B", "B-T")


async def test_an_authority_whose_clock_is_wrong_or_that_nobody_trusts_is_not_believed(sealing: Sealing) -> None:
    honest = sealing.authority.holder
    sealing.authority.now = datetime.now(UTC) - timedelta(hours=1)
    try:
        assert (await sealing.ask(level="B-T")).json()["level"] == "B-B"
        sealing.authority.now, sealing.authority.holder = None, stranger()
        assert (await sealing.ask(level="B-T")).json()["level"] == "B-B"
    finally:
        sealing.authority.now, sealing.authority.holder = None, honest


async def test_g_11_a_slow_authority_holds_nobody_up_for_longer_than_its_limit(sealing: Sealing) -> None:
    async with silence() as address:
        authorities = TimeStampAuthorities([address], sealing.desk.workers, answer_max_s=0.2)
        trust = await sealing.desk.trust.trust(sealing.world.wiring.db)
        try:
            for limit_s in (2.0, 0.05):
                # The second one does not wait at all: it is known to be away.
                async with asyncio.timeout(limit_s):
                    with pytest.raises(TimeStampAuthorityAway):
                        await authorities.token(bytes(32), trust=trust)
        finally:
            await authorities.close()


async def test_two_retries_with_one_key_give_one_seal(sealing: Sealing) -> None:
    answers = await asyncio.gather(*(sealing.ask(key="once", level="B-T") for _ in range(4)))
    done = [answer.json() for answer in answers if answer.status_code == 201]
    assert {answer.json()["code"] for answer in answers if answer.status_code != 201} <= {"idempotency-key-in-flight"}
    done.append((await sealing.ask(key="once", level="B-T")).json())
    assert len({sealed["sha256"] for sealed in done}) == 1
    [row] = await sealing.world.rows("SELECT seal_id, version FROM locker.seal WHERE idempotency_key = 'once'")
    assert (row["seal_id"], row["version"]) == (done[0]["seal_id"], 1)
    audited = await sealing.world.rows(
        "SELECT 1 FROM locker.audit WHERE action = 'seal.made' AND object_id = $1", row["seal_id"]
    )
    assert len(audited) == 1


async def test_a_key_belongs_to_one_request(sealing: Sealing) -> None:
    assert (await sealing.ask(key="mine", level="B-B")).status_code == 201
    answer = await sealing.ask(key="mine", level="B-T")
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency-key-reused")


async def test_an_attempt_that_was_overtaken_leaves_nothing(sealing: Sealing) -> None:
    """Its lease ended while it sealed; what it made does not become a second seal."""
    taken = asyncio.Event()

    class Slow:
        async def prepare(self, job: Any) -> Any:
            await sealing.owner("UPDATE locker.seal SET started_at = now() - interval '1 hour' WHERE level IS NULL")
            taken.set()
            return await real.prepare(job)

        def __getattr__(self, name: str) -> Any:
            return getattr(real, name)

    real = sealing.desk.workers
    before = await sealing.world.objects()
    async with sealing.with_parts(workers=Slow()):
        slow = asyncio.create_task(sealing.ask(key="slow", level="B-B"))
        await taken.wait()
    fast, late = await sealing.ask(key="slow", level="B-B"), await slow
    assert sorted([fast.status_code, late.status_code]) == [201, 409]
    [refused] = [answer for answer in (fast, late) if answer.status_code == 409]
    assert refused.json()["code"] == "seal-overtaken"
    rows = await sealing.world.rows(
        "SELECT v.object_key FROM locker.seal JOIN locker.seal_version v USING (administration, seal_id)"
        " WHERE idempotency_key = 'slow'"
    )
    assert len(rows) == 1
    intents = {row["object_key"] for row in await sealing.world.rows("SELECT object_key FROM locker.deposit_intent")}
    assert await sealing.world.objects() - before <= {rows[0]["object_key"]} | intents, "what is left over is swept"


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("certified", "already-certified"),
        ("signed", "already-signed"),
        ("encrypted", "encrypted"),
        ("javascript", "active-content"),
        ("broken", "unreadable"),
        ("tail", "bytes-after-end"),
    ],
)
async def test_what_may_not_be_sealed_is_refused_with_a_reason(sealing: Sealing, what: str, reason: str) -> None:
    answer = await sealing.ask(UNFIT[what](sealing), level="B-B")
    assert (answer.status_code, answer.json()["code"], answer.json()["reason"]) == (422, "sealing-refused", reason)
    [row] = await sealing.world.rows(
        "SELECT result, detail FROM locker.audit WHERE action = 'seal.refused' ORDER BY audit_id DESC LIMIT 1"
    )
    assert (row["result"], row["detail"]["reason"]) == ("sealing-refused", reason)


async def test_others_may_sign_after_a_seal_that_plans_it(sealing: Sealing, tmp_path: Path) -> None:
    first = await sealing.document((await sealing.ask(level="B-T", co_signature=True)).json())
    assert (await sealing.judged(first, tmp_path, level="B-T")).signatures[0].docmdp is None
    second = await sealing.ask(first, level="B-T", co_signature=True)
    assert second.status_code == 201, second.text
    verdict = await sealing.judged(await sealing.document(second.json()), tmp_path, level="B-T")
    assert (verdict.passed, len(verdict.signatures)) == (True, 2)


async def test_one_altered_byte_is_seen(sealing: Sealing, tmp_path: Path) -> None:
    whole = await sealing.document((await sealing.ask(level="B-T")).json())
    # In the page, in the seal's own dictionary, in its container.
    for at in (whole.index(b"endstream") - 5, whole.index(b"/ETSI.CAdES") + 3, whole.index(b"/Contents <") + 200):
        altered = bytearray(whole)
        altered[at] ^= 1
        assert not (await sealing.judged(bytes(altered), tmp_path, level="B-B")).passed


async def test_a_visible_stamp_is_on_the_page_it_was_asked_for(sealing: Sealing, tmp_path: Path) -> None:
    box = [60, 60, 330, 150]
    sealed = await sealing.document(
        (await sealing.ask(plain_pdf(pages=2), level="B-T", stamp={"page": 2, "box": box})).json()
    )
    assert (await sealing.judged(sealed, tmp_path, level="B-T")).passed
    first, second = dark_in(sealed, 0, box), dark_in(sealed, 1, box)
    assert (first, second > 2_000) == (0, True)
    assert (await sealing.ask(level="B-B", stamp={"page": 2, "box": box})).json()["reason"] == "no-pages"


async def test_only_the_administrations_own_program_sees_its_seals(sealing: Sealing) -> None:
    sealed = (await sealing.ask(level="B-B")).json()
    for path in (f"/v1/seals/{sealed['seal_id']}", f"/v1/seals/{sealed['seal_id']}/document"):
        answer = await sealing.get(path, administration=JUSTICE)
        assert (answer.status_code, answer.json()["code"]) == (404, "seal-unknown")
    assert (await sealing.get(f"/v1/seals/{sealed['seal_id']}/document?version=7")).status_code == 404


async def test_the_scope_is_one_of_its_own(sealing: Sealing) -> None:
    assert (await sealing.ask(scope="documents:deposit")).status_code == 403
    citizen = {**sealing.world.citizen(scope="documents:seal"), "Idempotency-Key": '"x"'}
    assert (await sealing.world.locker.post("/v1/seals", headers=citizen)).status_code == 401


async def test_an_administration_that_is_not_enabled_gets_no_seal(sealing: Sealing) -> None:
    answer = await sealing.ask(administration=JUSTICE)
    assert (answer.status_code, answer.json()["code"]) == (403, "sealing-not-enabled")


@pytest.mark.parametrize("request_", [{"level": "B-X"}, {"stamp": {"box": [1]}}, {"unknown": 1}])
async def test_a_request_that_says_something_else_is_refused(sealing: Sealing, request_: dict[str, Any]) -> None:
    answer = await sealing.ask(**request_)
    assert (answer.status_code, answer.json()["code"]) == (422, "seal-request-invalid")


async def test_a_body_is_bounded(sealing: Sealing) -> None:
    answer = await sealing.ask(b"%PDF-1.7\n" + bytes(sealing.desk.limits.receive.pdf_max_bytes))
    assert answer.status_code == 413


async def test_a_key_that_is_not_in_its_place_is_said_to_be_missing(sealing: Sealing) -> None:
    [place] = sealing.keys_folder.glob(f"{INTERIOR}.pem")
    place.rename(place.with_suffix(".away"))
    try:
        answer = await sealing.ask(level="B-B", key="no key")
        assert (answer.status_code, answer.json()["code"]) == (503, "seal-key-missing")
    finally:
        place.with_suffix(".away").rename(place)
    assert (await sealing.ask(level="B-B", key="no key")).status_code == 201


async def test_a_certificate_that_is_withdrawn_seals_no_more(sealing: Sealing) -> None:
    administration = "UPDATE locker.seal_certificate SET withdrawn_at = {} WHERE administration = $1"
    await sealing.owner(administration.format("now()"), INTERIOR)
    try:
        answer = await sealing.ask(level="B-B")
        assert (answer.status_code, answer.json()["code"]) == (422, "seal-certificate-unregistered")
    finally:
        await sealing.owner(administration.format("NULL"), INTERIOR)


async def test_a_seal_past_its_time_is_forgotten_with_its_object(sealing: Sealing) -> None:
    sealed = (await sealing.ask(level="B-B")).json()
    past = "UPDATE locker.seal SET expires_at = now() - interval '1 s' WHERE seal_id = $1"
    await sealing.owner(past, sealed["seal_id"])
    assert await forget_expired(sealing.world.wiring.db) == 1
    assert (await sealing.get(f"/v1/seals/{sealed['seal_id']}")).status_code == 404
    swept = await sweep(
        sealing.world.wiring.db,
        Audit("locker"),
        Throttle("locker"),
        sealing.world.wiring.vault,
        grace_s=0,
        outbox_lifetime_s=86_400,
        refused_lifetime_s=86_400,
    )
    assert swept.orphans >= 1
    assert not await sealing.world.rows("SELECT 1 FROM locker.seal WHERE seal_id = $1", sealed["seal_id"])


async def test_reconcile_knows_the_objects_of_seals(sealing: Sealing) -> None:
    wiring = sealing.world.wiring
    # The object store of this process holds what other modules' databases know.
    before = await reconcile(wiring.db, Audit("locker"), wiring.vault, grace_s=0)
    await sealing.ask(level="B-B")
    found = await reconcile(wiring.db, Audit("locker"), wiring.vault, grace_s=0)
    assert found.objects == before.objects + 1
    assert (set(found.unknown) - set(before.unknown), found.missing) == (set(), [])


# At the end: this world's certificate is revoked from here on.


async def test_zz_a_certificate_that_was_revoked_seals_no_more(sealing: Sealing) -> None:
    await revoke(sealing.world)
    answer = await sealing.ask(level="B-B")
    assert (answer.status_code, answer.json()["code"], answer.json()["reason"]) == (422, "sealing-refused", "revoked")


async def _due_now(sealing: Sealing) -> None:
    sealing.desk.authorities.forget_failures()
    await sealing.owner("UPDATE locker.seal SET next_try_at = now() WHERE pending IS NOT NULL")


def _encrypted(_: Sealing) -> bytes:
    writer = copy_into_new_writer(PdfFileReader(BytesIO(plain_pdf())))
    writer.encrypt(owner_pass="secret", user_pass="")
    output = BytesIO()
    writer.write(output)
    return output.getvalue()


UNFIT: dict[str, Any] = {
    "certified": lambda sealing: sealing.world.sealed(),
    "signed": lambda sealing: signed_by_other_software(plain_pdf(), signature_pki().seal),
    "encrypted": _encrypted,
    "javascript": lambda _: raw_pdf(
        b"<< /Type /Catalog /Pages 2 0 R /OpenAction << /S /JavaScript /JS (app.alert(1)) >> >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 100 100] >>",
    ),
    "broken": lambda _: b"%PDF-1.7\n" + b"x" * 200 + b"\nstartxref\n5\n%%EOF\n",
    "tail": lambda _: plain_pdf() + b"more",
}
