import msgspec

from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx
from locker.trust import list_store, store
from locker.trust.refusals import AnchorUnknown
from locker.trust.schema import TrustShown


async def withdraw(db: Database, audit: Audit, sha256: str, *, officer: str) -> TrustShown:
    """Stop believing an anchor, for every purpose. ``sha256`` is that of its DER form, hexadecimal."""
    try:
        fingerprint = bytes.fromhex(sha256.replace(":", ""))
    except ValueError:
        raise AnchorUnknown from None

    async def record(tx: Tx) -> TrustShown:
        await store.move_version(tx)
        if not await store.withdraw_anchor(tx, sha256=fingerprint):
            raise AnchorUnknown
        await audit.append(
            tx, AuditEvent(action="trust.withdrawn", actor_kind="officer", actor=officer, object_id=sha256)
        )
        return await store.shown(tx)

    return await db.transact(record)


async def show(db: Database) -> TrustShown:
    return msgspec.structs.replace(await store.shown(db), lists=await list_store.shown(db))
