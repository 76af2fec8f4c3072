from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from idp.clients.store import Seen, columns, spend_cte, spend_several_cte, spending
from idp.freezing.store import frozen_condition
from idp.mandates.store import may_be_subject, standing
from kit.audit import Audit, AuditEvent
from kit.db import Database, Row, Tx
from kit.expired import forget
from kit.gather import Gather

_CODE_FROZEN = frozen_condition("service", citizen_id="a.citizen_id", name="a.client_id")


def _family_live(*services: str) -> str:
    """SQL: what a family f hangs on, looked up at each use: its citizen z, its consent g, its session s, and that none
    of ``services`` (SQL of client_ids) is frozen."""
    name = f"ANY (ARRAY[{', '.join(services)}])"
    return f"""(f.ended_at IS NULL AND f.expires_at > now() AND {may_be_subject("f", "z")}
               AND {standing("f", services=name)}
               AND f.created_at >= z.tokens_valid_from AND g.ended_at IS NULL
               AND (f.offline OR (s.ended_at IS NULL AND s.expires_at > now()))
               AND NOT {frozen_condition("service", citizen_id="f.citizen_id", name=name)})"""


_FAMILY_LIVE = _family_live("f.client_id")

_PREFETCH_CODE = f"""
    SELECT {columns("c", "$2::integer")},
           a.client_id AS code_client_id, a.citizen_id, a.family_id, a.sid, a.sub, a.redirect_uri, a.code_challenge,
           a.nonce, a.scopes, a.claims, a.resource, a.auth_time, a.acr, a.amr, a.dpop_jkt, a.authorization_details,
           a.actor_citizen_id, a.mandate_id,
           a.consumed_at IS NOT NULL AS consumed, a.expires_at <= now() AS expired,
           z.state AS citizen_state, z.uid, z.locale, z.proofing, z.updated_at, z.tokens_valid_from,
           CASE WHEN a.claims ? 'id_token' THEN z.claims END AS citizen_claims,
           g.ended_at IS NULL AND a.created_at >= z.tokens_valid_from AND NOT {_CODE_FROZEN}
               AND {may_be_subject("a", "z")} AND {standing("a")} AS consent_live
      FROM idp.client c
      LEFT JOIN idp.authorization_code a ON a.code_sha256 = $3 AND a.kind = $4
      LEFT JOIN idp.citizen z ON z.citizen_id = a.citizen_id
      LEFT JOIN idp.consent g ON g.consent_id = a.consent_id
     WHERE c.client_id = $1"""

_PREFETCH_REFRESH = f"""
    SELECT q.n, {columns("c", "q.known_revision")},
           f.client_id AS family_client_id, f.citizen_id, f.family_id, f.sid, f.sub, f.scopes, f.claims, f.resource,
           f.nonce, f.auth_time, f.acr, f.amr, f.cnf_jkt, f.cnf_x5t, f.authorization_details,
           f.actor_citizen_id, f.mandate_id,
           r.consumed_at IS NOT NULL AS consumed,
           r.expires_at > now() AND {_FAMILY_LIVE} AS live
      FROM unnest($1::text[], $2::integer[], $3::bytea[]) WITH ORDINALITY
           AS q (client_id, known_revision, token_sha256, n)
      JOIN idp.client c ON c.client_id = q.client_id
      LEFT JOIN idp.refresh_token r ON r.token_sha256 = q.token_sha256
      LEFT JOIN idp.token_family f ON f.family_id = r.family_id
      LEFT JOIN idp.citizen z ON z.citizen_id = f.citizen_id
      LEFT JOIN idp.consent g ON g.consent_id = f.consent_id
      LEFT JOIN idp.session s ON s.sid = f.sid"""


_PREFETCH_EXCHANGE = f"""
    SELECT {columns("c", "$2::integer")},
           f.citizen_id, f.family_id, f.sid, f.sub, f.scopes, f.claims, f.resource, f.auth_time, f.acr, f.amr,
           f.authorization_details, f.actor_citizen_id, f.mandate_id,
           (o.state = 'active' AND t.jti IS NULL
               AND {_family_live("f.client_id", "c.client_id", "o.client_id")}) IS TRUE AS live
      FROM idp.client c
      LEFT JOIN idp.client o ON o.client_id = $4
      LEFT JOIN idp.revoked_access_token t ON t.jti = $3
      LEFT JOIN idp.token_family f ON f.family_id = $5::uuid
      LEFT JOIN idp.citizen z ON z.citizen_id = f.citizen_id
      LEFT JOIN idp.consent g ON g.consent_id = f.consent_id
      LEFT JOIN idp.session s ON s.sid = f.sid
     WHERE c.client_id = $1"""


