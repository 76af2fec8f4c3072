"""Take due messages from the outbox and give them to the sender: each channel by itself, so that a slow one holds no
other up."""

import asyncio
import logging
import time
import traceback
from contextlib import suppress
from uuid import UUID

import msgspec

from idp.keys.secrets import Secrets
from idp.messages import store
from idp.messages.post import sealer
from idp.messages.schema import Channel, Letter, NotSent, Outgoing, Sender
from kit import metrics
from kit.db import Database, Row
from kit.errors import Unavailable

log = logging.getLogger("khizana.messages")

SEND_MAX_S = 15.0
"""From a message's claim to the sender's last word; then the send is given up and comes again."""
LEASE_S = 30.0
"""Longer than a send, and the time to note it, or two would send it. It is also how long a message that was not sent
waits for its next try, twice as long after each."""
AWAITED_AGAIN_S = 3.0
"""The same for what somebody waits for, of whom half a minute is the patience."""

FINISH_S = 5.0
"""What is on its way when the worker is told to stop has so long."""


def opened(secrets: Secrets, row: Row) -> Outgoing:
    plain = sealer(secrets).open(row["sealed"], place=f"outbox|{row['message_id']}")
    return Outgoing(
        message_id=row["message_id"],
        kind=row["kind"],
        channel=row["channel"],
        created_at=row["created_at"],
        letter=msgspec.json.decode(plain, type=Letter),
    )


class MessageDelivery:
    """Of one channel: at most ``at_once_max`` sends side by side. Any number of processes may deliver; a message is
    claimed when there is a place for it, so that its lease covers its own send alone.

    A message may be sent twice where we die between sending and noting it, never lost.
    """

    def __init__(
        self,
        db: Database,
        secrets: Secrets,
        sender: Sender,
        *,
        channel: Channel,
        at_once_max: int,
        send_max_s: float = SEND_MAX_S,
        lease_s: float = LEASE_S,
        awaited_again_s: float = AWAITED_AGAIN_S,
    ) -> None:
        self._db = db
        self._secrets = secrets
        self._sender = sender
        self._channel = channel
        self._at_once_max = at_once_max
        self._send_max_s = send_max_s
        self._lease_s = lease_s
        self._awaited_again_s = awaited_again_s
        self._sending: dict[asyncio.Task[bool], Row] = {}
        self._asking: set[asyncio.Task[int]] = set()
        # Two that ask at once would both find the same places free.
        self._claiming = asyncio.Lock()
        self._asked = False
        self._closed = False
        self._unnoted: set[UUID] = set()
        self._sent = 0

    async def start_due(self) -> int:
        """Begin with what is due, as far as there are places; how many. Raises Unavailable."""
        # Its caller may be cancelled: a claim that is cut off leaves messages to nobody until their lease ends.
        return await asyncio.shield(self._ask())

    async def deliver(self) -> int:
        """All that is due now, to the end; how many were sent."""
        before = self._sent
        while await self.start_due() or self._sending or self._asking:
            if under_way := {*self._sending, *self._asking}:
                await asyncio.wait(under_way)
        return self._sent - before

    async def close(self, *, finish_s: float = FINISH_S) -> None:
        """Begin nothing more. What is on its way may finish; the rest is given up and given back, so that the next
        worker need not wait for its lease to end. Raises Unavailable."""
        self._closed = True
        by = asyncio.get_running_loop().time() + finish_s
        # A claim first: what it brings is begun, and finishes or goes back with the rest.
        for under_way in (self._asking, self._sending):
            if under_way:
                await asyncio.wait(list(under_way), timeout=max(0.0, by - asyncio.get_running_loop().time()))
        held = dict(self._sending)
        tasks = [*self._asking, *held]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._note()
        if cut := [row for task, row in held.items() if task.cancelled()]:
            await store.give_back(self._db, [(row["message_id"], row["tries"]) for row in cut])

    def _ask(self) -> "asyncio.Task[int]":
        self._asked = True
        task = asyncio.create_task(self._start())
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)
        return task

    async def _start(self) -> int:
        async with self._claiming:
            self._asked = False
            # First, and in one statement: what is claimed while it cannot be noted would be sent twice.
            await self._note()
            free = 0 if self._closed else self._at_once_max - len(self._sending)
            if free <= 0:
                return 0
            give_up_at = asyncio.get_running_loop().time() + self._send_max_s
            rows = await store.claim(self._db, channel=self._channel, count_max=free, lease_s=self._lease_s)
            for row in rows:
                task = asyncio.create_task(self._send(row, give_up_at))
                self._sending[task] = row
                task.add_done_callback(self._left)
            return len(rows)

    async def _note(self) -> None:
        if noted := set(self._unnoted):
            await store.sent(self._db, list(noted))
            self._unnoted -= noted

    async def _send(self, row: Row, give_up_at: float) -> bool:
        begun_at = time.monotonic()
        try:
            async with asyncio.timeout_at(give_up_at):
                await self._sender.send(opened(self._secrets, row))
        except Exception as fault:
            # The sender is foreign code behind a network: whatever it raises means "not now". One that we cannot open
            # must not keep the others from being sent.
            log.warning("message %s was not sent: %s", row["message_id"], _why(fault))
            metrics.messages.labels(self._channel, "again").inc()
            if row["awaited"]:
                await self._try_sooner(row)
            return False
        metrics.messages.labels(self._channel, "sent").inc()
        took_s = row["waited_s"] + time.monotonic() - begun_at
        metrics.message_seconds.labels(self._channel, "yes" if row["awaited"] else "no").observe(took_s)
        self._unnoted.add(row["message_id"])
        self._sent += 1
        return True

    async def _try_sooner(self, row: Row) -> None:
        tries: int = row["tries"]
        wait_s = self._awaited_again_s * 2 ** (tries - 1)
        # Where the database is away, the lease says when it comes again.
        with suppress(Unavailable):
            await store.try_sooner(self._db, row["message_id"], tries=tries, wait_s=wait_s)

    def _left(self, task: "asyncio.Task[bool]") -> None:
        self._sending.pop(task, None)
        # Where a send failed the next round comes for more: nobody hammers a server that is down.
        if not task.cancelled() and task.result() and not self._asked and not self._closed:
            self._ask().add_done_callback(self._heard)

    def _heard(self, task: "asyncio.Task[int]") -> None:
        # Nobody waits for it: the messages stand in the database, and the next round comes for them.
        fault = None if task.cancelled() else task.exception()
        if isinstance(fault, Unavailable):
            log.warning("messages wait: %s is away", fault.detail)
        elif fault is not None:
            log.error("delivery of messages failed", exc_info=fault)


def _why(fault: Exception) -> str:
    """Of what we do not know only where it comes from: a mail server's words name whom it refused."""
    if isinstance(fault, NotSent):
        return str(fault)
    if isinstance(fault, OSError):
        return type(fault).__name__
    return f"{type(fault).__name__}\n{''.join(traceback.format_tb(fault.__traceback__))}"
