"""What was still to come when a seal was made: done when the time-stamp authority is back."""

import tempfile
from pathlib import Path

import msgspec

from kit.audit import AuditEvent
from kit.db import Tx
from kit.ids import new_id
from locker.administrations.find_seals import find_seals
from locker.seals import store
from locker.seals.desk import SealDesk
from locker.seals.keep import Made, judged, keep
from locker.seals.open_version import open_version
from locker.seals.raise_level import raise_level
from locker.seals.refusals import SealOvertaken, SealUnknown
from locker.seals.schema import Level, SealRow
from locker.signatures.schema import Trust
from locker.signatures.sealer import SealingRefused

LEASE_S = 60
WAIT_MAX_S = 3_600
BATCH_MAX = 16


async def complete_due(desk: SealDesk, *, lease_s: float = LEASE_S) -> int:
    """One round: how many seals reached a higher level. Any number of workers may run it.

    What reaches nothing now waits longer each time, up to an hour.
    """
    attempt = new_id()
    due = await store.take_due(desk.db, attempt=attempt, lease_s=lease_s, wait_max_s=WAIT_MAX_S, batch_max=BATCH_MAX)
    raised = 0
    for row in due:
        raised += await _complete(desk, row)
    return raised


async def _complete(desk: SealDesk, row: SealRow) -> bool:
    assert row.level is not None
    assert row.pending is not None
    trust = await _trust(desk, row.administration)
    with tempfile.TemporaryDirectory(prefix="khizana-seal-", dir=desk.limits.receive.folder) as folder:
        path = Path(folder, "document.pdf")
        try:
            _, reading = await open_version(desk.db, desk.vault, row, version=row.version)
        except SealUnknown:
            # Its time was over since it was taken: those behind it are completed all the same.
            return False
        with path.open("xb") as file:  # noqa: ASYNC230
            async for frame in reading:
                file.write(frame)
        reached = await raise_level(desk, path, level=row.level, wanted=row.pending, trust=trust)
        if reached.level == row.level:
            return False
        try:
            verdict = await judged(desk, reached, trust=trust)
        except SealingRefused:
            await _give_up(desk, row)
            return False
        made = Made(
            path=reached.path,
            level=reached.level,
            pending=None if reached.reaches(row.pending) else row.pending,
            seal_id=row.seal_id,
            administration=row.administration,
            from_version=row.version,
            verdict=verdict,
        )
        try:
            await keep(desk, made, _event("seal.raised", row, made.level), attempt=row.attempt)
        except SealOvertaken:
            return False
    return True


async def _trust(desk: SealDesk, administration: str) -> Trust:
    trust, seals = await desk.trust.trust(desk.db), await find_seals(desk.db, administration)
    return msgspec.structs.replace(trust, seals=tuple(seals))


async def _give_up(desk: SealDesk, row: SealRow) -> None:
    """Our own judge refuses what came of it: the certificate was revoked before the time stamp, for example."""

    async def record(tx: Tx) -> None:
        if await store.give_up(tx, administration=row.administration, seal_id=row.seal_id, attempt=row.attempt):
            await desk.audit.append(tx, _event("seal.given-up", row, row.level))

    await desk.db.transact(record)


def _event(action: str, row: SealRow, level: Level | None) -> AuditEvent:
    return AuditEvent(
        action=action,
        actor_kind="system",
        object_id=row.seal_id,
        detail={"administration": row.administration, "level": level or ""},
    )
