from kit.audit import Audit
from kit.db import Database, Tx
from kit.jobs.store import Jobs
from locker.webhooks import store
from locker.webhooks.find import find
from locker.webhooks.refusals import MessageUnknown, WebhookDisabled
from locker.webhooks.register import event
from locker.webhooks.schema import TEST, Actor, Owner, Replay, Replayed
from locker.webhooks.spread import KIND, jobs_of

REPLAYED_MAX = 1_000


async def replay(
    db: Database, audit: Audit, jobs: Jobs, webhook_id: str, asked: Replay, *, owner: Owner | None, actor: Actor
) -> Replayed:
    """Send again, under the same ``webhook-id``; at most a thousand, the oldest first: ask again until it says 0."""

    async def record(tx: Tx) -> Replayed:
        webhook = await find(tx, webhook_id, owner=owner)
        if webhook.state == "disabled":
            raise WebhookDisabled
        taken = await store.take_for_replay(
            tx,
            webhook_id=webhook_id,
            message_id=asked.message_id,
            since=asked.since,
            until=asked.until,
            states=asked.states,
            limit=REPLAYED_MAX,
        )
        if asked.message_id and not taken:
            if not await store.has_message(tx, webhook_id=webhook_id, message_id=asked.message_id):
                raise MessageUnknown
            return Replayed(messages=0)
        await jobs.enqueue(tx, KIND, jobs_of(webhook_id, taken))
        await audit.append(tx, event("webhook.replayed", webhook_id, owner=webhook.owner, actor=actor))
        return Replayed(messages=len(taken))

    return await db.transact(record)


async def send_test(
    db: Database, audit: Audit, jobs: Jobs, webhook_id: str, *, owner: Owner | None, actor: Actor
) -> str:
    """A message of the type ``webhook.test`` that says nothing; its identifier."""

    async def record(tx: Tx) -> str:
        webhook = await find(tx, webhook_id, owner=owner)
        if webhook.state == "disabled":
            raise WebhookDisabled
        message_id = await store.insert_message(tx, webhook_id=webhook_id, type_=TEST, data={"webhook_id": webhook_id})
        await jobs.enqueue(tx, KIND, jobs_of(webhook_id, [message_id]))
        await audit.append(tx, event("webhook.tested", webhook_id, owner=webhook.owner, actor=actor))
        return message_id

    return await db.transact(record)
