from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from kit.db import Tx
from locker.signatures.schema import ServicePeriod, TrustService
from locker.trust.list_schema import DueList, Edition, ListShown, ServiceShown


async def follow(tx: Tx, *, source: str, signers: Sequence[bytes], territories: Sequence[str]) -> None:
    """What the edition in force announced of its next signers is forgotten: the officer's word counts."""
    await tx.execute(
        """
        INSERT INTO locker.trust_list (source, signers, territories) VALUES ($1, $2, $3)
        ON CONFLICT (source) DO UPDATE
            SET signers = $2, territories = $3, announced = '{}', pointed_by = NULL, tried_at = NULL, read_at = NULL""",
        source,
        list(signers),
        list(territories),
    )


async def unfollow(tx: Tx, *, source: str) -> bool:
    """With what it pointed at. Not for a list that another one points at: it would come back."""
    rows = await tx.fetch(
        "DELETE FROM locker.trust_list WHERE source = $1 AND pointed_by IS NULL RETURNING source", source
    )
    return bool(rows)


async def moment(tx: Tx) -> datetime:
    found: datetime = await tx.fetchval("SELECT now()")
    return found


async def take_due(tx: Tx, *, before: datetime) -> DueList | None:
    """The next list that was not tried since ``before``; two callers never get the same. Lists of lists come first,
    so that their pointers are known when the others' turn comes."""
    row = await tx.fetchrow(
        """
        UPDATE locker.trust_list SET tried_at = clock_timestamp()
         WHERE source = (SELECT source FROM locker.trust_list WHERE tried_at IS NULL OR tried_at < $1
                          ORDER BY pointed_by NULLS FIRST, source FOR UPDATE SKIP LOCKED LIMIT 1)
        RETURNING source, pointed_by, signers, announced, territories, sequence, sha256, read_at, signed_by,
                  failure""",
        before,
    )
    if row is None:
        return None
    return DueList(
        **{
            **dict(row),
            "signers": tuple(row["signers"]),
            "announced": tuple(row["announced"]),
            "territories": frozenset(row["territories"]),
        }
    )


async def count_due(tx: Tx, *, not_since: timedelta) -> int:
    found: int = await tx.fetchval(
        "SELECT count(*) FROM locker.trust_list WHERE tried_at IS NULL OR tried_at <= now() - $1::interval", not_since
    )
    return found


async def accept(tx: Tx, *, source: str, edition: Edition, announced: Sequence[bytes]) -> bool:
    """False where a higher edition is in force, or another one of the same number: nothing goes backwards."""
    found = edition.found
    rows = await tx.fetch(
        """
        UPDATE locker.trust_list
           SET territory = $2, operator = $3, sequence = $4, issued_at = $5, next_update = $6, signed_by = $7,
               sha256 = $8, xml = $9, announced = $10, other_services = $11, read_at = now(), failure = NULL
         WHERE source = $1 AND (sequence IS NULL OR sequence < $4 OR (sequence = $4 AND sha256 = $8))
        RETURNING source""",
        source,
        found.territory,
        found.operator,
        found.sequence,
        found.issued_at,
        found.next_update,
        found.signed_by,
        edition.sha256,
        edition.xml,
        list(announced),
        found.other_services,
    )
    return bool(rows)


async def failed(tx: Tx, *, source: str, failure: str | None) -> None:
    await tx.execute("UPDATE locker.trust_list SET failure = $2 WHERE source = $1", source, failure)


async def put_services(tx: Tx, *, source: str, services: Sequence[TrustService]) -> None:
    await tx.execute("DELETE FROM locker.trust_service WHERE source = $1", source)
    for ordinal, service in enumerate(services):
        await tx.execute(
            """
            INSERT INTO locker.trust_service
                   (source, ordinal, kind, type, name, provider, territory, certificates, periods, subjects)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)""",
            source,
            ordinal,
            service.kind,
            service.type,
            service.name,
            service.provider,
            service.territory,
            list(service.certificates),
            msgspec.to_builtins(service.periods),
            list(service.subjects),
        )


async def point_at(tx: Tx, *, source: str, by: str, signers: Sequence[bytes]) -> None:
    """A list that an officer follows stays the officer's."""
    await tx.execute(
        """
        INSERT INTO locker.trust_list AS l (source, pointed_by, signers) VALUES ($1, $2, $3)
        ON CONFLICT (source) DO UPDATE SET signers = $3 WHERE l.pointed_by = $2""",
        source,
        by,
        list(signers),
    )


async def drop_pointed(tx: Tx, *, by: str, but: Sequence[str]) -> None:
    await tx.execute("DELETE FROM locker.trust_list WHERE pointed_by = $1 AND source <> ALL ($2)", by, list(but))


async def services(tx: Tx) -> Sequence[TrustService]:
    """Of the editions in force, expired ones too."""
    rows = await tx.fetch(
        """
        SELECT s.kind, s.type, s.name, s.provider, s.territory, s.certificates, s.periods, s.subjects,
               l.next_update AS list_next_update
          FROM locker.trust_service s JOIN locker.trust_list l ON l.source = s.source
         ORDER BY s.source, s.ordinal"""
    )
    return [
        TrustService(
            **{
                **dict(row),
                "certificates": tuple(row["certificates"]),
                "subjects": tuple(row["subjects"]),
                "periods": msgspec.convert(row["periods"], tuple[ServicePeriod, ...]),
            }
        )
        for row in rows
    ]


async def shown(tx: Tx) -> list[ListShown]:
    rows = await tx.fetch(
        """
        SELECT l.source, l.territory, l.operator, l.sequence, l.issued_at, l.next_update, l.other_services,
               l.pointed_by, l.read_at, l.tried_at, l.failure,
               (SELECT count(*) FROM locker.trust_service s WHERE s.source = l.source) AS services,
               CASE WHEN l.sequence IS NULL THEN 'never-read' WHEN l.next_update IS NULL THEN 'closed'
                    WHEN l.next_update < now() THEN 'expired' ELSE 'in-force' END AS state
          FROM locker.trust_list l ORDER BY l.pointed_by NULLS FIRST, l.source"""
    )
    return [ListShown(**dict(row)) for row in rows]


async def services_named(tx: Tx, *, name: str, count_max: int) -> list[ServiceShown]:
    """Whose name, or whose provider's, contains ``name``, whatever the case."""
    rows = await tx.fetch(
        """
        SELECT source, territory, provider, name, type, periods,
               (SELECT array_agg(encode(sha256(c), 'hex')) FROM unnest(certificates) c) AS certificates
          FROM locker.trust_service
         WHERE position(lower($1) IN lower(name)) > 0 OR position(lower($1) IN lower(provider)) > 0
         ORDER BY source, ordinal LIMIT $2""",
        name,
        count_max,
    )
    return [
        ServiceShown(**{**dict(row), "periods": msgspec.convert(row["periods"], list[ServicePeriod])}) for row in rows
    ]
