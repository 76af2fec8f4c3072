from uuid import UUID

from idp.clients.store import columns, spend_assertion_cte
from kit.audit import Audit, AuditEvent
from kit.db import Row, Tx

_PREFETCH_CODE = f"""
    SELECT {columns("c", "$2::integer")},
           a.client_id AS code_client_id, a.citizen_id, a.family_id, a.sid, a.sub, a.redirect_uri, a.code_challenge,
           a.nonce, a.scopes, a.claims, a.resource, a.auth_time, a.acr, a.amr,
           a.consumed_at IS NOT NULL AS consumed, a.expires_at <= now() AS expired,
           z.state AS citizen_state, z.uid, z.locale, z.proofing, z.updated_at, z.tokens_valid_from,
           CASE WHEN a.claims ? 'id_token' THEN z.claims END AS citizen_claims,
           g.ended_at IS NULL AS consent_live
      FROM idp.client c
      LEFT JOIN idp.authorization_code a ON a.code_sha256 = $3
      LEFT JOIN idp.citizen z ON z.citizen_id = a.citizen_id
      LEFT JOIN idp.consent g ON g.consent_id = a.consent_id
     WHERE c.client_id = $1"""

_PREFETCH_REFRESH = f"""
    SELECT {columns("c", "$2::integer")},
           f.client_id AS family_client_id, f.citizen_id, f.family_id, f.sid, f.sub, f.scopes, f.claims, f.resource,
           f.nonce, f.auth_time, f.acr, f.amr,
           r.consumed_at IS NOT NULL AS consumed,
           f.ended_at IS NULL AND f.expires_at > now() AND r.expires_at > now()
               AND z.state = 'active' AND f.created_at >= z.tokens_valid_from AND g.ended_at IS NULL
               AND (f.offline OR (s.ended_at IS NULL AND s.expires_at > now())) AS live
      FROM idp.client c
      LEFT JOIN idp.refresh_token r ON r.token_sha256 = $3
      LEFT JOIN idp.token_family f ON f.family_id = r.family_id
      LEFT JOIN idp.citizen z ON z.citizen_id = f.citizen_id
      LEFT JOIN idp.consent g ON g.consent_id = f.consent_id
      LEFT JOIN idp.session s ON s.sid = f.sid
     WHERE c.client_id = $1"""


class TokenStore:
    """Its statements hold the audit row too, so that a token request is one SELECT and one write."""

    def __init__(self, audit: Audit) -> None:
        self._spend_code = f"""
            WITH {spend_assertion_cte(1, 2, 3)},
            spent AS (
                UPDATE idp.authorization_code SET consumed_at = now()
                 WHERE code_sha256 = $4 AND client_id = $1 AND consumed_at IS NULL AND expires_at > now()
                   AND EXISTS (SELECT 1 FROM fresh)
                RETURNING *),
            family AS (
                INSERT INTO idp.token_family
                       (family_id, client_id, citizen_id, consent_id, sid, sub, scopes, claims, resource, nonce,
                        auth_time, acr, amr, offline, expires_at)
                SELECT family_id, client_id, citizen_id, consent_id, sid, sub, scopes, claims, resource, nonce,
                       auth_time, acr, amr, 'offline_access' = ANY (scopes), now() + make_interval(secs => $6)
                  FROM spent),
            refresh AS (
                INSERT INTO idp.refresh_token (token_sha256, family_id, expires_at)
                SELECT $5::bytea, family_id, now() + make_interval(secs => $6) FROM spent WHERE $5::bytea IS NOT NULL),
            audited AS ({audit.cte(7, source="spent")})
            SELECT EXISTS (SELECT 1 FROM fresh) AS fresh, EXISTS (SELECT 1 FROM spent) AS spent"""
        self._rotate = f"""
            WITH {spend_assertion_cte(1, 2, 3)},
            spent AS (
                UPDATE idp.refresh_token SET consumed_at = now()
                 WHERE token_sha256 = $4 AND consumed_at IS NULL AND expires_at > now()
                   AND EXISTS (SELECT 1 FROM fresh)
                RETURNING family_id),
            refresh AS (
                INSERT INTO idp.refresh_token (token_sha256, family_id, expires_at)
                SELECT $5, family_id, now() + make_interval(secs => $6) FROM spent),
            audited AS ({audit.cte(7, source="spent")})
            SELECT EXISTS (SELECT 1 FROM fresh) AS fresh, EXISTS (SELECT 1 FROM spent) AS spent"""
        self._reuse = f"""
            WITH {spend_assertion_cte(1, 2, 3)},
            audited AS ({audit.cte(4, source="fresh")})
            SELECT EXISTS (SELECT 1 FROM fresh) AS fresh"""

    async def spend_code(
        self,
        tx: Tx,
        *,
        client_id: str,
        assertion: tuple[bytes | None, float],
        code_sha256: bytes,
        refresh_sha256: bytes | None,
        family_lifetime_s: int,
        event: AuditEvent,
    ) -> tuple[bool, bool]:
        """Whether the client assertion was fresh, and whether the code was spent: by this call and no other."""
        row = await tx.fetchrow(
            self._spend_code,
            client_id,
            *assertion,
            code_sha256,
            refresh_sha256,
            float(family_lifetime_s),
            *Audit.arguments(event),
        )
        assert row is not None
        return row["fresh"], row["spent"]

    async def rotate(
        self,
        tx: Tx,
        *,
        client_id: str,
        assertion: tuple[bytes | None, float],
        token_sha256: bytes,
        next_sha256: bytes,
        lifetime_s: int,
        event: AuditEvent,
    ) -> tuple[bool, bool]:
        row = await tx.fetchrow(
            self._rotate,
            client_id,
            *assertion,
            token_sha256,
            next_sha256,
            float(lifetime_s),
            *Audit.arguments(event),
        )
        assert row is not None
        return row["fresh"], row["spent"]

    async def record(self, tx: Tx, *, client_id: str, assertion: tuple[bytes | None, float], event: AuditEvent) -> bool:
        """For a token that spends nothing but the client's assertion: False where that is a replay."""
        return bool(await tx.fetchval(self._reuse, client_id, *assertion, *Audit.arguments(event)))


