"""A locker that tells, real receivers, and the worker's two rounds."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from standardwebhooks.webhooks import Webhook

from kit.audit import Audit
from kit.db import Database
from kit.ids import new_public_id
from kit.jobs.store import Jobs
from kit.jobs.worker import JobWorker
from kit.outbound.fetch import Fetcher
from locker.access.standing import ClientStanding
from locker.shares.create import Sharer, create
from locker.shares.schema import NewShare
from locker.webhooks.deliver import WebhookDelivery
from locker.webhooks.schema import Delivery
from locker.webhooks.sealed_keys import SealedKeys
from locker.webhooks.spread import spread
from tests.conftest import ROOT
from tests.locker_world import AMINA, INTERIOR, World, open_world
from tests.sites import Request, Site, authority_files, running_site

SCOPE = "webhooks:manage"


@dataclass
class Told:
    world: World
    site: Site
    fetcher: Fetcher
    jobs: Jobs = field(default_factory=lambda: Jobs("locker"))
    worker: JobWorker = field(init=False)

    def relying_party(self, client_id: str) -> dict[str, str]:
        token = self.world.provider.token(sub=client_id, client_id=client_id, scope=SCOPE)
        return {"Authorization": f"Bearer {token}"}

    def administration(self, administration: str = INTERIOR) -> dict[str, str]:
        return self.world.machine(administration, scope=SCOPE)

    async def register(self, by: dict[str, str], url: str, *events: str, **members: Any) -> dict[str, Any]:
        answer = await self.post(by, "", {"url": url, "events": list(events), **members})
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def post(self, by: dict[str, str], path: str, body: Any = None) -> httpx.Response:
        return await self.world.locker.post(f"/v1/webhooks{path}", headers=by, json=body)

    async def get(self, by: dict[str, str], path: str = "") -> Any:
        answer = await self.world.locker.get(f"/v1/webhooks{path}", headers=by)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def messages(self, by: dict[str, str], webhook_id: str) -> list[dict[str, Any]]:
        return list((await self.get(by, f"/{webhook_id}/messages"))["messages"])

    async def spread(self) -> None:
        await spread(self.world.wiring.db, self.world.wiring.audit, self.jobs, waiting_max=1_000)

    async def deliver(self) -> None:
        """What happened is spread, and all that is due is tried once."""
        await self.spread()
        await self.worker.work_off()

    async def deposited(self, **members: Any) -> str:
        answer = await self.world.deposit(**members)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["document_id"])

    async def change(self, document_id: str, verb: str, **body: str) -> None:
        answer = await self.world.locker.post(
            f"/v1/documents/{document_id}/{verb}", headers=self.world.machine(), json=body
        )
        assert answer.status_code == 200, answer.text

    async def share(self, document_id: str, client_id: str | None, *, opening: bool = True) -> tuple[str, str]:
        """share_id and opening_id."""
        wiring, owner = self.world.wiring, self.world.subs[AMINA]
        new = NewShare(documents=[document_id], recipient="Bank", purpose="A loan", openings=2, client_id=client_id)
        made = await create(wiring.shares, new, sharer=Sharer(owner=owner, actor=owner))
        opening_id = new_public_id()
        if opening:
            await self.world.owner_db.execute(
                """
                INSERT INTO locker.opening (owner, opening_id, share_id, client_id, viewing_sha256, view_until)
                VALUES ($1, $2, $3, $4, $5, now() + interval '1 minute')""",
                owner,
                opening_id,
                made.share_id,
                client_id,
                made.share_id.encode(),
            )
        return made.share_id, opening_id

    def environ(self, **changed: str) -> dict[str, str]:
        """Of a process that belongs to this locker."""
        settings = self.world.wiring.settings
        own = {name: value for name, value in os.environ.items() if not name.startswith("KHIZANA_")}
        return own | {
            "PYTHONPATH": str(ROOT / "src"),
            "KHIZANA_HOME": str(settings.keys_folder / "home"),
            "KHIZANA_MODE": "embedded",
            "KHIZANA_ISSUER": settings.issuer,
            "KHIZANA_LOCKER_URL": settings.locker_url,
            "KHIZANA_LOCKER_DATABASE_URL": settings.database_url,
            "KHIZANA_LOCKER_SECRET": settings.secret,
            "KHIZANA_LOCKER_KEYS_FOLDER": str(settings.keys_folder),
            "KHIZANA_LOCKER_S3_ENDPOINT": settings.s3_endpoint,
            "KHIZANA_LOCKER_S3_ACCESS_KEY": settings.s3_access_key,
            "KHIZANA_LOCKER_S3_SECRET_KEY": settings.s3_secret_key,
            "KHIZANA_LOCKER_S3_LOG_PREFIX": settings.s3_log_prefix,
            "KHIZANA_LOCKER_OUTBOUND_CA_FILE": str(authority_files()[0]),
            "KHIZANA_LOCKER_OUTBOUND_LOOPBACK": "true",
            **changed,
        }

    def delivery(self, db: Database) -> WebhookDelivery:
        return WebhookDelivery(
            db,
            Audit("locker"),
            fetcher=self.fetcher,
            sealed=SealedKeys(self.world.wiring.settings.secret),
            stands=ClientStanding(self.world.wiring.provider, age_max_s=0),
            connected=self.world.wiring.provider.stands,
            limits=Delivery(at_once_max=8, per_webhook_max=4, waiting_max=1_000, failing_max_s=5 * 86_400, lease_s=60),
        )

    async def clean(self) -> None:
        """For the next test."""
        await self.hurry()
        await self.world.owner_db.execute("DELETE FROM locker.job")
        for table in ("webhook_message", "webhook_key", "webhook"):
            await self.world.owner_db.execute(f"DELETE FROM locker.{table}")
        await self.world.owner_db.execute("UPDATE locker.outbox SET delivered_at = now()")
        self.site.answers.clear()
        self.received()

    async def hurry(self) -> None:
        """As if the next wait were over."""
        await self.world.owner_db.execute("UPDATE locker.job SET due_at = now() WHERE dead_at IS NULL")

    def received(self) -> list[Request]:
        return [self.site.requests.get_nowait() for _ in range(self.site.requests.qsize())]


@asynccontextmanager
async def open_told(dsns: Any, s3: Any, folder: Path) -> AsyncIterator[Told]:
    async with open_world(dsns, s3, folder, outbound_loopback=True) as world, running_site() as site:
        fetcher = Fetcher(ca_file=authority_files()[0], loopback_allowed=True, overall_max_s=2)
        with closing(fetcher):
            told = Told(world, site, fetcher)
            told.worker = JobWorker(world.wiring.db, told.jobs, [told.delivery(world.wiring.db).kind()])
            yield told


def verified(request: Request, *secrets: str) -> Any:
    """By the specification's own library, with each of these secrets."""
    for secret in secrets:
        payload = Webhook(secret).verify(request.body, request.headers)
    return payload
