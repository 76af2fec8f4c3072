"""The one statement that opens: what it refuses, reads and writes, and of which moment it speaks."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio

from kit.audit import AuditEvent
from kit.db import Database, Tx
from kit.ids import new_id, new_public_id
from kit.jose import unverified_claims
from kit.tokens import digest, new_token
from locker.erasing.ask import ask
from locker.erasing.erase import erase_due
from locker.shares import store
from locker.shares.schema import Opened
from tests.citizen_browser import CitizenWorld, open_citizen_world
from tests.locker_world import AMINA, YOUSSEF
from tests.own_files import jpeg

pytestmark = pytest.mark.asyncio(loop_scope="module")

FIELDS = {"family_name": "Alaoui", "birthdate": "1988-04-17", "record_number": "7/2020"}
CLOSED = (404, "share-closed")
OLD_S = 0.25
"""Longer than an opening believes what it read before it waited."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CitizenWorld]:
    async with open_citizen_world(dsns, s3, tmp_path_factory.mktemp("locker")) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def document_id(place: CitizenWorld) -> str:
    return await place.document(fields=FIELDS)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def other(dsns: Any) -> AsyncIterator[Database]:
    """Somebody who holds rows."""
    db = await Database.connect(dsns.owner, command_timeout_s=30)
    yield db
    await db.close()


async def upload(place: CitizenWorld) -> str:
    answer = await place.world.locker.post(
        "/v1/uploads",
        headers={
            **place.world.citizen(scope="documents:upload"),
            "Idempotency-Key": f'"{secrets.token_hex(8)}"',
        },
        files={"file": ("a.jpg", jpeg())},
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["upload_id"])


async def to_the_bin(place: CitizenWorld, upload_id: str) -> None:
    headers = place.world.citizen(scope="documents:upload")
    assert (await place.world.locker.delete(f"/v1/uploads/{upload_id}", headers=headers)).status_code == 204


async def change(place: CitizenWorld, document_id: str, verb: str, **body: str) -> None:
    answer = await place.world.locker.post(
        f"/v1/documents/{document_id}/{verb}", headers=place.world.machine(), json=body
    )
    assert answer.status_code == 200, answer.text


async def line(place: CitizenWorld, share_id: str) -> dict[str, Any]:
    """The one line of the log, which the one opening names, of the same moment."""
    [row] = await place.world.rows(
        """SELECT a.*, a.detail ->> 'opening' = o.opening_id AND a.at = o.opened_at AS of_opening
             FROM locker.opening o JOIN locker.audit a ON a.audit_id = o.audit_id
            WHERE o.share_id = $1 AND a.action = 'share.opened'""",
        share_id,
    )
    assert row["of_opening"]
    return row


async def counts(place: CitizenWorld, share_id: str) -> tuple[int, int, int]:
    """Openings spent, rows of them, lines of the log."""
    [row] = await place.world.rows(
        """SELECT s.openings_used,
                  (SELECT count(*) FROM locker.opening o WHERE o.share_id = s.share_id) AS openings,
                  (SELECT count(*) FROM locker.audit a
                    WHERE a.object_id = s.share_id AND a.action = 'share.opened') AS told
             FROM locker.share s WHERE s.share_id = $1""",
        share_id,
    )
    return row["openings_used"], row["openings"], row["told"]


async def spend(place: CitizenWorld, tx: Tx, share_id: str, path: str, **changes: Any) -> Opened | None:
    opening_id, owner = new_public_id(), place.world.subs[AMINA]
    event = AuditEvent(
        action="share.opened",
        actor_kind="anonymous",
        owner=owner,
        object_id=share_id,
        detail={"opening": opening_id},
    )
    asked: dict[str, Any] = {
        "owner": owner,
        "share_id": share_id,
        "token_sha256": digest(path.removeprefix("/s/")),
        "code_mac": None,
        "pin_mac": None,
        "client_id": None,
        "grant_id": None,
        "opening_id": opening_id,
        "viewing_sha256": digest(new_token()),
        "viewing_s": 600,
        "audit_id": new_id(),
        "key_wrapped": None,
    }
    return await store.spend_opening(tx, event, **(asked | changes))


async def pin_mac(place: CitizenWorld, share_id: str) -> bytes:
    [row] = await place.world.rows("SELECT pin_mac FROM locker.share WHERE share_id = $1", share_id)
    return bytes(row["pin_mac"])


async def set_share(place: CitizenWorld, share_id: str, change: str) -> None:
    await place.world.owner_db.execute(f"UPDATE locker.share SET {change} WHERE share_id = $1", share_id)


