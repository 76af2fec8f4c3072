"""The citizen sees each act, page by page, and takes it away as a table."""

import csv
import io
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
import pytest_asyncio

from locker.history.export_csv import cell
from tests.citizen_browser import CitizenWorld, open_citizen_world
from tests.locker_world import YOUSSEF

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CitizenWorld]:
    async with open_citizen_world(dsns, s3, tmp_path_factory.mktemp("locker")) as opened:
        yield opened


async def test_each_act_is_a_line_that_says_who_what_and_why(place: CitizenWorld) -> None:
    document_id = await place.document()
    share_id, path = await place.share(document_id)
    await place.open(path)
    history = (await place.world.locker.get("/v1/history", headers=place.world.citizen())).json()["events"]
    opened, created, deposited = history[:3]
    assert opened["action"] == "share.opened"
    assert (opened["recipient"], opened["purpose"]) == ("Banque X", "Compte")
    assert list(opened["types"]) == ["BIRTHEXTRACT"]
    assert (created["action"], created["actor"]) == ("share.created", "wallet")
    assert deposited["action"] == "document.deposited"
    assert deposited["actor_names"]["fr"] == "ma.gov.interieur"
    assert not {"owner", "detail"} & set(opened)
    nobody = (await place.world.locker.get("/v1/history", headers=place.world.citizen(YOUSSEF))).json()["events"]
    assert nobody == []
    assert share_id


async def test_a_list_leaves_no_line_and_what_is_opened_leaves_one(place: CitizenWorld) -> None:
    """As docs/log.md says, and the page."""
    document_id = await place.document()
    citizen = await place.signed_in()
    token = place.world.citizen(scope="documents:read documents:share documents:upload")

    async def of_documents(what: str) -> list[str]:
        seen = (await place.world.locker.get(f"/v1/history?{what}&limit=200", headers=token)).json()["events"]
        return [event["action"] for event in seen]

    before = await of_documents("of=all")
    for path in ("/v1/documents", "/v1/shares", "/v1/uploads", "/v1/history"):
        assert (await place.world.locker.get(path, headers=token)).status_code == 200, path
    for path in ("/wallet", "/wallet/shares", "/wallet/uploads", "/wallet/history"):
        assert (await citizen.get(path)).status_code == 200, path
    assert await of_documents("of=all") == before
    assert "leaves no line here" in (await citizen.get("/wallet/history?lang=en")).text
    for part in ("", "/original"):
        answer = await place.world.locker.get(f"/v1/documents/{document_id}{part}", headers=token)
        assert answer.status_code == 200
    opened = await of_documents(f"document={document_id}")
    assert opened[:2] == ["document.downloaded", "document.viewed"]


async def test_pages_meet_without_a_gap_and_without_a_double(place: CitizenWorld) -> None:
    document_id = await place.document()
    for _ in range(5):
        await place.world.locker.get(f"/v1/documents/{document_id}", headers=place.world.citizen())
    whole = (await place.world.locker.get("/v1/history?limit=200", headers=place.world.citizen())).json()["events"]
    walked, after = [], ""
    while True:
        page = (
            await place.world.locker.get(f"/v1/history?limit=3&after={after}", headers=place.world.citizen())
        ).json()
        walked += page["events"]
        after = page["next"]
        if after is None:
            break
    assert [event["audit_id"] for event in walked] == [event["audit_id"] for event in whole]


@pytest.mark.parametrize(
    ("of", "prefixes"),
    [("documents", ("document.",)), ("shares", ("share.",)), ("sessions", ("session.",))],
)
async def test_a_filter_shows_its_own_kind(place: CitizenWorld, of: str, prefixes: tuple[str, ...]) -> None:
    await place.signed_in()
    await place.share(await place.document())
    events = (await place.world.locker.get(f"/v1/history?of={of}", headers=place.world.citizen())).json()["events"]
    assert events
    assert all(event["action"].startswith(prefixes) for event in events)
    others = (await place.world.locker.get("/v1/history?of=others", headers=place.world.citizen())).json()["events"]
    assert all(event["actor_kind"] != "citizen" for event in others)
    assert (await place.world.locker.get("/v1/history?of=x", headers=place.world.citizen())).status_code == 400


