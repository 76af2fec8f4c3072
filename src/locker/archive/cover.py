import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime

from kit.audit import AuditEvent
from kit.db import Tx
from kit.errors import Refusal
from kit.ids import new_id
from locker.archive import store
from locker.archive.desk import ArchiveDesk
from locker.archive.evidence import assembled, covered_digests, imprint, packed
from locker.archive.may_pass import may_pass
from locker.archive.schema import Member, StoredTimeStamp, TakenRecord
from locker.signatures.evidence_record import ReducedHashtree, hash_tree, leaf_to_renew
from locker.signatures.evidence_record import digest as digest_of
from locker.signatures.holds_until import Holds, holds, is_weak_by
from locker.signatures.judge_evidence_record import EvidenceVerdict, judge_read_record
from locker.signatures.policies import ARCHIVE
from locker.signatures.trust_store import TrustStore
from locker.vault import Erased

log = logging.getLogger(__name__)

Progress = Callable[[str, int, int], None]
"""What is done, how many of it, of how many."""


def silent(what: str, done: int, of: int) -> None:
    pass


class RecordRefused(Exception):
    """The judge does not believe what was just made: the authority is not trusted here, or its clock is wrong."""


async def cover(desk: ArchiveDesk, *, kept_before: datetime, progress: Progress = silent) -> tuple[TakenRecord, int]:
    """Begin one evidence record over what was kept before; the number of its documents, 0 where there are none."""
    now = desk.clock()
    taken = TakenRecord(record_id=new_id(), state="making", attempt=new_id(), attempts=1)
    documents = await store.begin_record(
        desk.db,
        record_id=taken.record_id,
        attempt=taken.attempt,
        kept_before=kept_before,
        now=now,
        documents_max=desk.limits.documents_per_record_max,
        lease=desk.limits.lease,
    )
    return taken, documents


async def make_record(desk: ArchiveDesk, taken: TakenRecord, *, progress: Progress = silent) -> str:
    """``made``, ``lapsed``, ``failed`` or ``overtaken``. One time stamp over all its documents (RFC 4998 §4)."""
    return await _guarded(desk, taken, lambda: _make(desk, taken, progress))


async def renew_record(desk: ArchiveDesk, taken: TakenRecord, *, progress: Progress = silent) -> str:
    """``renewed`` by a time stamp (§5.2), ``tree-renewed`` over the documents again (§5.3), or as ``make_record``."""
    return await _guarded(desk, taken, lambda: _renew(desk, taken, progress))


async def _guarded(desk: ArchiveDesk, taken: TakenRecord, work: Callable[[], object]) -> str:
    try:
        return str(await work())  # type: ignore[misc]
    except (Refusal, RecordRefused) as refusal:
        failure = refusal.code if isinstance(refusal, Refusal) else str(refusal)
    log.warning("evidence record %s: %s", taken.record_id, failure)
    until = desk.clock() + desk.limits.wait(taken.attempts)
    await store.put_off_record(desk.db, taken, failure=failure, until=until)
    return "failed"


async def _make(desk: ArchiveDesk, taken: TakenRecord, progress: Progress) -> str:
    now = desk.clock()
    members = await store.members(desk.db, record_id=taken.record_id)
    if not members:
        return await _lapse(desk, taken, "no-documents")
    algorithm = desk.digest_algorithm(now)
    leaves = await _digests(desk, members, algorithm, progress)
    return await _plant(desk, taken, algorithm, leaves, chain=1, before=[], trees={}, now=now)


async def _renew(desk: ArchiveDesk, taken: TakenRecord, progress: Progress) -> str:
    now = desk.clock()
    members = await store.members(desk.db, record_id=taken.record_id)
    stamps = await store.time_stamps(desk.db, record_id=taken.record_id)
    trees = await store.trees_of_all(desk.db, record_id=taken.record_id)
    members = [
        member for member in members if assembled(stamps, trees.get((member.owner, member.document_id), {})) is not None
    ]
    if not members:
        return await _lapse(desk, taken, "no-documents")
    verdict = await _judge(desk, members[0], stamps, trees, now)
    if not verdict.passed:
        if may_pass(verdict.sub_indication) and _has_time(desk, taken, now):
            raise RecordRefused(verdict.reasons[0])
        return await _lapse(desk, taken, verdict.reasons[0])
    last = stamps[-1]
    if is_weak_by(last.digest_algorithm, desk.renew_by(now)):
        algorithm = desk.digest_algorithm(now)
        digests = await _digests(desk, members, algorithm, progress)
        return await _plant(desk, taken, algorithm, digests, chain=last.chain + 1, before=stamps, trees=trees, now=now)
    over = digest_of(last.digest_algorithm, last.token)
    token = await desk.stamping.client.token(over, last.digest_algorithm)
    lasts = holds(token, await desk.trust.trust(desk.db))
    new = StoredTimeStamp(
        chain=last.chain,
        position=last.position + 1,
        digest_algorithm=last.digest_algorithm,
        token=token,
        time=lasts.time,
    )
    await _must_pass(await _judge(desk, members[0], [*stamps, new], trees, now))
    return await _hold(desk, taken, new, lasts, [], [], outcome="renewed")


