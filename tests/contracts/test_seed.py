"""`bench/seed.py` fills a database as the product does, and leaves its schema as it found it."""

import secrets
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from bench.seed import seed
from kit.db import Database
from tests.conftest import Dsns
from tests.locker_world import AMINA, World, open_world

CITIZENS, EACH = 40, 5


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(dsns: Dsns, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with open_world(dsns, s3, tmp_path_factory.mktemp("locker")) as opened:
        await opened.owner_db.execute(
            "INSERT INTO idp.citizen (citizen_id, uid, claims, locale, proofing) VALUES ($1, $2, '{}', 'ar', 'desk')",
            uuid.UUID(bytes=secrets.token_bytes(16)),
            AMINA,
        )
        assert (await opened.deposit()).status_code == 201
        yield opened


async def schema(db: Database) -> list[tuple[str, ...]]:
    rows = await db.fetch(
        """
        SELECT 'index' AS kind, schemaname || '.' || tablename AS of, indexdef AS is FROM pg_indexes
         WHERE schemaname IN ('idp', 'locker')
         UNION ALL
        SELECT 'constraint', conrelid::regclass::text,
               conname || ' ' || pg_get_constraintdef(oid) || ' ' || convalidated
          FROM pg_constraint WHERE connamespace IN ('idp'::regnamespace, 'locker'::regnamespace)
         UNION ALL
        SELECT 'trigger', tgrelid::regclass::text, tgname || ' ' || tgenabled::text
          FROM pg_trigger WHERE NOT tgisinternal
         ORDER BY 1, 2, 3"""
    )
    return [tuple(row.values()) for row in rows]


@pytest.mark.asyncio(loop_scope="module")
async def test_seeding_fills_the_tables_and_leaves_their_schema_as_it_was(world: World, dsns: Dsns) -> None:
    before = await schema(world.owner_db)
    seeded = await seed(dsns.owner, citizens=CITIZENS, documents_each=EACH)
    assert seeded.documents == CITIZENS * EACH
    assert await world.rows("SELECT count(*) AS many, count(DISTINCT owner) AS owners FROM locker.document") == [
        {"many": CITIZENS * EACH + 1, "owners": CITIZENS + 1}
    ]
    after = await schema(world.owner_db)
    assert (set(before) - set(after), set(after) - set(before)) == (set(), set())
    assert (await world.deposit()).status_code == 201, "the product goes on beside what was seeded"