async def test_lines_are_chosen_by_who_what_document_and_day(place: CitizenWorld) -> None:
    async def chosen(query: str) -> list[dict[str, Any]]:
        answer = await place.world.locker.get(f"/v1/history?limit=200&{query}", headers=place.world.citizen())
        assert answer.status_code == 200, answer.text
        events: list[dict[str, Any]] = answer.json()["events"]
        return events

    document_id, other_id = await place.document(), await place.document()
    _share_id, path = await place.share(document_id)
    await place.share(other_id)
    await place.open(path)
    assert [event["action"] for event in await chosen(f"document={document_id}")] == [
        "share.opened",
        "share.created",
        "document.deposited",
    ]
    assert {event["actor_kind"] for event in await chosen("by=anonymous")} == {"anonymous"}
    by_administration = await chosen("actor=ma.gov.interieur")
    assert by_administration == await chosen("actor=ma.gov.interieur-backend") != []
    assert {event["action"] for event in await chosen("action=share.created")} == {"share.created"}
    today = datetime.now(UTC).date()
    assert await chosen(f"since={today}&until={today}") == await chosen("")
    assert (
        await chosen(f"until={today - timedelta(days=1)}") == await chosen(f"since={today + timedelta(days=1)}") == []
    )
    assert await chosen("document=' OR true --") == []
    for wrong in ("since=yesterday", "by=nobody", "actor=", f"actor={'x' * 201}"):
        answer = await place.world.locker.get(f"/v1/history?{wrong}", headers=place.world.citizen())
        assert answer.status_code == 400, wrong


async def test_the_page_chooses_as_its_form_says_and_a_cursor_belongs_to_its_choice(place: CitizenWorld) -> None:
    for _ in range(26):
        await place.world.locker.get(f"/v1/documents/{await place.document()}", headers=place.world.citizen())
    citizen = await place.signed_in()
    today = datetime.now(UTC).date()
    # As the form sends it, with what was left empty.
    page = await citizen.get(f"/wallet/history?of=documents&by=client&since={today}&until=")
    following = re.search(r'href="(/wallet/history[?][^"]*after=[^"]+)"', page.text)
    assert following
    second = await citizen.get(unescape(following[1]))
    assert second.status_code == 200
    assert "by=client" in unescape(following[1])
    other = unescape(following[1]).replace("by=client", "by=citizen")
    assert (await citizen.get(other)).status_code == 400
    assert (await citizen.get("/wallet/history?since=31/12/2026")).status_code == 400
    csv_ = await citizen.get("/wallet/history/export.csv?by=citizen")
    assert {row["actor_kind"] for row in csv.DictReader(io.StringIO(csv_.content.decode("utf-8-sig")))} == {"citizen"}


async def test_a_cell_that_begins_like_a_formula_is_text() -> None:
    assert [cell(text) for text in ("=1", "+1", "-1", "@x", "\tx", " =1", "x=1", "")] == [
        "'=1",
        "'+1",
        "'-1",
        "'@x",
        "'\tx",
        "' =1",
        "x=1",
        "",
    ]


async def test_a_choice_that_no_line_can_have_is_no_fault(place: CitizenWorld) -> None:
    for query in (
        "actor=%00",
        "document=a%00b",
        "action=%00",
        "until=9999-12-31",
        "since=0001-01-01",
        "actor=%ED%A0%80",
    ):
        answer = await place.world.locker.get(f"/v1/history?{query}", headers=place.world.citizen())
        assert answer.status_code in {200, 400}, query
    citizen = await place.signed_in()
    assert (await citizen.get("/wallet/history?document=%00")).status_code in {200, 400}
    for form in ("csv", "jsonl"):
        assert (await citizen.get(f"/wallet/history/export.{form}?action=%00")).status_code == 400


async def test_a_citizen_takes_the_table_so_many_times_a_minute(place: CitizenWorld) -> None:
    citizen = await place.signed_in(YOUSSEF)
    codes = [(await citizen.get("/wallet/history/export.csv")).status_code for _ in range(12)]
    assert codes == [200] * 10 + [429] * 2
