"""Long term, over real PostgreSQL, a real S3 server, a real authority over HTTP, and a clock that moves years ahead."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from khizana.rounds import opened_archive, sweep_locker
from kit.audit import Audit
from kit.ids import new_id
from locker.archive import store
from locker.archive.assess import assess
from locker.archive.copies import read_copy
from locker.archive.desk import ArchiveDesk
from locker.archive.export import export
from locker.archive.keep_copy import keep_copy
from locker.archive.renew import due, renew, show
from locker.archive.schema import KeptShown, Renewed
from locker.signatures.judge_evidence_record import imprint_of_bytes, judge_evidence_record
from locker.signatures.policies import VERIFY
from locker.signatures.schema import Trust
from locker.signatures.trust_store import TrustStore
from locker.sweeping.reconcile import reconcile
from locker.trust.add import add
from locker.trust.schema import TrustAddition
from locker.trust.withdraw import withdraw
from tests.locker_world import World, open_world
from tests.time_stamp_authority import Authority, listening
from tests.unit.locker.signatures.signature_pki import Holder, issue, name

pytestmark = pytest.mark.asyncio(loop_scope="module")

# Later than what the deposits of this run bring along, however long the run takes to come here.
TODAY = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=2)
DAY, YEAR = timedelta(days=1), timedelta(days=365)
MARGIN = timedelta(days=180)
# The seal's own time stamp, of another authority, holds for 1,800 days: until then a document needs no archive.
AFTER_ITS_OWN = TODAY + timedelta(days=1_900)

_number = itertools.count(1)


@cache
def root() -> Holder:
    return issue(name("TSA Root"), by=None, ca=True, not_before=TODAY - YEAR, not_after=TODAY + 5 * YEAR)


def pem_of(holder: Holder) -> str:
    return holder.certificate.public_bytes(Encoding.PEM).decode()


@cache
def key(bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def tsa(began: datetime, life: timedelta = 3 * YEAR, *, bits: int = 3072) -> Holder:
    return issue(
        name(f"TSA {next(_number)}"),
        by=root(),
        key=key(bits),
        time_stamping=True,
        non_repudiation=False,
        not_before=began - DAY,
        not_after=began + life,
    )


@dataclass
class Archive:
    """``world`` in the hands of a clock; what is done is done at ``now``."""

    world: World
    desk: ArchiveDesk
    authority: Authority
    now: datetime = TODAY

    async def renew(self, at: datetime | None = None, **limits: Any) -> Renewed:
        self.move(at or self.now)
        return await renew(self.with_limits(**limits))

    def move(self, to: datetime) -> None:
        self.now = self.authority.now = to

    def with_limits(self, **limits: Any) -> ArchiveDesk:
        return replace(self.desk, limits=msgspec.structs.replace(self.desk.limits, **limits), clock=lambda: self.now)

    async def deposit(self) -> str:
        answer = await self.world.deposit()
        assert answer.status_code == 201, answer.text
        # The row begins by the database's clock, which is an hour or so from this test's.
        await self.world.rows("UPDATE locker.archived SET next_attempt_at = $1", TODAY - DAY)
        return str(answer.json()["document_id"])

    async def assess(self, document_id: str, at: datetime | None = None) -> KeptShown:
        return await assess(self.with_limits(), document_id, at=at or self.now)

    async def row(self, document_id: str) -> dict[str, Any]:
        [row] = await self.world.rows("SELECT * FROM locker.archived WHERE document_id = $1", document_id)
        return row


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with open_world(
        dsns, s3, tmp_path_factory.mktemp("locker"), deposit_intent_grace_s=0, archive_renewal_margin_days=MARGIN.days
    ) as opened:
        await add(opened.wiring.db, Audit("locker"), TrustAddition(time_stamp_anchors=[pem_of(root())]), officer="test")
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened(world: World) -> AsyncIterator[Archive]:
    async with listening(Authority(tsa(TODAY))) as authority:
        settings = msgspec.structs.replace(world.wiring.settings, time_stamp_authorities=(authority.address,))
        async with opened_archive(world.wiring.db, world.wiring.vault, world.wiring.judge, settings) as desk:
            yield Archive(world, desk, authority)


@pytest_asyncio.fixture(loop_scope="module")
async def archive(opened: Archive) -> Archive:
    """Nothing archived yet, and the authority of today."""
    for table in ("evidence_tree", "archive_time_stamp", "evidence_record", "archived"):
        await opened.world.rows(f"DELETE FROM locker.{table}")
    opened.authority.holder, opened.authority.away = tsa(TODAY), False
    opened.move(TODAY)
    return opened


async def copy_of(archive: Archive, document_id: str) -> bytes:
    held = await store.held(archive.world.wiring.db, document_id=document_id)
    assert held is not None
    assert held.copy is not None
    frames = read_copy(
        archive.world.wiring.vault,
        held.copy,
        owner=held.owner,
        document_id=document_id,
        generation=held.generation,
    )
    return b"".join([frame async for frame in frames])


async def test_a_deposit_gets_a_copy_that_needs_nobody_and_the_original_stays(archive: Archive) -> None:
    document_id = await archive.deposit()
    assert await archive.renew() == Renewed(copies_made=1)
    original = await archive.world.locker.get(f"/v1/documents/{document_id}/original", headers=archive.world.citizen())
    copy = await copy_of(archive, document_id)
    assert copy.startswith(original.content)
    assert len(copy) > len(original.content)
    shown = await archive.assess(document_id)
    assert (shown.indication, shown.by, shown.generation) == ("TOTAL-PASSED", "copy", 1)
    assert shown.verdict is not None
    assert shown.verdict.signatures[0].level == "PAdES-BASELINE-LTA"


async def test_one_time_stamp_serves_a_days_deposits(archive: Archive) -> None:
    documents = [await archive.deposit() for _ in range(5)]
    await archive.renew()
    assert await archive.renew() == Renewed(), "the day is not over"
    before = archive.authority.answered
    done = await archive.renew(TODAY + DAY)
    assert done == Renewed(records_made=1, documents_covered=5)
    assert archive.authority.answered == before + 1
    assert len({(await archive.row(document_id))["record_id"] for document_id in documents}) == 1


async def test_a_dry_run_says_what_is_due_and_writes_nothing(archive: Archive) -> None:
    await archive.deposit()
    await archive.renew()
    document_id = await archive.deposit()
    before = archive.authority.answered
    archive.move(TODAY + DAY)
    found = await due(archive.with_limits())
    assert (found.copies_to_make, found.copies_to_renew, found.copies_to_cover) == (1, 0, 1)
    assert archive.authority.answered == before
    assert (await archive.row(document_id))["attempts"] == 0


async def test_the_record_is_renewed_for_all_its_documents_at_once(archive: Archive) -> None:
    documents = [await archive.deposit() for _ in range(3)]
    await archive.renew()
    await archive.renew(TODAY + DAY)
    late = TODAY + 3 * YEAR - MARGIN + DAY
    archive.authority.holder = tsa(late)
    before = archive.authority.answered
    assert await archive.renew(late) == Renewed(records_renewed=1)
    assert archive.authority.answered == before + 1
    for document_id in documents:
        shown = await archive.assess(document_id, late + 3 * YEAR - DAY)
        assert (shown.indication, shown.by) == ("TOTAL-PASSED", "evidence-record")
        assert shown.evidence is not None
        assert shown.evidence.proven_time == TODAY + DAY


async def test_each_copy_is_renewed_by_itself_where_that_is_configured(archive: Archive) -> None:
    document_id = await archive.deposit()
    await archive.renew(each=True)
    first = await copy_of(archive, document_id)
    late = TODAY + 3 * YEAR - MARGIN + DAY
    archive.authority.holder = tsa(late)
    assert (await archive.renew(late, each=True)).copies_renewed == 1
    second = await copy_of(archive, document_id)
    assert second.startswith(first)
    shown = await archive.assess(document_id, late + 3 * YEAR - DAY)
    assert (shown.indication, shown.by, shown.generation) == ("TOTAL-PASSED", "copy", 2)


async def test_an_algorithm_that_ends_is_renewed_before_although_the_certificate_lives(archive: Archive) -> None:
    """RSA of 2048 bits counts until 2029-01-01."""
    document_id = await archive.deposit()
    archive.authority.holder = tsa(TODAY, 20 * YEAR, bits=2048)
    await archive.renew(each=True)
    ends = datetime(2029, 1, 1, tzinfo=UTC)
    assert (await archive.renew(ends - MARGIN - 2 * DAY, each=True)).copies_renewed == 0
    assert (await archive.assess(document_id, ends - DAY)).indication == "TOTAL-PASSED"
    assert (await archive.assess(document_id, AFTER_ITS_OWN)).indication == "INDETERMINATE"
    archive.authority.holder = tsa(archive.now, 20 * YEAR)
    assert (await archive.renew(ends - MARGIN + DAY, each=True)).copies_renewed == 1
    assert (await archive.assess(document_id, ends + 10 * YEAR)).indication == "TOTAL-PASSED"


async def test_a_hash_tree_is_renewed_before_its_digest_ends(archive: Archive) -> None:
    """SHA-224 counts until 2029-01-01: then every document is hashed again, under one time stamp."""
    documents = [await archive.deposit() for _ in range(3)]
    archive.authority.holder = tsa(TODAY, YEAR)
    await archive.renew()
    archive.authority.holder = tsa(TODAY, 20 * YEAR)
    assert (await archive.renew(TODAY + DAY, digest_algorithms=("sha224",))).records_made == 1
    ends = datetime(2029, 1, 1, tzinfo=UTC)
    assert (await archive.assess(documents[0], AFTER_ITS_OWN)).indication == "INDETERMINATE"
    before = archive.authority.answered
    assert await archive.renew(ends - MARGIN + DAY, digest_algorithms=("sha224", "sha512")) == Renewed(trees_renewed=1)
    assert archive.authority.answered == before + 1
    for document_id in documents:
        shown = await archive.assess(document_id, ends + 5 * YEAR)
        assert (shown.indication, shown.by) == ("TOTAL-PASSED", "evidence-record")


async def test_what_was_renewed_too_late_has_lapsed_and_is_not_stamped_again(archive: Archive) -> None:
    document_id = await archive.deposit()
    await archive.renew()
    await archive.renew(TODAY + DAY)
    late = AFTER_ITS_OWN
    archive.authority.holder = tsa(late)
    before = archive.authority.answered
    done = await archive.renew(late)
    again = await archive.renew(late)
    assert done.records_lapsed == 1
    assert done.copies_lapsed + again.copies_lapsed == 1
    assert archive.authority.answered == before
    for moment in (late, late + YEAR):
        shown = await archive.assess(document_id, moment)
        assert (shown.state, shown.indication, shown.by) == ("lapsed", "INDETERMINATE", "none")
    # Of a day on which it held, it is still said that it held.
    assert (await archive.assess(document_id, TODAY + YEAR)).indication == "TOTAL-PASSED"
    actions = await archive.world.rows("SELECT action FROM locker.audit WHERE action LIKE 'archive.%lapsed'")
    assert {row["action"] for row in actions} == {"archive.lapsed", "archive.record-lapsed"}


@asynccontextmanager
async def distrusted(archive: Archive) -> AsyncIterator[None]:
    """The anchor of the time-stamp authorities is gone meanwhile: an officer's mistake, or a list without it."""
    db, certificate = archive.world.wiring.db, root().certificate
    await withdraw(db, Audit("locker"), certificate.fingerprint(SHA256()).hex(), officer="test")
    try:
        yield
    finally:
        await add(db, Audit("locker"), TrustAddition(time_stamp_anchors=[pem_of(root())]), officer="test")


