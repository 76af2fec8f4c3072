"""An officer says what a relying party may ask for."""

from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx
from locker.requests import store
from locker.requests.ask import merged
from locker.requests.refusals import PurposeUnknown
from locker.requests.schema import PurposeRegistration


async def register_purpose(db: Database, audit: Audit, new: PurposeRegistration, *, officer: str) -> int:
    """Its version. One that exists is replaced: requests that wait were made under the old one, and end where they ask
    for more than the new one allows. Raises Invalid for more fields of one type than one may name."""
    merged(new.documents)

    async def within(tx: Tx) -> int:
        version = await store.register(tx, new)
        await _append(tx, audit, "request-purpose.registered", new.client_id, new.purpose_id, officer)
        return version

    return await db.transact(within)


async def withdraw_purpose(db: Database, audit: Audit, *, client_id: str, purpose_id: str, officer: str) -> None:
    """Requests that wait for an answer end with it. Raises PurposeUnknown."""

    async def within(tx: Tx) -> None:
        if not await store.withdraw(tx, client_id=client_id, purpose_id=purpose_id):
            raise PurposeUnknown
        await _append(tx, audit, "request-purpose.withdrawn", client_id, purpose_id, officer)

    await db.transact(within)


async def _append(tx: Tx, audit: Audit, action: str, client_id: str, purpose_id: str, officer: str) -> None:
    event = AuditEvent(
        action=action, actor_kind="officer", actor=officer, object_id=client_id, detail={"purpose": purpose_id}
    )
    await audit.append(tx, event)
