"""Destroy the key; then rows, meaning of the log's leaves and objects; once more, when the last node has forgotten.

While a legal hold keeps documents the key stands, everything else goes, and the rest when the hold ends."""

import hashlib
from collections.abc import AsyncIterator
from datetime import datetime

from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx, database_time
from locker.access.end_sessions import end_sessions
from locker.deposits import orphans
from locker.erasing import store
from locker.erasing.schema import Erased, Taken
from locker.log.forget_owner import ROWS_MAX, forget_owner, forget_unheld
from locker.shares.end_all import end_all
from locker.vault import Vault
from locker.vault.keys import REMEMBERED_S

LEASE_S = 600
SETTLED_S = REMEMBERED_S + 60
"""Another node may remember the unwrapped key and end a request that had begun: then all is looked through again."""
HELD_WAIT_S = 86_400.0
TOMBSTONES = "erased/"
_BATCH = 200
_LIVING = 10_000


class _Undone(Exception):
    pass


class _HeldNow(Exception):
    pass


async def erase_due(
    db: Database, audit: Audit, vault: Vault, *, settled_s: float = SETTLED_S, erasures_max: int = 100
) -> Erased:
    """Those whose time to undo is over. Any number of workers may; one that dies is followed by the next."""
    begun = finished = rows = objects = 0
    held = set[str]()
    for _ in range(erasures_max):
        taken = await store.take_due(db, lease_s=LEASE_S)
        if taken is None:
            break
        if not taken.key_destroyed:
            try:
                await _begin(db, audit, vault, taken)
            except _Undone:
                continue
            except _HeldNow:
                since = None if taken.parted else await database_time(db)
                rows += await _part(db, taken.owner)
                objects += await _remove_objects(db, vault, taken.owner, since=since)
                held.add(taken.owner)
                wait_s = HELD_WAIT_S if taken.parted else settled_s
                await store.put_off(db, taken, wait_s=wait_s)
                continue
            begun += 1
        await _bury(vault, taken.owner)
        # What a request is about to put away, with the key that it has: the last round takes it, when that ended.
        since = None if taken.key_destroyed else await database_time(db)
        rows += await _forget(db, taken.owner)
        objects += await _remove_objects(db, vault, taken.owner, since=since)
        if taken.key_destroyed:
            finished += await store.finish(db, taken)
        else:
            await store.put_off(db, taken, wait_s=settled_s)
    return Erased(begun=begun, finished=finished, held=len(held), rows=rows, objects=objects)


async def erase_again(db: Database, audit: Audit, vault: Vault, *, officer: str) -> int:
    """After a restore: whoever was erased since the backup is erased once more. How many."""
    again, after = 0, ""
    buried = {digest async for page in _buried(vault) for digest in page}
    while buried and (living := await store.living(db, after=after, limit=_LIVING)):
        for owner in living:
            if _digest(owner) in buried:
                await store.ask(db, owner=owner, asked_by="officer", reference="restore", wait_s=0)
                again += 1
        after = living[-1]
    if again:
        event = AuditEvent(action="erasure.repeated", actor_kind="officer", actor=officer, detail={"citizens": again})
        await audit.append(db, event)
    return again


async def _begin(db: Database, audit: Audit, vault: Vault, taken: Taken) -> None:
    async def destroy(tx: Tx) -> None:
        if not await store.begin(tx, owner=taken.owner):
            raise _Undone
        # Whoever places a hold or records a deposit holds the key's row: from here on none of them can.
        await vault.destroy_owner_key(tx, owner=taken.owner)
        if await store.holds(tx, owner=taken.owner, limit=1):
            raise _HeldNow
        # A link may carry a credential under a key of its own, and a session a name.
        await end_all(tx, owner=taken.owner)
        await end_sessions(tx, owner=taken.owner)
        # It names nobody: the citizen's own lines lose their meaning with all others.
        detail = {"asked_by": taken.asked_by, **({"reference": taken.reference} if taken.reference else {})}
        await audit.append(tx, AuditEvent(action="citizen.erased", actor_kind="system", detail=detail))

    await db.transact(destroy)


async def _forget(db: Database, owner: str) -> int:
    rows = await store.erase_rows(db, owner=owner)
    while (await db.transact(lambda tx: forget_owner(tx, owner=owner))).rows == ROWS_MAX:
        pass
    return rows


async def _part(db: Database, owner: str) -> int:
    rows = await db.transact(lambda tx: store.part(tx, owner=owner))
    if rows is None:
        return 0
    while (await db.transact(lambda tx: forget_unheld(tx, owner=owner))).rows == ROWS_MAX:
        pass
    return rows


async def _remove_objects(db: Database, vault: Vault, owner: str, *, since: datetime | None) -> int:
    removed = 0
    while intents := await orphans.take_of(db, owner=owner, since=since, batch_max=_BATCH):
        for intent in intents:
            await vault.delete(intent.object_key)
            await orphans.forget(db, intent)
        removed += len(intents)
    return removed


async def _bury(vault: Vault, owner: str) -> None:
    """A mark beside the objects, which no restore of the database takes back. It says nothing without the owner."""
    name = TOMBSTONES + _digest(owner)

    async def nothing() -> AsyncIterator[bytes]:
        yield b"\n"

    await vault.blobs.put(name, nothing, 1, repeatable=True)


def _digest(owner: str) -> str:
    return hashlib.sha256(owner.encode()).hexdigest()


async def _buried(vault: Vault) -> AsyncIterator[list[str]]:
    after = TOMBSTONES
    while page := await vault.blobs.list(TOMBSTONES, after=after):
        yield [info.key.removeprefix(TOMBSTONES) for info in page]
        after = page[-1].key
