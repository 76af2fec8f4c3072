"""Documents past the retention of their type go, with all that hangs on them; held ones and all others stay."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from khizana.embedded.s3 import EmbeddedS3
from kit.jose import unverified_claims
from locker.catalogue.register_type import register_type
from locker.catalogue.schema import TypeRegistration
from locker.deposits import orphans
from locker.retention.hold import place_hold, release_hold
from locker.retention.refusals import DocumentUnknown, HoldUnknown
from locker.retention.remove_overdue import remove_overdue
from locker.retention.schema import Retained
from locker.sweeping.reconcile import reconcile
from locker.vault.refusals import Erased
from tests.citizen_browser import CitizenWorld, open_citizen_world
from tests.locker_world import AMINA, BIRTH, SCHEMA, names

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(dsns: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CitizenWorld]:
    s3 = EmbeddedS3.start(tmp_path_factory.mktemp("s3"))
    try:
        async with open_citizen_world(dsns, s3, tmp_path_factory.mktemp("locker")) as opened:
            kept = TypeRegistration(
                type=BIRTH, names=names(BIRTH), category="civil-status", fields=SCHEMA, retention_days=30
            )
            await register_type(opened.world.wiring.db, opened.world.wiring.audit, kept, officer="test")
            yield opened
    finally:
        s3.stop()


async def swept(place: CitizenWorld, **parts: Any) -> Retained:
    return await remove_overdue(place.world.wiring.db, place.world.wiring.audit, **parts)


async def aged(place: CitizenWorld, *, deposited: int, valid: int | None = None, **parts: Any) -> str:
    """Deposited and valid until so many days ago."""
    document_id = await place.document(**parts)
    await place.world.owner_db.execute(
        """UPDATE locker.document SET deposited_at = now() - make_interval(days => $2),
                  valid_until = (now() AT TIME ZONE 'UTC')::date - $3::int WHERE document_id = $1""",
        document_id,
        deposited,
        valid,
    )
    return document_id


async def there(place: CitizenWorld, *document_ids: str) -> set[str]:
    rows = await place.world.rows("SELECT document_id FROM locker.document WHERE document_id = ANY($1)", document_ids)
    return {row["document_id"] for row in rows}


async def test_p_13_only_what_is_past_its_time_goes_with_all_that_hangs_on_it(place: CitizenWorld) -> None:
    world = place.world
    old, ended = await aged(place, deposited=32), await aged(place, deposited=90, valid=32)
    young, lately = await aged(place, deposited=29), await aged(place, deposited=90, valid=29)
    later = await place.document(replaces=lately)
    share_id, path = await place.share(old, young)
    receipt = unverified_claims((await place.open(path)).json()["receipt"])
    held_before = await world.rows("SELECT documents, bytes FROM locker.holding")
    lengths = await world.rows("SELECT length FROM locker.document WHERE document_id = ANY($1)", [old, ended])
    objects = await world.objects()
    planned = await swept(place, dry_run=True)
    assert (planned.documents, planned.by_type, planned.dry_run) == (2, {BIRTH: 2}, True)
    assert await there(place, old, ended, young, lately, later) == {old, ended, young, lately, later}
    done = await swept(place)
    assert (done.documents, done.truncated) == (2, False)
    assert await there(place, old, ended, young, lately, later) == {young, lately, later}
    for table in ("document_uri", "archived", "share_document", "printed", "signed_data"):
        assert await world.rows(f"SELECT 1 FROM locker.{table} WHERE document_id = ANY($1)", [old, ended]) == [], table
    held = await world.rows("SELECT documents, bytes FROM locker.holding")
    assert held[0]["documents"] == held_before[0]["documents"] - 2
    assert held[0]["bytes"] == held_before[0]["bytes"] - sum(each["length"] for each in lengths)
    # Their objects are the sweeper's, whose round takes them and nothing else.
    taken = await orphans.take(world.wiring.db, grace_s=0, batch_max=100)
    assert len(taken) == 2
    for intent in taken:
        await world.wiring.vault.delete(intent.object_key)
        await orphans.forget(world.wiring.db, intent)
    assert len(objects - await world.objects()) == 2
    whole = await reconcile(world.wiring.db, world.wiring.audit, world.wiring.vault, grace_s=0)
    assert (whole.missing, whole.unknown) == ([], [])
    assert (await world.locker.get(f"/v1/shares/{share_id}", headers=place.share_headers())).status_code == 200
    events = (await world.locker.get("/v1/history", headers=world.citizen())).json()["events"]
    assert {event["object_id"] for event in events if event["action"] == "document.retired"} == {old, ended}
    assert (await place.open(path)).status_code < 500
    # What was opened before is receipted as it was, whatever went since.
    twin = f"/wallet/shares/{share_id}/openings/{receipt['opening']}/receipt"
    said = unverified_claims((await (await place.signed_in()).get(twin)).text)
    assert ({**said, "for": "opener"}, len(said["documents"])) == (receipt, 2)


async def test_a_day_is_one_of_utc_whatever_zone_the_database_is_in(place: CitizenWorld) -> None:
    await aged(place, deposited=90, valid=32)
    over = set()
    for zone in ("UTC", "Pacific/Kiritimati", "America/Los_Angeles"):
        async with place.world.wiring.db.transaction() as tx:
            await tx.execute(f"SET LOCAL TimeZone = '{zone}'")
            over |= {row["over_since"] for row in await tx.fetch("SELECT over_since FROM locker.past_retention")}
    assert len(over) == 1
    [moment] = over
    assert (moment.hour, moment.minute) == (0, 0)
    # A type that is kept for ever by a slip of the pen takes nothing away from the others.
    await place.world.owner_db.execute(
        "UPDATE locker.document_type SET retention_days = 2147483647 WHERE type <> $1", BIRTH
    )
    assert (await swept(place)).documents == 1
    await place.world.owner_db.execute("UPDATE locker.document_type SET retention_days = NULL WHERE type <> $1", BIRTH)


async def test_a_chain_whose_older_version_went_stands(place: CitizenWorld) -> None:
    first = await place.document()
    second = await place.document(replaces=first)
    third = await place.document(replaces=second)
    await place.world.owner_db.execute(
        "UPDATE locker.document SET deposited_at = now() - interval '40 days' WHERE document_id = $1", second
    )
    assert (await swept(place)).documents == 1
    read = [
        (await place.world.locker.get(f"/v1/documents/{each}", headers=place.world.citizen())).json()
        for each in (first, third)
    ]
    assert [(each["replaces"], each["replaced_by"]) for each in read] == [(None, None), (None, None)]


async def test_a_held_document_is_never_taken(place: CitizenWorld) -> None:
    wiring = place.world.wiring
    document_id = await aged(place, deposited=400)
    hold = {"document_id": document_id, "officer": "clerk"}
    for reference in ("A", "B", "B"):
        await place_hold(wiring.db, wiring.audit, wiring.vault, reference=reference, **hold)
    assert (await swept(place)).documents == 0
    await release_hold(wiring.db, wiring.audit, reference="A", **hold)
    assert (await swept(place)).documents == 0
    owner = place.world.subs[AMINA]
    assert await wiring.db.fetchval("SELECT locker.remove_retained($1, $2)", owner, document_id) is False
    with pytest.raises(HoldUnknown):
        await release_hold(wiring.db, wiring.audit, reference="A", **hold)
    await release_hold(wiring.db, wiring.audit, reference="B", **hold)
    assert (await swept(place)).documents == 1
    with pytest.raises(DocumentUnknown):
        await place_hold(wiring.db, wiring.audit, wiring.vault, reference="A", **hold)
    acts = await place.world.rows(
        "SELECT action FROM locker.audit WHERE object_id = $1 AND actor = 'clerk'", document_id
    )
    assert sorted(each["action"] for each in acts) == ["hold.placed"] * 3 + ["hold.released"] * 2


async def test_of_a_hold_and_a_removal_at_the_same_moment_one_wins(place: CitizenWorld) -> None:
    wiring = place.world.wiring
    for _ in range(5):
        document_id = await aged(place, deposited=40)
        placed, _removed = await asyncio.gather(
            place_hold(wiring.db, wiring.audit, wiring.vault, document_id=document_id, reference="R", officer="clerk"),
            swept(place),
            return_exceptions=True,
        )
        assert not isinstance(_removed, BaseException), _removed
        assert bool(await there(place, document_id)) == (placed is None), placed
        if placed is None:
            await release_hold(wiring.db, wiring.audit, document_id=document_id, reference="R", officer="clerk")
            await swept(place)


async def test_a_round_is_bounded_and_two_rounds_take_each_once(place: CitizenWorld) -> None:
    for _ in range(5):
        await aged(place, deposited=40)
    some = await swept(place, documents_max=2)
    assert (some.documents, some.truncated) == (2, True)
    both = await asyncio.gather(swept(place), swept(place))
    assert sum(each.documents for each in both) == 3


async def test_no_hold_on_what_is_erased(place: CitizenWorld) -> None:
    wiring, uid = place.world.wiring, "2000000040"
    place.world.subs[uid] = place.world.provider.enrol(uid)
    document_id = await place.document(uid=uid)
    await wiring.vault.destroy_owner_key(wiring.db, owner=place.world.subs[uid])
    with pytest.raises(Erased):
        await place_hold(wiring.db, wiring.audit, wiring.vault, document_id=document_id, reference="R", officer="clerk")


async def test_whatever_refers_to_a_document_says_its_id_so_that_it_goes_with_it(place: CitizenWorld) -> None:
    rows = await place.world.rows(
        """
        SELECT c.relname::text AS table, array_agg(a.attname::text ORDER BY a.attname) AS columns
          FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY(k.conkey)
         WHERE k.contype = 'f' AND k.confrelid = 'locker.document'::regclass
         GROUP BY k.oid, c.relname"""
    )
    referring = {row["table"]: row["columns"] for row in rows if row["table"] != "document"}
    assert referring
    assert {table: columns for table, columns in referring.items() if columns != ["document_id", "owner"]} == {}
