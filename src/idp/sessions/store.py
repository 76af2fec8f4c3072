from uuid import UUID

from idp.sessions.schema import Session, SessionLine
from kit.db import Tx
from kit.expired import forget


async def current(tx: Tx, session_sha256: bytes, *, idle_s: int) -> Session | None:
    """Also moves ``seen_at``, at most once a minute, so that most requests write nothing."""
    row = await tx.fetchrow(
        """
        WITH alive AS (
            SELECT s.session_sha256, s.sid, s.citizen_id, s.auth_time, s.acr, s.amr, s.upstream, s.seen_at,
                   extract(epoch FROM now() - s.auth_time)::int AS age_s, c.uid, c.state, c.locale
              FROM idp.session s JOIN idp.citizen c USING (citizen_id)
             WHERE s.session_sha256 = $1 AND s.ended_at IS NULL AND s.expires_at > now()
               AND s.seen_at > now() - make_interval(secs => $2) AND c.state = 'active'),
        touched AS (
            UPDATE idp.session s SET seen_at = now() FROM alive a
             WHERE s.session_sha256 = a.session_sha256 AND a.seen_at < now() - interval '1 minute')
        SELECT session_sha256, sid, citizen_id, auth_time, acr, amr, upstream, age_s, uid, state, locale FROM alive""",
        session_sha256,
        float(idle_s),
    )
    if row is None:
        return None
    return Session(
        session_sha256=row["session_sha256"],
        sid=row["sid"],
        citizen_id=row["citizen_id"],
        uid=row["uid"],
        state=row["state"],
        locale=row["locale"],
        auth_time=row["auth_time"],
        age_s=row["age_s"],
        acr=row["acr"],
        amr=tuple(row["amr"]),
        upstream=row["upstream"],
    )


async def insert(
    tx: Tx,
    *,
    session_sha256: bytes,
    sid: str,
    citizen_id: UUID,
    acr: str,
    amr: list[str],
    upstream: str | None,
    browser_label: str,
    lifetime_s: int,
) -> None:
    await tx.execute(
        """
        INSERT INTO idp.session (session_sha256, sid, citizen_id, acr, amr, browser_label, expires_at, upstream)
        VALUES ($1, $2, $3, $4, $5, $6, now() + make_interval(secs => $7), $8)""",
        session_sha256,
        sid,
        citizen_id,
        acr,
        amr,
        browser_label,
        float(lifetime_s),
        upstream,
    )


async def renew(
    tx: Tx,
    old_sha256: bytes,
    *,
    new_sha256: bytes,
    citizen_id: UUID,
    acr: str,
    amr: list[str],
    upstream: str | None,
    lifetime_s: int,
) -> str | None:
    """A new authentication of the same citizen in the same browser: new cookie, new times, same ``sid``."""
    sid: str | None = await tx.fetchval(
        """
        UPDATE idp.session
           SET session_sha256 = $2, acr = $4, amr = $5, auth_time = now(), seen_at = now(),
               expires_at = now() + make_interval(secs => $6), upstream = $7
         WHERE session_sha256 = $1 AND citizen_id = $3 AND ended_at IS NULL AND expires_at > now()
        RETURNING sid""",
        old_sha256,
        new_sha256,
        citizen_id,
        acr,
        amr,
        float(lifetime_s),
        upstream,
    )
    return sid


async def step_up(
    tx: Tx, old_sha256: bytes, *, new_sha256: bytes, citizen_id: UUID, acr: str, amr: list[str], idle_s: int
) -> str | None:
    """A second factor for a session that lives: auth_time and the end stay, because the first was not asked again."""
    sid: str | None = await tx.fetchval(
        """
        UPDATE idp.session
           SET session_sha256 = $2, acr = $4, amr = $5, seen_at = now()
         WHERE session_sha256 = $1 AND citizen_id = $3 AND ended_at IS NULL AND expires_at > now()
           AND seen_at > now() - make_interval(secs => $6)
        RETURNING sid""",
        old_sha256,
        new_sha256,
        citizen_id,
        acr,
        amr,
        float(idle_s),
    )
    return sid


async def end_all_through(tx: Tx, upstream: str, *, citizen_id: UUID | None) -> list[tuple[str, UUID]]:
    """``sid`` and citizen of each live session that began at ``upstream``; of one citizen, or of all."""
    rows = await tx.fetch(
        """
        UPDATE idp.session SET ended_at = now()
         WHERE upstream = $1 AND ($2::uuid IS NULL OR citizen_id = $2) AND ended_at IS NULL
        RETURNING sid, citizen_id""",
        upstream,
        citizen_id,
    )
    return [(row["sid"], row["citizen_id"]) for row in rows]


async def end(tx: Tx, session_sha256: bytes) -> tuple[str, UUID] | None:
    row = await tx.fetchrow(
        """
        UPDATE idp.session SET ended_at = now()
         WHERE session_sha256 = $1 AND ended_at IS NULL
        RETURNING sid, citizen_id""",
        session_sha256,
    )
    return None if row is None else (row["sid"], row["citizen_id"])


async def end_by_sid(tx: Tx, citizen_id: UUID, sid: str) -> bool:
    row = await tx.fetchrow(
        """
        UPDATE idp.session SET ended_at = now()
         WHERE sid = $2 AND citizen_id = $1 AND ended_at IS NULL
        RETURNING sid""",
        citizen_id,
        sid,
    )
    return row is not None


async def end_all_for(tx: Tx, citizen_id: UUID, *, except_sid: str | None) -> list[str]:
    rows = await tx.fetch(
        """
        UPDATE idp.session SET ended_at = now()
         WHERE citizen_id = $1 AND ended_at IS NULL AND sid IS DISTINCT FROM $2
        RETURNING sid""",
        citizen_id,
        except_sid,
    )
    return [row["sid"] for row in rows]


async def list_for(tx: Tx, citizen_id: UUID, *, idle_s: int) -> list[SessionLine]:
    rows = await tx.fetch(
        """
        SELECT sid, browser_label, created_at, seen_at, acr, amr
          FROM idp.session
         WHERE citizen_id = $1 AND ended_at IS NULL AND expires_at > now()
           AND seen_at > now() - make_interval(secs => $2)
         ORDER BY seen_at DESC
         LIMIT 50""",
        citizen_id,
        float(idle_s),
    )
    return [
        SessionLine(
            sid=row["sid"],
            browser_label=row["browser_label"],
            created_at=row["created_at"],
            seen_at=row["seen_at"],
            acr=row["acr"],
            amr=tuple(row["amr"]),
        )
        for row in rows
    ]


async def sweep(tx: Tx) -> None:
    """Kept a while after the end, so that a logout can still find what it must tell."""
    await forget(tx, "idp.session", "expires_at < now() - interval '2 days'")
