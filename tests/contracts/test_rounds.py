"""What the worker asks each minute is found by an index, and ends, however many rows there are."""

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast

import pytest
import pytest_asyncio

from idp.backchannel import store as backchannel
from idp.logout import store as logout
from idp.messages import store as messages
from idp.recovery import store as recovery
from khizana.databases import opened_vault
from khizana.embedded.s3 import EmbeddedS3
from khizana.rounds import (
    count_lapsed,
    count_locker_waiting,
    count_waiting,
    opened_sequencer,
    rewrap_keys,
    sweep_idp,
    sweep_locker,
)
from kit.audit import Audit
from kit.db import Database, Row, Tx
from kit.ids import new_id
from kit.jobs.store import Jobs
from locker.archive import store as archive
from locker.deposits import store as deposits
from locker.erasing.erase import erase_due
from locker.exporting import store as exporting
from locker.log.sequence import sequence
from locker.retention.remove_overdue import remove_overdue
from locker.seals import store as seals
from locker.settings import LockerSettings
from locker.uploads import store as uploads
from locker.vault import Vault
from locker.webhooks.spread import spread
from tests.conftest import Dsns
from tests.locker_world import settings_for

pytestmark = pytest.mark.asyncio(loop_scope="module")
T = TypeVar("T")

# Few, whatever the number of citizens; what waits, read in its order up to a limit; or who is signed in just now.
FEW = {"idp.thaw", "idp.client", "locker.deposit_batch", "locker.webhook", "locker.webhook_key", "locker.epoch_key"}
FEW |= {"locker.document_type", "locker.log_waiting", ".log_waiting_pkey", "locker.session"}


class Heard:
    """A transaction that keeps what is asked of it."""

    def __init__(self, tx: Tx, asked: dict[str, Sequence[Any]]) -> None:
        self._tx, self._asked = tx, asked

    async def fetchrow(self, sql: str, *args: Any) -> Row | None:
        self._asked[sql] = args
        return await self._tx.fetchrow(sql, *args)

    async def fetch(self, sql: str, *args: Any) -> Sequence[Row]:
        self._asked[sql] = args
        return await self._tx.fetch(sql, *args)

    async def fetchval(self, sql: str, *args: Any) -> Any:
        self._asked[sql] = args
        return await self._tx.fetchval(sql, *args)

    async def execute(self, sql: str, *args: Any) -> str:
        self._asked[sql] = args
        return await self._tx.execute(sql, *args)


class Hearing(Database):
    """The database itself, which keeps what it is asked."""

    asked: dict[str, Sequence[Any]]

    async def transact(self, action: Callable[[Tx], Awaitable[T]]) -> T:
        return await super().transact(lambda tx: action(Heard(tx, self.asked)))

    async def fetchrow(self, sql: str, *args: Any) -> Row | None:
        self.asked[sql] = args
        return await super().fetchrow(sql, *args)

    async def fetch(self, sql: str, *args: Any) -> Sequence[Row]:
        self.asked[sql] = args
        return await super().fetch(sql, *args)

    async def fetchval(self, sql: str, *args: Any) -> Any:
        self.asked[sql] = args
        return await super().fetchval(sql, *args)

    async def execute(self, sql: str, *args: Any) -> str:
        self.asked[sql] = args
        return await super().execute(sql, *args)


async def hearing(dsn: str) -> Hearing:
    database = cast("Hearing", await Hearing.connect(dsn))
    database.asked = {}
    return database


