from collections.abc import Sequence

from idp.authorization.schema import AuthorizationRequest
from idp.token.store import poll_statement
from kit.db import Row, Tx
from kit.expired import forget


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


POLL = poll_statement("idp.device_request", "device_code_sha256")


async def sweep(tx: Tx) -> None:
    """A row is kept a day, so that who polls late hears that it expired."""
    await forget(tx, "idp.device_request", "expires_at < now() - interval '1 day'")
