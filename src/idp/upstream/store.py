from uuid import UUID

import msgspec

from idp.sessions.levels import Acr
from idp.upstream.schema import Linked, LinkLine, Registration, Spent, Upstream
from kit.db import Row, Tx
from kit.expired import forget


def _upstream(row: Row) -> Upstream:
    return Upstream(
        registration=msgspec.convert(row["registration"], Registration), credential_sealed=row["credential_sealed"]
    )


async def active(tx: Tx) -> list[Upstream]:
    rows = await tx.fetch(
        """
        SELECT registration, credential_sealed FROM idp.upstream
         WHERE state = 'active' ORDER BY created_at, slug LIMIT 20"""
    )
    return [_upstream(row) for row in rows]


async def one_active(tx: Tx, slug: str) -> Upstream | None:
    row = await tx.fetchrow(
        "SELECT registration, credential_sealed FROM idp.upstream WHERE slug = $1 AND state = 'active'", slug
    )
    return None if row is None else _upstream(row)


async def select_upstreams(tx: Tx) -> list[Row]:
    return list(
        await tx.fetch(
            """
            SELECT u.slug, u.state, u.registration, u.created_at, u.updated_at,
                   (SELECT count(*) FROM idp.upstream_link l WHERE l.slug = u.slug) AS links
              FROM idp.upstream u ORDER BY u.slug LIMIT 100"""
        )
    )


async def find_upstream(tx: Tx, slug: str) -> Upstream | None:
    row = await tx.fetchrow("SELECT registration, credential_sealed FROM idp.upstream WHERE slug = $1", slug)
    return None if row is None else _upstream(row)


async def upsert_upstream(tx: Tx, registration: Registration, *, credential_sealed: bytes) -> bool:
    """False where the slug is another issuer's: links name the issuer, so it never changes under them."""
    return bool(
        await tx.fetchval(
            """
            INSERT INTO idp.upstream AS u (slug, issuer, registration, credential_sealed)
            VALUES ($1, $2, $3, $4)
            ON CONFLICT (slug) DO UPDATE
               SET registration = excluded.registration, credential_sealed = excluded.credential_sealed,
                   updated_at = now()
             WHERE u.issuer = excluded.issuer
            RETURNING true""",
            registration.slug,
            registration.issuer,
            registration,
            credential_sealed,
        )
    )


async def set_state(tx: Tx, slug: str, state: str) -> bool:
    return bool(
        await tx.fetchval(
            "UPDATE idp.upstream SET state = $2, updated_at = now() WHERE slug = $1 RETURNING true", slug, state
        )
    )


async def insert_request(
    tx: Tx,
    *,
    state_sha256: bytes,
    browser_sha256: bytes,
    slug: str,
    interaction_id: str | None,
    account_page: str,
    citizen_id: UUID | None,
    nonce_sha256: bytes,
    verifier_sealed: bytes,
    lifetime_s: int,
) -> None:
    await tx.execute(
        """
        INSERT INTO idp.upstream_request
               (state_sha256, browser_sha256, slug, interaction_id, account_page, citizen_id, nonce_sha256,
                verifier_sealed, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, now() + make_interval(secs => $9))""",
        state_sha256,
        browser_sha256,
        slug,
        interaction_id,
        account_page,
        citizen_id,
        nonce_sha256,
        verifier_sealed,
        float(lifetime_s),
    )


async def spend_request(tx: Tx, *, state_sha256: bytes, browser_sha256: bytes, slug: str) -> Spent | None:
    """Once, by the browser that asked, from the provider that was asked."""
    row = await tx.fetchrow(
        """
        UPDATE idp.upstream_request SET spent_at = now()
         WHERE state_sha256 = $1 AND browser_sha256 = $2 AND slug = $3 AND spent_at IS NULL AND expires_at > now()
        RETURNING interaction_id, account_page, citizen_id, nonce_sha256, verifier_sealed,
                  extract(epoch FROM created_at)::float8 AS created_s""",
        state_sha256,
        browser_sha256,
        slug,
    )
    return None if row is None else Spent(**dict(row))


async def is_active(tx: Tx, slug: str) -> bool:
    """And it stays so until this transaction ends: who disables it ends also what begins here."""
    return bool(await tx.fetchval("SELECT true FROM idp.upstream WHERE slug = $1 AND state = 'active' FOR SHARE", slug))


async def use_link(tx: Tx, *, issuer: str, sub_mac: bytes) -> Linked | None:
    row = await tx.fetchrow(
        """
        UPDATE idp.upstream_link l SET last_used_at = now()
          FROM idp.citizen c
         WHERE l.issuer = $1 AND l.sub_mac = $2 AND c.citizen_id = l.citizen_id
        RETURNING l.citizen_id, l.acr_max, c.state, c.proofing""",
        issuer,
        sub_mac,
    )
    return None if row is None else Linked(**dict(row))


