"""The one writer of ``locker.erasure``. Rows of other slices go by ``locker.erase_rows_of``: all of them or none."""

from collections.abc import Sequence

import msgspec

from kit.db import Tx
from locker.erasing.schema import Erasure, Held, Taken

_ERASURE = "asked_by, asked_at, due_at, coalesce(key_destroyed_at, parted_at) IS NOT NULL AS begun, parted_at"


async def ask(tx: Tx, *, owner: str, asked_by: str, reference: str | None, wait_s: int) -> Erasure | None:
    """None: it was asked for before. An officer may bring it forward."""
    row = await tx.fetchrow(
        f"""
        INSERT INTO locker.erasure AS e (owner, asked_by, reference, due_at, next_attempt_at)
        SELECT $1, $2, $3, until, until FROM (SELECT now() + make_interval(secs => $4) AS until) AS waiting
        ON CONFLICT (owner) DO UPDATE
           SET due_at = excluded.due_at, next_attempt_at = excluded.next_attempt_at
         WHERE excluded.asked_by = 'officer' AND e.due_at > excluded.due_at AND e.key_destroyed_at IS NULL
        RETURNING {_ERASURE}""",
        owner,
        asked_by,
        reference,
        float(wait_s),
    )
    return msgspec.convert(dict(row), Erasure) if row else None


async def find(tx: Tx, *, owner: str) -> Erasure | None:
    row = await tx.fetchrow(f"SELECT {_ERASURE} FROM locker.erasure WHERE owner = $1", owner)
    return msgspec.convert(dict(row), Erasure) if row else None


async def withdraw(tx: Tx, *, owner: str) -> bool:
    """Of an undoing and the worker, who come at the same time, one wins."""
    done = await tx.fetchval(
        "DELETE FROM locker.erasure WHERE owner = $1 AND key_destroyed_at IS NULL AND due_at > now() RETURNING true",
        owner,
    )
    return bool(done)


async def take_due(tx: Tx, *, lease_s: int) -> Taken | None:
    """One that nobody else has; after a worker that died, once more."""
    row = await tx.fetchrow(
        """
        UPDATE locker.erasure SET next_attempt_at = now() + make_interval(secs => $1)
         WHERE owner = (SELECT owner FROM locker.erasure WHERE next_attempt_at <= now()
                         ORDER BY next_attempt_at LIMIT 1 FOR UPDATE SKIP LOCKED)
        RETURNING owner, asked_by, reference, key_destroyed_at IS NOT NULL AS key_destroyed,
                  parted_at IS NOT NULL AS parted, next_attempt_at AS until""",
        float(lease_s),
    )
    return msgspec.convert(dict(row), Taken) if row else None


async def begin(tx: Tx, *, owner: str) -> bool:
    """False: it was undone."""
    row = await tx.fetchval(
        """
        UPDATE locker.erasure SET key_destroyed_at = now()
         WHERE owner = $1 AND key_destroyed_at IS NULL AND due_at <= now() RETURNING true""",
        owner,
    )
    return bool(row)


async def part(tx: Tx, *, owner: str) -> int | None:
    """Everything of whose erasure is due but what the law holds: how many rows went. None: nothing is held any more."""
    gone: int | None = await tx.fetchval("SELECT locker.erase_unheld_of($1)", owner)
    if gone is not None:
        await tx.execute("UPDATE locker.erasure SET parted_at = now() WHERE owner = $1 AND parted_at IS NULL", owner)
    return gone


async def hasten(tx: Tx, *, owner: str) -> None:
    await tx.execute("UPDATE locker.erasure SET next_attempt_at = now() WHERE owner = $1 AND due_at <= now()", owner)


async def put_off(tx: Tx, taken: Taken, *, wait_s: float) -> None:
    """Unless it was hastened meanwhile."""
    await tx.execute(
        """
        UPDATE locker.erasure SET next_attempt_at = now() + make_interval(secs => $3)
         WHERE owner = $1 AND next_attempt_at = $2""",
        taken.owner,
        taken.until,
        wait_s,
    )


async def finish(tx: Tx, taken: Taken) -> bool:
    """False: something of this citizen came meanwhile, or another worker has it."""
    done = await tx.fetchval(
        """
        DELETE FROM locker.erasure
         WHERE owner = $1 AND key_destroyed_at IS NOT NULL AND next_attempt_at = $2 RETURNING true""",
        taken.owner,
        taken.until,
    )
    return bool(done)


async def resume(tx: Tx, *, owners: Sequence[str]) -> int:
    """Of ``owners`` those who were erased are due once more: how many."""
    done = await tx.execute(
        """
        INSERT INTO locker.erasure AS e (owner, asked_by, due_at, key_destroyed_at, next_attempt_at)
        SELECT k.owner, 'officer', k.destroyed_at, k.destroyed_at, now() FROM locker.citizen_key k
         WHERE k.owner = ANY($1::text[]) AND k.destroyed_at IS NOT NULL
            ON CONFLICT (owner) DO UPDATE SET next_attempt_at = now() WHERE e.key_destroyed_at IS NOT NULL""",
        list(owners),
    )
    return int(done.rpartition(" ")[2])


async def erase_rows(tx: Tx, *, owner: str) -> int:
    """Every row of an owner whose key is destroyed; their objects are intents of the sweeper from here on."""
    gone: int = await tx.fetchval("SELECT locker.erase_rows_of($1)", owner)
    return gone


async def holds(tx: Tx, *, owner: str, limit: int) -> Sequence[Held]:
    rows = await tx.fetch(
        "SELECT document_id, reference FROM locker.legal_hold WHERE owner = $1 ORDER BY placed_at LIMIT $2",
        owner,
        limit,
    )
    return [Held(**dict(row)) for row in rows]


async def is_a_citizens(tx: Tx, *, owner: str) -> bool:
    """An administration has a key too, under its own name."""
    found: bool = await tx.fetchval(
        """
        SELECT NOT EXISTS (SELECT 1 FROM locker.administration
                            WHERE administration = $1 OR right($1, length(administration) + 1) = ':' || administration)
        """,
        owner,
    )
    return found


async def living(tx: Tx, *, after: str, limit: int) -> list[str]:
    """Owners whose key stands, in the order of their names."""
    rows = await tx.fetch(
        "SELECT owner FROM locker.citizen_key WHERE owner > $1 AND destroyed_at IS NULL ORDER BY owner LIMIT $2",
        after,
        limit,
    )
    return [row["owner"] for row in rows]
