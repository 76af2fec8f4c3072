"""Master → epoch → citizen → document: made once, bound to their place, gone when destroyed."""

import asyncio
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from kit.audit import Audit
from kit.db import Database
from locker.vault import store
from locker.vault.keys import (
    FileMasterKey,
    KeyNotAuthentic,
    Keys,
    MasterKey,
    MasterKeyFileRefused,
    MasterKeyWrong,
    canonical,
    citizen_associated_data,
    epoch_associated_data,
    unwrap,
    wrap,
)
from locker.vault.refusals import Erased
from locker.vault.rewrap_all import rewrap_all

FORMAT = "format"


@pytest.fixture
def keys(locker_db: Database, master: FileMasterKey) -> Keys:
    return Keys(locker_db, master)


@pytest.fixture
def owner() -> str:
    return f"sub-{uuid4()}"


async def new_key(keys: Keys, owner: str, document_id: str = "D1") -> tuple[bytes, bytes, str]:
    return await keys.new_document_key(owner=owner, document_id=document_id, version=1, sealed_as=FORMAT)


async def same_key(keys: Keys, wrapped: bytes, owner: str, document_id: str = "D1") -> bytes:
    return await keys.document_key(wrapped, owner=owner, document_id=document_id, version=1, sealed_as=FORMAT)


async def move_all(keys: Keys) -> None:
    after = ("", "")
    while (step := await keys.rewrap(after=after)).last:
        after = step.last


async def test_a_document_key_comes_back_for_its_place(keys: Keys, owner: str) -> None:
    key, wrapped, epoch = await new_key(keys, owner)
    assert len(key) == 32
    assert len(wrapped) == 61
    assert len(epoch) == 7
    assert await same_key(keys, wrapped, owner) == key


async def test_a_restarted_process_opens_it_too(keys: Keys, owner: str, locker_db: Database, master: MasterKey) -> None:
    key, wrapped, _ = await new_key(keys, owner)
    assert await same_key(Keys(locker_db, master), wrapped, owner) == key


async def test_many_nodes_that_race_make_one_key(locker_db: Database, master: FileMasterKey, owner: str) -> None:
    nodes = [Keys(locker_db, master) for _ in range(8)]
    made = await asyncio.gather(*(new_key(node, owner, f"D{n}") for n, node in enumerate(nodes)))
    reader = Keys(locker_db, master)
    for number, (key, wrapped, _) in enumerate(made):
        assert await same_key(reader, wrapped, owner, f"D{number}") == key
    assert await locker_db.fetchval("SELECT count(*) FROM locker.citizen_key WHERE owner = $1", owner) == 1


async def test_the_first_key_of_a_month_is_one_however_many_start(new_database: Any, master: FileMasterKey) -> None:
    db = await Database.connect(new_database().locker)
    nodes = [Keys(db, master) for _ in range(8)]
    made = await asyncio.gather(*(new_key(node, f"citizen {number}") for number, node in enumerate(nodes)))
    reader = Keys(db, master)
    for number, (key, wrapped, _) in enumerate(made):
        assert await same_key(reader, wrapped, f"citizen {number}") == key
    assert await db.fetchval("SELECT count(*) FROM locker.epoch_key") == 1
    await db.close()


@pytest.mark.parametrize("changed", ["owner", "document_id", "version", "sealed_as"])
async def test_a_wrapped_key_opens_in_no_other_place(keys: Keys, owner: str, changed: str) -> None:
    other_owner = f"{owner}-other"
    await new_key(keys, other_owner)
    _, wrapped, _ = await new_key(keys, owner)
    place = {"owner": owner, "document_id": "D1", "version": 1, "sealed_as": FORMAT}
    place |= {changed: {"owner": other_owner, "document_id": "D2", "version": 2, "sealed_as": "other"}[changed]}
    with pytest.raises(KeyNotAuthentic):
        await keys.document_key(wrapped, **place)  # type: ignore[arg-type]


