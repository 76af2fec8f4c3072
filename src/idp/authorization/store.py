from collections.abc import Mapping, Sequence
from uuid import UUID

from idp.authorization.schema import AuthorizationRequest, ClaimsRequest
from idp.clients.store import Seen, columns, spend_cte, spending
from idp.mandates.schema import Mandate
from idp.sessions.schema import Session
from idp.subjects.store import insert_cte
from kit.audit import Audit, AuditEvent
from kit.db import Row, Tx
from kit.expired import forget

_SELECT_INTERACTION = f"""
    SELECT {columns("c", "0")}, i.interaction_id, i.request, i.created_at, i.confirmed_at,
           i.acting_chosen_by, i.acting_mandate_id
      FROM idp.interaction i JOIN idp.client c USING (client_id)
     WHERE i.interaction_id = $1 AND i.browser_sha256 = $2
       AND i.finished_at IS NULL AND i.expires_at > now() AND c.state = 'active'"""


_INSERT_PUSHED = f"""
    WITH {spend_cte(1, 2)},
    pushed AS (
        INSERT INTO idp.pushed_request (request_uri_sha256, client_id, request, expires_at)
        SELECT $3::bytea, $4::text, $5::jsonb, now() + make_interval(secs => $6) FROM fresh)
    SELECT array(SELECT proof_sha256 FROM seen)"""

_SELECT_PUSHED = f"""
    SELECT {columns("c", "$2::integer")}, p.request
      FROM idp.client c
      LEFT JOIN idp.pushed_request p
             ON p.request_uri_sha256 = $3 AND p.client_id = c.client_id AND p.used_at IS NULL AND p.expires_at > now()
     WHERE c.client_id = $1"""


class Answers:
    """The one statement that gives a code: it ends the interaction, spends the pushed request, keeps the pairwise
    identifiers and the audit row, and does all of it or, where another answer came first, nothing but the end."""

    def __init__(self, audit: Audit) -> None:
        self._give = f"""
            WITH finished AS (
                UPDATE idp.interaction SET finished_at = now()
                 WHERE interaction_id = $1 AND browser_sha256 = $2 AND finished_at IS NULL AND expires_at > now()
                RETURNING 1),
            awaited AS (SELECT 1 WHERE $1::text IS NULL UNION ALL SELECT 1 FROM finished),
            spent AS (
                UPDATE idp.pushed_request SET used_at = now()
                 WHERE request_uri_sha256 = $3 AND used_at IS NULL AND EXISTS (SELECT 1 FROM awaited)
                RETURNING 1),
            first AS (SELECT 1 FROM awaited WHERE $3::bytea IS NULL UNION ALL SELECT 1 FROM spent),
            remembered AS ({insert_cte(6, 24, 25, source="first")}),
            code AS (
                INSERT INTO idp.authorization_code
                       (code_sha256, client_id, citizen_id, consent_id, family_id, sid, sub, redirect_uri,
                        code_challenge, nonce, scopes, claims, resource, auth_time, acr, amr, expires_at, kind,
                        dpop_jkt, authorization_details, actor_citizen_id, mandate_id)
                SELECT $4::bytea, $5::text, $6::uuid, $7::uuid, $8::uuid, $9::text, $10::text, $11::text, $12::text,
                       $13::text, $14::text[], $15::jsonb, $16::text, $17::timestamptz, $18::text, $19::text[],
                       now() + make_interval(secs => $20), $21::text, $22::text, $23::jsonb,
                       $35::uuid, $36::uuid
                  FROM first),
            audited AS ({audit.cte(26, source="first")})
            SELECT EXISTS (SELECT 1 FROM awaited) AS awaited, EXISTS (SELECT 1 FROM first) AS first"""

    async def give(
        self,
        tx: Tx,
        code_sha256: bytes,
        *,
        interaction: tuple[str, bytes] | None,
        request: AuthorizationRequest,
        session: Session,
        sub: str,
        subs: Mapping[str, str],
        consent_id: UUID,
        family_id: UUID,
        claims: ClaimsRequest,
        lifetime_s: int,
        event: AuditEvent,
        acr: str,
        mandate: Mandate | None = None,
    ) -> tuple[bool, bool]:
        """Whether the interaction was still awaited in this browser, and whether this answer is the first one.

        With ``mandate`` the session's citizen acts, and the code is about the represented. ``subs`` are by
        sector. Where somebody waits, ``code_sha256`` is of what it polls with.
        """
        interaction_id, browser_sha256 = interaction or (None, None)
        row = await tx.fetchrow(
            self._give,
            interaction_id,
            browser_sha256,
            request.request_uri_sha256,
            code_sha256,
            request.client_id,
            mandate.represented_id if mandate else session.citizen_id,
            consent_id,
            family_id,
            session.sid,
            sub,
            request.redirect_uri,
            request.code_challenge,
            request.nonce,
            list(request.scopes),
            claims,
            request.resource,
            session.auth_time,
            acr,
            list(session.amr),
            float(lifetime_s),
            request.kind,
            request.dpop_jkt,
            request.authorization_details,
            list(subs),
            list(subs.values()),
            *Audit.arguments(event),
            session.citizen_id if mandate else None,
            mandate.mandate_id if mandate else None,
        )
        assert row is not None
        return row["awaited"], row["first"]


