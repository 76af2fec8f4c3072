from collections.abc import Collection, Sequence
from typing import Protocol

from idp.clients.logo import Logo
from idp.clients.schema import ClientMetadata, ClientRegistration
from kit.db import Row, Tx
from kit.expired import forget


def columns(alias: str, known_revision: str) -> str:
    """What ClientRegistry.client needs of a row. ``known_revision`` is the number of the statement's parameter."""
    return f"""{alias}.client_id, {alias}.profile, {alias}.sector, {alias}.legal_ground,
               {alias}.state AS client_state, {alias}.secret_sha256, {alias}.revision,
               {alias}.previous_secret_sha256, {alias}.previous_secret_until,
               CASE WHEN {alias}.revision <> {known_revision} THEN {alias}.metadata END AS metadata"""


_SELECT = f"SELECT {columns('c', '$2::integer')} FROM idp.client c WHERE c.client_id = $1"


async def select_client(tx: Tx, client_id: str, *, known_revision: int) -> Row | None:
    return await tx.fetchrow(_SELECT, client_id, known_revision)


_SELECT_SEVERAL = f"""
    SELECT q.n, {columns("c", "q.known_revision")}
      FROM unnest($1::text[], $2::integer[]) WITH ORDINALITY AS q (client_id, known_revision, n)
      JOIN idp.client c ON c.client_id = q.client_id"""


async def select_several(tx: Tx, asked: Sequence[tuple[str, int]]) -> Sequence[Row | None]:
    """The rows for pairs of client_id and the revision that is known, in their order."""
    distinct = {pair: number for number, pair in enumerate(dict.fromkeys(asked), 1)}
    rows = await tx.fetch(_SELECT_SEVERAL, [pair[0] for pair in distinct], [pair[1] for pair in distinct])
    found: dict[int, Row] = {row["n"]: row for row in rows}
    return [found.get(distinct[pair]) for pair in asked]


async def select_active(tx: Tx, client_ids: Collection[str]) -> list[str]:
    rows = await tx.fetch(
        "SELECT client_id FROM idp.client WHERE client_id = ANY($1::text[]) AND state = 'active' ORDER BY client_id",
        list(client_ids),
    )
    return [row["client_id"] for row in rows]


async def insert_client(
    tx: Tx, client_id: str, registration: ClientRegistration, metadata: ClientMetadata, secret_sha256: bytes | None
) -> bool:
    """False if the client_id is taken."""
    return bool(
        await tx.fetchval(
            """
            INSERT INTO idp.client (client_id, profile, sector, legal_ground, metadata, secret_sha256)
            VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT DO NOTHING
            RETURNING true""",
            client_id,
            registration.profile,
            registration.sector,
            registration.legal_ground,
            metadata,
            secret_sha256,
        )
    )


async def update_client(
    tx: Tx, client_id: str, registration: ClientRegistration, metadata: ClientMetadata, secret_sha256: bytes | None
) -> bool | None:
    """Whether ``secret_sha256`` is the secret now: one that is there stays, and None takes it away. None for no such
    client."""
    row = await tx.fetchrow(
        """
        UPDATE idp.client
           SET profile = $2, sector = $3, legal_ground = $4, metadata = $5,
               secret_sha256 = CASE WHEN $6::bytea IS NOT NULL THEN coalesce(secret_sha256, $6) END,
               previous_secret_sha256 = CASE WHEN $6 IS NOT NULL THEN previous_secret_sha256 END,
               revision = revision + 1, updated_at = now()
         WHERE client_id = $1 AND state <> 'deleted'
        RETURNING secret_sha256 IS NOT DISTINCT FROM $6 AS is_new""",
        client_id,
        registration.profile,
        registration.sector,
        registration.legal_ground,
        metadata,
        secret_sha256,
    )
    return None if row is None else bool(row["is_new"])


async def delete_client(tx: Tx, client_id: str) -> None:
    await tx.execute(
        """
        UPDATE idp.client
           SET state = 'deleted', secret_sha256 = NULL, previous_secret_sha256 = NULL,
               revision = revision + 1, updated_at = now()
         WHERE client_id = $1""",
        client_id,
    )


async def rotate_secret(tx: Tx, client_id: str, secret_sha256: bytes, *, overlap_s: int) -> bool:
    """False for a client that has no secret. The one before stays good for a while, the one before that does not."""
    return bool(
        await tx.fetchval(
            """
            UPDATE idp.client
               SET previous_secret_sha256 = secret_sha256, previous_secret_until = now() + make_interval(secs => $3),
                   secret_sha256 = $2, revision = revision + 1, updated_at = now()
             WHERE client_id = $1 AND secret_sha256 IS NOT NULL
            RETURNING true""",
            client_id,
            secret_sha256,
            float(overlap_s),
        )
    )


