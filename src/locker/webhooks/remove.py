from kit.audit import Audit
from kit.db import Database, Tx
from locker.webhooks import store
from locker.webhooks.find import find
from locker.webhooks.refusals import DisabledByOfficer
from locker.webhooks.register import event
from locker.webhooks.schema import Actor, Owner


async def remove(db: Database, audit: Audit, webhook_id: str, *, owner: Owner | None, actor: Actor) -> None:
    """For good: its messages are forgotten in their time, and cannot be replayed. WebhookUnknown the second time."""

    async def record(tx: Tx) -> None:
        # A rotation that is under way ends first: its keys go too.
        await store.lock(tx, webhook_id)
        webhook = await find(tx, webhook_id, owner=owner)
        if not await store.remove(tx, webhook_id=webhook_id, by_officer=owner is None):
            # Else a new one at the same address would undo what the officer did.
            raise DisabledByOfficer
        await audit.append(tx, event("webhook.removed", webhook_id, owner=webhook.owner, actor=actor))

    await db.transact(record)
