"""Tell clients that a session has ended (Back-Channel Logout §2.5, §2.8), however often it takes within a day."""

import asyncio
import logging
import random
from urllib.parse import urlencode

from idp.clients.registry import ClientRegistry
from idp.clients.schema import Client
from idp.keys.ring import KeyRing
from idp.logout import store
from idp.logout.logout_token import logout_token
from idp.logout.schema import Notice
from idp.sessions.sid import sid_at
from kit.audit import Audit, AuditEvent
from kit.db import Database, Row, Tx
from kit.errors import Unavailable
from kit.outbound.fetch import BUSY, Fetcher, FetchRefused

log = logging.getLogger("khizana.logout")

AT_ONCE_MAX = 32
FIRST_DELAY_S = 15.0
"""Longer than one try may take, or two would be on their way at once."""
DELAY_MAX_S = 4 * 3_600.0
_AWAY_S = 15.0
# The client read the token and says that it cannot be served: a repeat would be answered alike.
_REFUSALS = frozenset({400, 501})
_REFUSALS_MAX = 3


class LogoutDelivery:
    """``fetcher`` is its own: slow logout addresses take no place from keys and request objects. It closes it."""

    def __init__(
        self, db: Database, audit: Audit, *, fetcher: Fetcher, keys: KeyRing, clients: ClientRegistry, issuer: str
    ) -> None:
        self._db = db
        self._audit = audit
        self._fetcher = fetcher
        self._keys = keys
        self._clients = clients
        self._issuer = issuer
        self._pump: asyncio.Task[None] | None = None
        self._kicked = False
        self._telling: set[asyncio.Task[None]] = set()
        self._full = False
        self._closed = False

    def kick(self) -> None:
        """Deliver soon, beside whatever runs here. What this process does not get to, the worker does."""
        self._kicked = not self._closed
        if self._kicked and (self._pump is None or self._pump.done()):
            self._pump = asyncio.create_task(self._run())

    async def start_due(self) -> int:
        """Begin with what is due, as far as there are places; how many. A slow client holds its own place, nobody's."""
        begun = 0
        while free := max(0, AT_ONCE_MAX - len(self._telling)):
            rows = await store.claim(self._db, count_max=free, first_delay_s=FIRST_DELAY_S, delay_max_s=DELAY_MAX_S)
            for row in rows:
                task = asyncio.create_task(self._told(row))
                self._telling.add(task)
                task.add_done_callback(self._left)
            begun += len(rows)
            if not rows:
                return begun
        self._full = True
        return begun

    async def deliver(self) -> None:
        """All that is due now, to the end."""
        while await self.start_due() or self._telling:
            await self.idle()

    async def idle(self) -> None:
        """Nothing that was begun here is on its way any more."""
        while waiting := [task for task in (self._pump, *self._telling) if task is not None and not task.done()]:
            await asyncio.wait(waiting)

    async def close(self) -> None:
        self._closed = True
        tasks = [task for task in (self._pump, *self._telling) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._fetcher.close()

    def _left(self, task: "asyncio.Task[None]") -> None:
        self._telling.discard(task)
        if self._full:
            self._full = False
            self.kick()

    async def _run(self) -> None:
        while self._kicked:
            self._kicked = False
            try:
                await self.start_due()
            except Exception:
                # Nobody waits for this task: the notices stand in the database and the worker comes for them.
                log.exception("delivery of logout notices failed")

    async def _told(self, row: Row) -> None:
        try:
            await self._tell(row)
        except Exception:
            # One that cannot be told, for whatever reason, must not keep the others from being told. It is due again.
            log.exception("a logout notice failed", extra={"notice_id": str(row["notice_id"])})

    async def _tell(self, row: Row) -> None:
        client = self._clients.client(row)
        notice = Notice(
            notice_id=row["notice_id"],
            client_id=client.client_id,
            citizen_id=row["citizen_id"],
            sid=row["sid"],
            sub=row["sub"],
            tries=row["tries"],
            is_last=row["is_last"],
            is_over=row["is_over"],
        )
        uri = client.metadata.backchannel_logout_uri
        if uri is None or client.state != "active":
            await self._settle(notice, status=None, heard=False)
            return
        try:
            status = await self._post(uri, client, notice)
        except Unavailable as away:
            log.warning("a logout notice waits: %s is away", away.detail, extra={"client_id": client.client_id})
            if not notice.is_over:
                await self._put_off(notice, after_s=_AWAY_S)
                return
            status = None
        except FetchRefused as refused:
            if refused.reason == BUSY and not notice.is_over:
                await self._put_off(notice, after_s=random.uniform(1, 3))  # noqa: S311
                return
            log.info("a client was not told of a logout: %s", refused, extra={"client_id": client.client_id})
            status = None
        heard = status is not None and 200 <= status < 300
        if heard or notice.is_last or (status in _REFUSALS and notice.tries >= _REFUSALS_MAX):
            await self._settle(notice, status=status, heard=heard)

    async def _put_off(self, notice: Notice, *, after_s: float) -> None:
        """Nobody was asked: it is no try of the client's."""
        await store.put_off(self._db, notice.notice_id, tries=notice.tries, after_s=after_s)

    async def _post(self, uri: str, client: Client, notice: Notice) -> int:
        token = await logout_token(
            self._keys.current(),
            issuer=self._issuer,
            client_id=client.client_id,
            sub=notice.sub,
            sid=sid_at(notice.sid, client.client_id),
            alg=client.metadata.id_token_signed_response_alg,
        )
        return await self._fetcher.post(
            uri,
            body=urlencode({"logout_token": token}).encode(),
            content_type="application/x-www-form-urlencoded",
        )

    async def _settle(self, notice: Notice, *, status: int | None, heard: bool) -> None:
        async def once(tx: Tx) -> None:
            if await store.settle(tx, notice.notice_id, status=status) and not heard:
                await self._audit.append(
                    tx,
                    AuditEvent(
                        action="logout.not-heard",
                        actor_kind="client",
                        actor=notice.client_id,
                        owner=str(notice.citizen_id),
                        object_id=notice.client_id,
                        result=f"http-{status}" if status else "no-answer",
                    ),
                )

        await self._db.transact(once)