async def test_a_copy_whose_anchor_is_gone_is_put_off_and_renewed_when_it_is_back(archive: Archive) -> None:
    archive.authority.holder = tsa(TODAY, 6 * YEAR)
    document_id = await archive.deposit()
    await archive.renew()
    late = TODAY + 6 * YEAR - MARGIN + DAY
    archive.authority.holder = tsa(late)
    async with distrusted(archive):
        assert (await archive.renew(late, each=True)).copies_lapsed == 0
        row = await archive.row(document_id)
        assert (row["state"], row["failure"]) == ("kept", "no-chain")
    assert (await archive.renew(late + 2 * DAY, each=True)).copies_renewed == 1
    assert (await archive.assess(document_id)).indication == "TOTAL-PASSED"


async def test_a_record_whose_anchor_is_gone_waits_for_it_while_its_documents_have_time(archive: Archive) -> None:
    archive.authority.holder = tsa(TODAY, 6 * YEAR)
    document_id = await archive.deposit()
    await archive.renew()
    assert (await archive.renew(TODAY + DAY)).records_made == 1
    ends = TODAY + 6 * YEAR
    archive.authority.holder = tsa(ends - MARGIN, 6 * YEAR)
    async with distrusted(archive):
        assert await archive.renew(ends - MARGIN + DAY) == Renewed(failed=1)
    assert await archive.renew(ends - MARGIN + 3 * DAY) == Renewed(records_renewed=1)
    ends += 6 * YEAR - MARGIN
    async with distrusted(archive):
        assert await archive.renew(ends - MARGIN + DAY) == Renewed(failed=1)
        # Nobody trusts it any more: the documents are carried by their copies again, which are looked at.
        assert (await archive.renew(ends - MARGIN / 2 + DAY)).records_lapsed == 1
        assert (await archive.row(document_id))["record_id"] is None


