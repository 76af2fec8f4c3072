from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx
from kit.ids import new_public_id
from kit.outbound.fetch import FetchRefused, check_url
from locker.webhooks import store
from locker.webhooks.keys import make_key
from locker.webhooks.refusals import EventUnknown, TooManyWebhooks, WebhookUrlRefused
from locker.webhooks.schema import Actor, NewWebhook, Owner, WebhookWithKeys
from locker.webhooks.sealed_keys import SealedKeys

PER_OWNER_MAX = 10


async def register(
    db: Database,
    audit: Audit,
    sealed: SealedKeys,
    new: NewWebhook,
    *,
    owner: Owner,
    actor: Actor,
    loopback_allowed: bool,
) -> WebhookWithKeys:
    """The keys are said once. Each message checks the address again: a name may lead elsewhere tomorrow."""
    try:
        check_url(new.url, loopback_allowed=loopback_allowed)
    except FetchRefused as refused:
        raise WebhookUrlRefused(refused.reason) from None
    if not set(new.events) <= set(owner.events):
        raise EventUnknown(", ".join(owner.events))
    webhook_id = new_public_id()

    async def record(tx: Tx) -> WebhookWithKeys:
        await store.lock(tx, owner.name)
        webhook = await store.insert(
            tx,
            webhook_id=webhook_id,
            owner=owner,
            url=new.url,
            events=sorted(set(new.events)),
            per_owner_max=PER_OWNER_MAX,
        )
        if webhook is None:
            raise TooManyWebhooks(f"at most {PER_OWNER_MAX}")
        keys = [
            await make_key(tx, sealed, webhook_id=webhook_id, scheme=scheme) for scheme in dict.fromkeys(new.schemes)
        ]
        await audit.append(tx, event("webhook.registered", webhook_id, owner=owner.name, actor=actor))
        return WebhookWithKeys(webhook=webhook, keys=keys)

    return await db.transact(record)


def event(action: str, webhook_id: str, *, owner: str, actor: Actor, reason: str = "") -> AuditEvent:
    return AuditEvent(
        action=action,
        actor_kind=actor.kind,
        actor=actor.name,
        object_id=webhook_id,
        detail={"owner": owner, **({"reason": reason} if reason else {})},
    )
