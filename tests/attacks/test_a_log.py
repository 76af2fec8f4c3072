"""Group A of the attack catalogue, the log: who owns the database cannot rewrite what happened."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from tests.unit.locker.log.log_world import AMINA, LogWorld, open_log

pytestmark = pytest.mark.asyncio(loop_scope="function")


@pytest_asyncio.fixture
async def place(new_database: Any, s3: Any) -> AsyncIterator[LogWorld]:
    async with open_log(new_database(), s3) as opened:
        yield opened


@pytest.mark.parametrize("table", ["audit", "log_leaf", "log_entry", "log_checkpoint"])
async def test_a_10_the_apps_role_changes_and_removes_nothing(place: LogWorld, table: str) -> None:
    await place.act(2)
    await place.rounds()
    column = await place.value(
        "SELECT attname::text FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum = 1", f"locker.{table}"
    )
    for sql in (
        f"UPDATE locker.{table} SET {column} = {column}",
        f"DELETE FROM locker.{table}",
        f"TRUNCATE locker.{table}",
        f"DROP TABLE locker.{table}",
        f"ALTER TABLE locker.{table} DISABLE TRIGGER ALL",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await place.db.execute(sql)
    assert await place.value(f"SELECT count(*) FROM locker.{table}") > 0


async def test_a_10_the_one_way_to_change_the_audit_forgets_an_owner_and_does_nothing_else(place: LogWorld) -> None:
    """No search path of the caller's leads the function to other tables; nobody is no owner."""
    await place.act(2)
    await place.act(1, owner=None)
    await place.rounds()
    async with place.db.transaction() as tx:
        await tx.execute("CREATE TEMP TABLE log_entry (owner text); CREATE TEMP TABLE audit (owner text, action text)")
        await tx.execute("SET LOCAL search_path = pg_temp, locker")
        assert await tx.fetchval("SELECT locker.forget_log_of($1)", AMINA) == 2
    assert await place.value("SELECT count(*) FROM locker.audit WHERE action = 'erased'") == 2
    for nobody in ("", None):
        with pytest.raises(asyncpg.RaiseError):
            await place.db.fetchval("SELECT locker.forget_log_of($1)", nobody)