class Written(msgspec.Struct, frozen=True):
    """What one statement could do."""

    fresh: Sequence[bytes]
    """Digests of the assertions and proofs that nobody had shown before."""
    spent: bool
    """The code or the refresh token: by this call and no other."""


class Used(NamedTuple):
    """An access token that somebody shows."""

    jti: str
    client_id: str
    family_id: UUID | None
    known_revision: int


class TokenStore:
    """Its statements hold the audit row too, so that a token request is one SELECT and one write. Those that nothing
    but the clock can make fail are gathered: requests that come at once share both."""

    def __init__(self, audit: Audit, db: Database) -> None:
        self._db = db
        self.use: Gather[Used, Row | None] = Gather(self._uses, name="tokens")
        """Does an access token stand, with the citizen's record and the client."""
        self.introspect: Gather[tuple[str, int, Used], Row | None] = Gather(self._introspections, name="tokens")
        """The row of a client that asks, with the revision that is known of it; ``active`` is of the token."""
        self.prefetch_refresh: Gather[tuple[str, int, bytes], Row | None] = Gather(self._refreshes, name="tokens")
        """client_id, the revision that is known, digest of the refresh token."""
        self._records: Gather[tuple[Sequence[Seen], AuditEvent], Written] = Gather(self._recorded, name="tokens")
        self._spend_code = f"""
            WITH {spend_cte(1, 2)},
            -- Held, so that a session which ends at this moment sees the family of whom it must tell, or ends first.
            alive AS (
                SELECT s.sid FROM idp.session s JOIN idp.authorization_code a USING (sid)
                 WHERE a.code_sha256 = $3 AND s.ended_at IS NULL
                   FOR SHARE OF s),
            spent AS (
                UPDATE idp.authorization_code SET consumed_at = now()
                 WHERE code_sha256 = $3 AND client_id = $4 AND kind = $5
                   AND consumed_at IS NULL AND expires_at > now() AND EXISTS (SELECT 1 FROM fresh)
                   AND (kind <> 'authorization_code' OR EXISTS (SELECT 1 FROM alive))
                RETURNING *),
            family AS (
                INSERT INTO idp.token_family
                       (family_id, client_id, citizen_id, consent_id, sid, sub, scopes, claims, resource, nonce,
                        auth_time, acr, amr, kind, authorization_details, actor_citizen_id, mandate_id,
                        cnf_jkt, cnf_x5t, offline, expires_at)
                SELECT family_id, client_id, citizen_id, consent_id, sid, sub, scopes, claims, resource, nonce,
                       auth_time, acr, amr, kind, authorization_details, actor_citizen_id, mandate_id,
                       $6, $7, 'offline_access' = ANY (scopes) OR kind <> 'authorization_code',
                       now() + make_interval(secs => $9)
                  FROM spent),
            refresh AS (
                INSERT INTO idp.refresh_token (token_sha256, family_id, expires_at)
                SELECT $8::bytea, family_id, now() + make_interval(secs => $9) FROM spent WHERE $8::bytea IS NOT NULL),
            audited AS ({audit.cte(10, source="spent")})
            SELECT array(SELECT proof_sha256 FROM seen) AS seen, EXISTS (SELECT 1 FROM spent) AS spent"""
        self._rotate = f"""
            WITH {spend_cte(1, 2)},
            spent AS (
                UPDATE idp.refresh_token SET consumed_at = now()
                 WHERE token_sha256 = $3 AND consumed_at IS NULL AND expires_at > now()
                   AND EXISTS (SELECT 1 FROM fresh)
                RETURNING family_id),
            refresh AS (
                INSERT INTO idp.refresh_token (token_sha256, family_id, expires_at)
                SELECT $4, family_id, now() + make_interval(secs => $5) FROM spent),
            audited AS ({audit.cte(6, source="spent")})
            SELECT array(SELECT proof_sha256 FROM seen) AS seen, EXISTS (SELECT 1 FROM spent) AS spent"""
        self._exchange = f"""
            WITH {spend_cte(1, 2)},
            exchanged AS (
                INSERT INTO idp.token_exchange (family_id, client_id)
                SELECT $3::uuid, $4::text FROM fresh
                ON CONFLICT DO NOTHING),
            audited AS ({audit.cte(5, source="fresh")})
            SELECT array(SELECT proof_sha256 FROM seen) AS seen"""
        self._record = f"""
            WITH {spend_several_cte(1, 2, 3)},
            fresh AS (
                SELECT event.* FROM {audit.unnested(4)}
                 WHERE NOT EXISTS (SELECT 1 FROM shown
                                    WHERE shown.n = event.n AND proof_sha256 NOT IN (SELECT proof_sha256 FROM seen))),
            audited AS ({audit.cte_of_several("fresh")})
            SELECT array(SELECT proof_sha256 FROM seen) AS seen"""

    async def spend_code(
        self,
        tx: Tx,
        *,
        client_id: str,
        kind: str,
        once: Sequence[Seen],
        code_sha256: bytes,
        cnf_jkt: str | None,
        cnf_x5t: str | None,
        refresh_sha256: bytes | None,
        family_lifetime_s: int,
        event: AuditEvent,
    ) -> Written:
        """Begin the family of a code, a device code or an auth_req_id (``kind``); nothing is written for a replay."""
        row = await tx.fetchrow(
            self._spend_code,
            *spending(once),
            code_sha256,
            client_id,
            kind,
            cnf_jkt,
            cnf_x5t,
            refresh_sha256,
            float(family_lifetime_s),
            *Audit.arguments(event),
        )
        assert row is not None
        return Written(row["seen"], row["spent"])

    async def rotate(
        self,
        tx: Tx,
        *,
        once: Sequence[Seen],
        token_sha256: bytes,
        next_sha256: bytes,
        lifetime_s: int,
        event: AuditEvent,
    ) -> Written:
        row = await tx.fetchrow(
            self._rotate,
            *spending(once),
            token_sha256,
            next_sha256,
            float(lifetime_s),
            *Audit.arguments(event),
        )
        assert row is not None
        return Written(row["seen"], row["spent"])

    async def exchange(
        self, tx: Tx, *, once: Sequence[Seen], family_id: UUID, client_id: str, event: AuditEvent
    ) -> Written:
        """``client_id`` goes on with a token of this family."""
        seen = await tx.fetchval(self._exchange, *spending(once), family_id, client_id, *Audit.arguments(event))
        return Written(seen, True)

    async def record(self, *, once: Sequence[Seen], event: AuditEvent) -> Written:
        """For a token that spends nothing but what the client proves itself with."""
        return await self._records((once, event))

    async def _recorded(self, asked: Sequence[tuple[Sequence[Seen], AuditEvent]]) -> Sequence[Written]:
        # What is shown twice in one statement is the first one's; the other's token is not given.
        holders: dict[bytes, int] = {}
        repeats: set[int] = set()
        for number, (once, _) in enumerate(asked):
            for one in once:
                if holders.setdefault(one.sha256, number) != number:
                    repeats.add(number)
        sound = [number for number in range(len(asked)) if number not in repeats]
        place = {number: n for n, number in enumerate(sound, 1)}
        # In one order always, so that two that show the same never wait for each other.
        shown = sorted(
            (one.sha256, one.expires_at, place.get(number, 0))
            for number, (once, _) in enumerate(asked)
            for one in once
            if holders[one.sha256] == number
        )
        seen: list[bytes] = await self._db.fetchval(
            self._record,
            [n for _, _, n in shown],
            [sha256 for sha256, _, _ in shown],
            [expires_at for _, expires_at, _ in shown],
            *Audit.arguments_of_several([asked[number][1] for number in sound]),
        )
        written = set(seen)
        return [
            Written([one.sha256 for one in once if one.sha256 in written and holders[one.sha256] == number], True)
            for number, (once, _) in enumerate(asked)
        ]

    async def _uses(self, asked: Sequence[Used]) -> Sequence[Row | None]:
        return _in_order(await self._db.fetch(_USES, *_columns(asked, 4)), len(asked))

    async def _introspections(self, asked: Sequence[tuple[str, int, Used]]) -> Sequence[Row | None]:
        flat = [(client_id, revision, *used[:3]) for client_id, revision, used in asked]
        return _in_order(await self._db.fetch(_INTROSPECTIONS, *_columns(flat, 5)), len(asked))

    async def _refreshes(self, asked: Sequence[tuple[str, int, bytes]]) -> Sequence[Row | None]:
        return _in_order(await self._db.fetch(_PREFETCH_REFRESH, *_columns(asked, 3)), len(asked))