async def test_any_flipped_bit_of_a_wrapped_key_is_noticed(keys: Keys, owner: str) -> None:
    _, wrapped, _ = await new_key(keys, owner)
    for bit in range(len(wrapped) * 8):
        flipped = bytearray(wrapped)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(KeyNotAuthentic):
            await same_key(keys, bytes(flipped), owner)


@given(st.lists(st.text(max_size=6), max_size=5), st.lists(st.text(max_size=6), max_size=5))
def test_two_lists_of_fields_never_read_the_same(one: list[str], other: list[str]) -> None:
    assert (canonical(*one) == canonical(*other)) == (one == other)


async def test_a_citizen_row_copied_to_another_owner_opens_nothing(
    keys: Keys, owner: str, owner_db: Database, locker_db: Database, master: FileMasterKey
) -> None:
    thief = f"{owner}-thief"
    await new_key(keys, owner)
    await new_key(keys, thief)
    await owner_db.execute(
        """UPDATE locker.citizen_key SET wrapped_key = (SELECT wrapped_key FROM locker.citizen_key WHERE owner = $1)
            WHERE owner = $2""",
        owner,
        thief,
    )
    with pytest.raises(KeyNotAuthentic):
        await new_key(Keys(locker_db, master), thief)


async def test_after_destruction_nothing_opens_and_nothing_is_added(
    keys: Keys, owner: str, locker_db: Database
) -> None:
    _, wrapped, _ = await new_key(keys, owner)
    assert await keys.destroy(locker_db, owner)
    assert not await keys.destroy(locker_db, owner)
    with pytest.raises(Erased):
        await same_key(keys, wrapped, owner)
    with pytest.raises(Erased):
        await new_key(keys, owner)
    row = await locker_db.fetchrow("SELECT wrapped_key, destroyed_at FROM locker.citizen_key WHERE owner = $1", owner)
    assert row is not None
    assert row["wrapped_key"] is None


async def test_an_owner_without_a_key_can_be_erased_for_ever_too(keys: Keys, owner: str, locker_db: Database) -> None:
    assert await keys.destroy(locker_db, owner)
    with pytest.raises(Erased):
        await new_key(keys, owner)


async def test_another_node_that_remembers_seals_nothing_under_a_destroyed_key(
    keys: Keys, owner: str, locker_db: Database, master: FileMasterKey
) -> None:
    other = Keys(locker_db, master)
    await new_key(other, owner)
    await keys.destroy(locker_db, owner)
    with pytest.raises(Erased):
        await new_key(other, owner)


async def test_another_node_forgets_within_its_limit(
    keys: Keys, owner: str, locker_db: Database, master: FileMasterKey
) -> None:
    other = Keys(locker_db, master, remembered_s=0.2)
    _, wrapped, _ = await new_key(other, owner)
    await keys.destroy(locker_db, owner)
    await asyncio.sleep(0.25)
    with pytest.raises(Erased):
        await same_key(other, wrapped, owner)


def test_nobody_may_remember_longer_than_five_minutes(locker_db: Database, master: FileMasterKey) -> None:
    with pytest.raises(ValueError, match="five minutes"):
        Keys(locker_db, master, remembered_s=301)


async def test_a_reader_in_between_does_not_bring_a_destroyed_key_back(
    keys: Keys, owner: str, locker_db: Database, master: FileMasterKey
) -> None:
    _, wrapped, _ = await Keys(locker_db, master).new_document_key(
        owner=owner, document_id="D1", version=1, sealed_as=FORMAT
    )
    async with locker_db.transaction() as tx:
        await keys.destroy(tx, owner)
        # Not committed yet: this reader still sees the row and may open, but must not remember it.
        await same_key(keys, wrapped, owner)
    with pytest.raises(Erased):
        await same_key(keys, wrapped, owner)


async def test_an_erasure_waits_for_the_deposit_that_holds_the_key(keys: Keys, owner: str, locker_db: Database) -> None:
    await new_key(keys, owner)
    async with locker_db.transaction() as tx:
        await keys.hold(tx, owner)
        erasure = asyncio.create_task(keys.destroy(locker_db, owner))
        await asyncio.sleep(0.1)
        assert not erasure.done()
    assert await erasure
    with pytest.raises(Erased):
        await keys.hold(locker_db, owner)


