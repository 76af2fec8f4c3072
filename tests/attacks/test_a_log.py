"""Group A of the attack catalogue, the log: who owns the database cannot rewrite what happened."""

import asyncio
import re
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from kit import metrics
from kit.errors import Unavailable
from kit.jose import SigningKey
from locker.log import store
from locker.log.checkpoint import Checkpoint, LogKey, read_checkpoint
from locker.log.commit import canonical_event
from locker.log.forget_owner import forget_owner
from locker.log.objects import LogObjects
from locker.log.refusals import LogLed, NotToBeAdopted
from locker.log.republish import republish
from locker.log.schema import Finding
from locker.log.sequence import LogForked
from locker.log.store import held_leaves
from locker.log.tiles import Tile
from locker.log.verify import verify
from tests.unit.locker.log.log_world import AMINA, YOUSSEF, LogWorld, open_log

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
        assert await tx.fetchval("SELECT forgotten FROM locker.forget_log_of($1, 10)", AMINA) == 2
    assert await place.value("SELECT count(*) FROM locker.audit WHERE action = 'erased'") == 2
    for nobody in ("", None):
        with pytest.raises(asyncpg.RaiseError):
            await place.db.fetchval("SELECT locker.forget_log_of($1, 10)", nobody)


async def found(place: LogWorld, *known: str) -> list[Finding]:
    verified = await verify(
        place.db,
        place.sequencer.objects,
        verifier_keys=place.sequencer.key.verifier_keys,
        known=[(f"kept {number}", note) for number, note in enumerate(known)],
    )
    return verified.findings


async def kinds(place: LogWorld, *known: str) -> set[str]:
    return {finding.kind for finding in await found(place, *known)}


async def filled(place: LogWorld) -> None:
    """Three hundred rows, published twice on the way, and two that wait."""
    await place.act_at_once(280)
    await place.rounds()
    await place.act(15, owner=YOUSSEF)
    await place.act(5, owner=None)
    await place.rounds()
    await place.act(2)
    assert await found(place) == []


async def row_at(place: LogWorld, leaf_index: int) -> Any:
    return await place.value("SELECT audit_id FROM locker.log_leaf WHERE leaf_index = $1", leaf_index)


@pytest.mark.parametrize(
    "column",
    [
        "action = 'document.verified'",
        "actor = 'somebody-else'",
        "actor_kind = 'system'",
        "owner = 'sub-amina'",
        "owner = NULL",
        "object_id = 'D1'",
        "purpose = 'credit'",
        "result = 'refused'",
        'detail = detail || \'{"type": "OTHER"}\'',
    ],
)
async def test_a_11_a_row_that_the_databases_owner_changed_is_named(place: LogWorld, column: str) -> None:
    await filled(place)
    audit_id = await row_at(place, 290)
    await place.owner_db.execute(f"UPDATE locker.audit SET {column} WHERE audit_id = $1", audit_id)
    (finding,) = await found(place)
    assert (finding.kind, finding.leaf_index, finding.audit_id) == ("changed", 290, audit_id)


async def test_a_11_a_row_that_was_changed_with_its_leaf_is_named_by_what_was_published(place: LogWorld) -> None:
    """Nonce, leaf and row are rewritten so that they fit each other; the published tile and its root do not."""
    await filled(place)
    other = await place.owner_db.fetchrow(
        "SELECT e.nonce, l.commitment FROM locker.log_leaf l JOIN locker.log_entry e USING (leaf_index)"
        " WHERE leaf_index = 17"
    )
    assert other is not None
    await place.owner_db.execute(
        "UPDATE locker.audit SET purpose = 'nothing bad' WHERE audit_id = $1", await row_at(place, 17)
    )
    (leaf,) = await held_leaves(place.db, start=17, end=18)
    assert leaf.row
    assert leaf.number
    event = canonical_event(leaf.row, number=leaf.number)
    await place.owner_db.execute(
        "UPDATE locker.log_leaf SET commitment = $1 WHERE leaf_index = 17", sha256(other["nonce"] + event).digest()
    )
    findings = await found(place)
    assert ("changed", 17) in {(finding.kind, finding.leaf_index) for finding in findings}
    # With the tiles and checkpoints of both places rewritten too, by whoever holds no key: what is signed tells.
    await place.blobs.delete(f"{place.prefix}/tile/0/000")
    assert "damaged" in await kinds(place)


