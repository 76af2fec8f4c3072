import asyncio
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from kit.migrate import MigrationChanged, MigrationMixed, migrate, pending
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


CONCURRENT = """
-- Made while others write; -- and nobody waits.
CREATE INDEX CONCURRENTLY IF NOT EXISTS thing_id ON probe.thing (id);
DROP INDEX CONCURRENTLY IF EXISTS probe.thing_old;
"""


async def with_rows(fresh: Dsns, folder: Path) -> None:
    write(
        folder,
        "0001_first.sql",
        "CREATE TABLE probe.thing (id integer); CREATE INDEX thing_old ON probe.thing (id);"
        "INSERT INTO probe.thing SELECT generate_series(1, 100)",
    )
    await migrate(fresh.owner, folder, "probe")
    write(folder, "0002_indexes.sql", CONCURRENT)


async def indexes(connection: Any) -> dict[str, bool]:
    rows = await connection.fetch(
        "SELECT indexrelid::regclass::text AS name, indisvalid FROM pg_index WHERE indrelid = 'probe.thing'::regclass"
    )
    return {row["name"]: row["indisvalid"] for row in rows}


async def test_f_31_an_index_is_made_while_others_write(fresh: Dsns, tmp_path: Path) -> None:
    await with_rows(fresh, tmp_path)
    writer, other = await asyncpg.connect(fresh.owner), await asyncpg.connect(fresh.owner)
    try:
        writing = writer.transaction()
        await writing.start()
        await writer.execute("INSERT INTO probe.thing VALUES (1)")
        # Several nodes start at once; none may wait for another in a way that the index waits for.
        migrating = [asyncio.create_task(migrate(fresh.owner, tmp_path, "probe")) for _ in range(3)]
        while not await other.fetchval("SELECT count(*) FROM pg_stat_progress_create_index"):
            await asyncio.sleep(0.01)
        await other.execute("INSERT INTO probe.thing VALUES (2)", timeout=5)
        assert not any(one.done() for one in migrating)
        await writing.commit()
        applied = await asyncio.gather(*migrating)
        assert sorted(map(len, applied)) == [0, 0, 1]
        assert await indexes(other) == {"probe.thing_id": True}
    finally:
        await writer.close()
        await other.close()


async def test_f_31_an_index_whose_making_was_killed_is_made_again(fresh: Dsns, tmp_path: Path) -> None:
    await with_rows(fresh, tmp_path)
    writer, other = await asyncpg.connect(fresh.owner), await asyncpg.connect(fresh.owner)
    try:
        writing = writer.transaction()
        await writing.start()
        await writer.execute("INSERT INTO probe.thing VALUES (1)")
        migrating = asyncio.create_task(migrate(fresh.owner, tmp_path, "probe"))
        while not (pid := await other.fetchval("SELECT pid FROM pg_stat_progress_create_index")):
            await asyncio.sleep(0.01)
        await other.fetchval("SELECT pg_terminate_backend($1, 5000)", pid)
        with pytest.raises((asyncpg.PostgresError, OSError)):
            await migrating
        await writing.commit()
        assert await indexes(other) == {"probe.thing_id": False, "probe.thing_old": True}
        assert await pending(fresh.owner, tmp_path, "probe") == ["0002_indexes.sql"]
        assert await migrate(fresh.owner, tmp_path, "probe") == ["0002_indexes.sql"]
        assert await indexes(other) == {"probe.thing_id": True}
    finally:
        await writer.close()
        await other.close()


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE INDEX CONCURRENTLY thing_id ON probe.thing (id)",
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS thing_id ON probe.thing (id); ALTER TABLE probe.thing ADD COLUMN x int",  # noqa: E501
        "ALTER TABLE probe.thing ADD COLUMN x text; DROP INDEX CONCURRENTLY IF EXISTS probe.thing_old",
        "REINDEX INDEX CONCURRENTLY probe.thing_old",
    ],
)
async def test_what_runs_in_no_transaction_does_nothing_that_may_not_be_repeated(
    fresh: Dsns, tmp_path: Path, sql: str
) -> None:
    await with_rows(fresh, tmp_path)
    write(tmp_path, "0002_indexes.sql", sql)
    with pytest.raises(MigrationMixed, match=r"0002_indexes\.sql"):
        await migrate(fresh.owner, tmp_path, "probe")
    assert await pending(fresh.owner, tmp_path, "probe") == ["0002_indexes.sql"]