def _columns(asked: Sequence[tuple[Any, ...]], count: int) -> list[list[Any]]:
    return [[one[place] for one in asked] for place in range(count)]


def _in_order(rows: Sequence[Row], count: int) -> Sequence[Row | None]:
    """Rows say in ``n``, from 1, which question they answer."""
    found: list[Row | None] = [None] * count
    for row in rows:
        found[row["n"] - 1] = row
    return found


async def prefetch_code(tx: Tx, client_id: str, *, known_revision: int, code_sha256: bytes, kind: str) -> Row | None:
    return await tx.fetchrow(_PREFETCH_CODE, client_id, known_revision, code_sha256, kind)


async def prefetch_exchange(
    tx: Tx, client_id: str, *, known_revision: int, jti: str, subject_client_id: str, family_id: UUID | None
) -> Row | None:
    """The calling client, and the family of the token that it exchanges: does it stand?"""
    return await tx.fetchrow(_PREFETCH_EXCHANGE, client_id, known_revision, jti, subject_client_id, family_id)


async def select_exchanging(tx: Tx, citizen_id: UUID, *, count_max: int) -> Sequence[str]:
    rows = await tx.fetch(
        """
        SELECT DISTINCT e.client_id
          FROM idp.token_family f JOIN idp.token_exchange e USING (family_id)
         WHERE f.citizen_id = $1 AND f.ended_at IS NULL AND f.expires_at > now()
         ORDER BY e.client_id LIMIT $2""",
        citizen_id,
        count_max,
    )
    return [row["client_id"] for row in rows]