async def insert_interaction(
    tx: Tx, interaction_id: str, *, browser_sha256: bytes, request: AuthorizationRequest, lifetime_s: int
) -> None:
    await tx.execute(
        """
        INSERT INTO idp.interaction (interaction_id, browser_sha256, client_id, request, expires_at)
        VALUES ($1, $2, $3, $4, now() + make_interval(secs => $5))""",
        interaction_id,
        browser_sha256,
        request.client_id,
        request,
        float(lifetime_s),
    )


async def select_interaction(tx: Tx, interaction_id: str, *, browser_sha256: bytes) -> Row | None:
    return await tx.fetchrow(_SELECT_INTERACTION, interaction_id, browser_sha256)


async def finish_interaction(tx: Tx, interaction_id: str, *, browser_sha256: bytes) -> bool:
    """True for the one that finishes it."""
    return bool(
        await tx.fetchval(
            """
            UPDATE idp.interaction SET finished_at = now()
             WHERE interaction_id = $1 AND browser_sha256 = $2 AND finished_at IS NULL AND expires_at > now()
            RETURNING true""",
            interaction_id,
            browser_sha256,
        )
    )


async def confirm_interaction(tx: Tx, interaction_id: str, *, browser_sha256: bytes) -> bool:
    return bool(
        await tx.fetchval(
            """
            UPDATE idp.interaction SET confirmed_at = now()
             WHERE interaction_id = $1 AND browser_sha256 = $2 AND finished_at IS NULL AND expires_at > now()
            RETURNING true""",
            interaction_id,
            browser_sha256,
        )
    )


async def choose_whom(
    tx: Tx, interaction_id: str, *, browser_sha256: bytes, chosen_by: UUID, mandate_id: UUID | None
) -> bool:
    return bool(
        await tx.fetchval(
            """
            UPDATE idp.interaction SET acting_chosen_by = $3, acting_mandate_id = $4
             WHERE interaction_id = $1 AND browser_sha256 = $2 AND finished_at IS NULL AND expires_at > now()
            RETURNING true""",
            interaction_id,
            browser_sha256,
            chosen_by,
            mandate_id,
        )
    )


async def insert_pushed(
    tx: Tx,
    request_uri_sha256: bytes,
    *,
    request: AuthorizationRequest,
    once: Sequence[Seen],
    lifetime_s: int,
) -> Sequence[bytes]:
    """Which of the proofs that came with it were fresh; unless all were, nothing is kept."""
    found: Sequence[bytes] = await tx.fetchval(
        _INSERT_PUSHED, *spending(once), request_uri_sha256, request.client_id, request, float(lifetime_s)
    )
    return found


async def select_pushed(tx: Tx, client_id: str, *, known_revision: int, request_uri_sha256: bytes) -> Row | None:
    """The client, and its request where that can still be answered."""
    return await tx.fetchrow(_SELECT_PUSHED, client_id, known_revision, request_uri_sha256)


async def spend_pushed(tx: Tx, request_uri_sha256: bytes) -> bool:
    """True for the one answer that spends it."""
    return bool(
        await tx.fetchval(
            """
            UPDATE idp.pushed_request SET used_at = now()
             WHERE request_uri_sha256 = $1 AND used_at IS NULL
            RETURNING true""",
            request_uri_sha256,
        )
    )


async def sweep(tx: Tx) -> None:
    """What expired long enough ago that nobody comes back for it. A code's row outlives its tokens (reuse is seen)."""
    await forget(tx, "idp.pushed_request", "expires_at < now() - interval '1 day'")
    await forget(tx, "idp.interaction", "expires_at < now() - interval '1 day'")
    await forget(tx, "idp.authorization_code", "expires_at < now() - interval '7 days'")
