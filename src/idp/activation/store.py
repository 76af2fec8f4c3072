from uuid import UUID

from kit.db import Tx


async def put(tx: Tx, citizen_id: UUID, *, code_mac: bytes, lifetime_s: int) -> None:
    await tx.execute(
        """
        INSERT INTO idp.activation (citizen_id, code_mac, expires_at)
        VALUES ($1, $2, now() + make_interval(secs => $3))
        ON CONFLICT (citizen_id) DO UPDATE
           SET code_mac = excluded.code_mac, expires_at = excluded.expires_at, created_at = now(),
               browser_sha256 = NULL, opened_until = NULL""",
        citizen_id,
        code_mac,
        float(lifetime_s),
    )


async def open_in_browser(tx: Tx, uid: str, *, code_mac: bytes, browser_sha256: bytes, lifetime_s: int) -> UUID | None:
    """Bind the right code to this browser, taking it from another one; None for anything else."""
    await tx.execute(
        "UPDATE idp.activation SET browser_sha256 = NULL, opened_until = NULL WHERE browser_sha256 = $1", browser_sha256
    )
    citizen_id: UUID | None = await tx.fetchval(
        """
        UPDATE idp.activation a
           SET browser_sha256 = $3, opened_until = now() + make_interval(secs => $4)
          FROM idp.citizen c
         WHERE c.uid = $1 AND c.state = 'registered' AND a.citizen_id = c.citizen_id
           AND a.code_mac = $2 AND a.expires_at > now()
        RETURNING a.citizen_id""",
        uid,
        code_mac,
        browser_sha256,
        float(lifetime_s),
    )
    return citizen_id


async def opened_in(tx: Tx, browser_sha256: bytes) -> UUID | None:
    citizen_id: UUID | None = await tx.fetchval(
        """
        SELECT a.citizen_id
          FROM idp.activation a JOIN idp.citizen c USING (citizen_id)
         WHERE a.browser_sha256 = $1 AND a.opened_until > now() AND a.expires_at > now() AND c.state = 'registered'""",
        browser_sha256,
    )
    return citizen_id


async def spend(tx: Tx, citizen_id: UUID, browser_sha256: bytes) -> bool:
    row = await tx.fetchrow(
        """
        DELETE FROM idp.activation
         WHERE citizen_id = $1 AND browser_sha256 = $2 AND opened_until > now() AND expires_at > now()
        RETURNING citizen_id""",
        citizen_id,
        browser_sha256,
    )
    return row is not None
