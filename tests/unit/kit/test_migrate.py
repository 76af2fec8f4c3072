import asyncio
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from kit.migrate import MigrationChanged, migrate, pending
from tests.conftest import ROOT, Dsns


@pytest.fixture
def fresh(new_database: Any) -> Dsns:
    made = new_database()
    assert isinstance(made, Dsns)
    return made


def write(folder: Path, name: str, sql: str) -> None:
    (folder / name).write_text(sql, encoding="utf-8")


async def test_files_are_applied_once_and_in_the_order_of_their_names(fresh: Dsns, tmp_path: Path) -> None:
    write(tmp_path, "0002_more.sql", "ALTER TABLE probe.thing ADD COLUMN more text")
    write(tmp_path, "0001_first.sql", "CREATE TABLE probe.thing (id integer)")
    assert await pending(fresh.owner, tmp_path, "probe") == ["0001_first.sql", "0002_more.sql"]
    assert await migrate(fresh.owner, tmp_path, "probe") == ["0001_first.sql", "0002_more.sql"]
    assert await migrate(fresh.owner, tmp_path, "probe") == []
    assert await pending(fresh.owner, tmp_path, "probe") == []


async def test_an_applied_file_that_reads_differently_stops_everything(fresh: Dsns, tmp_path: Path) -> None:
    write(tmp_path, "0001_first.sql", "CREATE TABLE probe.thing (id integer)")
    await migrate(fresh.owner, tmp_path, "probe")
    write(tmp_path, "0001_first.sql", "CREATE TABLE probe.thing (id bigint)")
    write(tmp_path, "0002_second.sql", "CREATE TABLE probe.other (id integer)")
    with pytest.raises(MigrationChanged, match=r"0001_first\.sql"):
        await migrate(fresh.owner, tmp_path, "probe")
    assert await pending(fresh.owner, tmp_path, "probe") == ["0002_second.sql"]


async def test_a_file_that_fails_leaves_nothing_of_itself(fresh: Dsns, tmp_path: Path) -> None:
    write(tmp_path, "0001_first.sql", "CREATE TABLE probe.thing (id integer)")
    write(tmp_path, "0002_broken.sql", "CREATE TABLE probe.half (id integer); SELECT 1 / 0")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(fresh.owner, tmp_path, "probe")
    connection = await asyncpg.connect(fresh.owner)
    assert await connection.fetchval("SELECT to_regclass('probe.half')") is None
    assert await connection.fetchval("SELECT to_regclass('probe.thing')") is not None
    await connection.close()
    assert await pending(fresh.owner, tmp_path, "probe") == ["0002_broken.sql"]


async def test_many_nodes_that_start_at_once_apply_each_file_once(fresh: Dsns, tmp_path: Path) -> None:
    for number in range(1, 6):
        write(tmp_path, f"000{number}_t.sql", f"CREATE TABLE probe.t{number} (id integer)")
    applied = await asyncio.gather(*(migrate(fresh.owner, tmp_path, "probe") for _ in range(5)))
    assert sorted(len(one) for one in applied) == [0, 0, 0, 0, 5]


async def test_the_migrations_of_both_apps_need_no_superuser(fresh: Dsns) -> None:
    connection = await asyncpg.connect(fresh.owner)
    assert not await connection.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
    await connection.close()
    for schema in ("idp", "locker"):
        assert await pending(fresh.owner, ROOT / "migrations" / schema, schema) == []


async def test_f_31_a_migration_that_waits_for_a_table_holds_nobody_up(fresh: Dsns, tmp_path: Path) -> None:
    write(tmp_path, "0001_first.sql", "CREATE TABLE probe.thing (id integer)")
    await migrate(fresh.owner, tmp_path, "probe")
    write(tmp_path, "0002_more.sql", "ALTER TABLE probe.thing ADD COLUMN more text")
    reader, other = await asyncpg.connect(fresh.owner), await asyncpg.connect(fresh.owner)
    try:
        reading = reader.transaction()
        await reading.start()
        await reader.fetch("SELECT * FROM probe.thing")
        migrating = asyncio.create_task(migrate(fresh.owner, tmp_path, "probe"))
        while not await other.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
            await asyncio.sleep(0.01)
        # It waits in line behind the migration, and the migration leaves the line.
        assert await other.fetch("SELECT * FROM probe.thing", timeout=5) == []
        assert not migrating.done()
        await reading.rollback()
        assert await migrating == ["0002_more.sql"]
    finally:
        await reader.close()
        await other.close()