async def citizen_of_link(tx: Tx, *, issuer: str, sub_mac: bytes) -> UUID | None:
    found: UUID | None = await tx.fetchval(
        "SELECT citizen_id FROM idp.upstream_link WHERE issuer = $1 AND sub_mac = $2", issuer, sub_mac
    )
    return found


async def keep_proof(
    tx: Tx,
    *,
    browser_sha256: bytes,
    errand: str,
    slug: str,
    issuer: str,
    sub_mac: bytes,
    citizen_id: UUID | None,
    lifetime_s: int,
) -> None:
    await tx.execute(
        """
        INSERT INTO idp.upstream_proof (browser_sha256, errand, slug, issuer, sub_mac, citizen_id, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, now() + make_interval(secs => $7))
        ON CONFLICT (browser_sha256, errand) DO UPDATE
           SET slug = excluded.slug, issuer = excluded.issuer, sub_mac = excluded.sub_mac,
               citizen_id = excluded.citizen_id, expires_at = excluded.expires_at""",
        browser_sha256,
        errand,
        slug,
        issuer,
        sub_mac,
        citizen_id,
        float(lifetime_s),
    )


async def proof_waits(tx: Tx, *, browser_sha256: bytes, errand: str, slug: str, citizen_id: UUID) -> bool:
    return bool(
        await tx.fetchval(
            """
            SELECT true FROM idp.upstream_proof
             WHERE browser_sha256 = $1 AND errand = $2 AND slug = $3 AND expires_at > now()
               AND (citizen_id IS NULL OR citizen_id = $4)""",
            browser_sha256,
            errand,
            slug,
            citizen_id,
        )
    )


async def spend_proof(
    tx: Tx, *, browser_sha256: bytes, errand: str, slug: str, citizen_id: UUID
) -> tuple[str, bytes] | None:
    """Issuer and ``sub_mac`` of what was shown."""
    row = await tx.fetchrow(
        """
        DELETE FROM idp.upstream_proof
         WHERE browser_sha256 = $1 AND errand = $2 AND slug = $3 AND expires_at > now()
           AND (citizen_id IS NULL OR citizen_id = $4)
        RETURNING issuer, sub_mac""",
        browser_sha256,
        errand,
        slug,
        citizen_id,
    )
    return None if row is None else (row["issuer"], row["sub_mac"])


async def insert_link(
    tx: Tx, *, link_id: UUID, citizen_id: UUID, slug: str, issuer: str, sub_mac: bytes, acr_max: Acr
) -> bool:
    """False if one of the two has a link already."""
    return bool(
        await tx.fetchval(
            """
            INSERT INTO idp.upstream_link (link_id, citizen_id, slug, issuer, sub_mac, acr_max)
            VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT DO NOTHING
            RETURNING true""",
            link_id,
            citizen_id,
            slug,
            issuer,
            sub_mac,
            acr_max,
        )
    )


async def delete_link(tx: Tx, *, link_id: UUID, citizen_id: UUID) -> str | None:
    """The slug of the provider whose link it was."""
    slug: str | None = await tx.fetchval(
        "DELETE FROM idp.upstream_link WHERE link_id = $1 AND citizen_id = $2 RETURNING slug", link_id, citizen_id
    )
    return slug


async def delete_links(tx: Tx, citizen_id: UUID) -> list[str]:
    """Slugs of the providers whose links they were; what waits to become a link goes too."""
    await tx.execute("DELETE FROM idp.upstream_proof WHERE citizen_id = $1", citizen_id)
    rows = await tx.fetch("DELETE FROM idp.upstream_link WHERE citizen_id = $1 RETURNING slug", citizen_id)
    return [row["slug"] for row in rows]


async def links_of(tx: Tx, citizen_id: UUID) -> list[LinkLine]:
    rows = await tx.fetch(
        """
        SELECT l.link_id, slug, l.linked_at, l.last_used_at, u.registration, u.credential_sealed
          FROM idp.upstream_link l JOIN idp.upstream u USING (slug)
         WHERE l.citizen_id = $1 ORDER BY l.linked_at LIMIT 50""",
        citizen_id,
    )
    return [
        LinkLine(
            link_id=row["link_id"],
            slug=row["slug"],
            names=_upstream(row).names,
            linked_at=row["linked_at"],
            last_used_at=row["last_used_at"],
        )
        for row in rows
    ]


async def sweep(tx: Tx) -> None:
    await forget(tx, "idp.upstream_request", "expires_at < now() - interval '1 hour'")
    await forget(tx, "idp.upstream_proof", "expires_at < now()")