_SLOWER_S = 5
"""By how much the interval grows with each poll that comes too early."""
_EARLY = "polled_at > now() - make_interval(secs => interval_s - 0.5)"
"""With half a second for the network's jitter."""


def poll_statement(table: str, key: str) -> str:
    """For ``polling.poll``: notes it, and spends what the client proves itself with. ``key`` is the digest's column."""
    mine = f"{key} = $3 AND client_id = $4"
    return f"""
    WITH {spend_cte(1, 2)},
    found AS (SELECT state, expires_at > now() AS live, {_EARLY} AS early FROM {table} WHERE {mine}),
    polled AS (
        UPDATE {table}
           SET polled_at = now(), interval_s = interval_s + CASE WHEN {_EARLY} THEN {_SLOWER_S} ELSE 0 END
         WHERE {mine} AND state = 'pending' AND expires_at > now() AND EXISTS (SELECT 1 FROM fresh))
    SELECT array(SELECT proof_sha256 FROM seen) AS seen,
           CASE WHEN f.state IS NULL THEN 'unknown'
                WHEN f.state = 'denied' THEN 'denied'
                WHEN NOT f.live THEN 'expired'
                WHEN f.state = 'pending' AND f.early THEN 'too-fast'
                ELSE 'pending' END AS state
      FROM (SELECT 1) AS one LEFT JOIN found f ON true"""


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


# A token that came by exchange is another client's than its family: then both must be active.
_WHOSE = """(f.client_id = {client_id} OR EXISTS (
                   SELECT 1 FROM idp.client o WHERE o.client_id = f.client_id AND o.state = 'active'))"""


def _active(client: str, *, client_id: str, family_id: str) -> str:
    whose = _WHOSE.format(client_id=client_id)
    return f"""({client}.state = 'active' AND t.jti IS NULL
               AND ({family_id} IS NULL OR ({whose} AND {_family_live("f.client_id", client_id)})) IS TRUE)"""