async def test_the_memory_of_keys_is_bounded(locker_db: Database, master: FileMasterKey, owner: str) -> None:
    keys = Keys(locker_db, master, remembered_max=3)
    for number in range(10):
        await new_key(keys, f"{owner}-{number}")
    assert len(keys._citizens._entries) == 3


async def older_citizen(db: Database, master: FileMasterKey, owner: str, epoch: str) -> bytes:
    """A citizen key as it was wrapped in an earlier month."""
    key = os.urandom(32)
    await store.add_epoch_key(
        db, epoch=epoch, master_id=master.id, wrapped_key=await master.wrap(key, epoch_associated_data(epoch))
    )
    row = await store.epoch_key(db, epoch)
    assert row is not None
    assert row.wrapped_key is not None
    epoch_key = AESGCM(await master.unwrap(row.wrapped_key, epoch_associated_data(epoch)))
    citizen = os.urandom(32)
    wrapped = wrap(epoch_key, citizen, citizen_associated_data(owner, epoch))
    assert await store.add_citizen_key(db, owner=owner, epoch=epoch, wrapped_key=wrapped)
    return citizen


async def test_rewrapping_moves_all_in_bounded_steps_and_changes_no_document_key(
    keys: Keys, owner: str, locker_db: Database, master: FileMasterKey
) -> None:
    owners = [f"{owner}-{number}" for number in range(7)]
    for each in owners:
        await older_citizen(locker_db, master, each, "2020-01")
    made = [await new_key(keys, each) for each in owners]
    moved, after = [], ("", "")
    while (step := await keys.rewrap(after=after, batch_max=3)).last:
        moved.append(step.moved)
        after = step.last
    assert max(moved) == 3
    assert sum(moved) == 7
    reader = Keys(locker_db, master)
    for each, (key, wrapped, epoch) in zip(owners, made, strict=True):
        assert epoch == "2020-01"
        assert await same_key(reader, wrapped, each) == key
    assert await locker_db.fetchval("SELECT count(*) FROM locker.citizen_key WHERE epoch = '2020-01'") == 0


async def test_two_rewraps_at_once_and_an_erasure_do_no_harm(
    keys: Keys, owner: str, locker_db: Database, master: FileMasterKey
) -> None:
    owners = [f"{owner}-{number}" for number in range(20)]
    for each in owners:
        await older_citizen(locker_db, master, each, "2020-02")
    made = [await new_key(keys, each) for each in owners]
    other = Keys(locker_db, master)
    await asyncio.gather(keys.rewrap(), other.rewrap(), *(keys.destroy(locker_db, each) for each in owners[:5]))
    await move_all(keys)
    reader = Keys(locker_db, master)
    for number, (each, (key, wrapped, _)) in enumerate(zip(owners, made, strict=True)):
        if number < 5:
            with pytest.raises(Erased):
                await same_key(reader, wrapped, each)
        else:
            assert await same_key(reader, wrapped, each) == key


async def test_a_damaged_citizen_key_keeps_nobody_elses_from_moving(
    keys: Keys, owner: str, locker_db: Database, owner_db: Database, master: FileMasterKey
) -> None:
    """It would hold up the month of everybody who comes after it, and with it the end of the epoch."""
    owners = [f"{owner}-{number}" for number in range(6)]
    for each in owners:
        await older_citizen(locker_db, master, each, "2019-12")
    made = [await new_key(keys, each) for each in owners]
    swapped = (
        "UPDATE locker.citizen_key SET wrapped_key = (SELECT wrapped_key FROM locker.citizen_key WHERE owner = $2)"
    )
    await owner_db.execute(f"{swapped} WHERE owner = $1", owners[0], owners[1])
    done = await rewrap_all(Keys(locker_db, master), Audit("locker"), locker_db, officer=None, batch_max=2)
    assert done.unreadable >= 1
    left = await owner_db.fetch("SELECT owner FROM locker.citizen_key WHERE epoch = '2019-12'")
    assert [row["owner"] for row in left] == owners[:1]
    reader = Keys(locker_db, master)
    for each, (key, wrapped, _) in list(zip(owners, made, strict=True))[1:]:
        assert await same_key(reader, wrapped, each) == key
    await owner_db.execute("DELETE FROM locker.citizen_key WHERE owner = $1", owners[0])


