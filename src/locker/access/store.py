"""The one writer of ``locker.sign_in``, ``locker.session`` and ``locker.proof_seen``."""

import msgspec

from kit.db import Tx
from kit.expired import forget
from locker.access.schema import Citizen, FreshSession, StartedSignIn


async def start_sign_in(
    tx: Tx, started: StartedSignIn, *, state_sha256: bytes, browser_sha256: bytes, lifetime_s: int
) -> None:
    await tx.execute(
        """
        INSERT INTO locker.sign_in (state_sha256, browser_sha256, nonce, code_verifier, return_to, expires_at)
        VALUES ($1, $2, $3, $4, $5, now() + make_interval(secs => $6))""",
        state_sha256,
        browser_sha256,
        started.nonce,
        started.code_verifier,
        started.return_to,
        float(lifetime_s),
    )


async def spend_sign_in(tx: Tx, *, state_sha256: bytes, browser_sha256: bytes) -> StartedSignIn | None:
    """Once, and only for the browser that started it."""
    row = await tx.fetchrow(
        """
        DELETE FROM locker.sign_in
         WHERE state_sha256 = $1 AND browser_sha256 = $2 AND expires_at > now()
        RETURNING nonce, code_verifier, return_to""",
        state_sha256,
        browser_sha256,
    )
    return None if row is None else msgspec.convert(dict(row), StartedSignIn)


async def start_session(tx: Tx, fresh: FreshSession, *, session_sha256: bytes, lifetime_s: int) -> bool:
    """False: this citizen was erased."""
    done = await tx.execute(
        """
        INSERT INTO locker.session (owner, session_sha256, sid, acr, auth_time, names, id_token, expires_at)
        SELECT $1, $2, $3, $4, $5, $6, $7, now() + make_interval(secs => $8)
         WHERE NOT EXISTS (SELECT 1 FROM locker.citizen_key WHERE owner = $1 AND destroyed_at IS NOT NULL)""",
        fresh.owner,
        session_sha256,
        fresh.sid,
        fresh.acr,
        fresh.auth_time,
        dict(fresh.names),
        fresh.id_token,
        float(lifetime_s),
    )
    return done.endswith(" 1")


async def session(tx: Tx, *, session_sha256: bytes, idle_s: int) -> Citizen | None:
    """The living session. Seeing it is written at most once a minute: a read stays a read."""
    row = await tx.fetchrow(
        """
        SELECT owner, session_sha256, names, acr, id_token, last_seen_at < now() - interval '1 minute' AS stale,
               extract(epoch FROM now() - auth_time)::float8 AS signed_in_s
          FROM locker.session
         WHERE session_sha256 = $1 AND expires_at > now() AND last_seen_at > now() - make_interval(secs => $2)""",
        session_sha256,
        float(idle_s),
    )
    if row is None:
        return None
    if row["stale"]:
        await tx.execute(
            "UPDATE locker.session SET last_seen_at = now() WHERE owner = $1 AND session_sha256 = $2",
            row["owner"],
            session_sha256,
        )
    return Citizen(
        owner=row["owner"],
        session_sha256=row["session_sha256"],
        names=row["names"],
        acr=row["acr"],
        id_token=row["id_token"],
        signed_in_s=row["signed_in_s"],
    )


async def end_session(tx: Tx, *, session_sha256: bytes) -> str | None:
    """Whose it was."""
    owner = await tx.fetchval(
        "DELETE FROM locker.session WHERE session_sha256 = $1 RETURNING owner",
        session_sha256,
    )
    assert owner is None or isinstance(owner, str)
    return owner


async def end_sessions_of(tx: Tx, *, owner: str) -> None:
    await tx.execute("DELETE FROM locker.session WHERE owner = $1", owner)


async def spend_proof(tx: Tx, proof_sha256: bytes, *, expires_at: float) -> bool:
    """True for the first to show it (RFC 9449 §11.1)."""
    return bool(
        await tx.fetchval(
            """
            INSERT INTO locker.proof_seen (proof_sha256, expires_at) VALUES ($1, to_timestamp($2))
            ON CONFLICT DO NOTHING RETURNING true""",
            proof_sha256,
            expires_at,
        )
    )


async def sweep(tx: Tx, *, idle_s: int) -> None:
    await forget(tx, "locker.sign_in", "expires_at < now()")
    await forget(tx, "locker.proof_seen", "expires_at < now()")
    await forget(tx, "locker.session", "expires_at < now()")
    # By no index, which each request of a citizen would have to keep: these are those who are signed in.
    await forget(tx, "locker.session", "last_seen_at < now() - make_interval(secs => $1)", float(idle_s))
