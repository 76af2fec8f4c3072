from uuid import UUID

from idp.authenticators.reading import COLUMNS, PROOFING, TABLES, methods_in
from idp.authenticators.schema import Method
from idp.citizens.schema import Proofing
from idp.freezing.store import authenticator_frozen
from idp.sign_in.schema import Attempt, Candidate
from kit.db import Row, Tx
from kit.expired import forget

# A frozen password is answered as a wrong one, in the same time.
_PASSWORD_FROZEN = authenticator_frozen("c.citizen_id", "password")


async def candidate(tx: Tx, uid: str, *, everywhere_bucket: str, password_bucket: str) -> Candidate:
    """Always one row, whether or not ``uid`` is somebody's; of an erased account, too, nothing is known."""
    row = await tx.fetchrow(
        f"""
        SELECT c.citizen_id, c.state, c.locale, {PROOFING}, w.argon2, {COLUMNS},
               coalesce((SELECT attempts FROM idp.throttle
                          WHERE bucket = $2 AND window_starts_at > now() - interval '5 minutes'), 0) AS everywhere,
               coalesce((SELECT attempts FROM idp.throttle
                          WHERE bucket = $3 AND window_starts_at > now() - interval '1 hour'), 0) AS of_password
          FROM (SELECT 1) one
          LEFT JOIN idp.citizen c ON c.uid = $1 AND c.state <> 'erased'
          LEFT JOIN idp.password w ON w.citizen_id = c.citizen_id AND NOT {_PASSWORD_FROZEN}{TABLES}""",
        uid,
        everywhere_bucket,
        password_bucket,
    )
    assert row is not None
    return Candidate(
        citizen_id=row["citizen_id"],
        state=row["state"],
        locale=row["locale"],
        proofing=row["proofing"],
        argon2=row["argon2"],
        methods=methods_in(row, password=row["argon2"] is not None),
        failures_everywhere=row["everywhere"],
        failures_of_password=row["of_password"],
    )


async def begin_attempt(
    tx: Tx,
    *,
    browser_sha256: bytes,
    errand: str,
    attempt_id: UUID,
    citizen_id: UUID,
    method: Method,
    session_sha256: bytes | None,
    lifetime_s: int,
) -> None:
    await tx.execute(
        """
        INSERT INTO idp.sign_in_attempt
               (browser_sha256, errand, attempt_id, citizen_id, method, session_sha256, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, now() + make_interval(secs => $7))
        ON CONFLICT (browser_sha256, errand) DO UPDATE
           SET attempt_id = excluded.attempt_id, citizen_id = excluded.citizen_id, method = excluded.method,
               session_sha256 = excluded.session_sha256, tries = 0, expires_at = excluded.expires_at""",
        browser_sha256,
        errand,
        attempt_id,
        citizen_id,
        method,
        session_sha256,
        float(lifetime_s),
    )


_ATTEMPT = f"""a.attempt_id, a.citizen_id, a.method, a.tries, a.session_sha256, c.uid, c.state, c.locale, {PROOFING},
               c.claims, t.secret_sealed, extract(epoch FROM now())::float8 AS now_s, {COLUMNS}"""


def _attempt(row: Row | None) -> Attempt | None:
    if row is None:
        return None
    return Attempt(
        attempt_id=row["attempt_id"],
        citizen_id=row["citizen_id"],
        uid=row["uid"],
        state=row["state"],
        locale=row["locale"],
        proofing=row["proofing"],
        method=row["method"],
        tries=row["tries"],
        session_sha256=row["session_sha256"],
        methods=methods_in(row, password=True),
        secret_sealed=row["secret_sealed"],
        claims=row["claims"],
        now_s=row["now_s"],
    )


async def attempt(tx: Tx, browser_sha256: bytes, errand: str) -> Attempt | None:
    return _attempt(
        await tx.fetchrow(
            f"""
            SELECT {_ATTEMPT}
              FROM idp.sign_in_attempt a
              JOIN idp.citizen c USING (citizen_id){TABLES}
             WHERE a.browser_sha256 = $1 AND a.errand = $2 AND a.expires_at > now()""",
            browser_sha256,
            errand,
        )
    )


async def take_a_try(tx: Tx, browser_sha256: bytes, errand: str, *, tries_max: int) -> Attempt | None:
    """Count a try before anything is compared; None for no attempt, or one whose tries are used up."""
    return _attempt(
        await tx.fetchrow(
            f"""
            UPDATE idp.sign_in_attempt a
               SET tries = a.tries + 1
              FROM idp.citizen c{TABLES}
             WHERE a.browser_sha256 = $1 AND a.errand = $2 AND a.expires_at > now() AND a.tries < $3
               AND c.citizen_id = a.citizen_id
            RETURNING {_ATTEMPT}""",
            browser_sha256,
            errand,
            tries_max,
        )
    )


async def set_method(tx: Tx, attempt_id: UUID, method: Method) -> None:
    await tx.execute("UPDATE idp.sign_in_attempt SET method = $2 WHERE attempt_id = $1", attempt_id, method)


async def finish_attempt(tx: Tx, browser_sha256: bytes, errand: str) -> None:
    await tx.execute(
        "DELETE FROM idp.sign_in_attempt WHERE browser_sha256 = $1 AND errand = $2", browser_sha256, errand
    )


async def abandon_attempts(tx: Tx, browser_sha256: bytes) -> None:
    await tx.execute("DELETE FROM idp.sign_in_attempt WHERE browser_sha256 = $1", browser_sha256)


async def sweep(tx: Tx) -> None:
    await forget(tx, "idp.sign_in_attempt", "expires_at < now() - interval '1 hour'")


async def proofing(tx: Tx, citizen_id: UUID) -> Proofing:
    found: Proofing | None = await tx.fetchval(
        f"SELECT {PROOFING} FROM idp.citizen c WHERE c.citizen_id = $1", citizen_id
    )
    return found or "none"
