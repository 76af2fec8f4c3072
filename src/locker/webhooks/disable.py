from kit.audit import Audit
from kit.db import Database, Tx
from locker.webhooks import store
from locker.webhooks.find import find
from locker.webhooks.refusals import DisabledByOfficer
from locker.webhooks.register import event
from locker.webhooks.schema import Actor, Owner, Webhook


async def disable(db: Database, audit: Audit, webhook_id: str, *, owner: Owner | None, actor: Actor) -> Webhook:
    """Nothing more is sent, what waits included. What happens from now on is kept for a replay."""

    async def record(tx: Tx) -> Webhook:
        webhook = await find(tx, webhook_id, owner=owner)
        if await store.disable(tx, webhook_id=webhook_id, reason="officer" if owner is None else "owner"):
            await audit.append(tx, event("webhook.disabled", webhook_id, owner=webhook.owner, actor=actor))
        return await find(tx, webhook_id, owner=owner)

    return await db.transact(record)


async def enable(db: Database, audit: Audit, webhook_id: str, *, owner: Owner | None, actor: Actor) -> Webhook:
    """What happens from now on is told; what happened before, by a replay."""

    async def record(tx: Tx) -> Webhook:
        webhook = await find(tx, webhook_id, owner=owner)
        if await store.enable(tx, webhook_id=webhook_id, by_officer=owner is None):
            await audit.append(tx, event("webhook.enabled", webhook_id, owner=webhook.owner, actor=actor))
        present = await find(tx, webhook_id, owner=owner)
        if present.disabled_reason == "officer":
            raise DisabledByOfficer
        return present

    return await db.transact(record)