@pytest.mark.parametrize("and_its", [(), ("log_leaf",), ("log_leaf", "log_entry")])
async def test_a_11_a_row_that_was_removed_is_named(place: LogWorld, and_its: tuple[str, ...]) -> None:
    await filled(place)
    audit_id = await row_at(place, 30)
    for table in ("audit", *and_its):
        await place.owner_db.execute(f"DELETE FROM locker.{table} WHERE audit_id = $1", audit_id)
    findings = await found(place)
    assert ("missing", 30) in {(finding.kind, finding.leaf_index) for finding in findings}
    if "log_leaf" not in and_its:
        assert findings[0].audit_id == audit_id


async def test_a_11_a_row_whose_time_was_changed_is_named(place: LogWorld) -> None:
    await filled(place)
    audit_id = await row_at(place, 30)
    await place.owner_db.execute("UPDATE locker.audit SET at = at - interval '1 day' WHERE audit_id = $1", audit_id)
    (finding,) = await found(place)
    assert (finding.kind, finding.leaf_index, finding.audit_id) == ("missing", 30, audit_id)


SWAP_LEAVES = """
    UPDATE locker.log_leaf AS l SET (at, audit_id{more}) = (SELECT at, audit_id{more} FROM swapped AS s
                                                    WHERE s.leaf_index = 60 - l.leaf_index)
     WHERE leaf_index IN (20, 40)"""


@pytest.mark.parametrize("with_entries", [False, True])
@pytest.mark.parametrize("with_commitments", [False, True])
async def test_a_11_rows_that_changed_places_are_named(
    place: LogWorld, with_entries: bool, with_commitments: bool
) -> None:
    await filled(place)
    more = ", commitment" if with_commitments else ""
    async with place.owner_db.transaction() as tx:
        await tx.execute("CREATE TEMP TABLE swapped AS SELECT * FROM locker.log_leaf WHERE leaf_index IN (20, 40)")
        await tx.execute("UPDATE locker.log_leaf SET audit_id = NULL WHERE leaf_index IN (20, 40)")
        await tx.execute(SWAP_LEAVES.format(more=more))
        if with_entries:
            await tx.execute("UPDATE locker.log_entry SET leaf_index = 60 - leaf_index WHERE leaf_index IN (20, 40)")
        await tx.execute("DROP TABLE swapped")
    findings = await found(place)
    assert {("reordered", 20), ("reordered", 40)} <= {(finding.kind, finding.leaf_index) for finding in findings}


async def test_a_11_a_row_that_was_slipped_in_beside_the_log_is_named(place: LogWorld) -> None:
    await filled(place)
    await place.owner_db.execute("ALTER TABLE locker.audit DISABLE TRIGGER queue_for_log")
    await place.act(1, action="share.opened")
    await place.owner_db.execute("ALTER TABLE locker.audit ENABLE TRIGGER queue_for_log")
    audit_id = await place.value("SELECT audit_id FROM locker.audit WHERE action = 'share.opened'")
    (finding,) = await found(place)
    assert (finding.kind, finding.audit_id) == ("unlogged", audit_id)


async def test_a_11_a_row_of_before_the_epoch_is_no_hiding_place(place: LogWorld) -> None:
    await filled(place)
    await place.owner_db.execute("ALTER TABLE locker.audit DISABLE TRIGGER queue_for_log")
    await place.owner_db.execute(dated("1950-01-01"))
    await place.owner_db.execute("ALTER TABLE locker.audit ENABLE TRIGGER queue_for_log")
    assert [finding.kind for finding in await found(place)] == ["unlogged"]


