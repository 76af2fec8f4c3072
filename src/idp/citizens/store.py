import datetime as dt
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from idp.citizens.schema import Citizen, State, Verification
from kit.db import Row, Tx

_COLUMNS = "citizen_id, uid, state, claims, locale, proofing, updated_at, tokens_valid_from"


async def insert(
    tx: Tx,
    *,
    citizen_id: UUID,
    uid: str,
    claims: dict[str, Any],
    locale: str,
    cnie_sealed: bytes | None,
    cnie_blind: bytes | None,
    proofing: str,
    external_reference: str | None,
) -> bool:
    """False if the uid, the card or the reference is taken."""
    row = await tx.fetchrow(
        """
        INSERT INTO idp.citizen
               (citizen_id, uid, claims, locale, cnie_sealed, cnie_blind, proofing, external_reference)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT DO NOTHING
        RETURNING citizen_id""",
        citizen_id,
        uid,
        claims,
        locale,
        cnie_sealed,
        cnie_blind,
        proofing,
        external_reference,
    )
    return row is not None


async def enrolled_before(tx: Tx, *, external_reference: str | None, cnie_blind: bytes | None) -> list[Row]:
    return list(
        await tx.fetch(
            """
            SELECT citizen_id, uid, external_reference, cnie_blind
              FROM idp.citizen
             WHERE external_reference = $1 OR cnie_blind = $2""",
            external_reference,
            cnie_blind,
        )
    )


async def by_uid(tx: Tx, uid: str) -> Citizen | None:
    row = await tx.fetchrow(f"SELECT {_COLUMNS} FROM idp.citizen WHERE uid = $1", uid)
    return None if row is None else Citizen.of(row)


async def by_id(tx: Tx, citizen_id: UUID) -> Citizen | None:
    row = await tx.fetchrow(f"SELECT {_COLUMNS} FROM idp.citizen WHERE citizen_id = $1", citizen_id)
    return None if row is None else Citizen.of(row)


async def insert_verification(
    tx: Tx,
    *,
    verification_id: UUID,
    citizen_id: UUID,
    trust_framework: str,
    assurance_level: str | None,
    verified_at: dt.datetime,
    claims: Sequence[str],
    evidence: Sequence[Any],
) -> None:
    await tx.execute(
        """
        INSERT INTO idp.verification
               (verification_id, citizen_id, trust_framework, assurance_level, verified_at, claims, evidence)
        VALUES ($1, $2, $3, $4, $5, $6, $7)""",
        verification_id,
        citizen_id,
        trust_framework,
        assurance_level,
        verified_at,
        list(claims),
        list(evidence),
    )


async def verifications(tx: Tx, citizen_id: UUID) -> Sequence[Verification]:
    rows = await tx.fetch(
        """
        SELECT trust_framework, assurance_level, verified_at, claims, evidence FROM idp.verification
         WHERE citizen_id = $1 ORDER BY verified_at DESC LIMIT 20""",
        citizen_id,
    )
    return [
        Verification(
            trust_framework=row["trust_framework"],
            assurance_level=row["assurance_level"],
            verified_at=row["verified_at"],
            claims=frozenset(row["claims"]),
            evidence=row["evidence"],
        )
        for row in rows
    ]


async def set_state(tx: Tx, citizen_id: UUID, *, state: State, from_states: list[str]) -> bool:
    """tokens_valid_from moves too, so that grants of before are dead at their next use, even after a return."""
    row = await tx.fetchrow(
        """
        UPDATE idp.citizen
           SET state = $2, state_changed_at = now(), tokens_valid_from = now()
         WHERE citizen_id = $1 AND state = ANY($3)
        RETURNING citizen_id""",
        citizen_id,
        state,
        from_states,
    )
    return row is not None


async def end_tokens(tx: Tx, citizen_id: UUID) -> None:
    await tx.execute("UPDATE idp.citizen SET tokens_valid_from = now() WHERE citizen_id = $1", citizen_id)


async def set_locale(tx: Tx, citizen_id: UUID, locale: str) -> None:
    await tx.execute("UPDATE idp.citizen SET locale = $2, updated_at = now() WHERE citizen_id = $1", citizen_id, locale)


async def merge_claims(tx: Tx, citizen_id: UUID, changed: dict[str, Any]) -> None:
    await tx.execute(
        "UPDATE idp.citizen SET claims = claims || $2, updated_at = now() WHERE citizen_id = $1", citizen_id, changed
    )