@pytest.mark.parametrize(("seed", "each"), [(1, False), (2, False), (3, True)], ids=str)
async def test_for_every_later_day_for_which_renewal_ran_in_time_it_passes(
    archive: Archive, seed: int, each: bool
) -> None:
    """Random rounds over twenty years, never further apart than the margin, under ever new authorities."""
    chance = random.Random(seed)
    document_id = await archive.deposit()
    await archive.renew(each=each)
    visited, now = [TODAY], TODAY
    # The authority here cannot count beyond 2049.
    while now < TODAY + 20 * YEAR:
        now += timedelta(days=chance.randint(90, 179))
        if (archive.authority.holder.certificate.not_valid_after_utc - now) < 2 * MARGIN:
            archive.authority.holder = tsa(now, timedelta(days=chance.randint(730, 1500)))
        assert (await archive.renew(now, each=each)).failed == 0
        visited.append(now)
    for moment in [*chance.sample(visited, 3), now + MARGIN - DAY]:
        shown = await archive.assess(document_id, moment)
        assert (shown.state, shown.indication) == ("kept", "TOTAL-PASSED"), (moment, shown.reasons)


@pytest.mark.parametrize("seed", range(2))
async def test_after_a_gap_that_was_too_long_it_never_passes_again(archive: Archive, seed: int) -> None:
    chance = random.Random(100 + seed)
    document_id = await archive.deposit()
    await archive.renew()
    now = TODAY + timedelta(days=chance.randint(1, 300))
    await archive.renew(now)
    now = AFTER_ITS_OWN + timedelta(days=chance.randint(0, 3000))
    for _ in range(4):
        archive.authority.holder = tsa(now)
        await archive.renew(now)
        assert (await archive.assess(document_id, now)).indication == "INDETERMINATE"
        now += timedelta(days=chance.randint(1, 1000))
    assert (await archive.row(document_id))["state"] == "lapsed"


