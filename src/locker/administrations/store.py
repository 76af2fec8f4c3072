from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from kit.db import Tx
from locker.administrations.schema import AdministrationRegistered, Depositor, Names, SealCertificate


class SealCertificateRow(msgspec.Struct, frozen=True, kw_only=True):
    sha256: bytes
    der: bytes
    subject: str
    not_before: datetime
    not_after: datetime


async def upsert(tx: Tx, *, administration: str, names: Names) -> None:
    """Locks its row, so that two registrations of one administration follow one another."""
    await tx.execute(
        """
        INSERT INTO locker.administration AS a (administration, names) VALUES ($1, $2)
        ON CONFLICT (administration) DO UPDATE
           SET names = excluded.names, version = a.version + 1, changed_at = now()""",
        administration,
        msgspec.to_builtins(names),
    )


async def replace_clients(tx: Tx, *, administration: str, clients: Sequence[str]) -> int:
    """How many of ``clients`` speak for this administration now; fewer than given if another one has some."""
    await tx.execute(
        "DELETE FROM locker.administration_client WHERE administration = $1 AND client_id <> ALL($2::text[])",
        administration,
        list(clients),
    )
    rows = await tx.fetch(
        """
        INSERT INTO locker.administration_client AS c (client_id, administration)
        SELECT unnest($2::text[]), $1
        ON CONFLICT (client_id) DO UPDATE SET administration = c.administration
            WHERE c.administration = excluded.administration
        RETURNING c.client_id""",
        administration,
        list(clients),
    )
    return len(rows)


async def replace_entitlements(tx: Tx, *, administration: str, types: Sequence[str]) -> list[str]:
    """The types of ``types`` that are not registered: nothing is granted for these."""
    await tx.execute(
        "DELETE FROM locker.entitlement WHERE administration = $1 AND type <> ALL($2::text[])",
        administration,
        list(types),
    )
    await tx.execute(
        """
        INSERT INTO locker.entitlement (administration, type)
        SELECT $1, t.type FROM locker.document_type t WHERE t.type = ANY($2::text[])
        ON CONFLICT DO NOTHING""",
        administration,
        list(types),
    )
    rows = await tx.fetch(
        """
        SELECT given.type FROM unnest($1::text[]) AS given (type)
          LEFT JOIN locker.document_type t ON t.type = given.type
         WHERE t.type IS NULL""",
        list(types),
    )
    return [row["type"] for row in rows]


async def replace_seal_certificates(tx: Tx, *, administration: str, certificates: Sequence[SealCertificateRow]) -> None:
    """One that comes back is registered anew: between its withdrawal and now it was not."""
    await tx.execute(
        """
        UPDATE locker.seal_certificate SET withdrawn_at = now()
         WHERE administration = $1 AND withdrawn_at IS NULL AND sha256 <> ALL($2::bytea[])""",
        administration,
        [certificate.sha256 for certificate in certificates],
    )
    for certificate in certificates:
        await tx.execute(
            """
            INSERT INTO locker.seal_certificate AS s (administration, sha256, der, subject, not_before, not_after)
            VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (administration, sha256) DO UPDATE SET registered_at = now(), withdrawn_at = NULL
                WHERE s.withdrawn_at IS NOT NULL""",
            administration,
            certificate.sha256,
            certificate.der,
            certificate.subject,
            certificate.not_before,
            certificate.not_after,
        )


async def replace_domains(tx: Tx, *, administration: str, domains: Sequence[str]) -> None:
    await tx.execute(
        "DELETE FROM locker.administration_domain WHERE administration = $1 AND domain <> ALL($2::text[])",
        administration,
        list(domains),
    )
    await tx.execute(
        """
        INSERT INTO locker.administration_domain (administration, domain) SELECT $1, unnest($2::text[])
        ON CONFLICT DO NOTHING""",
        administration,
        list(domains),
    )


async def domains(tx: Tx, *, administration: str) -> list[str]:
    rows = await tx.fetch(
        "SELECT domain FROM locker.administration_domain WHERE administration = $1 ORDER BY domain", administration
    )
    return [row["domain"] for row in rows]


async def set_state(tx: Tx, *, administration: str, state: str, reason: str | None) -> bool:
    """Whether there is such an administration."""
    row = await tx.fetchrow(
        """
        UPDATE locker.administration
           SET state = $2, state_reason = $3, version = version + 1, changed_at = now()
         WHERE administration = $1
        RETURNING administration""",
        administration,
        state,
        reason,
    )
    return row is not None


async def registered(tx: Tx, *, administration: str) -> AdministrationRegistered | None:
    row = await tx.fetchrow(
        """
        SELECT a.administration, a.state,
               ARRAY(SELECT client_id FROM locker.administration_client c
                      WHERE c.administration = a.administration ORDER BY client_id) AS clients,
               ARRAY(SELECT type FROM locker.entitlement e
                      WHERE e.administration = a.administration ORDER BY type) AS types
          FROM locker.administration a WHERE a.administration = $1""",
        administration,
    )
    if row is None:
        return None
    certificates = await tx.fetch(
        """
        SELECT sha256, subject, not_before, not_after FROM locker.seal_certificate
         WHERE administration = $1 AND withdrawn_at IS NULL ORDER BY not_after""",
        administration,
    )
    return AdministrationRegistered(
        administration=row["administration"],
        state=row["state"],
        clients=row["clients"],
        types=row["types"],
        seal_certificates=[
            SealCertificate(
                sha256=found["sha256"].hex(),
                subject=found["subject"],
                not_before=found["not_before"],
                not_after=found["not_after"],
            )
            for found in certificates
        ],
        domains=await domains(tx, administration=administration),
    )


async def depositor(tx: Tx, *, client_id: str) -> Depositor | None:
    """The administration for which this client speaks, whatever its state."""
    row = await tx.fetchrow(
        """
        SELECT a.administration, a.names, a.state, a.version
          FROM locker.administration_client c JOIN locker.administration a USING (administration)
         WHERE c.client_id = $1""",
        client_id,
    )
    return _depositor(row) if row else None


async def active(tx: Tx, *, administration: str) -> Depositor | None:
    row = await tx.fetchrow(
        """
        SELECT administration, names, state, version FROM locker.administration
         WHERE administration = $1 AND state = 'active'""",
        administration,
    )
    return _depositor(row) if row else None


async def seal_certificates(tx: Tx, *, administration: str) -> list[bytes]:
    """DER of those registered now. Whether one was valid when it sealed is the judge's question."""
    rows = await tx.fetch(
        """
        SELECT der FROM locker.seal_certificate
         WHERE administration = $1 AND withdrawn_at IS NULL ORDER BY sha256""",
        administration,
    )
    return [row["der"] for row in rows]


def _depositor(row: Any) -> Depositor:
    return Depositor(
        administration=row["administration"],
        names=msgspec.convert(row["names"], Names),
        state=row["state"],
        version=row["version"],
    )
