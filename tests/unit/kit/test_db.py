import asyncio

import asyncpg
import pytest

from khizana.embedded.postgres import EmbeddedPostgres
from kit.db import Database, Tx
from kit.errors import Malformed, Unavailable
from kit.lanes import READING
from tests.conftest import Dsns


@pytest.fixture(scope="module", autouse=True)
def table(dsns: Dsns) -> None:
    async def make() -> None:
        connection = await asyncpg.connect(dsns.owner)
        await connection.execute(
            """
            CREATE TABLE idp.account (name text PRIMARY KEY, amount integer NOT NULL, extra jsonb);
            GRANT SELECT, INSERT, UPDATE, DELETE ON idp.account TO idp;
            INSERT INTO idp.account (name, amount) VALUES ('a', 0), ('b', 0)"""
        )
        await connection.close()

    asyncio.run(make())


async def test_a_transaction_that_raises_leaves_nothing(idp_db: Database) -> None:
    async def fail() -> None:
        async with idp_db.transaction() as tx:
            await tx.execute("INSERT INTO idp.account (name, amount) VALUES ('gone', 1)")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await idp_db.fetchval("SELECT count(*) FROM idp.account WHERE name = 'gone'") == 0


async def test_jsonb_takes_and_gives_objects(idp_db: Database) -> None:
    value = {"ar": "خزانة", "n": [1, 2.5, None, True]}
    await idp_db.execute("INSERT INTO idp.account (name, amount, extra) VALUES ('json', 0, $1)", value)
    assert await idp_db.fetchval("SELECT extra FROM idp.account WHERE name = 'json'") == value
    assert await idp_db.fetchval("SELECT extra->>'ar' FROM idp.account WHERE name = 'json'") == "خزانة"


async def test_a_deadlock_is_repeated_until_both_have_happened(idp_db: Database) -> None:
    """Two transactions that take the same rows the other way round: PostgreSQL ends one, and it goes again."""
    both_hold = asyncio.Barrier(2)
    runs = 0

    async def move(first: str, second: str) -> None:
        met = False

        async def action(tx: Tx) -> None:
            nonlocal met, runs
            runs += 1
            await tx.execute("UPDATE idp.account SET amount = amount + 1 WHERE name = $1", first)
            if not met:
                met = True
                await both_hold.wait()
            await tx.execute("UPDATE idp.account SET amount = amount + 1 WHERE name = $1", second)

        await idp_db.transact(action)

    await asyncio.gather(move("a", "b"), move("b", "a"))
    rows = await idp_db.fetch("SELECT amount FROM idp.account WHERE name IN ('a', 'b')")
    assert [row["amount"] for row in rows] == [2, 2]
    assert runs == 3


async def test_a_mistake_of_ours_is_not_repeated(idp_db: Database) -> None:
    runs = 0

    async def action(tx: Tx) -> None:
        nonlocal runs
        runs += 1
        await tx.execute("INSERT INTO idp.account (name, amount) VALUES ('a', 0)")

    with pytest.raises(asyncpg.UniqueViolationError):
        await idp_db.transact(action)
    assert runs == 1


async def test_what_cannot_be_a_value_of_its_type_is_a_mistake_of_ours_and_no_outage(idp_db: Database) -> None:
    """Said to be away it would be tried again and again, and nobody would hear of the mistake."""
    with pytest.raises(asyncpg.DataError, match="value out of"):
        await idp_db.fetchval("SELECT $1::int", 2**40)
    async with idp_db.transaction() as tx:
        with pytest.raises(asyncpg.DataError, match="value out of"):
            await tx.fetchval("SELECT $1::int", 2**40)
    assert await idp_db.fetchval("SELECT $1::int", 1) == 1


async def test_whoever_goes_away_in_the_middle_leaves_the_pool_clean(dsns: Dsns) -> None:
    """Cancelled while it waits for a connection, in a statement, and in a transaction: no place and no lock stays."""
    db = await Database.connect(dsns.idp, connections_max=2, acquire_timeout_s=5)

    async def writing() -> None:
        with READING.entered():
            async with db.transaction() as tx:
                await tx.execute("UPDATE idp.account SET amount = amount + 1 WHERE name = 'b'")
                await tx.execute("SELECT pg_sleep(30)")

    async def sleeping() -> None:
        with READING.entered():
            await db.execute("SELECT pg_sleep(30)")

    try:
        before = await db.fetchval("SELECT amount FROM idp.account WHERE name = 'b'")
        for _ in range(3):
            tasks = [asyncio.create_task(one()) for one in (writing, sleeping, sleeping)]
            async with asyncio.timeout(10):
                while db.connections()[0] < 1:
                    await asyncio.sleep(0.01)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        with READING.entered():
            await db.execute("UPDATE idp.account SET amount = amount WHERE name = 'b'")
            assert await db.fetchval("SELECT amount FROM idp.account WHERE name = 'b'") == before
        assert db.connections()[0] == 0
    finally:
        await db.close()


