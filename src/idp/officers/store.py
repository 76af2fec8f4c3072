from collections.abc import Sequence
from typing import Any
from uuid import UUID

from idp.clients.schema import ClientRegistration
from kit.db import Row, Tx
from kit.expired import forget

_PROPOSAL = """proposal_id, registration, proposed_by, proposed_at, expires_at, state, decided_by, client_id"""


async def insert_officer(tx: Tx, officer_id: str, *, public_jwk: dict[str, Any], abilities: Sequence[str]) -> bool:
    return bool(
        await tx.fetchval(
            """
            INSERT INTO idp.officer (officer_id, public_jwk, abilities) VALUES ($1, $2, $3)
            ON CONFLICT DO NOTHING RETURNING true""",
            officer_id,
            public_jwk,
            list(abilities),
        )
    )


async def set_state(tx: Tx, officer_id: str, state: str) -> bool:
    return bool(
        await tx.fetchval(
            "UPDATE idp.officer SET state = $2 WHERE officer_id = $1 RETURNING true",
            officer_id,
            state,
        )
    )


async def select_officer(tx: Tx, officer_id: str) -> Row | None:
    """One who is in office."""
    return await tx.fetchrow(
        "SELECT officer_id, public_jwk, abilities FROM idp.officer WHERE officer_id = $1 AND state = 'active'",
        officer_id,
    )


async def select_officers(tx: Tx, *, limit: int) -> Sequence[Row]:
    return await tx.fetch(
        "SELECT officer_id, abilities, state, created_at FROM idp.officer ORDER BY officer_id LIMIT $1", limit
    )


async def spend_request(tx: Tx, officer_id: str, jti_sha256: bytes, *, expires_at: int) -> bool:
    """True for the first of them."""
    return bool(
        await tx.fetchval(
            """
            INSERT INTO idp.officer_request (officer_id, jti_sha256, expires_at) VALUES ($1, $2, to_timestamp($3))
            ON CONFLICT DO NOTHING RETURNING true""",
            officer_id,
            jti_sha256,
            float(expires_at),
        )
    )


async def insert_proposal(
    tx: Tx, proposal_id: UUID, registration: ClientRegistration, *, proposed_by: str, lifetime_s: int
) -> Row:
    row = await tx.fetchrow(
        f"""
        INSERT INTO idp.client_proposal (proposal_id, registration, proposed_by, expires_at)
        VALUES ($1, $2, $3, now() + make_interval(secs => $4))
        RETURNING {_PROPOSAL}""",
        proposal_id,
        registration,
        proposed_by,
        float(lifetime_s),
    )
    assert row is not None
    return row


async def select_proposal(tx: Tx, proposal_id: UUID) -> Row | None:
    return await tx.fetchrow(f"SELECT {_PROPOSAL} FROM idp.client_proposal WHERE proposal_id = $1", proposal_id)


async def select_pending(tx: Tx, *, limit: int) -> Sequence[Row]:
    return await tx.fetch(
        f"""
        SELECT {_PROPOSAL} FROM idp.client_proposal
         WHERE state = 'pending' AND expires_at > now() ORDER BY proposed_at LIMIT $1""",
        limit,
    )


async def approve(tx: Tx, proposal_id: UUID, *, decided_by: str, client_id: str) -> bool:
    """True for the one who decides it, and who is not the one who proposed it."""
    return bool(
        await tx.fetchval(
            """
            UPDATE idp.client_proposal
               SET state = 'approved', decided_by = $2, decided_at = now(), client_id = $3
             WHERE proposal_id = $1 AND state = 'pending' AND expires_at > now() AND proposed_by <> $2
            RETURNING true""",
            proposal_id,
            decided_by,
            client_id,
        )
    )


async def refuse(tx: Tx, proposal_id: UUID, *, decided_by: str) -> bool:
    """Also the one who proposed it may think better of it."""
    return bool(
        await tx.fetchval(
            """
            UPDATE idp.client_proposal SET state = 'refused', decided_by = $2, decided_at = now()
             WHERE proposal_id = $1 AND state = 'pending' RETURNING true""",
            proposal_id,
            decided_by,
        )
    )


async def sweep(tx: Tx) -> None:
    await forget(tx, "idp.officer_request", "expires_at < now()")
