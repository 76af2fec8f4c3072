import datetime as dt
from collections.abc import Sequence
from uuid import UUID

import msgspec

from idp.authorization.details import LockerDocument
from idp.consents.schema import Consent
from idp.freezing.store import frozen_condition
from kit.db import Row, Tx


async def select_live(tx: Tx, *, citizen_id: UUID, client_id: str) -> Consent | None:
    row = await tx.fetchrow(
        """
        SELECT consent_id, scopes, claims, authorization_details, given_at FROM idp.consent
         WHERE citizen_id = $1 AND client_id = $2 AND ended_at IS NULL""",
        citizen_id,
        client_id,
    )
    if row is None:
        return None
    return Consent(
        consent_id=row["consent_id"],
        scopes=frozenset(row["scopes"]),
        claims=frozenset(row["claims"]),
        authorization_details=msgspec.convert(row["authorization_details"], tuple[LockerDocument, ...]),
        given_at=row["given_at"],
    )


async def upsert(
    tx: Tx,
    consent_id: UUID,
    *,
    citizen_id: UUID,
    client_id: str,
    scopes: Sequence[str],
    claims: Sequence[str],
    authorization_details: Sequence[LockerDocument],
    purpose: dict[str, str] | None,
) -> UUID:
    """A consent grows by what is given now; it never shrinks by being asked for less. Of the details, those that were
    given for once or until a day that is over are no longer there."""
    return UUID(
        str(
            await tx.fetchval(
                """
                INSERT INTO idp.consent AS c (consent_id, citizen_id, client_id, scopes, claims, purpose,
                                              authorization_details)
                VALUES ($1, $2, $3, $4, $5, $6, $7)
                ON CONFLICT (citizen_id, client_id) WHERE ended_at IS NULL DO UPDATE SET
                    scopes = ARRAY(SELECT DISTINCT unnest(c.scopes || excluded.scopes) ORDER BY 1),
                    claims = ARRAY(SELECT DISTINCT unnest(c.claims || excluded.claims) ORDER BY 1),
                    purpose = excluded.purpose,
                    authorization_details = (
                        SELECT coalesce(jsonb_agg(d), '[]') FROM (
                            SELECT d FROM jsonb_array_elements(c.authorization_details) AS t (d)
                             WHERE (d ->> 'until')::date >= current_date
                             UNION
                            SELECT d FROM jsonb_array_elements(excluded.authorization_details) AS t (d)) AS kept),
                    given_at = now()
                RETURNING consent_id""",
                consent_id,
                citizen_id,
                client_id,
                list(scopes),
                list(claims),
                purpose,
                tuple(authorization_details),
            )
        )
    )


async def take_details(tx: Tx, consent_id: UUID, details: Sequence[LockerDocument]) -> bool:
    return bool(
        await tx.fetchval(
            """
            UPDATE idp.consent
               SET authorization_details = (
                       SELECT coalesce(jsonb_agg(d), '[]') FROM jsonb_array_elements(authorization_details) AS t (d)
                        WHERE d NOT IN (SELECT jsonb_array_elements($2::jsonb)))
             WHERE consent_id = $1 AND ended_at IS NULL
               AND NOT EXISTS (SELECT jsonb_array_elements($2::jsonb)
                               EXCEPT SELECT jsonb_array_elements(authorization_details))
            RETURNING true""",
            consent_id,
            list(details),
        )
    )


async def end(tx: Tx, *, consent_id: UUID, citizen_id: UUID) -> str | None:
    """The client_id whose consent ended, or None if there was no live one."""
    value = await tx.fetchval(
        """
        UPDATE idp.consent SET ended_at = now()
         WHERE consent_id = $1 AND citizen_id = $2 AND ended_at IS NULL
        RETURNING client_id""",
        consent_id,
        citizen_id,
    )
    return None if value is None else str(value)


async def select_ended_at(tx: Tx, *, consent_id: UUID, citizen_id: UUID) -> dt.datetime | None:
    found: dt.datetime | None = await tx.fetchval(
        "SELECT ended_at FROM idp.consent WHERE consent_id = $1 AND citizen_id = $2", consent_id, citizen_id
    )
    return found


async def select_stands(tx: Tx, consent_id: UUID) -> bool:
    return bool(
        await tx.fetchval(
            f"""
            SELECT g.ended_at IS NULL AND z.state = 'active' AND c.state = 'active'
                   AND NOT {frozen_condition("service", citizen_id="g.citizen_id", name="g.client_id")}
              FROM idp.consent g
              JOIN idp.citizen z ON z.citizen_id = g.citizen_id
              JOIN idp.client c ON c.client_id = g.client_id
             WHERE g.consent_id = $1""",
            consent_id,
        )
    )


async def end_of_client(tx: Tx, client_id: str, *, count_max: int) -> Sequence[Row]:
    """Some of those that live."""
    return await tx.fetch(
        """
        UPDATE idp.consent SET ended_at = now()
         WHERE consent_id IN (SELECT consent_id FROM idp.consent
                               WHERE client_id = $1 AND ended_at IS NULL LIMIT $2 FOR UPDATE SKIP LOCKED)
        RETURNING consent_id, citizen_id""",
        client_id,
        count_max,
    )


async def select_of_citizen(tx: Tx, citizen_id: UUID, *, limit: int = 100) -> Sequence[Row]:
    return await tx.fetch(
        """
        SELECT g.consent_id, g.client_id, g.scopes, g.claims, g.authorization_details, g.given_at, c.metadata
          FROM idp.consent g JOIN idp.client c USING (client_id)
         WHERE g.citizen_id = $1 AND g.ended_at IS NULL
         ORDER BY g.given_at DESC LIMIT $2""",
        citizen_id,
        limit,
    )
