"""An officer says what a service may ask citizens' documents for at sign-in."""

from idp.purposes import store
from idp.purposes.schema import DocumentPurpose
from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx


async def register_purpose(db: Database, audit: Audit, new: DocumentPurpose, *, officer: str) -> None:
    """One that exists is replaced. Again: the same."""

    async def within(tx: Tx) -> None:
        await store.register(tx, new)
        await _append(tx, audit, "document-purpose.registered", new.client_id, new.purpose_id, officer)

    await db.transact(within)


async def withdraw_purpose(db: Database, audit: Audit, *, client_id: str, purpose_id: str, officer: str) -> None:
    """Nothing is asked for it from here on, and no token says it any more. Again: nothing happens."""

    async def within(tx: Tx) -> None:
        if await store.withdraw(tx, client_id=client_id, purpose_id=purpose_id):
            await _append(tx, audit, "document-purpose.withdrawn", client_id, purpose_id, officer)

    await db.transact(within)


async def _append(tx: Tx, audit: Audit, action: str, client_id: str, purpose_id: str, officer: str) -> None:
    event = AuditEvent(
        action=action, actor_kind="officer", actor=officer, object_id=client_id, detail={"purpose": purpose_id}
    )
    await audit.append(tx, event)