def dated(at: str) -> str:
    return (
        "INSERT INTO locker.audit (audit_id, at, action, actor_kind, actor, owner, result, detail) "
        f"VALUES (gen_random_uuid(), {at if '(' in at else repr(at)}, 'a.b', 'system', '', 'sub-amina', 'ok', '{{}}')"
    )


@pytest.mark.parametrize("at", ["2099-01-01 00:00Z", "now() + interval '2 hours'"])
async def test_a_11_a_row_that_says_a_later_time_than_its_checkpoint_is_named(place: LogWorld, at: str) -> None:
    await filled(place)
    await place.owner_db.execute(dated(at))
    await place.rounds()
    (finding,) = await found(place)
    assert (finding.kind, finding.leaf_index) == ("misdated", 302)


async def test_a_10_the_app_dates_no_row(place: LogWorld) -> None:
    """Neither one of yesterday, nor one of a month that has no partition yet and could get none any more."""
    for at in ("2020-01-01", "2099-01-01"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await place.db.execute(dated(at))


async def test_a_11_leaves_behind_the_end_of_the_tree_are_told(place: LogWorld) -> None:
    """The tree of the database and every signed one were cut to the same length; the leaves were left."""
    await filled(place)
    first = await place.value("SELECT note FROM locker.log_checkpoint")
    await place.owner_db.execute(
        f"UPDATE locker.log_head SET size = 280, published = 280, checkpoint = '{first}';"
        "DELETE FROM locker.log_waiting;"
        "DELETE FROM locker.audit AS a WHERE NOT EXISTS (SELECT FROM locker.log_leaf l WHERE l.audit_id = a.audit_id)"
    )
    await place.sequencer.objects.write_checkpoint(first)
    assert ("unaccounted", "20 leaves stand behind the end of the tree") in [
        (finding.kind, finding.said) for finding in await found(place)
    ]


async def test_a_11_a_number_that_was_passed_over_is_told(place: LogWorld) -> None:
    """Who makes the entries, key and all, leaves a gap where a line of a citizen was never let in."""
    await filled(place)
    (leaf,) = await held_leaves(place.db, start=299, end=300)
    assert leaf.number
    await place.owner_db.execute("UPDATE locker.log_entry SET number = number + 1 WHERE leaf_index = 294")
    found_now = await found(place)
    assert ("unaccounted", f"1 numbers of the lines of {YOUSSEF} stand nowhere") in [
        (finding.kind, finding.said) for finding in found_now
    ]


async def test_a_11_an_erasure_that_accounts_for_more_than_there_is_keeps_no_place_for_later(place: LogWorld) -> None:
    await filled(place)
    await place.act(1, owner=None, action="log.forgotten")
    await place.owner_db.execute("UPDATE locker.audit SET detail = '{\"leaves\": 1}' WHERE action = 'log.forgotten'")
    await place.rounds()
    assert await kinds(place) == {"unaccounted"}


async def test_a_11_a_row_that_was_taken_out_of_the_queue_is_named(place: LogWorld) -> None:
    await filled(place)
    await place.db.execute("DELETE FROM locker.log_waiting")
    assert [finding.kind for finding in await found(place)] == ["unlogged", "unlogged"]


async def test_a_11_making_a_line_unreadable_is_no_erasure(place: LogWorld) -> None:
    await filled(place)
    async with place.db.transaction() as tx:
        await forget_owner(tx, owner=YOUSSEF)
    assert await found(place) == []
    audit_id = await row_at(place, 30)
    await place.owner_db.execute("DELETE FROM locker.log_entry WHERE audit_id = $1", audit_id)
    assert {(finding.kind, finding.leaf_index) for finding in await found(place)} == {
        ("changed", 30),
        ("unaccounted", None),
    }
    await place.owner_db.execute(
        "UPDATE locker.audit SET action = 'erased', actor_kind = 'system', actor = '', owner = NULL, detail = '{}'"
        " WHERE audit_id = $1",
        audit_id,
    )
    assert await kinds(place) == {"unaccounted"}


async def test_a_11_a_log_that_was_set_back_is_found_by_what_was_published_and_by_what_somebody_kept(
    place: LogWorld,
) -> None:
    await filled(place)
    await place.rounds()
    kept = await place.sequencer.objects.read_checkpoint()
    assert kept
    first = await place.value("SELECT note FROM locker.log_checkpoint")
    await place.owner_db.execute(
        "DELETE FROM locker.log_leaf WHERE leaf_index >= 280; DELETE FROM locker.log_entry WHERE leaf_index >= 280;"
        "DELETE FROM locker.audit AS a WHERE NOT EXISTS (SELECT FROM locker.log_leaf l WHERE l.audit_id = a.audit_id);"
        f"UPDATE locker.log_head SET size = 280, published = 280, checkpoint = '{first}'"
    )
    (finding,) = await found(place)
    assert (finding.kind, "published" in finding.said) == ("rolled-back", True)
    # Who sets the object store back as well still cannot set back what others kept.
    await place.sequencer.objects.write_checkpoint(first)
    assert await kinds(place) == set()
    (finding,) = await found(place, kept)
    assert (finding.kind, "kept 0" in finding.said) == ("rolled-back", True)


async def test_a_11_another_tree_under_the_right_key_is_found(place: LogWorld) -> None:
    """The key was misused to sign a tree without one of the rows, for one reader."""
    await filled(place)
    other = place.sequencer.key.sign(Checkpoint(place.sequencer.key.origin, 280, b"other history".ljust(32)))
    (finding,) = await found(place, other)
    assert (finding.kind, "kept 0" in finding.said) == ("forked", True)


async def test_a_11_a_checkpoint_that_our_key_did_not_sign_is_refused(place: LogWorld) -> None:
    await filled(place)
    stranger = LogKey(SigningKey.generate("EdDSA"), place.sequencer.key.origin)
    note = await place.sequencer.objects.read_checkpoint()
    assert note
    await place.sequencer.objects.write_checkpoint(
        stranger.sign(read_checkpoint(note, place.sequencer.key.verifier_key))
    )
    assert await kinds(place) == {"refused"}


async def damaged(place: LogWorld) -> float:
    """How often the log said so of its checkpoint."""
    return float(metrics.log_damaged.labels("checkpoint")._value.get())


async def test_a_11_one_altered_byte_of_the_checkpoint_is_no_other_history(place: LogWorld) -> None:
    """Wherever it is: the log goes on, says so, and publishes what the database knows was signed."""
    await place.act(4)
    await place.rounds()
    note = await place.sequencer.objects.read_checkpoint()
    assert note
    sound, said = note.encode(), await damaged(place)
    for at in range(0, len(sound), 3):
        await place.write("checkpoint", sound[:at] + bytes([sound[at] ^ 1]) + sound[at + 1 :])
        await place.rounds()
        assert await place.sequencer.objects.read_checkpoint() == note, at
    # At the most all of them: of an altered line of our signature the rest may read as a stranger's.
    assert await damaged(place) - said == len(range(0, len(sound), 3))
    for rubbish in (b"\xff\x00", b"\n\n", sound[:-1], sound * 9):
        await place.write("checkpoint", rubbish)
        await place.rounds()
        assert await place.sequencer.objects.read_checkpoint() == note
    await place.act(2)
    await place.rounds()
    assert (await kinds(place), (await store.head(place.db)).published) == (set(), 6)


async def set_back(place: LogWorld, size: int, note: str | None) -> None:
    """To a backup of when there were so many leaves, whose newest checkpoint was ``note``."""
    await place.owner_db.execute(
        f"DELETE FROM locker.log_leaf WHERE leaf_index >= {size};"
        f"DELETE FROM locker.log_entry WHERE leaf_index >= {size};"
        "DELETE FROM locker.audit AS a WHERE NOT EXISTS (SELECT FROM locker.log_leaf l WHERE l.audit_id = a.audit_id);"
        "DELETE FROM locker.log_waiting;"
        f"DELETE FROM locker.log_tile WHERE {size} >> 8 * level = 0;"
        f"UPDATE locker.log_tile SET hashes = substr(hashes, 1, ({size} >> 8 * level) * 32)"
    )
    await place.owner_db.execute(
        "UPDATE locker.log_head SET size = $1, published = $2, checkpoint = $3", size, size if note else 0, note
    )


@pytest.mark.parametrize("how", ["altered", "rubbish", "gone", "unsigned", "oldest"])
@pytest.mark.parametrize("sizes", [(5, 8), (256, 300), (250, 256), (300, 300 + 256)])
async def test_a_11_who_damages_the_checkpoint_hides_no_rollback(
    place: LogWorld, how: str, sizes: tuple[int, int]
) -> None:
    """He may write to the bucket and has the database set back: the tiles say that there was more."""
    before, after = sizes
    await place.act_at_once(before - 1)
    await place.rounds()
    oldest = await place.sequencer.objects.read_checkpoint()
    await place.act(1)
    await place.rounds()
    older = await place.sequencer.objects.read_checkpoint()
    await place.act_at_once(after - before)
    await place.rounds()
    newer = await place.sequencer.objects.read_checkpoint()
    assert oldest
    assert older
    assert newer
    await set_back(place, before, older)
    match how:
        case "altered":
            await place.write("checkpoint", newer.replace(f"\n{after}\n", f"\n{before}\n").encode())
        case "rubbish":
            await place.write("checkpoint", b"rubbish")
        case "gone":
            await place.blobs.delete(f"{place.prefix}/checkpoint")
        case "oldest":
            await place.write("checkpoint", oldest.encode())
        case "unsigned":
            await place.write("checkpoint", older.replace("locker.test/log ", "locker.test/log  ", 1).encode())
    await place.act(3)
    for _ in range(2):
        with pytest.raises(LogForked):
            await place.rounds()
    head = await store.head(place.db)
    assert (head.size, head.checkpoint) == (before, older)


async def test_a_11_what_our_key_signed_otherwise_stays_a_fork(place: LogWorld) -> None:
    await place.act(4)
    await place.rounds()
    key = place.sequencer.key
    for size in (3, 4, 5):
        other = key.sign(Checkpoint(key.origin, size, b"other history".ljust(32)))
        await place.write("checkpoint", other.encode())
        with pytest.raises(LogForked):
            await place.rounds()
        assert await place.sequencer.objects.read_checkpoint() == other


async def test_a_11_the_note_of_another_log_is_not_written_over(place: LogWorld) -> None:
    """Two deployments that share a prefix would else overwrite one another for ever."""
    await place.act(4)
    await place.rounds()
    other = LogKey(SigningKey.generate("EdDSA"), "other.test/log")
    note = other.sign(Checkpoint(other.origin, 9, b"theirs".ljust(32)))
    await place.write("checkpoint", note.encode())
    with pytest.raises(LogForked, match="another log"):
        await place.rounds()
    assert await place.sequencer.objects.read_checkpoint() == note


async def test_a_11_a_strangers_note_under_our_name_is_damage(place: LogWorld) -> None:
    """Nobody can tell it from an altered one, and it says nothing that anybody believes."""
    await place.act(4)
    await place.rounds()
    note = await place.sequencer.objects.read_checkpoint()
    stranger = LogKey(SigningKey.generate("EdDSA"), place.sequencer.key.origin)
    await place.write("checkpoint", stranger.sign(Checkpoint(stranger.origin, 9, b"theirs".ljust(32))).encode())
    await place.rounds()
    assert await place.sequencer.objects.read_checkpoint() == note


async def test_a_11_what_the_database_would_publish_again_must_be_signed_too(place: LogWorld) -> None:
    await place.act(4)
    await place.rounds()
    stranger = LogKey(SigningKey.generate("EdDSA"), place.sequencer.key.origin)
    theirs = stranger.sign(Checkpoint(stranger.origin, 4, b"theirs".ljust(32)))
    for checkpoint in (theirs, place.sequencer.key.sign(Checkpoint(stranger.origin, 4, b"other".ljust(32)))):
        await place.owner_db.execute("UPDATE locker.log_head SET checkpoint = $1", checkpoint)
        await place.write("checkpoint", b"rubbish")
        with pytest.raises(LogForked):
            await place.rounds()


class Spoiling:
    """The store behind a network that alters a byte of what is sent, and the store takes it."""

    def __init__(self, blobs: Any, what: str, times: int) -> None:
        self._blobs, self._what, self._times = blobs, what, times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._blobs, name)

    async def put(self, key: str, body: Any, length: int, *, repeatable: bool) -> None:
        content = b"".join([part async for part in body()])
        if self._what in key and self._times:
            self._times -= 1
            content = content[:-2] + bytes([content[-2] ^ 1]) + content[-1:]

        async def altered() -> AsyncIterator[bytes]:
            yield content

        await self._blobs.put(key, altered, length, repeatable=repeatable)


