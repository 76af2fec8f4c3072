"""The worker's round: make what was asked for, destroy what is over."""

import asyncio
import logging
from pathlib import Path

import msgspec

from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx
from kit.errors import Refusal
from kit.jose import LocalKeySet
from locker.deposits import orphans
from locker.exporting import store
from locker.exporting.collect import Collecting
from locker.exporting.schema import VERSION, Taken
from locker.exporting.spool import Spool
from locker.exporting.zip_stream import EntryChanged, ZipFrames
from locker.vault import LengthMismatch, Vault, new_object_key

LEASE_S = 3_000
ATTEMPTS_MAX = 6
WAIT_S = 60.0
_BATCH = 100

log = logging.getLogger("khizana.exports")


class ExportDesk(msgspec.Struct, frozen=True, kw_only=True):
    db: Database
    audit: Audit
    vault: Vault
    keys: LocalKeySet
    locker_url: str
    lifetime_s: int
    folder: Path | None
    """Where the sealed spool stands; else the system's place for temporary files."""


class _Overtaken(Exception):
    pass


async def make_due(desk: ExportDesk, *, exports_max: int = 10) -> int:
    """How many are ready. Each is taken by one worker; after one that died, by the next."""
    await end_expired(desk)
    if failed := await store.fail_overtaken(desk.db, attempts_max=ATTEMPTS_MAX):
        log.error("%s exports failed: whoever made them died, each time", failed)
    made = 0
    for _ in range(exports_max):
        taken = await store.take_due(desk.db, lease_s=LEASE_S)
        if taken is None:
            break
        try:
            async with asyncio.timeout(LEASE_S - 60):
                await _make(desk, taken)
            made += 1
        except _Overtaken:
            continue
        except (Refusal, EntryChanged, LengthMismatch, TimeoutError) as fault:
            # Something in it was removed meanwhile, or a part is away: the next attempt sees another state.
            log.warning("export %s: %s", taken.export_id, type(fault).__name__)
            await store.put_off(
                desk.db,
                owner=taken.owner,
                attempt=taken.attempt,
                wait_s=WAIT_S * 2**taken.attempts,
                failed=taken.attempts >= ATTEMPTS_MAX,
            )
    return made


async def end_expired(desk: ExportDesk) -> int:
    """Their keys are gone with their rows; the sweeper takes the objects."""

    async def end(tx: Tx) -> int:
        over = await store.remove_expired(tx, batch_max=_BATCH)
        for owner, export_id, object_key in over:
            await orphans.intend(tx, owner=owner, object_key=object_key)
            await _append(tx, desk.audit, "export.ended", owner, export_id)
        return len(over)

    return await desk.db.transact(end)


async def _make(desk: ExportDesk, taken: Taken) -> None:
    spool = Spool(desk.folder)
    try:
        collecting = Collecting(desk.db, desk.vault, desk.keys, spool, locker=desk.locker_url, owner=taken.owner)
        frames = ZipFrames(await collecting.everything(taken), at=taken.asked_at)
        object_key = new_object_key()
        await orphans.intend(desk.db, owner=taken.owner, object_key=object_key)
        stored = await desk.vault.put(
            owner=taken.owner,
            document_id=vault_name(taken.export_id),
            version=VERSION,
            object_key=object_key,
            frames=frames,
            length=frames.length,
        )
    finally:
        spool.close()

    async def record(tx: Tx) -> None:
        await desk.vault.hold_owner_key(tx, owner=taken.owner, parted_too=True)
        fulfilled = await orphans.fulfil(tx, owner=taken.owner, object_key=object_key)
        if not fulfilled or not await store.finish(tx, taken, stored, lifetime_s=desk.lifetime_s):
            raise _Overtaken
        await _append(tx, desk.audit, "export.made", taken.owner, taken.export_id)

    await desk.db.transact(record)


def vault_name(export_id: str) -> str:
    """No document has such an id."""
    return f"export-{export_id}"


async def _append(tx: Tx, audit: Audit, action: str, owner: str, export_id: str) -> None:
    await audit.append(tx, AuditEvent(action=action, actor_kind="system", owner=owner, object_id=export_id))
