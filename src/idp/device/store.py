from collections.abc import Sequence

from idp.authorization.schema import AuthorizationRequest
from idp.clients.store import Seen, spend_cte, spending
from kit.db import Row, Tx


async def insert(
    tx: Tx,
    *,
    device_code_sha256: bytes,
    user_code_mac: bytes,
    user_code_sealed: bytes,
    request: AuthorizationRequest,
    interval_s: int,
    lifetime_s: int,
) -> bool:
    """False where another device has the user_code."""
    return bool(
        await tx.fetchval(
            """
            INSERT INTO idp.device_request
                   (device_code_sha256, user_code_mac, user_code_sealed, client_id, request, interval_s, expires_at)
            VALUES ($1, $2, $3, $4, $5, $6, now() + make_interval(secs => $7))
            ON CONFLICT (user_code_mac) DO NOTHING
            RETURNING true""",
            device_code_sha256,
            user_code_mac,
            user_code_sealed,
            request.client_id,
            request,
            interval_s,
            float(lifetime_s),
        )
    )


_WAITING = """
    SELECT d.device_code_sha256, d.client_id, d.user_code_sealed, d.request, d.created_at
      FROM idp.device_request d JOIN idp.client c USING (client_id)
     WHERE d.state = 'pending' AND d.expires_at > now() AND c.state = 'active'"""


async def select_by_user_code(tx: Tx, macs: Sequence[bytes]) -> Row | None:
    """None also where the letters can mean the codes of two devices: nobody can say which."""
    rows = await tx.fetch(f"{_WAITING} AND d.user_code_mac = ANY ($1) LIMIT 2", list(macs))
    return rows[0] if len(rows) == 1 else None


async def select_waiting(tx: Tx, device_code_sha256: bytes) -> Row | None:
    return await tx.fetchrow(f"{_WAITING} AND d.device_code_sha256 = $1", device_code_sha256)


async def approve(tx: Tx, device_code_sha256: bytes) -> int | None:
    """Seconds until the device_code ends; None unless it was waiting until now."""
    value: int | None = await tx.fetchval(
        """
        UPDATE idp.device_request SET state = 'approved'
         WHERE device_code_sha256 = $1 AND state = 'pending' AND expires_at > now()
        RETURNING ceil(extract(epoch FROM expires_at - now()))::integer""",
        device_code_sha256,
    )
    return value


async def deny(tx: Tx, device_code_sha256: bytes) -> bool:
    return bool(
        await tx.fetchval(
            """
            UPDATE idp.device_request SET state = 'denied'
             WHERE device_code_sha256 = $1 AND state = 'pending' AND expires_at > now()
            RETURNING true""",
            device_code_sha256,
        )
    )


_POLL = f"""
    WITH {spend_cte(1, 2)},
    found AS (
        SELECT state, expires_at > now() AS live, polled_at > now() - make_interval(secs => interval_s - 0.5) AS early
          FROM idp.device_request WHERE device_code_sha256 = $3 AND client_id = $4),
    polled AS (
        UPDATE idp.device_request
           SET polled_at = now(),
               interval_s = interval_s + CASE WHEN polled_at > now() - make_interval(secs => interval_s - 0.5)
                                              THEN $5::integer ELSE 0 END
         WHERE device_code_sha256 = $3 AND client_id = $4 AND state = 'pending' AND expires_at > now()
           AND EXISTS (SELECT 1 FROM fresh))
    SELECT array(SELECT proof_sha256 FROM seen) AS seen,
           CASE WHEN f.state IS NULL THEN 'unknown'
                WHEN f.state = 'denied' THEN 'denied'
                WHEN NOT f.live THEN 'expired'
                WHEN f.state = 'pending' AND f.early THEN 'too-fast'
                ELSE 'pending' END AS state
      FROM (SELECT 1) AS one LEFT JOIN found f ON true"""


async def poll(tx: Tx, device_code_sha256: bytes, *, client_id: str, once: Sequence[Seen], slower_s: int) -> Row:
    """Notes the poll, with half a second for the network's jitter, and spends what the client proves itself with."""
    row = await tx.fetchrow(_POLL, *spending(once), device_code_sha256, client_id, slower_s)
    assert row is not None
    return row


async def sweep(tx: Tx) -> None:
    """A row is kept a day, so that who polls late hears that it expired."""
    await tx.execute("DELETE FROM idp.device_request WHERE expires_at < now() - interval '1 day'")
