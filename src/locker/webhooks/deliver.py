"""One attempt to tell one receiver (Standard Webhooks 1.0, "Deliverability and reliability")."""

import random
import time
from collections.abc import Awaitable, Callable

import msgspec

from kit.audit import Audit
from kit.db import Database, Tx
from kit.errors import Unavailable
from kit.jobs.schema import Again, Done, Job, Kind, Outcome
from kit.outbound.fetch import BUSY, Fetcher, FetchRefused, Sent
from locker.webhooks import store
from locker.webhooks.register import event
from locker.webhooks.schema import Actor, Delivery, DisabledReason, Due, MessageState
from locker.webhooks.sealed_keys import SealedKeys
from locker.webhooks.sign import signature
from locker.webhooks.spread import KIND

WAITS_S = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""After the first attempt, the second, …: ten attempts in three days, each wait up to a tenth longer."""
ANSWER_MAX_S = 15.0
SLOW_S = 2.0
"""Who takes longer than this to answer gets one place at a time, as who fails does."""
RETRY_AFTER_MAX_S = 86_400
QUIET_S = 2 * RETRY_AFTER_MAX_S
"""Longer than any wait between two attempts."""
_AWAY_S = 30.0
_NARROW_MAX = 10_000
_CONNECTIONS_MAX = 20
"""Of one citizen with one service, newest first: nobody has so many that stand."""
_LOCKER = Actor(kind="system", name="")

Stands = Callable[[str], Awaitable[bool]]
"""Does the provider still know this client as active? Or: does this connection of a citizen hold?"""


class WebhookDelivery:
    """``fetcher`` is its own, so that slow receivers take no place from anybody else. It does not close it."""

    def __init__(
        self,
        db: Database,
        audit: Audit,
        *,
        fetcher: Fetcher,
        sealed: SealedKeys,
        stands: Stands,
        connected: Stands,
        limits: Delivery,
    ) -> None:
        self._db = db
        self._audit = audit
        self._fetcher = fetcher
        self._sealed = sealed
        self._stands = stands
        self._connected = connected
        self._limits = limits
        self._narrow: set[str] = set()

    def kind(self) -> Kind:
        return Kind(
            name=KIND,
            handler=self.deliver,
            lease_s=self._limits.lease_s,
            at_once_max=self._limits.at_once_max,
            per_lane_max=self._limits.per_webhook_max,
            # Thirty dead or slow receivers are no dead worker.
            narrow=lambda: self._narrow,
            attempts_max=len(WAITS_S) + 1,
            buried=self._buried,
        )

    async def deliver(self, job: Job) -> Outcome:
        due = await store.due(self._db, webhook_id=job.body["webhook_id"], message_id=job.body["message_id"])
        if due is None or due.state == "delivered":
            return Done()
        if not due.keys:
            # It is being removed. Nothing leaves unsigned.
            return Done(self._settled(due, "held", None))
        try:
            if not due.to_be_told or not await self._may_know(due):
                return Done(self._settled(due, "held", None))
        except Unavailable:
            # Nobody can say whether it still may know: then it is not told now.
            return Again(after_s=_AWAY_S, reason="provider-away", counted=False)
        return await self._sent(due, job)

    async def _may_know(self, due: Due) -> bool:
        """At this moment, which may be days after it happened. Raises Unavailable: nobody can say so."""
        if due.client_id is None:
            return True
        if not await self._stands(due.client_id):
            return False
        document_id = due.data.get("document_id")
        if document_id is None:
            return True
        shared = await store.still_shared(
            self._db,
            client_id=due.client_id,
            document_id=document_id,
            at=due.occurred_at,
            limit=_CONNECTIONS_MAX,
        )
        for grant_id in shared:
            if grant_id is None or await self._connected(grant_id):
                return True
        return False

    async def _sent(self, due: Due, job: Job) -> Outcome:
        body, began = payload(due), time.monotonic()
        try:
            sent = await self._fetcher.send(
                due.url, body=body, content_type="application/json", headers=self._headers(due, body)
            )
        except FetchRefused as refused:
            if refused.reason == BUSY:
                return Again(after_s=random.uniform(1, 3), reason="busy", counted=False)  # noqa: S311
            return self._not_taken(due, job, outcome="no-answer", retry_after_s=0)
        if 200 <= sent.status < 300:
            self._mark(due.webhook_id, narrow=time.monotonic() - began > SLOW_S)
            return Done(self._taken(due, sent))
        if sent.status == 410:
            return Done(self._gone(due))
        return self._not_taken(due, job, outcome=f"http-{sent.status}", retry_after_s=sent.retry_after_s or 0)

    def _mark(self, webhook_id: str, *, narrow: bool) -> None:
        if not narrow:
            self._narrow.discard(webhook_id)
        elif len(self._narrow) < _NARROW_MAX:
            self._narrow.add(webhook_id)

    def _headers(self, due: Due, body: bytes) -> dict[str, str]:
        timestamp_s = int(time.time())
        signatures = [
            signature(
                key.scheme,
                self._sealed.open(key.sealed, webhook_id=due.webhook_id, key_id=key.key_id),
                message_id=due.message_id,
                timestamp_s=timestamp_s,
                body=body,
            )
            for key in due.keys
        ]
        return {
            "webhook-id": due.message_id,
            "webhook-timestamp": str(timestamp_s),
            "webhook-signature": " ".join(signatures),
        }

    def _not_taken(self, due: Due, job: Job, *, outcome: str, retry_after_s: int) -> Outcome:
        self._mark(due.webhook_id, narrow=True)
        last = job.attempts > len(WAITS_S)

        async def within(tx: Tx) -> None:
            state: MessageState = "failed" if last else "waiting"
            await store.settle(
                tx, webhook_id=due.webhook_id, message_id=due.message_id, state=state, outcome=outcome, attempts=1
            )
            if await store.mark_failing(
                tx, webhook_id=due.webhook_id, failing_max_s=self._limits.failing_max_s, quiet_s=QUIET_S
            ):
                await self._tell_disabled(tx, due, "failing")

        if last:
            return Done(within)
        wait_s = WAITS_S[job.attempts - 1] * random.uniform(1.0, 1.1)  # noqa: S311
        return Again(after_s=max(wait_s, min(retry_after_s, RETRY_AFTER_MAX_S)), reason=outcome, within=within)

    def _taken(self, due: Due, sent: Sent) -> Callable[[Tx], Awaitable[None]]:
        async def within(tx: Tx) -> None:
            await self._settled(due, "delivered", f"http-{sent.status}")(tx)
            await store.mark_taken(tx, webhook_id=due.webhook_id)

        return within

    def _gone(self, due: Due) -> Callable[[Tx], Awaitable[None]]:
        """410: its receiver wants nothing any more."""

        async def within(tx: Tx) -> None:
            await self._settled(due, "held", "http-410")(tx)
            if await store.disable(tx, webhook_id=due.webhook_id, reason="gone"):
                await self._tell_disabled(tx, due, "gone")

        return within

    def _settled(self, due: Due, state: MessageState, outcome: str | None) -> Callable[[Tx], Awaitable[None]]:
        async def within(tx: Tx) -> None:
            await store.settle(
                tx,
                webhook_id=due.webhook_id,
                message_id=due.message_id,
                state=state,
                outcome=outcome,
                attempts=int(outcome is not None),
            )

        return within

    async def _tell_disabled(self, tx: Tx, due: Due, reason: DisabledReason) -> None:
        await self._audit.append(
            tx, event("webhook.disabled", due.webhook_id, owner=due.owner, actor=_LOCKER, reason=reason)
        )

    async def _buried(self, tx: Tx, job: Job) -> None:
        await store.settle(
            tx,
            webhook_id=job.body["webhook_id"],
            message_id=job.body["message_id"],
            state="failed",
            outcome="fault",
            attempts=0,
        )


def payload(due: Due) -> bytes:
    """The same bytes at each attempt. Thin: what it is about is read by whoever may read it."""
    return msgspec.json.encode(
        {"type": due.type, "timestamp": due.occurred_at.isoformat().replace("+00:00", "Z"), "data": due.data}
    )