@pytest.mark.parametrize("what", ["checkpoint", "tile/0/", "tile/entries/"])
async def test_a_11_what_the_store_took_otherwise_is_written_again_before_the_round_is_done(
    place: LogWorld, what: str
) -> None:
    place.sequencer.objects = LogObjects(Spoiling(place.blobs, what, 1), place.prefix)
    await place.act_at_once(300)
    await place.rounds()
    assert await kinds(place) == set()


@pytest.mark.parametrize("what", ["checkpoint", "tile/0/"])
async def test_a_11_a_store_that_alters_all_of_it_gets_no_checkpoint_served(place: LogWorld, what: str) -> None:
    await place.act(2)
    await place.rounds()
    sound = place.sequencer.objects
    place.sequencer.objects = LogObjects(Spoiling(place.blobs, what, 99), place.prefix)
    await place.act(2)
    with pytest.raises(Unavailable):
        await place.rounds()
    assert (await store.head(place.db)).published == 2
    place.sequencer.objects = sound
    await place.rounds()
    assert (await kinds(place), (await store.head(place.db)).published) == (set(), 4)


@pytest.mark.parametrize("path", ["0/000", "1/000.p/1", "entries/000", "entries/001.p/44"])
async def test_a_published_tile_that_was_altered_is_named_and_the_rows_are_not(place: LogWorld, path: str) -> None:
    await filled(place)
    tile = next(
        each for each in (Tile(0, 0), Tile(1, 0, 1), Tile("entries", 0), Tile("entries", 1, 44)) if each.path == path
    )
    content = await place.sequencer.objects.read_tile(tile)
    assert content
    await place.write(f"tile/{path}", content[:5] + bytes([content[5] ^ 1]) + content[6:])
    findings = await found(place)
    assert {finding.kind for finding in findings} == {"damaged"}
    assert all(finding.audit_id is None for finding in findings)
    assert any(re.search(rf"{re.escape(path)}\b|published leaf", finding.said) for finding in findings)


