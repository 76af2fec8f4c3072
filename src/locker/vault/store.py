"""Writes ``locker.epoch_key`` and ``locker.citizen_key``; all keys here are wrapped."""

from collections.abc import Sequence

from kit.db import Tx
from locker.vault.schema import CitizenKeyRow, EpochKeyRow

_CURRENT_EPOCH = """
    SELECT this_month.epoch, e.master_id, e.wrapped_key, e.destroyed_at IS NOT NULL AS destroyed
      FROM (SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM') AS epoch) AS this_month
      LEFT JOIN locker.epoch_key e ON e.epoch = this_month.epoch"""


async def current_epoch(tx: Tx) -> EpochKeyRow:
    """This month's by the database's clock; its ``master_id`` is None where the row is still to be made."""
    row = await tx.fetchrow(_CURRENT_EPOCH)
    assert row is not None
    return EpochKeyRow(**dict(row))


_EPOCH = """
    SELECT epoch, master_id, wrapped_key, destroyed_at IS NOT NULL AS destroyed
      FROM locker.epoch_key
     WHERE epoch = $1"""


async def epoch_key(tx: Tx, epoch: str) -> EpochKeyRow | None:
    row = await tx.fetchrow(_EPOCH, epoch)
    return EpochKeyRow(**dict(row)) if row else None


_NEWEST_EPOCH = """
    SELECT epoch, master_id, wrapped_key, destroyed_at IS NOT NULL AS destroyed
      FROM locker.epoch_key
     WHERE wrapped_key IS NOT NULL
     ORDER BY epoch DESC
     LIMIT 1"""


async def newest_epoch(tx: Tx) -> EpochKeyRow | None:
    row = await tx.fetchrow(_NEWEST_EPOCH)
    return EpochKeyRow(**dict(row)) if row else None


_ADD_EPOCH = """
    INSERT INTO locker.epoch_key (epoch, master_id, wrapped_key)
    VALUES ($1, $2, $3)
    ON CONFLICT (epoch) DO NOTHING"""


async def add_epoch_key(tx: Tx, *, epoch: str, master_id: str, wrapped_key: bytes) -> None:
    """The first to come wins; read back whose key it is."""
    await tx.execute(_ADD_EPOCH, epoch, master_id, wrapped_key)


# Never the epoch of the last four weeks: a node may still wrap under it. Never one that a citizen key needs.
_DESTROY_EPOCH = """
    UPDATE locker.epoch_key
       SET wrapped_key = NULL, destroyed_at = now()
     WHERE epoch = $1 AND wrapped_key IS NOT NULL
       AND epoch < to_char((now() - interval '28 days') AT TIME ZONE 'UTC', 'YYYY-MM')
       AND NOT EXISTS (SELECT 1 FROM locker.citizen_key c WHERE c.epoch = $1 AND c.wrapped_key IS NOT NULL)
    RETURNING epoch"""


async def destroy_epoch_key(tx: Tx, epoch: str) -> bool:
    """False: it is unknown, destroyed already, too young, or still needed."""
    return await tx.fetchval(_DESTROY_EPOCH, epoch) is not None


_EPOCHS = """
    SELECT epoch
      FROM locker.epoch_key
     WHERE wrapped_key IS NOT NULL
     ORDER BY epoch"""


async def epochs(tx: Tx) -> list[str]:
    """Those that are not destroyed."""
    return [row["epoch"] for row in await tx.fetch(_EPOCHS)]


_MASTER_IDS = """
    SELECT DISTINCT master_id
      FROM locker.epoch_key
     WHERE wrapped_key IS NOT NULL"""


async def master_ids(tx: Tx) -> set[str]:
    return {row["master_id"] for row in await tx.fetch(_MASTER_IDS)}


_OF_OTHER_MASTERS = """
    SELECT epoch, master_id, wrapped_key, destroyed_at IS NOT NULL AS destroyed
      FROM locker.epoch_key
     WHERE master_id <> $1 AND wrapped_key IS NOT NULL
     ORDER BY epoch"""


async def epochs_of_other_masters(tx: Tx, master_id: str) -> list[EpochKeyRow]:
    return [EpochKeyRow(**dict(row)) for row in await tx.fetch(_OF_OTHER_MASTERS, master_id)]


_MOVE_EPOCH = """
    UPDATE locker.epoch_key
       SET master_id = $2, wrapped_key = $4
     WHERE epoch = $1 AND wrapped_key = $3
    RETURNING epoch"""


