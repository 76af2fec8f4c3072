"""The citizen sees each act, page by page, and takes it away as a table."""

import csv
import io
from collections.abc import AsyncIterator
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


async def test_u_29_the_export_holds_no_formula(place: CitizenWorld) -> None:
    await place.share(await place.document(), recipient="=cmd|' /C calc'!A0", purpose="@SUM(1+1)")
    citizen = await place.signed_in()
    answer = await citizen.get("/wallet/history/export.csv")
    assert answer.content.startswith(b"\xef\xbb\xbf")
    table = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert any(row["recipient"] == "'=cmd|' /C calc'!A0" for row in table)
    assert not any(value.startswith(("=", "+", "-", "@")) for row in table for value in row.values())
    assert answer.headers["content-disposition"].startswith("attachment")


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