@asynccontextmanager
async def held(other: Database, share_id: str) -> AsyncIterator[None]:
    """As while another opening is under way."""
    async with other.transaction() as tx:
        await tx.execute("SELECT FROM locker.share WHERE share_id = $1 FOR UPDATE", share_id)
        yield


async def waits(place: CitizenWorld, task: "asyncio.Task[Any]", *, in_line: int = 1, for_s: float = 0.0) -> None:
    """Until so many statements stand in line for the row, so long."""
    waiting = """SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
                  WHERE a.datname = current_database() AND NOT l.granted
                    AND clock_timestamp() - l.waitstart > make_interval(secs => $1)"""
    while await place.world.owner_db.fetchval(waiting, for_s) < in_line:
        assert not task.done(), task.result()
        await asyncio.sleep(0.01)


async def test_each_of_several_documents_is_given_as_it_stands(place: CitizenWorld) -> None:
    first = await place.world.deposit(fields=FIELDS)
    superseded = str(first.json()["document_id"])
    plain, suspended, revoked, expired = [await place.document(fields=FIELDS) for _ in range(4)]
    # In no order of theirs, and the file among them went to the bin.
    kept, binned = await upload(place), await upload(place)
    wanted = [revoked, plain, expired, superseded, suspended]
    share_id, path = await place.share(*wanted, uploads=[binned, kept], view_only=False)
    await change(place, suspended, "suspend", reason="under-review")
    await change(place, revoked, "revoke", reason="obtained-by-fraud")
    assert (await place.world.deposit(replaces=first.json()["uri"], fields=FIELDS)).status_code == 201
    await place.world.owner_db.execute(
        "UPDATE locker.document SET valid_until = (now() AT TIME ZONE 'UTC')::date - 1 WHERE document_id = $1",
        expired,
    )
    await to_the_bin(place, binned)

    answer = await place.open(path)
    assert answer.status_code == 200, answer.text
    opened = answer.json()
    assert [each["answer"]["standing"] for each in opened["documents"]] == [
        "revoked",
        "valid",
        "expired",
        "superseded",
        "suspended",
    ]
    places = [each["signed_answer"].split("/")[-2] for each in opened["documents"]]
    assert places == wanted
    # Of what its issuer stopped nothing is shown.
    assert [each["original"] is None for each in opened["documents"]] == [True, False, False, False, True]
    assert [each["upload_id"] for each in opened["uploads"]] == [kept]
    assert set(opened["uploads"][0]) >= {"media_type", "pages", "pictures"}
    told = await line(place, share_id)
    assert told["detail"] == {
        "opening": opened["opening_id"],
        "documents": wanted,
        "types": ["BIRTHEXTRACT"] * 5,
        "uploads": [kept],
    }
    assert (told["actor_kind"], told["actor"], told["owner"]) == ("anonymous", "", place.world.subs[AMINA])
    assert (told["object_id"], told["purpose"], told["result"]) == (share_id, "Compte", "ok")
    receipt = unverified_claims(opened["receipt"])
    uris = [each["answer"]["document"]["uri"] for each in opened["documents"]]
    assert [each["uri"] for each in receipt["documents"]] == uris
    assert [each["sha256"] for each in receipt["documents"]] == [
        each["answer"]["sha256"] for each in opened["documents"]
    ]
    assert receipt["uploads"] == [kept]
    # Whoever looks again is told the same.
    bearer = {"Authorization": f"Bearer {opened['viewing_token']}"}
    again = (await place.world.locker.get(f"/o/{opened['opening_id']}", headers=bearer)).json()
    for part in (opened, again):
        for each in part["documents"]:
            del each["answer"]["checked_at"]
        part["receipt"] = unverified_claims(part["receipt"])
    assert again == opened


async def test_files_alone_are_given_without_a_document(place: CitizenWorld) -> None:
    share_id, path = await place.share(uploads=[await upload(place)])
    opened = (await place.open(path)).json()
    assert (opened["documents"], len(opened["uploads"])) == ([], 1)
    detail = (await line(place, share_id))["detail"]
    assert (detail["documents"], detail["types"]) == ([], [])
    assert "fields" not in detail
    assert unverified_claims(opened["receipt"])["documents"] == []


