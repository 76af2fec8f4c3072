"""The worker's round: make what was asked for, destroy what is over."""

import asyncio
import logging
import random
from pathlib import Path

import msgspec

from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx
from kit.errors import Refusal, Unavailable
from locker.exporting import store
from locker.exporting.collect import Collecting
from locker.exporting.destroy import destroy, let_go
from locker.exporting.parts import LEASE_S, PART_MAX_BYTES, Overtaken, Parts
from locker.exporting.schema import Taken
from locker.exporting.zip_stream import EntryChanged
from locker.signing.ring import SigningKeys
from locker.vault import LengthMismatch, Vault

ATTEMPTS_MAX = 6
LAPSES_MAX = 3
"""Beyond, for attempts whose end nobody wrote: the worker died, or the database was away for longer than a lease."""
WAIT_S = 60.0
_ASK_AGAIN_S = 2.0
_BATCH = 100

log = logging.getLogger("khizana.exports")


class ExportDesk(msgspec.Struct, frozen=True, kw_only=True):
    db: Database
    audit: Audit
    vault: Vault
    keys: SigningKeys
    locker_url: str
    lifetime_s: int
    folder: Path | None
    """Where the sealed spool stands; else the system's place for temporary files."""
    part_max_bytes: int = PART_MAX_BYTES


async def make_due(desk: ExportDesk, *, exports_max: int = 10) -> int:
    """How many are ready. Each is taken by one worker; after one that died, by the next."""
    await end_expired(desk)
    if failed := await desk.db.transact(_fail_overtaken):
        log.error("%s exports failed: whoever made them died, each time", failed)
    made = 0
    for _ in range(exports_max):
        taken = await store.take_due(desk.db, lease_s=LEASE_S)
        if taken is None:
            break
        try:
            await _make(desk, taken)
            made += 1
        except Overtaken:
            continue
        except Unavailable as away:
            log.warning("export %s waits: %s is away", taken.export_id, away.detail)
            await _give_back(desk, taken)
        except (Refusal, EntryChanged, LengthMismatch, TimeoutError) as fault:
            # Something in it was removed meanwhile, or is damaged: the next attempt sees another state.
            log.warning("export %s: %s", taken.export_id, type(fault).__name__)
            await _put_off(desk, taken)
    return made


async def end_expired(desk: ExportDesk) -> int:
    """Their keys are gone with their rows; the sweeper takes the objects."""

    async def end(tx: Tx) -> int:
        over = await store.expired(tx, batch_max=_BATCH)
        for owner, export_id in over:
            await destroy(tx, owner=owner, export_id=export_id)
            await _append(tx, desk.audit, "export.ended", owner, export_id)
        return len(over)

    return await desk.db.transact(end)


async def _make(desk: ExportDesk, taken: Taken) -> None:
    """Up to the lease for each part, not for all of them."""
    loop = asyncio.get_running_loop()

    async def record(tx: Tx, parts: int, sha256: bytes, length: int) -> None:
        if not await store.finish(tx, taken, parts=parts, sha256=sha256, length=length, lifetime_s=desk.lifetime_s):
            raise Overtaken
        await _append(tx, desk.audit, "export.made", taken.owner, taken.export_id)

    async with asyncio.timeout(LEASE_S - 60) as until:
        parts = Parts(
            desk.db,
            desk.vault,
            desk.folder,
            taken,
            part_max=desk.part_max_bytes,
            came_on=lambda: until.reschedule(loop.time() + LEASE_S - 60),
        )
        try:
            await parts.resume()
            await Collecting(desk.db, desk.vault, desk.keys, parts, locker=desk.locker_url, taken=taken).everything()
            await parts.finish(record)
        finally:
            parts.close()


async def _fail_overtaken(tx: Tx) -> int:
    failed = await store.fail_overtaken(tx, attempts_max=ATTEMPTS_MAX + LAPSES_MAX)
    for owner, export_id in failed:
        await let_go(tx, owner=owner, export_id=export_id)
    return len(failed)


async def _give_back(desk: ExportDesk, taken: Taken) -> None:
    """It was no attempt. While the database is away there is nothing else to be done in this round."""
    wait_s = WAIT_S * random.uniform(0.5, 1.0)  # noqa: S311
    while True:
        try:
            await store.give_back(desk.db, taken, wait_s=wait_s)
        except Unavailable:
            await asyncio.sleep(_ASK_AGAIN_S)
        else:
            return


async def _put_off(desk: ExportDesk, taken: Taken) -> None:
    async def put_off(tx: Tx) -> None:
        attempts = await store.attempts(tx, taken)
        failed = attempts >= ATTEMPTS_MAX
        if (
            await store.put_off(
                tx, owner=taken.owner, attempt=taken.attempt, wait_s=WAIT_S * 2**attempts, failed=failed
            )
            and failed
        ):
            await let_go(tx, owner=taken.owner, export_id=taken.export_id)

    await desk.db.transact(put_off)


async def _append(tx: Tx, audit: Audit, action: str, owner: str, export_id: str) -> None:
    await audit.append(tx, AuditEvent(action=action, actor_kind="system", owner=owner, object_id=export_id))
