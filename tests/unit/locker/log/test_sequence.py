"""Every committed row gets one place in one tree, whoever dies and whoever runs beside."""

import asyncio
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from kit.audit import Audit, AuditEvent
from kit.db import Tx
from kit.jose import SigningKey
from locker.log import rotate_key as rotation
from locker.log import store
from locker.log.adopt import adopt
from locker.log.checkpoint import Checkpoint, LogKey, NoteRefused, read_checkpoint
from locker.log.forget_owner import forget_owner
from locker.log.merkle import leaf_hash, root_of
from locker.log.objects import LogObjects
from locker.log.refusals import KeyBesideStands, LogLed, NoKeyBeside, NotToBeAdopted
from locker.log.rotate_key import retire_key, rotate_key
from locker.log.sequence import LogForked, Sequencer, sequence
from locker.log.tiles import Tile
from locker.log.verify import verify
from tests.unit.locker.log.log_world import AMINA, YOUSSEF, LogWorld, open_log

pytestmark = pytest.mark.asyncio(loop_scope="function")


@pytest_asyncio.fixture
async def place(new_database: Any, s3: Any) -> AsyncIterator[LogWorld]:
    async with open_log(new_database(), s3) as opened:
        yield opened


async def published_leaves(place: LogWorld) -> list[bytes]:
    """Read as a stranger does: the checkpoint, then the tiles that it needs; the root must be theirs."""
    note = await place.sequencer.objects.read_checkpoint()
    assert note
    checkpoint = read_checkpoint(note, place.sequencer.key.verifier_key)
    leaves: list[bytes] = []
    for number in range(-(-checkpoint.size // 256)):
        width = min(256, checkpoint.size - 256 * number)
        tile = await place.sequencer.objects.read_tile(Tile(0, number, width))
        bundle = await place.sequencer.objects.read_tile(Tile("entries", number, width))
        assert tile
        assert bundle
        assert len(bundle) == 34 * width
        assert b"".join(leaf_hash(bundle[at + 2 : at + 34]) for at in range(0, len(bundle), 34)) == tile
        leaves += [tile[at : at + 32] for at in range(0, len(tile), 32)]
    assert root_of(leaves) == checkpoint.root
    return leaves


async def test_rows_get_places_in_order_and_a_checkpoint_over_all_of_them(place: LogWorld) -> None:
    await place.act(3)
    await place.act(2, owner=YOUSSEF)
    await place.act(1, owner=None)
    done = await sequence(place.sequencer)
    assert (done.leads, done.leaves, done.size, done.published) == (True, 6, 6, 6)
    assert len(await published_leaves(place)) == 6
    rows = await place.owner_db.fetch("SELECT owner, number FROM locker.log_entry ORDER BY leaf_index")
    assert [tuple(row) for row in rows] == [(AMINA, 1), (AMINA, 2), (AMINA, 3), (YOUSSEF, 1), (YOUSSEF, 2), ("", 1)]
    assert await place.value("SELECT count(*) FROM locker.log_waiting") == 0
    assert (await sequence(place.sequencer)).leaves == 0


async def test_a_tree_of_several_levels_is_published_as_it_grows(place: LogWorld) -> None:
    sizes = []
    for many in (255, 1, 1, 300, 600):
        await place.act_at_once(many)
        sizes.append((await sequence(place.sequencer, batch_max=500)).size)
        assert len(await published_leaves(place)) == sizes[-1]
    assert sizes == [255, 256, 257, 557, 1157]
    prefix = f"{place.prefix}/tile/"
    names = [info.key.removeprefix(prefix) for info in await place.blobs.list(prefix)]
    # Parts went when their tile was full, the last ones stand; level 1 has grown in one tile.
    assert [name for name in names if name.startswith("0/")] == [
        "0/000",
        "0/001",
        "0/002",
        "0/003",
        "0/004.p/133",
        "0/004.p/33",
    ]
    assert "1/000.p/4" in names


async def test_a_row_that_commits_late_is_taken_late_and_not_stepped_over(place: LogWorld) -> None:
    async with place.db.transaction() as late:
        await Audit("locker").append(late, AuditEvent(action="document.revoked", actor_kind="system", owner=AMINA))
        await place.act(5)
        await place.rounds()
        assert (await store.head(place.db)).size == 5
    await place.act(1)
    await place.rounds()
    actions = await place.owner_db.fetch(
        "SELECT a.action FROM locker.log_leaf l JOIN locker.audit a USING (audit_id) ORDER BY leaf_index"
    )
    assert [row["action"] for row in actions] == ["document.viewed"] * 5 + ["document.revoked", "document.viewed"]


async def test_what_was_rolled_back_is_in_no_log(place: LogWorld) -> None:
    async def action(tx: Tx) -> None:
        await Audit("locker").append(tx, AuditEvent(action="share.created", actor_kind="citizen", owner=AMINA))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await place.db.transact(action)
    await place.rounds()
    assert (await store.head(place.db)).size == 0


async def test_rows_from_before_the_log_come_in_by_portions_and_once(place: LogWorld) -> None:
    await place.owner_db.execute("ALTER TABLE locker.audit DISABLE TRIGGER queue_for_log")
    await place.act(7)
    await place.owner_db.execute("ALTER TABLE locker.audit ENABLE TRIGGER queue_for_log")
    await place.owner_db.execute("UPDATE locker.log_head SET backfill_until = clock_timestamp()")
    await place.act(2, owner=YOUSSEF)
    assert (await sequence(place.sequencer, batch_max=3, batches_max=1)).leaves == 3
    assert (await sequence(place.sequencer, batch_max=3)).size == 9
    assert await place.value("SELECT backfill_until FROM locker.log_head") is None
    rows = await place.owner_db.fetch("SELECT audit_id FROM locker.log_leaf ORDER BY leaf_index")
    assert len({row["audit_id"] for row in rows}) == 9


async def test_two_workers_make_one_tree(place: LogWorld) -> None:
    other = place.other_worker()

    async def work(sequencer: Any) -> int:
        leaves = 0
        for _ in range(12):
            done = await sequence(sequencer, batch_max=20)
            leaves += done.leaves
            if done.leads:
                await sequencer.close()
        return leaves

    async def write() -> None:
        for _ in range(6):
            await asyncio.gather(*(place.act(5, owner=f"sub-{number}") for number in range(4)))

    one, two, _ = await asyncio.gather(work(place.sequencer), work(other), write())
    await place.rounds()
    total = await place.value("SELECT count(*) FROM locker.audit")
    assert total == 120
    assert one + two <= total
    assert len(await published_leaves(place)) == total
    gaps = await place.value(
        "SELECT count(*) FROM (SELECT owner FROM locker.log_entry GROUP BY 1 HAVING max(number) <> count(*)) AS g"
    )
    assert gaps == 0


async def test_who_does_not_lead_does_nothing_and_a_dead_leader_is_followed(place: LogWorld) -> None:
    await place.act(2)
    await place.rounds()
    other = place.other_worker()
    await place.act(1)
    assert not (await sequence(other)).leads
    await place.owner_db.execute("UPDATE locker.log_head SET leader_until = now() - interval '1 second'")
    assert (await sequence(other)).size == 3
    # The first one wakes up: its write is refused in the database, and it published nothing else.
    async with place.db.transaction() as tx:
        assert await store.hold_size(tx, leader=place.sequencer.leader) is None


@pytest.mark.parametrize("dies_at", ["write_tiles", "write_checkpoint", "publish"])
async def test_a_crash_at_any_point_leaves_one_tree(
    place: LogWorld, monkeypatch: pytest.MonkeyPatch, dies_at: str
) -> None:
    await place.act(5)
    await place.rounds()
    before = await published_leaves(place)
    await place.act(4)

    async def die(*_: Any, **__: Any) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr(store if dies_at == "publish" else LogObjects, dies_at, die)
        with pytest.raises(asyncio.CancelledError):
            await sequence(place.sequencer)
    await place.act(1, owner=YOUSSEF)
    await place.owner_db.execute("UPDATE locker.log_head SET leader_until = now()")
    assert (await sequence(place.other_worker())).size == 10
    after = await published_leaves(place)
    assert after[:5] == before
    assert len(after) == 10


async def test_a_leader_that_wakes_after_its_lease_takes_nothing_back(
    place: LogWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was stopped, or the object store took minutes, between its last look at the lead and its checkpoint."""
    other, write, asleep = place.other_worker(), LogObjects.write_checkpoint, True
    await place.act(3)

    async def late(objects: LogObjects, note: str) -> None:
        nonlocal asleep
        if asleep:
            asleep = False
            await place.owner_db.execute("UPDATE locker.log_head SET leader_until = now()")
            await place.act(2)
            assert (await sequence(other)).published == 5
        await write(objects, note)

    monkeypatch.setattr(LogObjects, "write_checkpoint", late)
    assert (await sequence(place.sequencer)).size == 5
    note = await place.sequencer.objects.read_checkpoint()
    assert note
    assert read_checkpoint(note, place.sequencer.key.verifier_key).size == 3
    # What is served is the database's, and the next round sets the other one right.
    assert (await store.head(place.db)).published == 5
    await sequence(other)
    assert len(await published_leaves(place)) == 5


async def set_back(place: LogWorld, size: int) -> None:
    """A restore of a backup that knows so many leaves; the object store stays."""
    await place.owner_db.execute(
        f"DELETE FROM locker.log_leaf WHERE leaf_index >= {size};"
        f"DELETE FROM locker.log_entry WHERE leaf_index >= {size};"
        "DELETE FROM locker.audit AS a WHERE NOT EXISTS (SELECT FROM locker.log_leaf l WHERE l.audit_id = a.audit_id);"
        "DELETE FROM locker.log_waiting; DELETE FROM locker.log_checkpoint;"
        f"UPDATE locker.log_head SET size = {size}, published = 0, checkpoint = NULL"
    )


async def test_a_database_that_was_set_back_signs_no_other_history(place: LogWorld) -> None:
    await place.act(8)
    await place.rounds()
    await set_back(place, 5)
    published = await place.sequencer.objects.read_checkpoint()
    await place.act(6)
    for _ in range(2):
        with pytest.raises(LogForked):
            await sequence(place.sequencer)
    assert await place.sequencer.objects.read_checkpoint() == published
    assert (await store.head(place.db)).size == 5


async def test_a_restored_log_goes_on_where_it_was_published_and_says_so(place: LogWorld) -> None:
    await place.act_at_once(700)
    await place.rounds()
    before = await published_leaves(place)
    await set_back(place, 250)
    await place.owner_db.execute("DELETE FROM locker.log_tile")
    await place.act(3, owner=YOUSSEF)
    other = place.other_worker()
    with pytest.raises(LogForked):
        await sequence(place.sequencer)
    assert (await adopt(other)).leaves == 450
    assert (await adopt(other)).leaves == 0
    await other.close()
    assert (await sequence(place.sequencer)).size == 706
    assert (await published_leaves(place))[:700] == before
    verified = await verify(place.db, place.sequencer.objects, verifier_keys=place.sequencer.key.verifier_keys)
    assert (verified.findings, verified.lost) == ([], 450)


async def test_what_does_not_continue_this_log_is_not_adopted(place: LogWorld) -> None:
    await place.act(8)
    await place.rounds()
    await set_back(place, 5)
    await place.owner_db.execute("UPDATE locker.log_leaf SET commitment = sha256(commitment) WHERE leaf_index = 2")
    with pytest.raises(NotToBeAdopted, match="another-tree") as refused:
        await adopt(place.sequencer)
    assert refused.value.code == "not-to-be-adopted"
    with pytest.raises(LogLed):
        await adopt(place.other_worker())
    assert (await store.head(place.db)).size == 5
    assert await place.value("SELECT count(*) FROM locker.log_leaf WHERE audit_id IS NULL") == 0


async def test_another_key_signs_nothing_here(place: LogWorld) -> None:
    await place.act(2)
    await place.rounds()
    await place.act(1)
    await place.sequencer.close()
    key = LogKey(SigningKey.generate("EdDSA"), place.sequencer.key.origin)
    with pytest.raises(LogForked):
        await sequence(Sequencer(place.db, place.sequencer.objects, key))


async def test_a_rotated_key_signs_beside_the_one_of_before_until_that_is_retired(
    place: LogWorld, tmp_path: Path
) -> None:
    def worker() -> Sequencer:
        key = LogKey.load_or_create(tmp_path, "https://locker.test")
        return Sequencer(place.db, place.sequencer.objects, key)

    async def published(by: Sequencer) -> str:
        await place.act(1)
        await sequence(by)
        await by.close()
        note = await by.objects.read_checkpoint()
        assert note
        return note

    with pytest.raises(NoKeyBeside):
        retire_key(tmp_path, "https://locker.test")
    before = worker()
    first = await published(before)
    rotate_key(tmp_path, "https://locker.test")
    with pytest.raises(KeyBesideStands):
        rotate_key(tmp_path, "https://locker.test")
    # Who runs since before signs as before; then comes one with both.
    assert read_checkpoint(await published(before), before.key.verifier_key).size == 2
    both = worker()
    assert both.key.verifier_keys.split("\n") == [both.key.verifier_key, before.key.verifier_key]
    second = await published(both)
    for keys in (before.key.verifier_key, both.key.verifier_key, both.key.verifier_keys):
        assert read_checkpoint(second, keys).size == 3
    # From here on the one of before would sign alone, and does not.
    with pytest.raises(LogForked, match="start again"):
        await sequence(before)
    assert retire_key(tmp_path, "https://locker.test") == before.key.verifier_key
    new = worker()
    third = await published(new)
    with pytest.raises(NoteRefused):
        read_checkpoint(third, before.key.verifier_key)
    known = [("first", first), ("second", second), ("third", third)]
    verified = await verify(place.db, new.objects, verifier_keys=new.key.verifier_keys, known=known)
    assert (verified.findings, verified.published) == ([], 4)
    with pytest.raises(NoteRefused):
        read_checkpoint(first, new.key.verifier_key)
    assert read_checkpoint(first, new.key.verifier_keys).size == 1


@pytest.mark.parametrize("steps", [0, 1, 2])
async def test_a_rotation_killed_anywhere_leaves_a_key_that_signs_and_is_known(
    tmp_path: Path, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = LogKey.load_or_create(tmp_path, "https://locker.test")
    done = 0
    replace = rotation.replace

    def dies(file: Path, content: bytes) -> None:
        nonlocal done
        if done == steps:
            raise SystemError("killed")
        done += 1
        replace(file, content)

    monkeypatch.setattr(rotation, "replace", dies)
    with pytest.raises(SystemError):
        rotate_key(tmp_path, "https://locker.test")
    monkeypatch.undo()
    left = LogKey.load_or_create(tmp_path, "https://locker.test")
    assert left.verifier_key == before.verifier_key
    assert left.sign(Checkpoint(left.origin, 1, bytes(32))).count("\N{EM DASH}") == 1
    again = rotate_key(tmp_path, "https://locker.test")
    assert again.verifier_keys.split("\n") == [again.verifier_key, before.verifier_key]
    for file in tmp_path.iterdir():
        assert file.stat().st_mode & 0o777 == 0o600


async def test_a_checkpoint_is_read_with_its_key_alone(place: LogWorld) -> None:
    await place.act(1)
    await place.rounds()
    note = await place.sequencer.objects.read_checkpoint()
    assert note
    key = place.sequencer.key.verifier_key
    assert read_checkpoint(note, key).size == 1
    for at in range(len(note)):
        for wrong in (note[:at] + note[at + 1 :], note[:at] + chr(ord(note[at]) ^ 1) + note[at + 1 :]):
            with pytest.raises(NoteRefused):
                read_checkpoint(wrong, key)


async def test_forgetting_an_owner_leaves_hashes_and_all_other_proofs(place: LogWorld) -> None:
    await place.act(3)
    await place.act(2, owner=YOUSSEF)
    await place.rounds()
    before = await published_leaves(place)
    others = await place.owner_db.fetch("SELECT * FROM locker.log_entry WHERE owner = $1", YOUSSEF)
    await place.act(1)
    async with place.db.transaction() as tx:
        assert (await forget_owner(tx, owner=AMINA)).leaves == 3
    async with place.db.transaction() as tx:
        assert (await forget_owner(tx, owner=AMINA)).leaves == 0
    await place.rounds()
    assert (await published_leaves(place))[:5] == before
    assert await place.owner_db.fetch("SELECT * FROM locker.log_entry WHERE owner = $1", YOUSSEF) == others
    for table in ("audit", "log_entry", "log_leaf", "log_waiting", "log_head"):
        texts = await place.owner_db.fetch(f"SELECT t::text AS row FROM locker.{table} AS t")
        readable = [row["row"] for row in texts if YOUSSEF not in row["row"]]
        assert not any(AMINA in row or "bank" in row for row in readable), table
    forgotten = await place.owner_db.fetch("SELECT detail FROM locker.audit WHERE action = 'log.forgotten' ORDER BY at")
    assert [row["detail"] for row in forgotten] == [{"leaves": 3}, {"leaves": 0}]


async def test_a_long_history_is_forgotten_in_portions_between_which_the_log_goes_on(place: LogWorld) -> None:
    await place.act_at_once(20)
    await place.rounds()
    await place.act_at_once(3)
    portions = []
    while not portions or portions[-1].rows == 10:
        portions.append(await place.db.transact(lambda tx: forget_owner(tx, owner=AMINA, rows_max=10)))
        await place.act(1, owner=YOUSSEF)
        await place.rounds()
    assert [portion.rows for portion in portions] == [10, 10, 3]
    # Rows got their places between the portions: what waited is forgotten as a leaf or as a row.
    assert sum(portion.leaves for portion in portions) >= 20
    assert await place.value("SELECT count(*) FROM locker.log_entry WHERE owner = $1", AMINA) == 0
    verified = await verify(place.db, place.sequencer.objects, verifier_keys=place.sequencer.key.verifier_keys)
    assert verified.findings == []


async def test_a_row_that_commits_after_its_owner_was_erased_has_the_erasure_done_once_more(place: LogWorld) -> None:
    """Whatever it was that still wrote: the sequencer meets each row of the audit once."""
    await place.act(2)
    await place.act(1, owner=YOUSSEF)
    await place.rounds()
    async with place.db.transaction() as late:
        await Audit("locker").append(late, AuditEvent(action="share.opened", actor_kind="client", owner=AMINA))
        # The whole erasure, from the key to its end.
        await place.db.execute(
            "INSERT INTO locker.citizen_key (owner, epoch, destroyed_at) VALUES ($1, '2026-01', now())", AMINA
        )
        async with place.db.transaction() as tx:
            await forget_owner(tx, owner=AMINA)
        await place.rounds()
        assert await place.value("SELECT count(*) FROM locker.erasure") == 0
    await place.rounds()
    due = await place.owner_db.fetch("SELECT owner FROM locker.erasure WHERE next_attempt_at <= now()")
    assert [row["owner"] for row in due] == [AMINA]


async def test_an_owner_who_is_forgotten_while_rows_are_sequenced_leaves_nothing_that_opens(place: LogWorld) -> None:
    await place.act(20)

    async def forget() -> None:
        async with place.db.transaction() as tx:
            await forget_owner(tx, owner=AMINA)

    await asyncio.gather(sequence(place.sequencer, batch_max=3), forget())
    assert await place.value("SELECT count(*) FROM locker.log_entry WHERE owner = $1", AMINA) == 0
    assert await place.value("SELECT count(*) FROM locker.audit WHERE owner = $1", AMINA) == 0


async def test_workers_that_start_together_make_each_month_once(place: LogWorld) -> None:
    month = await place.value("SELECT (date_trunc('month', now() AT TIME ZONE 'UTC') + interval '2 months')::date")
    made = await asyncio.gather(*(store.make_partition(place.db, month) for _ in range(6)))
    assert sorted(made) == [False] * 5 + [True]


async def test_months_ahead_get_partitions_and_go_on_being_logged(place: LogWorld) -> None:
    month = await place.value("SELECT (date_trunc('month', now() AT TIME ZONE 'UTC') + interval '1 month')::date")
    assert await store.make_partition(place.db, month)
    assert not await store.make_partition(place.db, month)
    with pytest.raises(asyncpg.RaiseError):
        await store.make_partition(place.db, month.replace(year=month.year - 1))
    await place.owner_db.execute(
        "INSERT INTO locker.audit (audit_id, at, action, actor_kind, actor, result, detail) "
        "VALUES (gen_random_uuid(), $1::date + interval '40 hours', 'a.b', 'system', '', 'ok', '{}')",
        month,
    )
    assert await place.value(f"SELECT count(*) FROM locker.audit_{month:%Y_%m}") == 1
    await place.rounds()
    assert (await store.head(place.db)).size == 1


async def test_an_event_commits_to_what_its_row_says(place: LogWorld) -> None:
    await place.act(1)
    await place.rounds()
    row = await place.owner_db.fetchrow(
        "SELECT l.commitment, e.nonce, a.audit_id, a.at FROM locker.log_leaf l JOIN locker.log_entry e USING (audit_id)"
        " JOIN locker.audit a USING (audit_id)"
    )
    assert row is not None
    at = row["at"].strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    event = (
        f'{{"action":"document.viewed","actor":"bank","actor_kind":"client","at":"{at}","audit_id":"{row["audit_id"]}",'
        '"detail":{"type":"شهادة"},"number":1,"object_id":null,"owner":"sub-amina","purpose":null,"result":"ok","v":1}'
    )
    assert sha256(row["nonce"] + event.encode()).digest() == row["commitment"]