async def test_of_fields_the_log_names_each_once_in_the_order_in_which_they_were_shared(
    place: CitizenWorld, document_id: str
) -> None:
    second, whole, destroyed = [await place.document(fields=FIELDS) for _ in range(3)]
    chosen = {document_id: ["record_number", "birthdate"], second: ["birthdate", "family_name"]}
    share_id, path = await place.share(
        document_id, whole, second, destroyed, fields={**chosen, destroyed: ["birthdate"]}
    )
    await place.world.owner_db.execute(
        "UPDATE locker.document SET wrapped_key = NULL WHERE document_id = $1", destroyed
    )
    opened = (await place.open(path)).json()
    said = [
        sorted(part["fields"]) if "fields" in part else None
        for part in unverified_claims(opened["receipt"])["documents"]
    ]
    assert said == [["birthdate", "record_number"], None, ["birthdate", "family_name"], ["birthdate"]]
    # Of what was destroyed no field is given.
    assert [each["credential"] is not None for each in opened["documents"]] == [True, False, True, False]
    rows = await place.world.rows(
        "SELECT fields FROM locker.share_document WHERE share_id = $1 ORDER BY position", share_id
    )
    in_order = [name for row in rows for name in row["fields"] or []]
    assert (await line(place, share_id))["detail"]["fields"] == list(dict.fromkeys(in_order))
    assert len(in_order) == 5


@pytest.mark.parametrize(
    ("limits", "changes", "ended"),
    [
        ({}, {"token_sha256": digest(new_token())}, ""),
        ({}, {"owner": "somebody else"}, ""),
        ({}, {}, "openings_used = openings_max"),
        ({}, {}, "until = now() - interval '1 ms'"),
        ({}, {}, "open_until = now() - interval '1 ms'"),
        ({}, {}, "revoked_at = now()"),
        ({"pin": "482913"}, {}, ""),
        ({"pin": "482913"}, {"pin_mac": b"x" * 32}, ""),
        ({"client_id": "bank-x"}, {}, ""),
        ({"client_id": "bank-x"}, {"client_id": "bank-y"}, ""),
        ({}, {}, "grant_id = 'g-1'"),
        ({}, {"grant_id": "g-2"}, "grant_id = 'g-1'"),
        ({}, {}, 'caveats = caveats || \'[{"type": "of-a-later-version"}]\''),
    ],
)
async def test_what_may_not_be_opened_spends_nothing_and_leaves_no_line(
    place: CitizenWorld, document_id: str, limits: dict[str, Any], changes: dict[str, Any], ended: str
) -> None:
    share_id, path = await place.share(document_id, **limits)
    if ended:
        await set_share(place, share_id, ended)
    before = await counts(place, share_id)
    assert await spend(place, place.world.wiring.db, share_id, path, **changes) is None
    assert await counts(place, share_id) == before
    assert before[1:] == (0, 0)


async def test_who_shows_all_that_is_demanded_opens(place: CitizenWorld, document_id: str) -> None:
    share_id, path = await place.share(document_id, pin="482913", client_id="bank-x", openings=1)
    mac, db = await pin_mac(place, share_id), place.world.wiring.db
    racing = [spend(place, db, share_id, path, pin_mac=mac, client_id="bank-x") for _ in range(6)]
    opened = [each for each in await asyncio.gather(*racing) if each is not None]
    assert len(opened) == 1
    assert opened[0].opening.client_id == "bank-x"
    assert await counts(place, share_id) == (1, 1, 1)


async def test_a_line_that_cannot_be_written_spends_nothing(place: CitizenWorld, document_id: str) -> None:
    share_id, path = await place.share(document_id)
    [row] = await place.world.rows("SELECT audit_id, at FROM locker.audit WHERE object_id = $1 LIMIT 1", share_id)
    # Its month's partition refuses everything.
    name = await place.world.owner_db.fetchval(
        "SELECT tableoid::regclass::text FROM locker.audit WHERE audit_id = $1", row["audit_id"]
    )
    await place.world.owner_db.execute(f"ALTER TABLE {name} ADD CONSTRAINT refused CHECK (false) NOT VALID")
    try:
        assert (await place.open(path)).status_code == 500
    finally:
        await place.world.owner_db.execute(f"ALTER TABLE {name} DROP CONSTRAINT refused")
    assert await counts(place, share_id) == (0, 0, 0)