async def test_a_full_pool_is_unavailable_soon(dsns: Dsns) -> None:
    db = await Database.connect(dsns.idp, connections_max=1, acquire_timeout_s=0.2)
    try:
        async with db.transaction():
            started = asyncio.get_running_loop().time()
            with pytest.raises(Unavailable):
                await db.fetchval("SELECT 1")
            assert asyncio.get_running_loop().time() - started < 1
        assert await db.fetchval("SELECT 1") == 1
    finally:
        await db.close()


async def test_a_slow_statement_is_cut(dsns: Dsns) -> None:
    db = await Database.connect(dsns.idp, command_timeout_s=0.2)
    try:
        with pytest.raises(Unavailable):
            await db.fetchval("SELECT pg_sleep(5)")
        assert await db.fetchval("SELECT 1") == 1
    finally:
        await db.close()


@pytest.mark.parametrize(
    "sqlstate", ["53100", "53200", "53300", "25006", "57014", "57P02", "57P03", "55P03", "40001", "40P01"]
)
async def test_f_18_what_the_server_has_no_room_or_no_time_for_is_unavailable(idp_db: Database, sqlstate: str) -> None:
    """Disk full, out of memory, a standby, cut, going down, locked; and what went on failing however often."""
    with pytest.raises(Unavailable):
        await idp_db.execute(f"DO $$ BEGIN RAISE EXCEPTION 'injected' USING ERRCODE = '{sqlstate}'; END $$")

    async def once() -> None:
        async with idp_db.transaction() as tx:
            await tx.execute(f"DO $$ BEGIN RAISE EXCEPTION 'injected' USING ERRCODE = '{sqlstate}'; END $$")

    with pytest.raises(Unavailable):
        await once()


async def test_the_server_itself_ends_what_takes_too_long(dsns: Dsns) -> None:
    """So that a statement of a process that died does not hold its locks."""
    db = await Database.connect(dsns.idp, command_timeout_s=0.4)
    try:
        settings = "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"
        assert [await db.fetchval("SELECT current_setting($1)", name) for name in settings] == ["400ms", "240ms", "1s"]
    finally:
        await db.close()


async def test_a_connection_that_the_server_ended_does_not_hurt_the_next_statement(
    dsns: Dsns, postgres: EmbeddedPostgres
) -> None:
    db = await Database.connect(dsns.idp, connections_max=1)
    try:
        pid = await db.fetchval("SELECT pg_backend_pid()")
        admin = await asyncpg.connect(postgres.dsn("postgres", "postgres"))
        await admin.execute("SELECT pg_terminate_backend($1, 5000)", pid)
        await admin.close()
        for _ in range(2):
            try:
                assert await db.fetchval("SELECT 1") == 1
            except Unavailable:
                continue
            break
        else:
            pytest.fail("the pool did not come back")
    finally:
        await db.close()


async def test_a_database_that_is_not_there_stops_no_start() -> None:
    db = await Database.connect("postgresql://idp:x@/khizana?host=/nonexistent", acquire_timeout_s=0.5)
    with pytest.raises(Unavailable):
        await db.fetchval("SELECT 1")
    await db.close()


async def test_a_nul_is_what_no_row_can_hold_and_no_fault(idp_db: Database) -> None:
    for kind, value in (("text", "a\x00b"), ("jsonb", {"a": "\x00"})):
        with pytest.raises(Malformed):
            await idp_db.fetchval(f"SELECT $1::{kind}", value)
        with pytest.raises(Malformed):
            async with idp_db.transaction() as tx:
                await tx.execute(f"SELECT $1::{kind}", value)


async def test_f_04_a_connection_that_was_ended_while_nobody_used_it_is_away_and_replaced(dsns: Dsns) -> None:
    """What the server said last has come, and that it hung up has not: asyncpg begins nothing on such a connection."""
    fields = (b"SFATAL", b"VFATAL", b"C57P01", b"Mterminating connection due to administrator command")
    body = b"".join(field + b"\0" for field in fields) + b"\0"
    db = await Database.connect(dsns.idp, connections_max=1)
    try:
        assert await db.fetchval("SELECT 1") == 1
        async with db._connection() as connection:
            connection._con._protocol.data_received(b"E" + (len(body) + 4).to_bytes(4, "big") + body)
        with pytest.raises(Unavailable):
            await db.fetchval("SELECT 1")
        assert await db.fetchval("SELECT 1") == 1
    finally:
        await db.close()