async def test_p_01_a_document_whose_owner_is_erased_meanwhile_did_not_lapse(
    archive: Archive, caplog: pytest.LogCaptureFixture
) -> None:
    """The key goes first, the rows in the next seconds: a worker between the two has nothing to keep, and no alarm."""
    world = archive.world
    uid = "2000000077"
    owner = world.provider.enrol(uid)
    answer = await world.deposit(uid=uid)
    assert answer.status_code == 201, answer.text
    await world.rows("UPDATE locker.archived SET next_attempt_at = $1", TODAY - DAY)
    async with world.wiring.db.transaction() as tx:
        assert await world.wiring.vault.destroy_owner_key(tx, owner=owner)
    assert await archive.renew() == Renewed()
    assert (await show(archive.with_limits())).copies.get("lapsed", 0) == 0
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []
    told = "SELECT action FROM locker.audit WHERE object_id = $1 AND action LIKE 'archive.%'"
    assert await world.rows(told, answer.json()["document_id"]) == []


async def test_while_the_authority_is_away_it_is_put_off_and_shown(archive: Archive) -> None:
    document_id = await archive.deposit()
    archive.authority.away = True
    assert await archive.renew() == Renewed(failed=1)
    assert await archive.renew() == Renewed(), "put off"
    [failing] = (await show(archive.with_limits())).failing
    assert (failing.what, failing.failure) == (document_id, "time-stamp-authority-away")
    archive.authority.away = False
    assert await archive.renew(TODAY + DAY) == Renewed(copies_made=1)
    assert (await show(archive.with_limits())).failing == []


async def test_a_stamp_of_an_authority_that_is_not_trusted_is_not_kept(archive: Archive) -> None:
    stranger = issue(name("A stranger"), by=None, ca=True)
    archive.authority.holder = issue(
        name("Its TSA"), by=stranger, key=key(3072), time_stamping=True, non_repudiation=False
    )
    document_id = await archive.deposit()
    assert await archive.renew() == Renewed(failed=1)
    row = await archive.row(document_id)
    assert (row["state"], row["generation"]) == ("waiting", 0)


async def test_a_worker_that_dies_mid_way_loses_nothing_and_a_late_one_changes_nothing(archive: Archive) -> None:
    document_id = await archive.deposit()
    desk = archive.with_limits(lease=timedelta(0))
    given = {"now": archive.now, "by": archive.now, "weak": [], "each": False, "lease": timedelta(0)}
    dead = await store.take_copy(desk.db, attempt=new_id(), **given)
    assert dead is not None
    assert await archive.renew() == Renewed(copies_made=1)
    assert await keep_copy(desk, dead) == "overtaken"
    assert (await archive.row(document_id))["generation"] == 1


