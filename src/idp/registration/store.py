from collections.abc import Sequence
from uuid import UUID

from kit.db import Row, Tx

_INVITATION = "i.invitation_id, i.profile, i.sector AS invited_sector, i.scopes, i.acr"


async def insert_invitation(
    tx: Tx,
    invitation_id: UUID,
    token_sha256: bytes,
    *,
    profile: str,
    sector: str | None,
    scopes: Sequence[str],
    acr: str,
    uses: int,
    lifetime_s: int,
) -> None:
    await tx.execute(
        """
        INSERT INTO idp.client_invitation
               (invitation_id, token_sha256, profile, sector, scopes, acr, uses_left, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, now() + make_interval(secs => $8))""",
        invitation_id,
        token_sha256,
        profile,
        sector,
        list(scopes),
        acr,
        uses,
        float(lifetime_s),
    )


async def select_invitation(tx: Tx, token_sha256: bytes) -> Row | None:
    """One that can still be used."""
    return await tx.fetchrow(
        f"""
        SELECT {_INVITATION} FROM idp.client_invitation i
         WHERE i.token_sha256 = $1 AND i.uses_left > 0 AND i.expires_at > now() AND i.revoked_at IS NULL""",
        token_sha256,
    )


async def spend_invitation(tx: Tx, invitation_id: UUID) -> bool:
    """True as many times as it has uses, however many ask at once."""
    return bool(
        await tx.fetchval(
            """
            UPDATE idp.client_invitation SET uses_left = uses_left - 1
             WHERE invitation_id = $1 AND uses_left > 0 AND expires_at > now() AND revoked_at IS NULL
            RETURNING true""",
            invitation_id,
        )
    )


async def revoke_invitation(tx: Tx, invitation_id: UUID) -> bool:
    return bool(
        await tx.fetchval(
            """
            UPDATE idp.client_invitation SET revoked_at = now()
             WHERE invitation_id = $1 AND revoked_at IS NULL RETURNING true""",
            invitation_id,
        )
    )


async def insert_registration(tx: Tx, client_id: str, token_sha256: bytes, invitation_id: UUID) -> int:
    """When it was, in seconds since 1970."""
    created_at: int = await tx.fetchval(
        """
        INSERT INTO idp.client_registration (client_id, token_sha256, invitation_id) VALUES ($1, $2, $3)
        RETURNING extract(epoch FROM created_at)::bigint""",
        client_id,
        token_sha256,
        invitation_id,
    )
    return created_at


async def select_registration(tx: Tx, client_id: str, token_sha256: bytes) -> Row | None:
    """Of a client that still stands, with this token."""
    return await tx.fetchrow(
        f"""
        SELECT r.client_id, extract(epoch FROM r.created_at)::bigint AS created_at, c.sector, c.metadata,
               c.secret_sha256, {_INVITATION}
          FROM idp.client_registration r JOIN idp.client c USING (client_id)
          JOIN idp.client_invitation i USING (invitation_id)
         WHERE r.client_id = $1 AND r.token_sha256 = $2 AND c.state = 'active'""",
        client_id,
        token_sha256,
    )


async def rotate_token(tx: Tx, client_id: str, *, old_sha256: bytes, new_sha256: bytes) -> bool:
    """True for the one that had the token in force."""
    return bool(
        await tx.fetchval(
            """
            UPDATE idp.client_registration SET token_sha256 = $3
             WHERE client_id = $1 AND token_sha256 = $2 RETURNING true""",
            client_id,
            old_sha256,
            new_sha256,
        )
    )


async def delete_registration(tx: Tx, client_id: str, token_sha256: bytes) -> bool:
    return bool(
        await tx.fetchval(
            "DELETE FROM idp.client_registration WHERE client_id = $1 AND token_sha256 = $2 RETURNING true",
            client_id,
            token_sha256,
        )
    )