async def test_what_a_bucket_lost_is_published_again_if_it_is_what_was_signed(place: LogWorld) -> None:
    await filled(place)
    for info in await place.blobs.list(f"{place.prefix}/"):
        await place.blobs.delete(info.key)
    await place.write("tile/entries/000", b"of somebody else")
    assert await kinds(place) == {"damaged", "rolled-back"}
    with pytest.raises(LogLed):
        await republish(place.other_worker())
    done = await republish(place.sequencer)
    assert (done.size, done.tiles) == (300, 5)
    assert await found(place) == []
    await place.owner_db.execute("UPDATE locker.log_leaf SET commitment = sha256(commitment) WHERE leaf_index = 299")
    with pytest.raises(NotToBeAdopted, match="another-tree"):
        await republish(place.sequencer)


async def test_it_walks_while_rows_come_in_and_owners_are_forgotten(place: LogWorld) -> None:
    await filled(place)

    async def live() -> None:
        for number in range(6):
            await place.act_at_once(40, owner=f"sub-{number}")
            await place.rounds()
            async with place.db.transaction() as tx:
                await forget_owner(tx, owner=f"sub-{number}")

    async def check() -> list[Finding]:
        findings = []
        for _ in range(8):
            findings += await found(place)
        return findings

    _, findings = await asyncio.gather(live(), check())
    assert findings == []