def _family(*, jti: str, family_id: str) -> str:
    return f"""
      LEFT JOIN idp.revoked_access_token t ON t.jti = {jti}
      LEFT JOIN idp.token_family f ON f.family_id = {family_id}
      LEFT JOIN idp.citizen z ON z.citizen_id = f.citizen_id
      LEFT JOIN idp.consent g ON g.consent_id = f.consent_id
      LEFT JOIN idp.session s ON s.sid = f.sid"""


_OF_FAMILY = """f.citizen_id, f.claims AS claims_request, f.scopes AS family_scopes, f.family_id, f.consent_id,
           f.mandate_id, z.uid, z.state, z.claims, z.locale, z.proofing, z.updated_at, z.tokens_valid_from"""
_SELECT_STATUS = f"""
    SELECT {_active("c", client_id="$2", family_id="$3::uuid")} AS active, f.citizen_id
      FROM idp.client c {_family(jti="$1", family_id="$3::uuid")}
     WHERE c.client_id = $2"""
_USE_SPENDING = f"""
      WITH {spend_cte(5, 6)}
    SELECT {_active("c", client_id="$2", family_id="$3::uuid")} AS active, {_OF_FAMILY},
           {columns("c", "$4::integer")}, array(SELECT proof_sha256 FROM seen) AS seen
      FROM idp.client c {_family(jti="$1", family_id="$3::uuid")}
     WHERE c.client_id = $2"""
_USES = f"""
    SELECT q.n, {_active("c", client_id="q.client_id", family_id="q.family_id")} AS active, {_OF_FAMILY},
           {columns("c", "q.known_revision")}
      FROM unnest($1::text[], $2::text[], $3::uuid[], $4::integer[]) WITH ORDINALITY
           AS q (jti, client_id, family_id, known_revision, n)
      JOIN idp.client c ON c.client_id = q.client_id
      {_family(jti="q.jti", family_id="q.family_id")}"""
_INTROSPECTIONS = f"""
    SELECT q.n, {_active("o", client_id="q.token_client_id", family_id="q.family_id")} IS TRUE AS active,
           f.citizen_id, f.family_id, f.consent_id, {columns("c", "q.known_revision")}
      FROM unnest($1::text[], $2::integer[], $3::text[], $4::text[], $5::uuid[]) WITH ORDINALITY
           AS q (client_id, known_revision, jti, token_client_id, family_id, n)
      JOIN idp.client c ON c.client_id = q.client_id
      LEFT JOIN idp.client o ON o.client_id = q.token_client_id
      {_family(jti="q.jti", family_id="q.family_id")}"""


async def select_status(tx: Tx, *, jti: str, client_id: str, family_id: UUID | None) -> Row | None:
    """Whether an access token still stands today."""
    return await tx.fetchrow(_SELECT_STATUS, jti, client_id, family_id)


async def select_use(tx: Tx, used: Used, *, once: Sequence[Seen]) -> Row | None:
    """The same, with the citizen's record and the client. ``once`` is spent, and ``seen`` says what of it was fresh."""
    return await tx.fetchrow(_USE_SPENDING, *used, *spending(once))


async def select_refresh_token(tx: Tx, token_sha256: bytes) -> Row | None:
    return await tx.fetchrow(
        f"""
        SELECT f.family_id, f.client_id, f.citizen_id, f.sub, f.scopes, f.created_at, f.actor_citizen_id,
               least(r.expires_at, f.expires_at) AS expires_at,
               r.consumed_at IS NULL AND r.expires_at > now() AND {_FAMILY_LIVE} AS live
          FROM idp.refresh_token r
          JOIN idp.token_family f USING (family_id)
          JOIN idp.citizen z ON z.citizen_id = f.citizen_id
          JOIN idp.consent g ON g.consent_id = f.consent_id
          LEFT JOIN idp.session s ON s.sid = f.sid
         WHERE r.token_sha256 = $1""",
        token_sha256,
    )


async def sweep(tx: Tx) -> None:
    await forget(tx, "idp.token_family", "expires_at < now() - interval '7 days'")
    await forget(tx, "idp.revoked_access_token", "expires_at < now() - interval '1 hour'")