async def put_logo(tx: Tx, client_id: str, logo: Logo | None) -> None:
    """The one that there is now, or none."""
    if logo is None:
        await tx.execute("DELETE FROM idp.client_logo WHERE client_id = $1", client_id)
        return
    await tx.execute(
        """
        INSERT INTO idp.client_logo (client_id, media_type, body) VALUES ($1, $2, $3)
        ON CONFLICT (client_id) DO UPDATE SET
            media_type = excluded.media_type, body = excluded.body, fetched_at = now()""",
        client_id,
        logo.media_type,
        logo.body,
    )


async def select_logo(tx: Tx, client_id: str) -> Row | None:
    return await tx.fetchrow("SELECT media_type, body FROM idp.client_logo WHERE client_id = $1", client_id)


async def set_state(tx: Tx, client_id: str, state: str) -> bool:
    return bool(
        await tx.fetchval(
            """
            UPDATE idp.client SET state = $2, revision = revision + 1, updated_at = now()
             WHERE client_id = $1 AND state <> 'deleted' RETURNING true""",
            client_id,
            state,
        )
    )


async def select_clients(tx: Tx, *, after: str, limit: int) -> Sequence[Row]:
    return await tx.fetch(
        f"SELECT {columns('c', '0')} FROM idp.client c WHERE c.client_id > $1 ORDER BY c.client_id LIMIT $2",
        after,
        limit,
    )


async def select_metadata(tx: Tx, client_ids: Collection[str]) -> Sequence[Row]:
    return await tx.fetch("SELECT client_id, metadata FROM idp.client WHERE client_id = ANY($1)", list(client_ids))


async def insert_resource(
    tx: Tx, resource: str, *, name: str, scopes: Sequence[str], sector: str | None, details_types: Sequence[str]
) -> None:
    await tx.execute(
        """
        INSERT INTO idp.resource (resource, name, scopes, sector, details_types) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (resource) DO UPDATE SET
            name = excluded.name, scopes = excluded.scopes, sector = excluded.sector,
            details_types = excluded.details_types""",
        resource,
        name,
        list(scopes),
        sector,
        list(details_types),
    )


async def select_resources(tx: Tx) -> Sequence[Row]:
    return await tx.fetch(
        "SELECT resource, scopes, sector, details_types FROM idp.resource ORDER BY resource LIMIT 100"
    )


class Seen(Protocol):
    """A proof that is good once."""

    @property
    def sha256(self) -> bytes: ...
    @property
    def expires_at(self) -> float: ...


def spend_cte(digests: int, expiries: int) -> str:
    """``seen``, what is spent by this statement; and ``fresh``, one row if that is everything, else none: a replay.

    Numbers of the two parameters that ``spending`` makes.
    """
    return f"""
        seen AS (
            INSERT INTO idp.proof_seen (proof_sha256, expires_at)
            SELECT proof_sha256, to_timestamp(expires_at)
              FROM unnest(${digests}::bytea[], ${expiries}::float8[]) AS shown (proof_sha256, expires_at)
            ON CONFLICT DO NOTHING
            RETURNING proof_sha256),
        fresh AS (SELECT 1 WHERE (SELECT count(*) FROM seen) = cardinality(${digests}::bytea[]))"""


def spend_several_cte(numbers: int, digests: int, expiries: int) -> str:
    """``seen`` for several requests: ``shown`` says in ``n`` whose a digest is. Numbers of three parameters."""
    return f"""
        shown AS MATERIALIZED (
            SELECT * FROM unnest(${numbers}::bigint[], ${digests}::bytea[], ${expiries}::float8[])
                     AS shown (n, proof_sha256, expires_at)),
        seen AS (
            INSERT INTO idp.proof_seen (proof_sha256, expires_at)
            SELECT proof_sha256, to_timestamp(expires_at) FROM shown
            ON CONFLICT DO NOTHING
            RETURNING proof_sha256)"""


def spending(shown: Sequence[Seen]) -> tuple[list[bytes], list[float]]:
    return [one.sha256 for one in shown], [one.expires_at for one in shown]


async def spend(tx: Tx, shown: Sequence[Seen]) -> list[bytes]:
    """The digests of those that were not seen before."""
    found: list[bytes] = await tx.fetchval(
        f"WITH {spend_cte(1, 2)} SELECT array(SELECT proof_sha256 FROM seen)", *spending(shown)
    )
    return found


async def sweep_proofs(tx: Tx) -> None:
    await forget(tx, "idp.proof_seen", "expires_at < now()")
