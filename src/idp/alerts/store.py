from uuid import UUID

from kit.db import Tx
from kit.expired import forget


async def know(tx: Tx, citizen_id: UUID, browser_mac: bytes) -> bool:
    """True the first time."""
    return bool(
        await tx.fetchval(
            """
            INSERT INTO idp.known_browser (citizen_id, browser_mac) VALUES ($1, $2)
            ON CONFLICT (citizen_id, browser_mac) DO UPDATE SET seen_at = now()
            RETURNING xmax = 0""",
            citizen_id,
            browser_mac,
        )
    )


async def insert(tx: Tx, token_sha256: bytes, *, citizen_id: UUID, sid: str, lifetime_s: int) -> None:
    await tx.execute(
        """
        INSERT INTO idp.sign_in_alert (token_sha256, citizen_id, sid, expires_at)
        VALUES ($1, $2, $3, now() + make_interval(secs => $4))""",
        token_sha256,
        citizen_id,
        sid,
        float(lifetime_s),
    )


async def answer(tx: Tx, token_sha256: bytes, *, browser_sha256: bytes) -> tuple[UUID, str] | None:
    """Once: whose session it was, and which."""
    row = await tx.fetchrow(
        """
        UPDATE idp.sign_in_alert SET answered_at = now(), browser_sha256 = $2
         WHERE token_sha256 = $1 AND answered_at IS NULL AND expires_at > now()
        RETURNING citizen_id, sid""",
        token_sha256,
        browser_sha256,
    )
    return None if row is None else (row["citizen_id"], row["sid"])


async def answered_in(tx: Tx, browser_sha256: bytes, *, within_s: int) -> UUID | None:
    """Who said in this browser, just now, that it was not them."""
    citizen_id: UUID | None = await tx.fetchval(
        """
        SELECT citizen_id FROM idp.sign_in_alert
         WHERE browser_sha256 = $1 AND answered_at > now() - make_interval(secs => $2)
         ORDER BY answered_at DESC LIMIT 1""",
        browser_sha256,
        float(within_s),
    )
    return citizen_id


async def sweep(tx: Tx) -> None:
    await forget(tx, "idp.sign_in_alert", "expires_at < now()")
    await forget(tx, "idp.known_browser", "seen_at < now() - interval '400 days'")