async def test_a_record_that_was_begun_and_not_finished_is_finished_by_the_next(archive: Archive) -> None:
    documents = [await archive.deposit() for _ in range(2)]
    await archive.renew()
    archive.move(TODAY + DAY)
    begun = await store.begin_record(
        archive.desk.db,
        record_id=new_id(),
        attempt=new_id(),
        kept_before=archive.now,
        now=archive.now,
        documents_max=10,
        lease=timedelta(0),
    )
    assert begun == 2
    assert await archive.renew() == Renewed(records_made=1)
    assert all([(await archive.row(document_id))["record_id"] for document_id in documents])


async def test_of_many_workers_each_document_gets_one_copy(archive: Archive) -> None:
    for _ in range(4):
        await archive.deposit()
    outcomes = await asyncio.gather(*(renew(archive.with_limits()) for _ in range(4)))
    assert sum(done.copies_made for done in outcomes) == 4
    assert sum(done.failed for done in outcomes) == 0
    archive.move(TODAY + DAY)
    outcomes = await asyncio.gather(*(renew(archive.with_limits()) for _ in range(4)))
    assert sum(done.documents_covered for done in outcomes) == 4


async def test_the_sweeper_takes_replaced_copies_and_reconcile_knows_the_rest(archive: Archive) -> None:
    document_id = await archive.deposit()
    await archive.renew(each=True)
    first = (await archive.row(document_id))["object_key"]
    late = TODAY + 3 * YEAR - DAY
    archive.authority.holder = tsa(late)
    await archive.renew(late, each=True)
    second = (await archive.row(document_id))["object_key"]
    wiring = archive.world.wiring
    await sweep_locker(wiring.db, wiring.vault, wiring.settings)
    assert {first, second} & await archive.world.objects() == {second}
    compared = await reconcile(wiring.db, wiring.audit, wiring.vault, grace_s=-60)
    assert second not in compared.unknown
    assert compared.missing == []


async def test_a_copy_cannot_stand_for_another_generation_or_for_the_original(archive: Archive) -> None:
    from locker.vault import BlobDamaged

    document_id = await archive.deposit()
    await archive.renew()
    held = await store.held(archive.desk.db, document_id=document_id)
    assert held is not None
    assert held.copy is not None
    with pytest.raises(BlobDamaged):
        [
            frame
            async for frame in read_copy(
                archive.desk.vault, held.copy, owner=held.owner, document_id=document_id, generation=2
            )
        ]
    with pytest.raises(BlobDamaged):
        [
            frame
            async for frame in archive.desk.vault.read(held.copy, owner=held.owner, document_id=document_id, version=1)
        ]


async def test_what_is_exported_is_verified_without_us(archive: Archive, tmp_path: Path) -> None:
    document_id = await archive.deposit()
    await archive.deposit()
    await archive.renew()
    await archive.renew(TODAY + DAY)
    files = await export(archive.with_limits(), document_id, tmp_path)
    assert files.evidence_record is not None
    assert files.covered == files.copy
    trust = TrustStore(Trust(anchors=(root().der,), version="somebody else's"))
    pdf, record = Path(files.copy).read_bytes(), Path(files.evidence_record).read_bytes()
    verdict = await asyncio.to_thread(
        judge_evidence_record, record, [imprint_of_bytes(pdf)], trust, VERIFY, TODAY + YEAR
    )
    assert (verdict.indication, verdict.proven_time) == ("TOTAL-PASSED", TODAY + DAY)


async def test_the_record_covers_the_copy_as_it_was_where_the_copy_grew(archive: Archive, tmp_path: Path) -> None:
    document_id = await archive.deposit()
    await archive.renew(each=True)
    await archive.renew(TODAY + DAY, each=True)
    late = TODAY + 3 * YEAR - MARGIN + DAY
    archive.authority.holder = tsa(late)
    done = await archive.renew(late, each=True)
    assert (done.copies_renewed, done.records_renewed) == (1, 1)
    files = await export(archive.with_limits(), document_id, tmp_path)
    assert files.covered not in (None, files.copy)
    assert Path(files.copy).read_bytes().startswith(Path(str(files.covered)).read_bytes())
    late_verdict = await archive.assess(document_id, late + 2 * YEAR)
    assert (late_verdict.indication, late_verdict.by) == ("TOTAL-PASSED", "copy")