async def prefetch_code(tx: Tx, client_id: str, *, known_revision: int, code_sha256: bytes) -> Row | None:
    return await tx.fetchrow(_PREFETCH_CODE, client_id, known_revision, code_sha256)


async def prefetch_refresh(tx: Tx, client_id: str, *, known_revision: int, token_sha256: bytes) -> Row | None:
    return await tx.fetchrow(_PREFETCH_REFRESH, client_id, known_revision, token_sha256)


async def burn_code(tx: Tx, code_sha256: bytes) -> None:
    """A code in the wrong hands is good for nobody."""
    await tx.execute(
        "UPDATE idp.authorization_code SET consumed_at = now() WHERE code_sha256 = $1 AND consumed_at IS NULL",
        code_sha256,
    )


async def end_family_of_code(tx: Tx, code_sha256: bytes) -> tuple[UUID, UUID] | None:
    """Family and citizen, where a family lived."""
    row = await tx.fetchrow(
        """
        UPDATE idp.token_family f SET ended_at = now()
          FROM idp.authorization_code a
         WHERE a.code_sha256 = $1 AND f.family_id = a.family_id AND f.ended_at IS NULL
        RETURNING f.family_id, f.citizen_id""",
        code_sha256,
    )
    return (row["family_id"], row["citizen_id"]) if row else None


async def end_family(tx: Tx, family_id: UUID) -> bool:
    return bool(
        await tx.fetchval(
            "UPDATE idp.token_family SET ended_at = now() WHERE family_id = $1 AND ended_at IS NULL RETURNING true",
            family_id,
        )
    )


async def end_families_of_session(tx: Tx, sid: str) -> None:
    """Those that were not to outlive the session."""
    await tx.execute(
        "UPDATE idp.token_family SET ended_at = now() WHERE sid = $1 AND NOT offline AND ended_at IS NULL", sid
    )


async def revoke_access_token(tx: Tx, jti: str, *, expires_at: int) -> None:
    await tx.execute(
        "INSERT INTO idp.revoked_access_token (jti, expires_at) VALUES ($1, to_timestamp($2)) ON CONFLICT DO NOTHING",
        jti,
        float(expires_at),
    )


_STATUS = """
    SELECT c.state = 'active' AND t.jti IS NULL AND ($3::uuid IS NULL OR (
               f.ended_at IS NULL AND f.expires_at > now() AND f.client_id = $2 AND z.state = 'active'
               AND f.created_at >= z.tokens_valid_from AND g.ended_at IS NULL
               AND (f.offline OR (s.ended_at IS NULL AND s.expires_at > now())))) IS TRUE AS active,
           f.citizen_id, f.claims AS claims_request, f.scopes AS family_scopes,
           z.uid, z.state, z.claims, z.locale, z.proofing, z.updated_at, z.tokens_valid_from
      FROM idp.client c
      LEFT JOIN idp.revoked_access_token t ON t.jti = $1
      LEFT JOIN idp.token_family f ON f.family_id = $3::uuid
      LEFT JOIN idp.citizen z ON z.citizen_id = f.citizen_id
      LEFT JOIN idp.consent g ON g.consent_id = f.consent_id
      LEFT JOIN idp.session s ON s.sid = f.sid
     WHERE c.client_id = $2"""


async def select_status(tx: Tx, *, jti: str, client_id: str, family_id: UUID | None) -> Row | None:
    """Whether an access token still stands today, with the citizen's record for userinfo."""
    return await tx.fetchrow(_STATUS, jti, client_id, family_id)


async def select_refresh_token(tx: Tx, token_sha256: bytes) -> Row | None:
    return await tx.fetchrow(
        """
        SELECT f.family_id, f.client_id, f.citizen_id, f.sub, f.scopes, f.created_at,
               least(r.expires_at, f.expires_at) AS expires_at,
               r.consumed_at IS NULL AND f.ended_at IS NULL AND f.expires_at > now() AND r.expires_at > now()
                   AND z.state = 'active' AND f.created_at >= z.tokens_valid_from AND g.ended_at IS NULL
                   AND (f.offline OR (s.ended_at IS NULL AND s.expires_at > now())) AS live
          FROM idp.refresh_token r
          JOIN idp.token_family f USING (family_id)
          JOIN idp.citizen z ON z.citizen_id = f.citizen_id
          JOIN idp.consent g ON g.consent_id = f.consent_id
          LEFT JOIN idp.session s ON s.sid = f.sid
         WHERE r.token_sha256 = $1""",
        token_sha256,
    )


async def sweep(tx: Tx) -> None:
    await tx.execute("DELETE FROM idp.token_family WHERE expires_at < now() - interval '7 days'")
    await tx.execute("DELETE FROM idp.revoked_access_token WHERE expires_at < now() - interval '1 hour'")
