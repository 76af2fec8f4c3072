"""Everything that is due now: copies made and renewed, evidence records begun, finished and renewed."""

from datetime import UTC, datetime, time

from kit.ids import new_id
from locker.archive import store
from locker.archive.cover import Progress, cover, make_record, renew_record, silent
from locker.archive.desk import ArchiveDesk
from locker.archive.keep_copy import keep_copy
from locker.archive.schema import ArchiveShown, Due, Renewed, TakenRecord

_FAILING_MAX = 100


async def renew(desk: ArchiveDesk, *, progress: Progress = silent, steps_max: int = 100_000) -> Renewed:
    """Many may do it at once: each takes what nobody else has. What fails is put off and does not stop the rest."""
    done = Renewed()
    # Counting reads everything there is: for who watches, not for every round of the worker.
    planned = await due(desk) if progress is not silent else None
    copies = planned.copies_to_make + planned.copies_to_renew if planned else 0
    records = planned.records_to_make + planned.records_to_renew if planned else 0
    await _copies(desk, done, copies, progress, steps_max)
    await _cover(desk, done, progress)
    await _records(desk, done, records, progress, steps_max)
    return done


async def due(desk: ArchiveDesk) -> Due:
    """What ``renew`` would do; writes nothing."""
    now = desk.clock()
    return await store.due(
        desk.db,
        now=now,
        by=desk.renew_by(now),
        weak=desk.weak(now),
        each=desk.limits.each,
        kept_before=_today(now),
    )


async def show(desk: ArchiveDesk) -> ArchiveShown:
    return ArchiveShown(
        copies=await store.copies_by_state(desk.db),
        records=await store.records_by_state(desk.db),
        time_stamps=await store.count_time_stamps(desk.db),
        failing=await store.failing(desk.db, limit=_FAILING_MAX),
        due=await due(desk),
    )


async def _copies(desk: ArchiveDesk, done: Renewed, of: int, progress: Progress, steps_max: int) -> None:
    for number in range(1, steps_max + 1):
        now = desk.clock()
        taken = await store.take_copy(
            desk.db,
            now=now,
            by=desk.renew_by(now),
            weak=desk.weak(now),
            each=desk.limits.each,
            attempt=new_id(),
            lease=desk.limits.lease,
        )
        if taken is None:
            return
        match await keep_copy(desk, taken):
            case "made":
                done.copies_made += 1
            case "renewed":
                done.copies_renewed += 1
            case "lapsed":
                done.copies_lapsed += 1
            case "failed":
                done.failed += 1
        progress("copies", number, max(of, number))


async def _cover(desk: ArchiveDesk, done: Renewed, progress: Progress) -> None:
    """The days before today: one record for all their copies, or for as many as one may hold."""
    while True:
        taken, documents = await cover(desk, kept_before=_today(desk.clock()))
        if documents == 0:
            return
        _count(done, await make_record(desk, taken, progress=progress), documents)
        progress("documents covered", done.documents_covered, done.documents_covered)


async def _records(desk: ArchiveDesk, done: Renewed, of: int, progress: Progress, steps_max: int) -> None:
    for number in range(1, steps_max + 1):
        now = desk.clock()
        taken = await store.take_record(
            desk.db,
            now=now,
            by=desk.renew_by(now),
            weak=desk.weak(now),
            attempt=new_id(),
            lease=desk.limits.lease,
        )
        if taken is None:
            return
        _count(done, await _record(desk, taken, progress), 0)
        progress("evidence records", number, max(of, number))


async def _record(desk: ArchiveDesk, taken: TakenRecord, progress: Progress) -> str:
    if taken.state == "making":
        return await make_record(desk, taken, progress=progress)
    return await renew_record(desk, taken, progress=progress)


def _count(done: Renewed, outcome: str, documents: int) -> None:
    match outcome:
        case "made":
            done.records_made += 1
            done.documents_covered += documents
        case "renewed":
            done.records_renewed += 1
        case "tree-renewed":
            done.trees_renewed += 1
        case "lapsed":
            done.records_lapsed += 1
        case "failed":
            done.failed += 1


def _today(now: datetime) -> datetime:
    return datetime.combine(now.astimezone(UTC).date(), time.min, tzinfo=UTC)
