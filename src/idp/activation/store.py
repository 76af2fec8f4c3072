from uuid import UUID

from idp.activation.schema import Kind
from kit.db import Tx


async def put(tx: Tx, citizen_id: UUID, *, code_mac: bytes, lifetime_s: int, kind: Kind) -> None:
    await tx.execute(
        """
        INSERT INTO idp.activation (citizen_id, code_mac, expires_at, kind)
        VALUES ($1, $2, now() + make_interval(secs => $3), $4)
        ON CONFLICT (citizen_id) DO UPDATE
           SET code_mac = excluded.code_mac, expires_at = excluded.expires_at, kind = excluded.kind,
               created_at = now(), browser_sha256 = NULL, opened_until = NULL""",
        citizen_id,
        code_mac,
        float(lifetime_s),
        kind,
    )


async def open_here(tx: Tx, citizen_id: UUID, browser_sha256: bytes, *, lifetime_s: int) -> None:
    await _leave_browser(tx, browser_sha256)
    await tx.execute(
        """
        UPDATE idp.activation SET browser_sha256 = $2, opened_until = now() + make_interval(secs => $3)
         WHERE citizen_id = $1""",
        citizen_id,
        browser_sha256,
        float(lifetime_s),
    )


async def _leave_browser(tx: Tx, browser_sha256: bytes) -> None:
    await tx.execute(
        "UPDATE idp.activation SET browser_sha256 = NULL, opened_until = NULL WHERE browser_sha256 = $1", browser_sha256
    )


async def open_in_browser(tx: Tx, uid: str, *, code_mac: bytes, browser_sha256: bytes, lifetime_s: int) -> UUID | None:
    """Bind the right code to this browser, taking it from another one; None for anything else."""
    await _leave_browser(tx, browser_sha256)
    citizen_id: UUID | None = await tx.fetchval(
        """
        UPDATE idp.activation a
           SET browser_sha256 = $3, opened_until = now() + make_interval(secs => $4)
          FROM idp.citizen c
         WHERE c.uid = $1 AND c.state IN ('registered', 'active') AND a.citizen_id = c.citizen_id
           AND a.code_mac = $2 AND a.expires_at > now()
        RETURNING a.citizen_id""",
        uid,
        code_mac,
        browser_sha256,
        float(lifetime_s),
    )
    return citizen_id


async def opened_in(tx: Tx, browser_sha256: bytes) -> tuple[UUID, bool, Kind] | None:
    """Whose activation is open, whether a password was chosen in it, and what it is for."""
    row = await tx.fetchrow(
        """
        SELECT a.citizen_id, a.kind, p.set_at >= a.created_at AS has_password
          FROM idp.activation a
          JOIN idp.citizen c USING (citizen_id)
          LEFT JOIN idp.password p USING (citizen_id)
         WHERE a.browser_sha256 = $1 AND a.opened_until > now() AND a.expires_at > now()
           AND c.state IN ('registered', 'active')""",
        browser_sha256,
    )
    return None if row is None else (row["citizen_id"], bool(row["has_password"]), row["kind"])


async def spend(tx: Tx, citizen_id: UUID, browser_sha256: bytes) -> Kind | None:
    kind: Kind | None = await tx.fetchval(
        """
        DELETE FROM idp.activation
         WHERE citizen_id = $1 AND browser_sha256 = $2 AND opened_until > now() AND expires_at > now()
        RETURNING kind""",
        citizen_id,
        browser_sha256,
    )
    return kind