@pytest.fixture(scope="module")
def settings(dsns: Dsns, s3: EmbeddedS3, tmp_path_factory: pytest.TempPathFactory) -> LockerSettings:
    return settings_for(dsns.locker, s3, tmp_path_factory.mktemp("locker"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def provider(dsns: Dsns) -> AsyncIterator[Hearing]:
    db = await hearing(dsns.idp)
    await sweep_idp(db)
    await count_waiting(db)
    await messages.claim(db, channel="sms", count_max=1, lease_s=1)
    await backchannel.claim_pings(db, count_max=1, tries_max=1, lease_s=1)
    await logout.claim(db, count_max=1, first_delay_s=1, delay_max_s=1)
    await recovery.claim_due_notices(db, count_max=1)
    yield db
    await db.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def locker(dsns: Dsns, settings: LockerSettings) -> AsyncIterator[Hearing]:
    db = await hearing(dsns.locker)
    async with opened_vault(db, settings) as vault, opened_sequencer(db, vault, settings) as sequencer:
        await sequence(sequencer)
        await _rounds(db, vault, settings)
    yield db
    await db.close()


async def _rounds(db: Database, vault: Vault, settings: LockerSettings) -> None:
    audit, jobs, now = Audit("locker"), Jobs("locker"), datetime.now(UTC)
    await sweep_locker(db, vault, settings)
    await rewrap_keys(db, vault)
    await erase_due(db, audit, vault)
    await remove_overdue(db, audit)
    await spread(db, audit, jobs, waiting_max=10)
    await jobs.take(db, "webhook", count_max=1, per_lane_max=1, busy={}, lease_s=1, by="here")
    await exporting.take_due(db, lease_s=1)
    await deposits.take_quarantined(db, attempt=new_id(), lease_s=1)
    await uploads.take_pending(db, attempt=new_id(), lease_s=1)
    await seals.take_due(db, attempt=new_id(), lease_s=1, wait_max_s=1, batch_max=1)
    lease = timedelta(seconds=1)
    for each in (False, True):
        await archive.take_copy(db, now=now, by=now, weak=["sha1"], each=each, attempt=new_id(), lease=lease)
    await archive.take_record(db, now=now, by=now, weak=["sha1"], attempt=new_id(), lease=lease)
    await count_locker_waiting(db)
    await count_lapsed(db)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def owner(dsns: Dsns) -> AsyncIterator[Database]:
    db = await Database.connect(dsns.owner)
    yield db
    await db.close()


async def scanned(owner: Database, asked: dict[str, Sequence[Any]]) -> dict[str, set[str]]:
    """Statement → tables that PostgreSQL reads from one end to the other although it would rather not."""
    found: dict[str, set[str]] = {}
    async with owner.transaction() as tx:
        for way in ("seqscan", "hashjoin", "mergejoin"):
            await tx.execute(f"SET LOCAL enable_{way} TO off")
        partial = {
            row["name"]
            for row in await tx.fetch(
                "SELECT indexrelid::regclass::text AS name FROM pg_index WHERE indpred IS NOT NULL"
            )
        }
        for sql, args in asked.items():
            if sql.lstrip().startswith(("SET", "SELECT pg_advisory")):
                continue
            plan = await tx.fetchval(f"EXPLAIN (VERBOSE, FORMAT JSON) {sql}", *args)
            if tables := set(_whole(json.loads(plan)[0]["Plan"], partial)):
                found[sql] = tables
    return found


def _whole(node: dict[str, Any], partial: set[str]) -> list[str]:
    """An index of some rows alone may be read whole: it holds what waits."""
    schema, kind = node.get("Schema", ""), node["Node Type"]
    whole = kind == "Seq Scan" or (
        kind in ("Index Scan", "Index Only Scan", "Bitmap Index Scan")
        and "Index Cond" not in node
        and not any(name.endswith("." + node["Index Name"]) for name in partial)
    )
    table = f"{schema}.{node.get('Relation Name', node.get('Index Name', ''))}"
    return [table] * whole + [name for below in node.get("Plans", []) for name in _whole(below, partial)]


async def test_a_round_reads_no_table_from_one_end_to_the_other(
    provider: Hearing, locker: Hearing, owner: Database
) -> None:
    found = {**await scanned(owner, provider.asked), **await scanned(owner, locker.asked)}
    unwanted = {sql: tables - FEW for sql, tables in found.items() if tables - FEW}
    assert unwanted == {}


async def test_a_round_deletes_and_changes_so_many_rows_at_once(provider: Hearing, locker: Hearing) -> None:
    """What a worker that was away for days finds is more than one statement may do in its time."""
    changing = [sql for sql in (*provider.asked, *locker.asked) if "DELETE FROM" in sql or "UPDATE " in sql]
    assert len(changing) > 40
    unbounded = {sql for sql in changing if "LIMIT" not in sql}
    few = {sql for sql in unbounded if re.search(r"locker\.(log_head|webhook|webhook_key)\b", sql)}
    assert unbounded - few == set()


async def test_an_erasure_finds_the_lines_of_a_citizen_by_indexes(owner: Database) -> None:
    """As ``idp.erase_citizen`` asks for them: also those of what they did for somebody else."""
    [function] = await owner.fetch("SELECT prosrc FROM pg_proc WHERE oid = 'idp.erase_citizen(uuid)'::regprocedure")
    assert "WHERE owner = who::text OR actor = who::text" in function["prosrc"]
    asked = "UPDATE idp.audit SET result = 'erased' WHERE owner = $1 OR actor = $1"
    assert await scanned(owner, {asked: ["2000000001"]}) == {}
