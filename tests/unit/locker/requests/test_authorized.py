"""What a citizen allowed at sign-in becomes a share: the real provider, the real locker, one way from end to end."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from typing import Any

import httpx
import jwt
import pytest
import pytest_asyncio

from locker.requests import store
from locker.requests.take_authorized import ONCE_S
from tests.locker_world import BIRTH, LOCKER, RECORD
from tests.one_world import OneWorld, Person, open_one_world
from tests.provider import RelyingParty

pytestmark = pytest.mark.asyncio(loop_scope="module")

FIELDS = {"family_name": "Alaoui-Kettani", "birthdate": "1988-04-17", "record_number": "41/1988"}
UNTIL: dict[str, Any] = {
    "type": "locker_document",
    "document_types": [BIRTH],
    "fields": ["family_name", "birthdate"],
    "purpose": "account",
    "until": (dt.datetime.now(dt.UTC).date() + dt.timedelta(days=30)).isoformat(),
}
ONCE = {**{name: value for name, value in UNTIL.items() if name != "until"}, "once": True}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def one(dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OneWorld]:
    async with open_one_world(dsns, s3, tmp_path_factory.mktemp("one")) as opened:
        yield opened


async def bank(one: OneWorld, **metadata: Any) -> RelyingParty:
    party = await one.party(**metadata)
    await one.purpose(party, "account", {BIRTH: ["family_name", "birthdate"], RECORD: None})
    return party


async def holder(one: OneWorld, **fields: str) -> Person:
    """A citizen who holds a birth record extract."""
    person = await one.person()
    await one.document(person, fields={**FIELDS, **fields})
    return person


async def allowed(one: OneWorld, *details: dict[str, Any]) -> tuple[Person, RelyingParty, str]:
    person, party = await holder(one), await bank(one)
    return person, party, (await one.tokens(person, party, *details))["access_token"]


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def viewing(opened: httpx.Response) -> dict[str, str]:
    return {"Authorization": f"Bearer {opened.json()['viewing_token']}"}


async def test_from_the_citizens_yes_to_the_documents_and_to_the_end_of_the_connection(one: OneWorld) -> None:
    amina, party = await holder(one), await bank(one)
    tokens = await one.tokens(amina, party, UNTIL)
    assert tokens["authorization_details"] == [UNTIL]

    taken = await one.take(party, tokens["access_token"], UNTIL, headers={"Accept-Language": "fr"})
    assert taken.status_code == 201, taken.text
    assert taken.json()["missing"] == []
    opened = await one.open(party, tokens["access_token"], taken.json()["share"])
    assert opened.status_code == 200, opened.text
    [document] = opened.json()["documents"]
    assert (document["original"], opened.json()["recipient"]) == (None, "Banque X")
    for text in (opened.text, document["credential"]):
        assert "41/1988" not in text

    # The citizen reads of it, keeps the twin of what the bank keeps, ...
    browser = await one.at_the_locker(amina)
    [row] = await shares(one, party)
    for lang, words in {
        "fr": "Autorisé à la connexion",
        "ar": "سُمح به عند تسجيل الدخول",
        "zgh": "ⵉⵜⵜⵓⵙⵓⵔⴳ ⴳ ⵓⴽⵛⵛⵓⵎ",
        "en": "Allowed at sign-in",
    }.items():
        page = (await browser.get(f"/wallet/shares/{row['share_id']}?lang={lang}")).text
        assert words in page
        assert "Banque X" in page
    history = (await browser.get("/wallet/history?lang=fr")).text
    for shown in ("A pris ce que vous lui aviez autorisé à la connexion", "Banque X", party.client_id):
        assert shown in history
    twin = await browser.get(f"/wallet/shares/{row['share_id']}/openings/{opened.json()['opening_id']}/receipt")
    mine, theirs = (claims_of(text) for text in (twin.text, opened.json()["receipt"]))
    assert (mine.pop("for"), theirs.pop("for")) == ("citizen", "opener")
    assert mine == theirs
    assert mine["client_id"] == party.client_id

    # ... and ends it where it began, at once and everywhere.
    look = f"/o/{opened.json()['opening_id']}"
    status = f"/credentials/{row['credential_id']}/status"
    assert (await one.nodes[1].get(look, headers=viewing(opened))).status_code == 200
    assert (await one.nodes[1].get(status)).json()["shared"] is True
    await one.disconnect(amina, party)
    for node in (1, 0):
        again = await one.open(party, tokens["access_token"], taken.json()["share"], node=node)
        assert again.status_code in (401, 403, 404)
        assert refused(await one.nodes[node].get(look, headers=viewing(opened))) == (404, "share-closed")
        assert (await one.nodes[node].get(status)).json() | {"credential_id": ""} == {
            "credential_id": "",
            "shared": False,
            "standing": None,
        }
        assert refused(await one.take(party, tokens["access_token"], UNTIL, node=node)) == (401, "invalid_token")
    for path in ("/wallet/shares", f"/wallet/shares/{row['share_id']}"):
        assert "Stopped: the service is not connected" in (await browser.get(f"{path}?lang=en")).text
        one.transport.away = True
        try:
            # The citizen's pages come without the provider's answer, too.
            shown_then = await browser.get(f"{path}?lang=en")
        finally:
            one.transport.away = False
        assert (shown_then.status_code, "Stopped" in shown_then.text) == (200, False)


def claims_of(receipt: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(receipt, options={"verify_signature": False})
    return claims


async def shares(one: OneWorld, party: RelyingParty) -> list[dict[str, Any]]:
    return await one.world.rows(
        "SELECT s.*, d.credential_id, d.document_id FROM locker.share s JOIN locker.share_document d"
        " USING (owner, share_id) WHERE s.client_id = $1 ORDER BY s.created_at",
        party.client_id,
    )


@pytest.mark.parametrize("detail", [ONCE, UNTIL], ids=["once", "until"])
async def test_asked_again_and_by_many_at_once_it_is_one_share(one: OneWorld, detail: dict[str, Any]) -> None:
    _person, party, token = await allowed(one, detail)
    answers = await asyncio.gather(*(one.take(party, token, detail, node=number % 2) for number in range(6)))
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [201]
    # The same in other words: types and fields are sets.
    answers.append(await one.take(party, token, {**detail, "fields": ["birthdate", "family_name", "birthdate"]}))
    assert answers[-1].status_code == 200
    assert len({answer.json()["share"] for answer in answers}) == 1
    assert len(await shares(one, party)) == 1
    assert await one.figures(party) == {"asked": 1, "refused": 0, "given": 1, "declined": 0}


async def test_what_is_allowed_once_waits_a_quarter_of_an_hour_for_its_one_opening(one: OneWorld) -> None:
    person, party = await holder(one), await bank(one)
    tokens = await one.tokens(person, party, ONCE)
    token = tokens["access_token"]
    taken = (await one.take(party, token, ONCE)).json()
    left_s = (dt.datetime.fromisoformat(taken["until"]) - dt.datetime.now(dt.UTC)).total_seconds()
    assert ONCE_S - 120 < left_s <= ONCE_S + 5
    # Longer than the access token with which it was taken: the next one brings no detail, and opens it.
    fresh = (await one.idp.refresh(party, tokens["refresh_token"], resource=LOCKER)).json()
    assert "authorization_details" not in fresh
    assert refused(await one.take(party, fresh["access_token"], ONCE)) == (403, "detail-not-given")
    assert (await one.open(party, fresh["access_token"], taken["share"])).status_code == 200
    assert refused(await one.open(party, fresh["access_token"], taken["share"])) == (404, "share-closed")
    assert refused(await one.take(party, token, ONCE)) == (409, "authorization-used")
    # The citizen says yes once more.
    again = (await one.tokens(person, party, ONCE))["access_token"]
    assert (await one.take(party, again, ONCE)).status_code == 201
    assert await one.figures(party) == {"asked": 2, "refused": 0, "given": 2, "declined": 0}


async def test_until_a_day_one_share_follows_the_other_with_the_documents_of_then(one: OneWorld) -> None:
    person, party, token = await allowed(one, UNTIL)
    first = (await one.take(party, token, UNTIL)).json()["share"]
    newer = await one.document(person, fields={**FIELDS, "family_name": "Alaoui"})
    # A share is of the documents that it was made of.
    assert (await one.take(party, token, UNTIL)).json()["share"] == first
    for _ in range(5):
        opened = await one.open(party, token, first)
        assert opened.json()["documents"][0]["answer"]["document"]["uri"].rpartition("/")[2] != newer
    answers = await asyncio.gather(*(one.take(party, token, UNTIL, node=number % 2) for number in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [201]
    [second] = {answer.json()["share"] for answer in answers}
    assert second != first
    assert [row["document_id"] == newer for row in await shares(one, party)] == [False, True]
    assert refused(await one.open(party, token, first)) == (404, "share-closed")
    assert (await one.open(party, token, second)).status_code == 200
    assert await one.figures(party) == {"asked": 1, "refused": 0, "given": 1, "declined": 0}


async def test_a_share_ends_with_the_day_of_its_detail(one: OneWorld) -> None:
    today = dt.datetime.now(dt.UTC).date()
    detail = {**UNTIL, "until": (today + dt.timedelta(days=1)).isoformat()}
    _person, party, token = await allowed(one, detail)
    until = dt.datetime.fromisoformat((await one.take(party, token, detail)).json()["until"])
    assert until == dt.datetime.combine(today + dt.timedelta(days=2), dt.time(), dt.UTC)


async def test_what_the_citizen_ended_in_the_locker_stays_ended(one: OneWorld) -> None:
    for ending in ("one", "all"):
        person, party, token = await allowed(one, UNTIL)
        link = (await one.take(party, token, UNTIL)).json()["share"]
        opened = await one.open(party, token, link)
        browser = await one.at_the_locker(person)
        [row] = await shares(one, party)
        page = await browser.get("/wallet/shares" if ending == "all" else f"/wallet/shares/{row['share_id']}")
        assert (await browser.submit(page)).status_code in (200, 303)
        for node in (1, 0):
            assert refused(await one.open(party, token, link, node=node)) == (404, "share-closed")
            assert refused(await one.take(party, token, UNTIL, node=node)) == (403, "authorization-ended")
            look = f"/o/{opened.json()['opening_id']}"
            assert (await one.nodes[node].get(look, headers=viewing(opened))).status_code == 404
        assert len(await shares(one, party)) == 1


async def test_what_the_citizen_does_not_hold_is_said_and_nothing_is_made_of_nothing(one: OneWorld) -> None:
    person, party = await one.person(), await bank(one)
    both = {**UNTIL, "document_types": [BIRTH, RECORD], "fields": ["birthdate"]}
    token = (await one.tokens(person, party, both))["access_token"]
    assert refused(await one.take(party, token, both)) == (409, "nothing-held")
    await one.document(person, fields={"family_name": "Alaoui"})
    # Of the fields that were allowed this document has none.
    assert refused(await one.take(party, token, both)) == (409, "nothing-held")
    assert await one.figures(party) == {"asked": 0, "refused": 0, "given": 0, "declined": 0}
    await one.document(person, fields=FIELDS)
    taken = await one.take(party, token, both)
    assert (taken.status_code, taken.json()["missing"]) == (201, [RECORD])
    [row] = await shares(one, party)
    assert row["caveats"][-1] == {"type": "while-connected"}


async def test_whole_documents_are_given_with_their_originals(one: OneWorld) -> None:
    person, party = await holder(one), await one.party()
    await one.purpose(party, "proof", {BIRTH: None})
    detail = {"type": "locker_document", "document_types": [BIRTH], "purpose": "proof", "once": True}
    token = (await one.tokens(person, party, detail))["access_token"]
    opened = await one.open(party, token, (await one.take(party, token, detail)).json()["share"])
    [document] = opened.json()["documents"]
    path = document["original"].removeprefix(LOCKER)
    original = await one.nodes[1].get(path, headers=viewing(opened))
    assert (original.status_code, original.content[:5]) == (200, b"%PDF-")
    await one.disconnect(person, party)
    for place in (path, document["pictures"][0].removeprefix(LOCKER), f"/o/{opened.json()['opening_id']}/receipt"):
        assert (await one.nodes[1].get(place, headers=viewing(opened))).status_code == 404


async def test_without_the_provider_nothing_opens_and_nothing_is_spent(one: OneWorld) -> None:
    _person, party, token = await allowed(one, UNTIL)
    link = (await one.take(party, token, UNTIL)).json()["share"]
    opened = await one.open(party, token, link)
    [row] = await shares(one, party)
    one.transport.away = True
    try:
        answers = [
            await one.open(party, token, link),
            await one.take(party, token, UNTIL),
            await one.nodes[0].get(f"/o/{opened.json()['opening_id']}", headers=viewing(opened)),
            await one.nodes[0].get(f"/credentials/{row['credential_id']}/status"),
        ]
    finally:
        one.transport.away = False
    assert [answer.status_code for answer in answers] == [503] * 4
    assert all(int(answer.headers["retry-after"]) > 0 for answer in answers)
    [row] = await shares(one, party)
    assert row["openings_used"] == 1
    assert (await one.open(party, token, link)).status_code == 200


async def test_what_nobody_can_ask_for_again_is_forgotten(one: OneWorld) -> None:
    _person, party, token = await allowed(one, ONCE, UNTIL)
    for detail in (ONCE, UNTIL):
        assert (await one.take(party, token, detail)).status_code == 201
    kept = "SELECT over_at FROM locker.authorized_share WHERE client_id = $1 ORDER BY over_at"
    assert len(await one.world.rows(kept, party.client_id)) == 2
    await store.sweep(one.world.wiring.db, kept_s=-2 * 86_400)
    [left] = await one.world.rows(kept, party.client_id)
    assert left["over_at"].date().isoformat() > UNTIL["until"]


async def test_a_purpose_that_changes_meanwhile_gives_nothing(one: OneWorld) -> None:
    """As if the officer came between the look and the write."""
    _person, party, token = await allowed(one, UNTIL)
    db = one.world.wiring.db
    seen = await store.purpose(db, client_id=party.client_id, purpose_id="account")
    assert seen is not None
    assert (await one.take(party, token, UNTIL)).status_code == 201
    [row] = await one.world.rows("SELECT * FROM locker.authorized_share WHERE client_id = $1", party.client_id)

    async def kept(detail_key: bytes, instead_of: str | None) -> bool:
        return await store.keep_authorized(
            db,
            owner=row["owner"],
            grant_id=row["grant_id"],
            detail_key=detail_key,
            purpose=seen,
            share_id=row["share_id"],
            link_sealed=row["link_sealed"],
            over_at=row["over_at"],
            instead_of=instead_of,
        )

    assert await kept(b"other", None)
    assert await kept(row["detail_key"], row["share_id"])
    assert not await kept(row["detail_key"], "another share")
    await one.purpose(party, "account", {BIRTH: ["family_name", "birthdate", "record_number"]})
    assert not await kept(b"a third", None)
    assert not await kept(row["detail_key"], row["share_id"])
