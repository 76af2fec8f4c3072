from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx
from locker.trust import store
from locker.trust.read_material import read_anchor, read_crl, read_intermediate, read_ocsp
from locker.trust.schema import TrustAddition, TrustShown


async def add(db: Database, audit: Audit, addition: TrustAddition, *, officer: str) -> TrustShown:
    """Believe more. The same again changes nothing but the version. Raises CertificateUnfit, MaterialUnfit."""
    anchors = [
        *(read_anchor(text, "any") for text in addition.anchors),
        *(read_anchor(text, "time-stamp") for text in addition.time_stamp_anchors),
        *(read_anchor(text, "ocsp") for text in addition.responders),
    ]
    materials = [
        *(read_intermediate(text) for text in addition.intermediates),
        *(read_crl(text) for text in addition.crls),
        *(read_ocsp(text) for text in addition.ocsps),
    ]

    async def record(tx: Tx) -> TrustShown:
        # First: two additions at once follow one another.
        version = await store.move_version(tx)
        for anchor in anchors:
            await store.add_anchor(tx, anchor)
        for material in materials:
            await store.add_material(tx, material)
        await audit.append(
            tx,
            AuditEvent(
                action="trust.added",
                actor_kind="officer",
                actor=officer,
                detail={
                    "version": version,
                    "anchors": [anchor.sha256.hex() for anchor in anchors],
                    "materials": len(materials),
                },
            ),
        )
        return await store.shown(tx)

    return await db.transact(record)
