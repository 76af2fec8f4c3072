"""What is past its time goes, some rows at a time."""

import asyncio

import asyncpg
import pytest

from khizana.rounds import sweep_idp
from kit.db import Database
from kit.errors import Unavailable
from kit.expired import forget
from tests.conftest import Dsns


async def filled(owner_db: Database, many: int, *, past: bool = True) -> None:
    await owner_db.execute(
        """
        INSERT INTO idp.proof_seen (proof_sha256, expires_at)
        SELECT sha256(convert_to(n || '/' || $2::int, 'UTF8')), now() + make_interval(hours => $2)
          FROM generate_series(1, $1::int) AS n""",
        many,
        -1 if past else 1,
    )


async def left(db: Database) -> int:
    many: int = await db.fetchval("SELECT count(*) FROM idp.proof_seen")
    return many


async def test_all_that_is_past_goes_and_nothing_else(idp_db: Database, owner_db: Database) -> None:
    await filled(owner_db, 25)
    await filled(owner_db, 5, past=False)
    assert await forget(idp_db, "idp.proof_seen", "expires_at < now()", batch_max=10) == 25
    assert await left(idp_db) == 5
    assert await forget(idp_db, "idp.proof_seen", "expires_at < now()", batch_max=10) == 0
    await owner_db.execute("DELETE FROM idp.proof_seen")


async def test_a_round_ends(idp_db: Database, owner_db: Database) -> None:
    await filled(owner_db, 25)
    assert await forget(idp_db, "idp.proof_seen", "expires_at < now()", batch_max=10, batches_max=2) == 20
    assert await left(idp_db) == 5
    await owner_db.execute("DELETE FROM idp.proof_seen")


async def test_what_one_batch_forgot_is_gone_where_a_later_one_fails(
    dsns: Dsns, idp_db: Database, owner_db: Database
) -> None:
    """A backlog that no single statement ends in its time gets smaller with each round."""
    await filled(owner_db, 25)
    held = await asyncpg.connect(dsns.owner)
    try:
        transaction = held.transaction()
        await transaction.start()
        # Whoever comes to this row waits, and is cut off.
        last = await held.fetchval("SELECT proof_sha256 FROM idp.proof_seen ORDER BY ctid DESC LIMIT 1 FOR UPDATE")
        with pytest.raises(Unavailable):
            await forget(idp_db, "idp.proof_seen", "expires_at < now()", batch_max=10)
        assert await left(idp_db) == 5
        await transaction.rollback()
    finally:
        await held.close()
    assert await forget(idp_db, "idp.proof_seen", "expires_at < now()", batch_max=10) == 5
    assert last is not None


async def test_what_gets_more_time_while_it_is_waited_for_stays(
    dsns: Dsns, idp_db: Database, owner_db: Database
) -> None:
    await filled(owner_db, 3)
    longer = await asyncpg.connect(dsns.owner)
    try:
        transaction = longer.transaction()
        await transaction.start()
        await longer.execute(
            """UPDATE idp.proof_seen SET expires_at = now() + interval '1 hour'
                WHERE proof_sha256 = (SELECT proof_sha256 FROM idp.proof_seen LIMIT 1)"""
        )
        forgetting = asyncio.ensure_future(forget(idp_db, "idp.proof_seen", "expires_at < now()"))
        while not await owner_db.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
            assert not forgetting.done()
        await transaction.commit()
    finally:
        await longer.close()
    assert await forgetting == 2
    assert await left(idp_db) == 1
    await owner_db.execute("DELETE FROM idp.proof_seen")


async def test_a_table_that_cannot_be_swept_keeps_no_other_from_it(
    dsns: Dsns, idp_db: Database, owner_db: Database
) -> None:
    await filled(owner_db, 3)
    # Swept before it.
    locked = await asyncpg.connect(dsns.owner)
    try:
        transaction = locked.transaction()
        await transaction.start()
        await locked.execute("LOCK TABLE idp.known_browser IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(Unavailable):
            await sweep_idp(idp_db)
        assert await left(idp_db) == 0
        await transaction.rollback()
    finally:
        await locked.close()
    await sweep_idp(idp_db)
