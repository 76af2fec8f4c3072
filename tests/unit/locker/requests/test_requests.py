"""A relying party asks, a citizen decides: from the registered purpose to the share that only that party opens."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest
import pytest_asyncio

from kit.audit import Audit
from locker.requests import store
from locker.requests.register_purpose import register_purpose, withdraw_purpose
from locker.requests.schema import PurposeRegistration
from tests.citizen_browser import CitizenWorld, form_of, open_citizen_world
from tests.locker_world import AMINA, BIRTH, LOCKER, RECORD, YOUSSEF

pytestmark = pytest.mark.asyncio(loop_scope="module")

BANK = "bank"
NAMES = {"ar": "البنك س", "fr": "Banque X", "zgh": "ⵜⴰⴱⴰⵏⴽⴰ", "en": "Bank X"}
PURPOSE = {"ar": "فتح حساب", "fr": "Ouvrir un compte", "zgh": "ⴰⵔⵣⵣⵓⵎ", "en": "To open an account"}
FIELDS = {"family_name": "Alaoui-Kettani", "birthdate": "1988-04-17", "record_number": "41/1988"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CitizenWorld]:
    async with open_citizen_world(dsns, s3, tmp_path_factory.mktemp("locker")) as opened:
        await registered(opened, "account", [{"type": BIRTH, "fields": ["family_name", "birthdate"]}])
        await registered(opened, "mortgage", [{"type": BIRTH, "fields": ["family_name"]}, {"type": RECORD}])
        yield opened


async def registered(
    place: CitizenWorld, purpose_id: str, documents: list[dict[str, Any]], client: str = BANK, **changed: Any
) -> None:
    registration = {
        "client_id": client,
        "purpose_id": purpose_id,
        "names": NAMES,
        "purpose": PURPOSE,
        "documents": documents,
        **changed,
    }
    new = msgspec.convert(registration, PurposeRegistration)
    await register_purpose(place.app.state.wiring.db, Audit("locker"), new, officer="test")


def program(place: CitizenWorld, client: str = BANK, scope: str = "documents:request") -> dict[str, str]:
    token = place.provider.token(sub=client, client_id=client, scope=scope)
    return {"Authorization": f"Bearer {token}"}


async def asked(place: CitizenWorld, purpose: str = "account", client: str = BANK, **more: Any) -> httpx.Response:
    body = {"purpose": purpose, **more}
    return await place.world.locker.post("/v1/requests", headers=program(place, client), json=body)


async def made(place: CitizenWorld, purpose: str = "account", **more: Any) -> tuple[str, str]:
    """request_id, token."""
    answer = await asked(place, purpose, **more)
    assert answer.status_code == 201, answer.text
    return answer.json()["request_id"], answer.json()["url"].removeprefix(f"{LOCKER}/r/")


async def state(place: CitizenWorld, request_id: str, client: str = BANK) -> Any:
    answer = await place.world.locker.get(f"/v1/requests/{request_id}", headers=program(place, client))
    return answer.json() if answer.status_code == 200 else answer.status_code


async def say(place: CitizenWorld, token: str, documents: dict[str, str], uid: str = AMINA) -> httpx.Response:
    return await place.world.locker.post(
        f"/v1/asked/{token}", headers=place.share_headers(uid), json={"documents": documents}
    )


COUNTED = ("asked", "refused", "given", "declined")


async def published(place: CitizenWorld) -> dict[str, int]:
    listed = (await place.world.locker.get("/v1/request-figures")).json()["figures"]
    [found] = [each for each in listed if each["client_id"] == BANK] or [{}]
    return {name: found.get(name, 0) for name in COUNTED}


async def figures(place: CitizenWorld) -> dict[str, int]:
    """As they are kept."""
    rows = await place.world.rows("SELECT * FROM locker.request_figure WHERE client_id = $1", BANK)
    return {name: sum(row[name] for row in rows) for name in COUNTED}


async def test_a_citizen_gives_fields_in_the_browser_and_only_who_asked_opens_them(place: CitizenWorld) -> None:
    document_id = await place.document(fields=FIELDS)
    before = await figures(place)
    request_id, token = await made(place)
    stranger = place.browser()
    sent_away = await stranger.get(f"/r/{token}")
    assert sent_away.status_code == 303
    assert "/sign-in" in sent_away.headers["location"]
    citizen = await place.signed_in()
    page = await citizen.get(f"/r/{token}")
    assert page.status_code == 200, page.text
    for shown in ("Banque X", "Ouvrir un compte", BANK, document_id, "pendant 7 jours"):
        assert shown in page.text
    assert "41/1988" not in page.text
    given = await citizen.submit(page, **{"decision": "give", f"document-{BIRTH}": document_id})
    assert given.status_code == 303, given.text
    assert given.headers["location"].startswith("/wallet/shares/")
    told = await state(place, request_id)
    assert told["state"] == "given"
    path = told["share"].removeprefix(LOCKER)
    assert (await place.open(path)).status_code == 403
    assert (await place.open(path, headers=program(place, "other"))).status_code == 403
    opened = await place.open(path, headers=program(place))
    assert opened.status_code == 200, opened.text
    [document] = opened.json()["documents"]
    assert document["original"] is None
    for hidden in ("41/1988", "record_number"):
        assert hidden not in opened.text
        assert hidden not in document["credential"]
    after = await figures(place)
    assert {name: after[name] - before[name] for name in after} == {"asked": 1, "refused": 0, "given": 1, "declined": 0}
    history = await place.world.locker.get("/v1/history", headers=place.world.citizen())
    assert "request.given" in history.text


@pytest.mark.parametrize(
    ("documents", "beyond"),
    [
        ([{"type": BIRTH, "fields": ["family_name", "record_number"]}], [f"{BIRTH}.record_number"]),
        ([{"type": BIRTH}], [BIRTH]),
        ([{"type": RECORD, "fields": ["family_name"]}], [f"{RECORD}.family_name"]),
        ([{"type": BIRTH, "fields": ["family_name"]}, {"type": BIRTH}], [BIRTH]),
        ([{"type": BIRTH, "fields": ["Family_name"]}], [f"{BIRTH}.Family_name"]),
        ([{"type": BIRTH, "fields": ["family_name "]}], [f"{BIRTH}.family_name "]),
        ([{"type": BIRTH, "fields": ["family_name\u200b"]}], [f"{BIRTH}.family_name\u200b"]),
        ([{"type": BIRTH, "fields": ["f\uff41mily_name"]}], [f"{BIRTH}.f\uff41mily_name"]),
        ([{"type": BIRTH, "fields": ["family_name.record_number"]}], [f"{BIRTH}.family_name.record_number"]),
        ([{"type": BIRTH, "fields": ["*"]}], [f"{BIRTH}.*"]),
    ],
)
async def test_a_request_wider_than_registered_is_refused_and_counted_for_all_to_see(
    place: CitizenWorld, documents: list[dict[str, Any]], beyond: list[str]
) -> None:
    before = await published(place)
    refused = await asked(place, documents=documents)
    assert (refused.status_code, refused.json()["code"]) == (403, "request-too-wide")
    assert refused.json()["beyond"] == beyond
    after = await published(place)
    assert (after["refused"], after["asked"]) == (before["refused"] + 1, before["asked"])


@pytest.mark.parametrize(
    "body",
    [
        b'{"purpose": "mortgage", "documents": [{"type": "CRIMRECORD", "fields": ["a\\u0000b"]}]}',
        b'{"purpose": "account", "documents": [{"type": "BIRTHEXTRACT", "fields": ["\\u0000"]}]}',
        b'{"purpose": "account", "documents": [{"type": "BIRTHEXTRACT", "fields": ["\\ud800"]}]}',
        b'{"purpose": "account", "documents": [{"type": "BIRTHEXTRACT\\n", "fields": ["a\\nb"]}]}',
        b'{"purpose": "account", "documents": [{"type": "BIRTHEXTRACT", "fields": []}]}',
        b'{"purpose": "account", "documents": [{"type": "birthextract"}]}',
        b'{"purpose": "account", "documents": []}',
        b'{"purpose": "account", "lifetime_s": 1e9}',
        b'{"purpose": "account", "lifetime_s": -1}',
        b'{"purpose": "account", "client_id": "other"}',
        b'{"purpose": "account", "documents": [{"type": "CRIMRECORD", "fields": ["SEND MONEY TO 06"]}]}',
        b'{"purpose": "mortgage", "documents": [{"type": "CRIMRECORD", "fields": ["SEND MONEY TO 06"]}]}',
        b"[" * 100_000,
    ],
    ids=range(13),
)
async def test_a_request_that_says_something_impossible_is_refused_and_no_fault(
    place: CitizenWorld, body: bytes
) -> None:
    answer = await place.world.locker.post("/v1/requests", headers=program(place), content=body)
    assert answer.status_code in (400, 403, 422), answer.text


async def test_more_fields_than_one_may_name_are_no_more_in_two_parts(place: CitizenWorld) -> None:
    """What is kept is read again under the same limits."""
    parts = [{"type": RECORD, "fields": [f"f{part}-{number}" for number in range(100)]} for part in (1, 2)]
    answer = await asked(place, "mortgage", documents=parts)
    assert answer.status_code == 422, answer.text


async def test_a_purpose_that_allows_less_ends_what_waits_for_more(place: CitizenWorld) -> None:
    await registered(place, "narrowed", [{"type": BIRTH}])
    own = await place.document(fields=FIELDS)
    _id, token = await made(place, "narrowed")
    _id, less = await made(place, "narrowed", documents=[{"type": BIRTH, "fields": ["family_name"]}])
    await registered(place, "narrowed", [{"type": BIRTH, "fields": ["family_name"]}])
    assert (await say(place, token, {BIRTH: own})).status_code == 404
    looked = await place.world.locker.get(f"/v1/asked/{token}", headers=place.share_headers())
    assert looked.status_code == 404
    assert (await say(place, less, {BIRTH: own})).status_code == 200


async def test_what_the_purpose_became_is_shown_before_it_is_given_for(place: CitizenWorld) -> None:
    """An officer corrects its words while the citizen reads: a yes is to what was read. A no needs no second look."""
    part = [{"type": BIRTH, "fields": ["birthdate"]}]
    await registered(place, "loan", part)
    document_id = await place.document(fields=FIELDS)
    giving = {"decision": "give", f"document-{BIRTH}": document_id}
    (first, token), (second, other) = await made(place, "loan"), await made(place, "loan")
    citizen = await place.signed_in()
    page, other_page = await citizen.get(f"/r/{token}"), await citizen.get(f"/r/{other}")
    assert "Ouvrir un compte" in page.text
    await registered(place, "loan", part, purpose={**PURPOSE, "fr": "Publicité ciblée"})
    again = await citizen.submit(page, **giving)
    assert (again.status_code, (await state(place, first))["state"]) == (409, "waiting")
    assert "Publicité ciblée" in again.text
    assert "Quelque chose a changé" in again.text
    assert (await citizen.submit(page, **giving, seen="")).status_code == 409
    assert (await citizen.submit(again, **giving)).status_code == 303
    [row] = await place.world.rows(
        "SELECT s.purpose FROM locker.share s JOIN locker.request_answer a USING (owner, share_id)"
        " WHERE a.request_id = $1",
        first,
    )
    assert row["purpose"] == "Publicité ciblée"
    assert (await citizen.submit(other_page, decision="decline")).status_code == 303
    assert (await state(place, second))["state"] == "declined"


async def test_an_app_says_which_words_it_showed(place: CitizenWorld) -> None:
    part = [{"type": BIRTH, "fields": ["birthdate"]}]
    await registered(place, "lease", part)
    document_id = await place.document(fields=FIELDS)
    request_id, token = await made(place, "lease")
    headers, address = place.share_headers(AMINA), f"/v1/asked/{token}"

    async def shown() -> int:
        version: int = (await place.world.locker.get(address, headers=headers)).json()["purpose_version"]
        return version

    async def gives(purpose_version: int) -> httpx.Response:
        body = {"documents": {BIRTH: document_id}, "purpose_version": purpose_version}
        return await place.world.locker.post(address, headers=headers, json=body)

    before = await shown()
    await registered(place, "lease", part, purpose={**PURPOSE, "fr": "Publicité ciblée"})
    refused = await gives(before)
    assert (refused.status_code, refused.json()["code"]) == (409, "request-changed")
    assert (await state(place, request_id))["state"] == "waiting"
    assert (await gives(await shown())).status_code == 200


async def test_a_no_does_not_make_it_usual_to_be_asked_for_more(place: CitizenWorld) -> None:
    await registered(place, "pushing", [{"type": BIRTH, "fields": ["family_name", "birthdate"]}])
    own = await place.document(fields=FIELDS)
    little = [{"type": BIRTH, "fields": ["family_name"]}]
    for documents, given in ((little, {BIRTH: own}), (None, {}), (None, {})):
        _id, token = await made(place, "pushing", **({"documents": documents} if documents else {}))
        looked = (await place.world.locker.get(f"/v1/asked/{token}", headers=place.share_headers())).json()
        assert [each["new"] for each in looked["documents"]] == [[] if documents else ["birthdate"]]
        assert (await say(place, token, given)).status_code == 200


async def test_public_figures_tell_nobody_what_one_citizen_answered(place: CitizenWorld) -> None:
    before = await published(place)
    for _ in range(3):
        _id, token = await made(place)
        assert (await say(place, token, {})).status_code == 200
    after = await published(place)
    assert after["asked"] == before["asked"] + 3
    assert (after["given"] % 10, after["declined"] % 10) == (0, 0)
    kept = await figures(place)
    assert after["declined"] <= kept["declined"] < after["declined"] + 10


async def test_ids_that_are_none_are_unknown(place: CitizenWorld) -> None:
    for request_id in ("%00", "x", "0" * 26, "%F0%9F%98%80"):
        assert await state(place, request_id) == 404


async def test_a_citizens_token_of_the_same_client_reads_no_request_and_asks_for_nothing(place: CitizenWorld) -> None:
    request_id, _token = await made(place)
    theirs = place.world.citizen(AMINA, scope="documents:request", client_id=BANK)
    assert (await place.world.locker.get(f"/v1/requests/{request_id}", headers=theirs)).status_code == 401
    answer = await place.world.locker.post("/v1/requests", headers=theirs, json={"purpose": "account"})
    assert answer.status_code == 401


async def test_who_asks_does_not_answer_in_the_citizens_place(place: CitizenWorld) -> None:
    own = await place.document(fields=FIELDS)
    request_id, token = await made(place)
    theirs = place.world.citizen(AMINA, scope="documents:share", client_id=BANK)
    for documents in ({BIRTH: own}, {}):
        answer = await place.world.locker.post(f"/v1/asked/{token}", headers=theirs, json={"documents": documents})
        assert (answer.status_code, answer.json()["code"]) == (404, "request-unknown")
    assert (await state(place, request_id))["state"] == "waiting"
    assert (await say(place, token, {BIRTH: own})).status_code == 200


async def test_who_asked_learns_that_a_citizen_declined_and_not_why_or_who(place: CitizenWorld) -> None:
    """One who holds no such document and one who does not want to give it look alike."""
    told = []
    for uid in (AMINA, YOUSSEF):
        request_id, token = await made(place, "mortgage")
        assert (await say(place, token, {}, uid)).status_code == 200
        told.append({name: value for name, value in (await state(place, request_id)).items() if name != "expires_at"})
        assert told[-1].pop("request_id") == request_id
    assert told[0] == told[1] == {"state": "declined", "url": None, "share": None}


async def test_fields_of_a_document_that_may_be_seen_whole_are_no_more_than_it(place: CitizenWorld) -> None:
    less = [{"type": RECORD, "fields": ["birthdate"]}]
    assert (await asked(place, "mortgage", documents=less)).status_code == 201


async def test_what_grew_since_the_last_time_is_shown(place: CitizenWorld) -> None:
    await registered(place, "growing", [{"type": BIRTH, "fields": ["family_name"]}])
    _id, first = await made(place, "growing")
    assert (await say(place, first, {})).json() == {"share_id": None}
    await registered(place, "growing", [{"type": BIRTH, "fields": ["family_name", "birthdate"]}, {"type": RECORD}])
    _id, second = await made(place, "growing")
    looked = await place.world.locker.get(f"/v1/asked/{second}", headers=place.share_headers())
    assert looked.json()["asked_before"]
    assert [each["new"] for each in looked.json()["documents"]] == [["birthdate"], [""]]
    citizen = await place.signed_in()
    page = (await citizen.get(f"/r/{second}")).text
    assert "Ce service demande plus que la dernière fois" in page
    assert page.count("Nouveau") == 2
    other = await place.world.locker.get(f"/v1/asked/{second}", headers=place.share_headers(YOUSSEF))
    assert [each["new"] for each in other.json()["documents"]] == [[], []]


async def test_a_request_is_answered_once_whoever_races(place: CitizenWorld) -> None:
    own, others = await place.document(fields=FIELDS), await place.document(YOUSSEF, fields=FIELDS)
    request_id, token = await made(place)
    answers = await asyncio.gather(
        *(say(place, token, {BIRTH: own}) for _ in range(4)),
        *(say(place, token, {BIRTH: others}, YOUSSEF) for _ in range(4)),
        say(place, token, {}),
    )
    assert sorted(answer.status_code for answer in answers) == [200, *[404] * 8]
    assert (await state(place, request_id))["state"] in ("given", "declined")
    counted = await place.app.state.wiring.db.fetchval(
        "SELECT count(*) FROM locker.request_answer WHERE request_id = $1", request_id
    )
    assert counted == 1


async def test_only_what_was_asked_for_and_only_ones_own_can_be_given(place: CitizenWorld) -> None:
    own, others = await place.document(fields=FIELDS), await place.document(YOUSSEF, fields=FIELDS)
    _id, token = await made(place)
    for documents in ({BIRTH: others}, {RECORD: own}, {BIRTH: "0" * 25}):
        refused = await say(place, token, documents)
        assert (refused.status_code, refused.json()["code"]) == (409, "not-what-was-asked")
    assert (await say(place, token, {BIRTH: own})).status_code == 200


async def test_nobody_else_reads_a_request_and_none_outlives_its_purpose(place: CitizenWorld) -> None:
    await registered(place, "short", [{"type": BIRTH}])
    request_id, token = await made(place, "short")
    assert await state(place, request_id, "other") == 404
    assert (await asked(place, "account", "other")).status_code == 404
    wrong_scope = await place.world.locker.post(
        "/v1/requests", headers=program(place, scope="documents:deposit"), json={"purpose": "account"}
    )
    assert wrong_scope.status_code == 403
    own = await place.document(fields=FIELDS)
    await withdraw_purpose(
        place.app.state.wiring.db, Audit("locker"), client_id=BANK, purpose_id="short", officer="test"
    )
    assert (await say(place, token, {BIRTH: own})).status_code == 404
    assert (await asked(place, "short")).status_code == 404


async def test_a_request_that_is_over_opens_nothing_and_is_swept(place: CitizenWorld) -> None:
    own = await place.document(fields=FIELDS)
    request_id, token = await made(place)
    await place.world.owner_db.execute(
        "UPDATE locker.document_request SET expires_at = now() - interval '1 second' WHERE request_id = $1", request_id
    )
    assert (await say(place, token, {BIRTH: own})).status_code == 404
    assert (await state(place, request_id))["state"] == "expired"
    await store.sweep(place.app.state.wiring.db, kept_s=3_600)
    assert (await state(place, request_id))["state"] == "expired"
    await store.sweep(place.app.state.wiring.db, kept_s=0)
    assert await state(place, request_id) == 404


async def test_the_form_needs_its_session_and_the_row_says_no_secret(place: CitizenWorld) -> None:
    own = await place.document(fields=FIELDS)
    request_id, token = await made(place)
    citizen = await place.signed_in()
    action, hidden = form_of(await citizen.get(f"/r/{token}"))
    forged = await citizen.post(action, {**hidden, "csrf": "x", "decision": "give", f"document-{BIRTH}": own})
    assert forged.status_code == 403
    assert (await state(place, request_id))["state"] == "waiting"
    assert (await say(place, token, {BIRTH: own})).status_code == 200
    link = (await state(place, request_id))["share"].rpartition("/")[2]
    row = await place.world.owner_db.fetchrow(
        "SELECT r::text AS said FROM locker.document_request r WHERE request_id = $1", request_id
    )
    for secret in (token, link, own, place.world.subs[AMINA]):
        assert secret not in row["said"]
        assert secret.encode().hex() not in row["said"]