async def test_k_15_a_document_revoked_while_an_opening_waits_stands_as_when_it_began(
    place: CitizenWorld, other: Database
) -> None:
    document_id, binned = await place.document(), await upload(place)
    share_id, path = await place.share(document_id, uploads=[binned])
    async with held(other, share_id):
        opening = asyncio.create_task(spend(place, place.world.wiring.db, share_id, path))
        await waits(place, opening)
        await change(place, document_id, "revoke", reason="obtained-by-fraud")
        await to_the_bin(place, binned)
    opened = await opening
    assert opened is not None
    assert opened.items[0].document.standing == "valid"
    assert [each.upload_id for each in opened.uploads] == [binned]
    assert opened.age_s > 0
    # By its line the opening came first.
    [row] = await place.world.rows("SELECT state_changed_at FROM locker.document WHERE document_id = $1", document_id)
    assert (await line(place, share_id))["at"] < row["state_changed_at"]
    # The next statement sees it.
    later = await spend(place, place.world.wiring.db, share_id, path)
    assert later is not None
    assert later.items[0].document.standing == "revoked"
    assert later.uploads == []


async def test_k_15_who_waited_long_is_told_what_became_of_it_meanwhile(place: CitizenWorld, other: Database) -> None:
    document_id, binned = await place.document(fields=FIELDS), await upload(place)
    share_id, path = await place.share(document_id, uploads=[binned], fields={document_id: ["birthdate"]})
    async with held(other, share_id):
        opening = asyncio.create_task(place.open(path))
        await waits(place, opening)
        await change(place, document_id, "revoke", reason="obtained-by-fraud")
        await to_the_bin(place, binned)
        await waits(place, opening, for_s=OLD_S)
    opened = (await opening).json()
    assert (opened["documents"][0]["answer"]["standing"], opened["documents"][0]["credential"]) == ("revoked", None)
    assert opened["uploads"] == []
    # What was spent stands in the log as it was read.
    assert (await line(place, share_id))["detail"]["uploads"] == [binned]


@pytest.mark.parametrize("ended", ["the link", "all links"])
async def test_a_link_that_ends_while_an_opening_waits_gives_nothing(
    place: CitizenWorld, other: Database, document_id: str, ended: str
) -> None:
    share_id, path = await place.share(document_id, fields={document_id: ["birthdate"]})
    async with other.transaction() as tx:
        await tx.execute("SELECT FROM locker.share WHERE share_id = $1 FOR UPDATE", share_id)
        opening = asyncio.create_task(place.open(path))
        await waits(place, opening)
        if ended == "the link":
            await store.revoke(tx, owner=place.world.subs[AMINA], share_id=share_id)
        else:
            await store.end_all(place.world.wiring.db, owner=place.world.subs[AMINA])
            await waits(place, opening, for_s=OLD_S)
    answer = await opening
    assert (answer.status_code, answer.json()["code"]) == CLOSED
    # Only what ends the row itself comes before whoever waited for the row.
    assert await counts(place, share_id) == ((0, 0, 0) if ended == "the link" else (1, 1, 1))


@pytest.mark.parametrize("first", ["opening", "erasure"])
async def test_p_01_of_an_opening_and_an_erasure_that_wait_for_one_row_the_first_comes_first(
    place: CitizenWorld, other: Database, first: str
) -> None:
    document_id = await place.document(YOUSSEF, fields=FIELDS)
    share_id, path = await place.share(document_id, uid=YOUSSEF, fields={document_id: ["birthdate"]})
    owner, wiring = place.world.subs[YOUSSEF], place.world.wiring
    await ask(wiring.db, wiring.audit, owner=owner, by="officer", actor="clerk", wait_s=0, reference="R")
    tasks: list[asyncio.Task[Any]] = []
    async with held(other, share_id):
        for name in ("opening", "erasure") if first == "opening" else ("erasure", "opening"):
            begun = (
                place.open(path) if name == "opening" else erase_due(wiring.db, wiring.audit, wiring.vault, settled_s=0)
            )
            tasks.append(asyncio.create_task(begun))
            await waits(place, tasks[-1], in_line=len(tasks))
    done = dict(zip((first, "the other"), await asyncio.gather(*tasks), strict=True))
    opened = done["opening" if first == "opening" else "the other"]
    if first == "opening":
        assert opened.status_code == 200, opened.text
    else:
        assert (opened.status_code, opened.json()["code"]) == CLOSED
    assert (await place.open(path)).status_code == 404
    await erase_due(wiring.db, wiring.audit, wiring.vault, settled_s=0)
    for table in ("share", "share_document", "opening", "document"):
        assert await place.world.rows(f"SELECT FROM locker.{table} WHERE owner = $1", owner) == [], table
    place.world.subs[YOUSSEF] = place.world.provider.subjects[YOUSSEF] = secrets.token_urlsafe(32)
