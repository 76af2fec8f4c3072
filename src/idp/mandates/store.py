"""Whether a mandate stands is a question of each statement: no flag that a date or a death would have to reset."""

import datetime as dt
from collections.abc import Sequence
from uuid import UUID

from idp.freezing.store import frozen_condition
from idp.mandates.schema import Kind, Mandate, MandateLine
from kit.db import Row, Tx
from kit.expired import forget

FREE_SCOPES = "ARRAY['openid', 'offline_access']"

_STANDS = "md.accepted_at IS NOT NULL AND md.ended_at IS NULL AND md.valid_from <= now() AND md.valid_until > now()"


def standing(of: str, *, services: str | None = None) -> str:
    """SQL that is true for a code or family ``of`` that nobody acted in, and while the mandate it was made by stands:
    in its dates, not ended, both people live and unfrozen, for this client and these scopes. ``services`` is SQL of the
    client_id that the actor may not hold frozen, where that is not the client alone."""
    name = services or f"{of}.client_id"
    return f"""({of}.mandate_id IS NULL OR EXISTS (
                   SELECT 1 FROM idp.mandate md JOIN idp.citizen mp ON mp.citizen_id = md.actor_id
                    WHERE md.mandate_id = {of}.mandate_id AND md.represented_id = {of}.citizen_id
                      AND md.actor_id = {of}.actor_citizen_id AND {_STANDS}
                      AND mp.state = 'active' AND {of}.created_at >= mp.tokens_valid_from
                      AND (md.clients IS NULL OR {of}.client_id = ANY (md.clients))
                      AND (md.scopes IS NULL OR {of}.scopes <@ (md.scopes || {FREE_SCOPES}))
                      AND NOT {frozen_condition("service", citizen_id="md.actor_id", name=name)}))"""


def may_be_subject(of: str, citizen: str) -> str:
    """SQL: who may be the subject of tokens: an active citizen; a child that never signed in, through a mandate."""
    return f"({citizen}.state = 'active' OR ({of}.mandate_id IS NOT NULL AND {citizen}.state = 'registered'))"


async def insert(
    tx: Tx,
    *,
    mandate_id: UUID,
    represented_id: UUID,
    actor_id: UUID,
    kind: Kind,
    clients: Sequence[str] | None,
    scopes: Sequence[str] | None,
    valid_from: dt.datetime,
    valid_until: dt.datetime,
    legal_reference: str | None,
    accepted: bool,
) -> None:
    await tx.execute(
        """
        INSERT INTO idp.mandate (mandate_id, represented_id, actor_id, kind, clients, scopes, valid_from, valid_until,
                                 legal_reference, accepted_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, CASE WHEN $10 THEN now() END)""",
        mandate_id,
        represented_id,
        actor_id,
        kind,
        None if clients is None else list(clients),
        None if scopes is None else list(scopes),
        valid_from,
        valid_until,
        legal_reference,
        accepted,
    )


async def accept(tx: Tx, mandate_id: UUID, *, actor_id: UUID) -> Row | None:
    """Both people, where this person was asked and had not answered."""
    return await tx.fetchrow(
        """
        UPDATE idp.mandate SET accepted_at = now()
         WHERE mandate_id = $1 AND actor_id = $2 AND accepted_at IS NULL AND ended_at IS NULL AND valid_until > now()
        RETURNING represented_id, actor_id""",
        mandate_id,
        actor_id,
    )


async def end(tx: Tx, mandate_id: UUID, *, by: UUID | None) -> Row | None:
    """Both people, where it had not ended and ``by`` is one of them; None is an officer."""
    return await tx.fetchrow(
        """
        UPDATE idp.mandate SET ended_at = now()
         WHERE mandate_id = $1 AND ended_at IS NULL AND ($2::uuid IS NULL OR $2 IN (represented_id, actor_id))
        RETURNING represented_id, actor_id""",
        mandate_id,
        by,
    )


async def end_all_of(tx: Tx, citizen_id: UUID) -> Sequence[Row]:
    return await tx.fetch(
        """
        UPDATE idp.mandate SET ended_at = now()
         WHERE ended_at IS NULL AND $1 IN (represented_id, actor_id)
        RETURNING mandate_id, represented_id, actor_id""",
        citizen_id,
    )


async def select_usable(
    tx: Tx, actor_id: UUID, *, client_id: str, scopes: Sequence[str], count_max: int
) -> Sequence[Mandate]:
    """Mandates by which this person may act at this client with these scopes, now."""
    rows = await tx.fetch(
        f"""
        SELECT md.mandate_id, md.represented_id, md.actor_id, md.kind, md.scopes, z.claims, z.uid, z.proofing
          FROM idp.mandate md
          JOIN idp.citizen z ON z.citizen_id = md.represented_id
          JOIN idp.citizen p ON p.citizen_id = md.actor_id
         WHERE md.actor_id = $1 AND {_STANDS} AND p.state = 'active' AND z.state IN ('active', 'registered')
           AND (md.clients IS NULL OR $2 = ANY (md.clients))
           AND (md.scopes IS NULL OR $3::text[] <@ (md.scopes || {FREE_SCOPES}))
           AND NOT {frozen_condition("service", citizen_id="md.represented_id", name="$2")}
         ORDER BY md.given_at LIMIT $4""",
        actor_id,
        client_id,
        list(scopes),
        count_max,
    )
    return [
        Mandate(
            mandate_id=row["mandate_id"],
            represented_id=row["represented_id"],
            actor_id=row["actor_id"],
            kind=row["kind"],
            scopes=None if row["scopes"] is None else tuple(row["scopes"]),
            claims=row["claims"],
            uid=row["uid"],
            proofing=row["proofing"],
        )
        for row in rows
    ]


async def select_of_citizen(tx: Tx, citizen_id: UUID, *, count_max: int) -> Sequence[MandateLine]:
    """Those that stand or wait for an answer, on either side."""
    rows = await tx.fetch(
        """
        SELECT m.mandate_id, m.kind, z.uid AS represented_uid, p.uid AS actor_uid, m.represented_id = $1 AS mine,
               CASE WHEN m.represented_id = $1 THEN p.claims ELSE z.claims END AS other_claims,
               m.clients, m.scopes, m.valid_from, m.valid_until, m.accepted_at, m.legal_reference
          FROM idp.mandate m
          JOIN idp.citizen z ON z.citizen_id = m.represented_id
          JOIN idp.citizen p ON p.citizen_id = m.actor_id
         WHERE $1 IN (m.represented_id, m.actor_id) AND m.ended_at IS NULL AND m.valid_until > now()
         ORDER BY m.given_at DESC LIMIT $2""",
        citizen_id,
        count_max,
    )
    return [
        MandateLine(
            **{name: row[name] for name in MandateLine.__struct_fields__ if name not in ("clients", "scopes")},
            clients=None if row["clients"] is None else tuple(row["clients"]),
            scopes=None if row["scopes"] is None else tuple(row["scopes"]),
        )
        for row in rows
    ]


async def sweep(tx: Tx) -> None:
    """A mandate that is over is kept a month; that it was, and for whom, is in the audit."""
    await forget(tx, "idp.mandate", "least(ended_at, valid_until) < now() - interval '30 days'")
