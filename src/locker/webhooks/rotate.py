from kit.audit import Audit
from kit.db import Database, Tx
from locker.webhooks import store
from locker.webhooks.find import find
from locker.webhooks.keys import make_key
from locker.webhooks.refusals import TooManyKeys
from locker.webhooks.register import event
from locker.webhooks.schema import Actor, Owner, WebhookWithKeys
from locker.webhooks.sealed_keys import SealedKeys

KEYS_MAX = 6


async def rotate(
    db: Database,
    audit: Audit,
    sealed: SealedKeys,
    webhook_id: str,
    *,
    owner: Owner | None,
    actor: Actor,
    overlap_s: int,
) -> WebhookWithKeys:
    """New keys of the same schemes, said once. Messages carry signatures of the old ones too for ``overlap_s``: 0 after
    a key was lost, and then none of them signs any more, those of earlier rotations included."""

    async def record(tx: Tx) -> WebhookWithKeys:
        # Of two rotations at once the second finds the keys of the first; and after a removal nothing.
        await store.lock(tx, webhook_id)
        webhook = await find(tx, webhook_id, owner=owner)
        schemes = await store.end_keys(tx, webhook_id=webhook_id, overlap_s=overlap_s)
        if await store.count_keys(tx, webhook_id=webhook_id) + len(schemes) > KEYS_MAX:
            raise TooManyKeys
        keys = [await make_key(tx, sealed, webhook_id=webhook_id, scheme=scheme) for scheme in schemes]
        await audit.append(tx, event("webhook.key-rotated", webhook_id, owner=webhook.owner, actor=actor))
        return WebhookWithKeys(webhook=webhook, keys=keys)

    return await db.transact(record)