def _has_time(desk: ArchiveDesk, taken: TakenRecord, now: datetime) -> bool:
    """Its documents' own copies are not renewed while it stands for them: half of the margin is left to them."""
    return taken.renew_by is not None and now < taken.renew_by - desk.limits.margin / 2


async def _plant(
    desk: ArchiveDesk,
    taken: TakenRecord,
    algorithm: str,
    digests: Sequence[tuple[Member, bytes]],
    *,
    chain: int,
    before: Sequence[StoredTimeStamp],
    trees: dict[tuple[str, str], dict[int, bytes]],
    now: datetime,
) -> str:
    """A new tree over all documents, and a time stamp over its root."""

    def grown() -> tuple[bytes, list[ReducedHashtree]]:
        leaves = [_leaf(algorithm, before, trees.get(_key(member), {}), digest) for member, digest in digests]
        root, by_leaf = hash_tree(algorithm, leaves)
        return root, [by_leaf[leaf] for leaf in leaves]

    members = [member for member, _ in digests]
    root, reduced = await asyncio.to_thread(grown)
    token = await desk.stamping.client.token(root, algorithm)
    lasts = holds(token, await desk.trust.trust(desk.db))
    new = StoredTimeStamp(chain=chain, position=1, digest_algorithm=algorithm, token=token, time=lasts.time)
    packed_trees = [packed(tree) for tree in reduced]
    first = members[0]
    with_new = {**trees, _key(first): {**trees.get(_key(first), {}), chain: packed_trees[0]}}
    await _must_pass(await _judge(desk, first, [*before, new], with_new, now))
    outcome = "made" if chain == 1 else "tree-renewed"
    return await _hold(desk, taken, new, lasts, members, packed_trees, outcome=outcome)


def _leaf(algorithm: str, before: Sequence[StoredTimeStamp], trees: dict[int, bytes], digest: bytes) -> bytes:
    record = assembled(before, trees)
    return leaf_to_renew(record.chains, algorithm, digest) if record else digest


async def _digests(
    desk: ArchiveDesk, members: Sequence[Member], algorithm: str, progress: Progress
) -> list[tuple[Member, bytes]]:
    found = []
    for number, member in enumerate(members, 1):
        try:
            digests = await covered_digests(desk.vault, member, (algorithm,))
        except Erased:
            continue
        found.append((member, digests[algorithm]))
        progress("documents read", number, len(members))
    if not found:
        raise RecordRefused("no-documents")
    return found


async def _hold(
    desk: ArchiveDesk,
    taken: TakenRecord,
    new: StoredTimeStamp,
    lasts: Holds,
    members: Sequence[Member],
    reduced: Sequence[bytes],
    *,
    outcome: str,
) -> str:
    async def commit(tx: Tx) -> str:
        if not await store.hold(
            tx,
            record_id=taken.record_id,
            attempt=taken.attempt,
            stamp=new,
            renew_by=lasts.until,
            algorithms=lasts.algorithms,
        ):
            return "overtaken"
        if members:
            await store.add_trees(
                tx, record_id=taken.record_id, chain=new.chain, members=members, reduced_hashtrees=reduced
            )
        await _append(desk, tx, taken, action=f"archive.record-{outcome}", result="ok")
        return outcome

    return await desk.db.transact(commit)


async def _lapse(desk: ArchiveDesk, taken: TakenRecord, failure: str) -> str:
    async def commit(tx: Tx) -> str:
        if not await store.let_record_lapse(tx, taken, failure=failure):
            return "overtaken"
        await _append(desk, tx, taken, action="archive.record-lapsed", result=failure)
        return "lapsed"

    log.error("evidence record %s holds no more: %s", taken.record_id, failure)
    return await desk.db.transact(commit)


async def _append(desk: ArchiveDesk, tx: Tx, taken: TakenRecord, *, action: str, result: str) -> None:
    await desk.audit.append(
        tx, AuditEvent(action=action, actor_kind="system", object_id=str(taken.record_id), result=result)
    )


async def _judge(
    desk: ArchiveDesk,
    member: Member,
    stamps: Sequence[StoredTimeStamp],
    trees: dict[tuple[str, str], dict[int, bytes]],
    at: datetime,
) -> EvidenceVerdict:
    record = assembled(stamps, trees.get(_key(member), {}))
    assert record is not None
    algorithms = sorted({chain[0].digest_algorithm for chain in record.chains})
    digests = await covered_digests(desk.vault, member, algorithms)
    trust = TrustStore(await desk.trust.trust(desk.db))
    return await asyncio.to_thread(judge_read_record, record, [imprint(digests)], trust, ARCHIVE, at)


async def _must_pass(verdict: EvidenceVerdict) -> None:
    if not verdict.passed:
        raise RecordRefused(verdict.reasons[0])


def _key(member: Member) -> tuple[str, str]:
    return member.owner, member.document_id