async def move_epoch_key(tx: Tx, *, epoch: str, master_id: str, before: bytes, after: bytes) -> bool:
    """False: it was moved or destroyed since it was read."""
    return await tx.fetchval(_MOVE_EPOCH, epoch, master_id, before, after) is not None


_CITIZEN = """
    SELECT owner, epoch, wrapped_key
      FROM locker.citizen_key
     WHERE owner = $1"""


async def citizen_key(tx: Tx, owner: str) -> CitizenKeyRow | None:
    row = await tx.fetchrow(_CITIZEN, owner)
    return CitizenKeyRow(**dict(row)) if row else None


_ADD_CITIZEN = """
    INSERT INTO locker.citizen_key (owner, epoch, wrapped_key)
    VALUES ($1, $2, $3)
    ON CONFLICT (owner) DO NOTHING
    RETURNING owner"""


async def add_citizen_key(tx: Tx, *, owner: str, epoch: str, wrapped_key: bytes) -> bool:
    """False: another was first, or a tombstone stands there. Read it."""
    return await tx.fetchval(_ADD_CITIZEN, owner, epoch, wrapped_key) is not None


_HOLD_CITIZEN = """
    SELECT k.owner
      FROM locker.citizen_key k
     WHERE k.owner = $1 AND k.wrapped_key IS NOT NULL
       AND ($2 OR NOT EXISTS (SELECT 1 FROM locker.erasure e WHERE e.owner = $1 AND e.parted_at IS NOT NULL))
       FOR SHARE OF k"""


async def hold_citizen_key(tx: Tx, owner: str, *, parted_too: bool) -> bool:
    """Nobody destroys it before this transaction ends. False: it is destroyed or was never made, or (unless
    ``parted_too``) nothing is left of its owner but what the law holds."""
    return await tx.fetchval(_HOLD_CITIZEN, owner, parted_too) is not None


_IS_DESTROYED = """
    SELECT EXISTS (SELECT 1 FROM locker.citizen_key WHERE owner = $1 AND destroyed_at IS NOT NULL)"""


async def is_destroyed(tx: Tx, owner: str) -> bool:
    """False also where there never was one."""
    destroyed: bool = await tx.fetchval(_IS_DESTROYED, owner)
    return destroyed


# Also where there never was a key: the tombstone keeps one from being made.
_DESTROY_CITIZEN = """
    INSERT INTO locker.citizen_key (owner, epoch, wrapped_key, destroyed_at)
    VALUES ($1, to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM'), NULL, now())
    ON CONFLICT (owner) DO UPDATE
       SET wrapped_key = NULL, destroyed_at = now()
     WHERE citizen_key.wrapped_key IS NOT NULL
    RETURNING owner"""


async def destroy_citizen_key(tx: Tx, owner: str) -> bool:
    """False: it was destroyed before."""
    return await tx.fetchval(_DESTROY_CITIZEN, owner) is not None


_BEHIND = """
    SELECT owner, epoch, wrapped_key
      FROM locker.citizen_key
     WHERE epoch < $1 AND wrapped_key IS NOT NULL AND (epoch, owner) > ($3, $4)
     ORDER BY epoch, owner
     LIMIT $2"""


async def citizen_keys_behind(tx: Tx, epoch: str, *, after: tuple[str, str], limit: int) -> list[CitizenKeyRow]:
    """Keys that an older epoch wraps, those that follow ``after``: an epoch and an owner."""
    return [CitizenKeyRow(**dict(row)) for row in await tx.fetch(_BEHIND, epoch, limit, *after)]


_COUNT_BEHIND = """
    SELECT count(*)
      FROM locker.citizen_key
     WHERE epoch < $1 AND wrapped_key IS NOT NULL"""


async def count_citizen_keys_behind(tx: Tx, epoch: str) -> int:
    behind: int = await tx.fetchval(_COUNT_BEHIND, epoch)
    return behind


# Only what still reads as it was read: a key destroyed meanwhile stays destroyed.
_MOVE = """
    UPDATE locker.citizen_key c
       SET epoch = $1, wrapped_key = moved.after, wrapped_at = now()
      FROM unnest($2::text[], $3::bytea[], $4::bytea[]) AS moved (owner, before, after)
     WHERE c.owner = moved.owner AND c.wrapped_key = moved.before
    RETURNING c.owner"""


async def move_citizen_keys(
    tx: Tx, *, epoch: str, owners: Sequence[str], before: Sequence[bytes], after: Sequence[bytes]
) -> int:
    """Keys that now stand under ``epoch``."""
    return len(await tx.fetch(_MOVE, epoch, owners, before, after))
