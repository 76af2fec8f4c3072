"""What is frozen is looked up where it matters, in the statement that decides: no flag is carried, none is swept."""

import datetime as dt
from collections.abc import Sequence
from uuid import UUID

from idp.freezing.schema import Frozen, Kind
from kit.db import Tx
from kit.expired import forget

LAPSES_AFTER = "interval '7 days'"
"""Whoever asked to be opened again and did not come for so long asks anew."""


def frozen_condition(kind: Kind, *, citizen_id: str, name: str) -> str:
    """SQL that is true while this is frozen. ``citizen_id`` and ``name`` are SQL expressions, never input."""
    return (
        f"EXISTS (SELECT 1 FROM idp.frozen fz"
        f" WHERE fz.citizen_id = {citizen_id} AND fz.kind = '{kind}' AND fz.name = {name})"
    )


def authenticator_frozen(citizen_id: str, name: str) -> str:
    """The same for an authenticator of a fixed name."""
    return frozen_condition("authenticator", citizen_id=citizen_id, name=f"'{name}'")


async def insert(tx: Tx, citizen_id: UUID, kind: Kind, name: str) -> bool:
    """False if it was frozen already."""
    return bool(
        await tx.fetchval(
            """
            INSERT INTO idp.frozen (citizen_id, kind, name) VALUES ($1, $2, $3)
            ON CONFLICT DO NOTHING RETURNING true""",
            citizen_id,
            kind,
            name,
        )
    )


async def delete(tx: Tx, citizen_id: UUID, kind: Kind, name: str, *, frozen_before: dt.datetime | None) -> bool:
    """False if it was not frozen, or only after ``frozen_before``."""
    return bool(
        await tx.fetchval(
            """
            DELETE FROM idp.frozen
             WHERE citizen_id = $1 AND kind = $2 AND name = $3
               AND ($4::timestamptz IS NULL OR frozen_at < $4)
            RETURNING true""",
            citizen_id,
            kind,
            name,
            frozen_before,
        )
    )


async def select_of_citizen(tx: Tx, citizen_id: UUID) -> Sequence[Frozen]:
    rows = await tx.fetch(
        "SELECT kind, name, frozen_at FROM idp.frozen WHERE citizen_id = $1 ORDER BY frozen_at DESC LIMIT 200",
        citizen_id,
    )
    return [Frozen(kind=row["kind"], name=row["name"], frozen_at=row["frozen_at"]) for row in rows]


async def is_frozen(tx: Tx, citizen_ids: Sequence[UUID], kind: Kind, name: str) -> bool:
    """For any of these citizens."""
    return bool(
        await tx.fetchval(
            "SELECT EXISTS (SELECT 1 FROM idp.frozen WHERE citizen_id = ANY($1) AND kind = $2 AND name = $3)",
            list(citizen_ids),
            kind,
            name,
        )
    )


async def ask_to_thaw(tx: Tx, citizen_id: UUID, *, waiting_s: int) -> dt.datetime | None:
    """When it will open, where this call is the one that asked; None if it was asked before, or nothing is frozen."""
    opens_at: dt.datetime | None = await tx.fetchval(
        f"""
        INSERT INTO idp.thaw AS t (citizen_id, opens_at)
        SELECT citizen_id, now() + make_interval(secs => $2) FROM idp.citizen
         WHERE citizen_id = $1 AND state = 'frozen'
        ON CONFLICT (citizen_id) DO UPDATE SET asked_at = now(), opens_at = excluded.opens_at, desk_only = false
         WHERE t.asked_at < (SELECT state_changed_at FROM idp.citizen WHERE citizen_id = $1)
            OR (NOT t.desk_only AND t.opens_at < now() - {LAPSES_AFTER})
        RETURNING opens_at""",
        citizen_id,
        float(waiting_s),
    )
    return opens_at


async def select_thaw(tx: Tx, citizen_id: UUID) -> tuple[dt.datetime, bool, bool] | None:
    """For the freeze that stands now: when it opens, whether that moment has come, whether only a desk opens it."""
    row = await tx.fetchrow(
        """
        SELECT t.opens_at, t.opens_at <= now() AND NOT t.desk_only AS due, t.desk_only
          FROM idp.thaw t JOIN idp.citizen z USING (citizen_id)
         WHERE t.citizen_id = $1 AND z.state = 'frozen' AND t.asked_at >= z.state_changed_at
           FOR UPDATE OF t""",
        citizen_id,
    )
    return (row["opens_at"], row["due"], row["desk_only"]) if row else None


async def leave_to_the_desk(tx: Tx, citizen_id: UUID) -> bool:
    return bool(
        await tx.fetchval(
            """
            INSERT INTO idp.thaw (citizen_id, opens_at, desk_only)
            SELECT citizen_id, now(), true FROM idp.citizen WHERE citizen_id = $1 AND state = 'frozen'
            ON CONFLICT (citizen_id) DO UPDATE SET asked_at = now(), desk_only = true
            RETURNING true""",
            citizen_id,
        )
    )


async def delete_thaw(tx: Tx, citizen_id: UUID) -> None:
    await tx.execute("DELETE FROM idp.thaw WHERE citizen_id = $1", citizen_id)


async def sweep(tx: Tx) -> None:
    """What was asked for an earlier freeze, or lapsed, opens nothing."""
    await forget(
        tx,
        "idp.thaw",
        # Of each row's own citizen: there are few of them, and many citizens.
        f"""(SELECT z.state <> 'frozen' OR thaw.asked_at < z.state_changed_at
                    OR (NOT thaw.desk_only AND thaw.opens_at < now() - {LAPSES_AFTER})
               FROM idp.citizen z WHERE z.citizen_id = thaw.citizen_id)""",
    )
