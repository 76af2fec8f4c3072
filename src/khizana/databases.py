"""One app's database for the time of one command."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from khizana.deployment import Deployment, deployment
from kit.db import Database
from locker.settings import LockerSettings
from locker.vault import Vault
from locker.vault.blobs import S3BlobStore
from locker.vault.masters import masters_of

T = TypeVar("T")

CONNECTIONS_MAX = 4
CONNECTION_WAIT_S = 5.0
"""Longer than a server's: nobody waits for the page meanwhile, and a command that gives up has to be given again."""


def with_idp(action: Callable[[Deployment, Database], Awaitable[T]]) -> T:
    with deployment() as found:

        async def run() -> T:
            async with connected(found.idp_settings().database_url) as db:
                return await action(found, db)

        return asyncio.run(run())


def with_locker(action: Callable[[Deployment, Database], Awaitable[T]]) -> T:
    with deployment() as found:

        async def run() -> T:
            async with connected(found.locker_settings().database_url) as db:
                return await action(found, db)

        return asyncio.run(run())


@asynccontextmanager
async def connected(dsn: str, *, connections_max: int = CONNECTIONS_MAX) -> AsyncIterator[Database]:
    db = await Database.connect(
        dsn, connections_max=connections_max, acquire_timeout_s=CONNECTION_WAIT_S, command_timeout_s=30
    )
    try:
        yield db
    finally:
        await db.close()


@asynccontextmanager
async def opened_vault(db: Database, settings: LockerSettings) -> AsyncIterator[Vault]:
    vault = Vault(
        db,
        masters_of(settings),
        await S3BlobStore.connect(
            endpoint=settings.s3_endpoint,
            access_key=settings.s3_access_key,
            secret_key=settings.s3_secret_key,
            bucket=settings.s3_bucket,
            region=settings.s3_region,
            fsync_root=settings.s3_fsync_folder,
        ),
    )
    try:
        yield vault
    finally:
        await vault.close()
