from collections.abc import Sequence

from kit.db import Tx
from locker.trust.schema import Anchor, AnchorShown, Material, TrustShown


async def add_anchor(tx: Tx, anchor: Anchor) -> None:
    await tx.execute(
        """
        INSERT INTO locker.trust_anchor AS a (sha256, purpose, der, subject, not_after) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (sha256, purpose) DO UPDATE SET added_at = now(), withdrawn_at = NULL
            WHERE a.withdrawn_at IS NOT NULL""",
        anchor.sha256,
        anchor.purpose,
        anchor.der,
        anchor.subject,
        anchor.not_after,
    )


async def withdraw_anchor(tx: Tx, *, sha256: bytes) -> bool:
    rows = await tx.fetch(
        """
        UPDATE locker.trust_anchor SET withdrawn_at = now()
         WHERE sha256 = $1 AND withdrawn_at IS NULL
        RETURNING sha256""",
        sha256,
    )
    return bool(rows)


async def add_material(tx: Tx, material: Material) -> None:
    """Of the CRLs of one issuer the newest stays."""
    if material.kind == "crl":
        await tx.execute(
            "DELETE FROM locker.trust_material WHERE kind = 'crl' AND issuer = $1 AND this_update < $2",
            material.issuer,
            material.this_update,
        )
    await tx.execute(
        """
        INSERT INTO locker.trust_material (sha256, kind, der, issuer, this_update, next_update)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (sha256) DO NOTHING""",
        material.sha256,
        material.kind,
        material.der,
        material.issuer,
        material.this_update,
        material.next_update,
    )


async def move_version(tx: Tx) -> int:
    version: int = await tx.fetchval("UPDATE locker.trust_version SET version = version + 1 RETURNING version")
    return version


async def version(tx: Tx) -> int:
    found: int = await tx.fetchval("SELECT version FROM locker.trust_version")
    return found


async def anchors(tx: Tx) -> Sequence[Anchor]:
    rows = await tx.fetch(
        """
        SELECT sha256, purpose, der, subject, not_after FROM locker.trust_anchor
         WHERE withdrawn_at IS NULL ORDER BY sha256, purpose"""
    )
    return [Anchor(**dict(row)) for row in rows]


async def materials(tx: Tx) -> Sequence[Material]:
    rows = await tx.fetch(
        "SELECT sha256, kind, der, issuer, this_update, next_update FROM locker.trust_material ORDER BY sha256"
    )
    return [Material(**dict(row)) for row in rows]


async def shown(tx: Tx) -> TrustShown:
    counts = await tx.fetch("SELECT kind, count(*) AS many FROM locker.trust_material GROUP BY kind")
    return TrustShown(
        version=await version(tx),
        anchors=[
            AnchorShown(sha256=a.sha256.hex(), purpose=a.purpose, subject=a.subject, not_after=a.not_after)
            for a in await anchors(tx)
        ],
        materials={row["kind"]: row["many"] for row in counts},
    )
