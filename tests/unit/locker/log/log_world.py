"""A log over a real database and a real object store, with rows of the audit to go into it."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from kit.audit import Audit, AuditEvent
from kit.db import Database
from kit.jose import SigningKey
from locker.log.checkpoint import LogKey
from locker.log.objects import LogObjects
from locker.log.sequence import Sequencer, sequence
from locker.vault.blobs import S3BlobStore

AMINA, YOUSSEF = "sub-amina", "sub-youssef"


@dataclass
class LogWorld:
    db: Database
    owner_db: Database
    blobs: S3BlobStore
    prefix: str
    sequencer: Sequencer

    async def act(self, many: int = 1, *, owner: str | None = AMINA, action: str = "document.viewed") -> None:
        audit = Audit("locker")
        for _ in range(many):
            await audit.append(
                self.db,
                AuditEvent(action=action, actor_kind="client", actor="bank", owner=owner, detail={"type": "شهادة"}),
            )

    async def act_at_once(self, many: int, *, owner: str | None = AMINA) -> None:
        """Many rows in one statement."""
        events = [AuditEvent(action="document.viewed", actor_kind="client", owner=owner) for _ in range(many)]
        source = Audit.unnested(1)
        await self.db.execute(Audit("locker").cte_of_several(source), *Audit.arguments_of_several(events))

    def other_worker(self) -> Sequencer:
        return Sequencer(self.db, self.sequencer.objects, self.sequencer.key)

    async def write(self, name: str, content: bytes) -> None:
        """As somebody who may write to the bucket does."""

        async def once() -> AsyncIterator[bytes]:
            yield content

        await self.blobs.put(f"{self.prefix}/{name}", once, len(content), repeatable=True)

    async def rounds(self, many: int = 1) -> None:
        for _ in range(many):
            await sequence(self.sequencer)

    async def value(self, sql: str, *args: Any) -> Any:
        return await self.owner_db.fetchval(sql, *args)


@asynccontextmanager
async def open_log(dsns: Any, s3: Any) -> AsyncIterator[LogWorld]:
    db, owner_db = await asyncio.gather(Database.connect(dsns.locker), Database.connect(dsns.owner))
    blobs = await S3BlobStore.connect(
        endpoint=s3.endpoint, access_key=s3.access_key, secret_key=s3.secret_key, bucket=s3.bucket
    )
    prefix = f"log-{secrets.token_hex(8)}"
    key = LogKey(SigningKey.generate("EdDSA"), "locker.test/log")
    yield LogWorld(db, owner_db, blobs, prefix, Sequencer(db, LogObjects(blobs, prefix), key))
    await blobs.close()
    await owner_db.close()
    await db.close()