async def test_an_epoch_is_destroyed_only_when_old_and_no_longer_needed(
    keys: Keys, owner: str, locker_db: Database, owner_db: Database, master: FileMasterKey
) -> None:
    await older_citizen(locker_db, master, owner, "2020-03")
    old = await store.citizen_key(locker_db, owner)
    assert old is not None
    assert old.wrapped_key is not None
    _, _, current = await new_key(keys, f"{owner}-now")
    assert not await keys.destroy_epoch("2020-03")
    await move_all(keys)
    assert await keys.destroy_epoch("2020-03")
    assert not await keys.destroy_epoch(current)
    # The row of an older backup, put beside the epoch that is gone.
    await owner_db.execute(
        "UPDATE locker.citizen_key SET epoch = $2, wrapped_key = $3 WHERE owner = $1", owner, old.epoch, old.wrapped_key
    )
    with pytest.raises(KeyNotAuthentic):
        await Keys(locker_db, master)._unwrap_citizen(owner, "2020-03", old.wrapped_key)


async def test_another_master_key_is_named_at_the_start(keys: Keys, owner: str, locker_db: Database) -> None:
    await new_key(keys, owner)
    await keys.check()
    with pytest.raises(MasterKeyWrong):
        await Keys(locker_db, FileMasterKey(os.urandom(32))).check()


async def test_the_master_key_bound_the_epoch_to_its_name(keys: Keys, owner: str, master: FileMasterKey) -> None:
    wrapped = await master.wrap(os.urandom(32), epoch_associated_data("2020-04"))
    with pytest.raises(KeyNotAuthentic):
        await master.unwrap(wrapped, epoch_associated_data("2020-05"))


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM locker.citizen_key",
        "DELETE FROM locker.epoch_key",
        "UPDATE locker.epoch_key SET epoch = '2030-01'",
        "UPDATE locker.citizen_key SET owner = 'x'",
        "TRUNCATE locker.citizen_key",
    ],
)
async def test_the_app_cannot_move_or_remove_keys(locker_db: Database, sql: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await locker_db.execute(sql)


def test_a_master_key_file_is_made_once_however_many_start(tmp_path: Path) -> None:
    file = tmp_path / "keys" / "master.key"
    with ThreadPoolExecutor(8) as pool:
        ids = {key.id for key in pool.map(FileMasterKey.load_or_create, [file] * 16)}
    assert len(ids) == 1
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [each.name for each in file.parent.iterdir()] == ["master.key"]


@pytest.mark.parametrize(
    ("content", "mode"), [(bytes(31), 0o600), (bytes(33), 0o600), (b"", 0o600), (bytes(32), 0o640)]
)
def test_a_wrong_master_key_file_is_refused_and_kept(tmp_path: Path, content: bytes, mode: int) -> None:
    file = tmp_path / "master.key"
    file.write_bytes(content)
    file.chmod(mode)
    with pytest.raises(MasterKeyFileRefused):
        FileMasterKey.load_or_create(file)
    assert file.read_bytes() == content


def test_unwrap_wants_the_exact_form() -> None:
    wrapping = AESGCM(bytes(32))
    wrapped = wrap(wrapping, bytes(32), b"for this")
    assert unwrap(wrapping, wrapped, b"for this") == bytes(32)
    for other in (wrapped[1:], b"\x02" + wrapped[1:], wrapped + b"\0", b""):
        with pytest.raises(KeyNotAuthentic):
            unwrap(wrapping, other, b"for this")
