"""The printed address of a document: what everybody gets, and what nobody does."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.citizen_browser import NAVIGATION, CitizenWorld, open_citizen_world
from tests.locker_world import AMINA, BIRTH, INTERIOR, LOCKER, YOUSSEF

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CitizenWorld]:
    async with open_citizen_world(dsns, s3, tmp_path_factory.mktemp("locker")) as opened:
        yield opened


async def resolved(place: CitizenWorld, uri: str, **headers: str) -> httpx.Response:
    # Each from an address of its own, so that one test's questions slow no other.
    transport = httpx.ASGITransport(place.app, raise_app_exceptions=False, client=("198.51.100.1", 1))
    await place.world.owner_db.execute("DELETE FROM locker.throttle WHERE bucket LIKE 'resolve:%'")
    async with httpx.AsyncClient(transport=transport, base_url=LOCKER) as client:
        return await client.get(f"/d/{uri}", headers=headers)


async def test_it_tells_that_the_document_exists_and_who_issued_it_and_no_more(place: CitizenWorld) -> None:
    deposited = (await place.world.deposit()).json()
    document_id = deposited["document_id"]
    typed = document_id.lower().replace("0", "o").replace("1", "l")
    for uri in (
        deposited["uri"],
        document_id,
        deposited["uri"].lower(),
        f"{INTERIOR}-{BIRTH}-{typed[:5]}-{typed[5:12]} {typed[12:]}",
    ):
        answer = await resolved(place, uri)
        assert answer.json() == {
            "uri": deposited["uri"],
            "type": BIRTH,
            "type_names": dict.fromkeys(("ar", "fr", "zgh", "en"), BIRTH),
            "administration": INTERIOR,
            "administration_names": dict.fromkeys(("ar", "fr", "zgh", "en"), INTERIOR),
        }
        assert answer.headers["vary"] == "Accept"
        assert "no-store" in answer.headers["cache-control"]


async def test_its_answer_is_the_same_however_the_document_stands(place: CitizenWorld) -> None:
    """Standing is told to who shows the printed code, never to who reads an address over a shoulder."""
    deposited = (await place.world.deposit()).json()
    before = await resolved(place, deposited["uri"])
    page_before = await resolved(place, deposited["uri"], **NAVIGATION)
    await place.world.locker.post(
        f"/v1/documents/{deposited['document_id']}/revoke",
        headers=place.world.machine(),
        json={"reason": "issued-in-error"},
    )
    assert (await resolved(place, deposited["uri"])).content == before.content
    assert (await resolved(place, deposited["uri"], **NAVIGATION)).text == page_before.text


@pytest.mark.parametrize("language", ["ar", "fr", "zgh", "en"])
async def test_the_page_says_so_in_four_languages_and_nothing_of_the_owner(place: CitizenWorld, language: str) -> None:
    deposited = (await place.world.deposit()).json()
    answer = await resolved(place, deposited["uri"], **{**NAVIGATION, "Accept-Language": language})
    assert answer.status_code == 200
    assert answer.headers["content-language"].startswith(language)
    assert deposited["uri"] in answer.text
    for secret in ("Alaoui", place.world.subs[AMINA], AMINA):
        assert secret not in answer.text


async def test_unknown_malformed_and_gone_are_one_answer(place: CitizenWorld) -> None:
    known = (await place.world.deposit()).json()
    gone = (await place.world.deposit()).json()
    await place.world.owner_db.execute(
        "UPDATE locker.document SET wrapped_key = NULL WHERE document_id = $1", gone["document_id"]
    )
    erased = (await place.world.deposit(uid=YOUSSEF)).json()

    await place.world.wiring.db.transact(
        lambda tx: place.world.wiring.vault.destroy_owner_key(tx, owner=place.world.subs[YOUSSEF])
    )
    answers = [
        await resolved(place, uri)
        for uri in (
            gone["uri"],
            erased["uri"],
            erased["document_id"],
            known["uri"].replace("interieur", "justice"),
            known["uri"].replace(BIRTH, "CRIMRECORD"),
            "0" * 25,
            f"{INTERIOR}-{BIRTH}-{'Z' * 25}",
            "x",
            "%00",
            "a" * 300,
            "%D9%A1" * 25,
        )
    ]
    problems = [{**answer.json(), "instance": ""} for answer in answers]
    assert {answer.status_code for answer in answers} == {404}
    assert all(problem == problems[0] for problem in problems)
    assert problems[0]["code"] == "document-uri-unknown"


async def test_who_tries_many_is_slowed_and_others_are_not(place: CitizenWorld) -> None:
    deposited = (await place.world.deposit()).json()
    for address, expected in (("203.0.113.50", 429), ("203.0.113.51", 200)):
        transport = httpx.ASGITransport(place.app, client=(address, 1))
        async with httpx.AsyncClient(transport=transport, base_url=LOCKER) as client:
            if expected == 429:
                for number in range(60):
                    assert (await client.get(f"/d/{number:025}")).status_code == 404
            answer = await client.get(f"/d/{deposited['uri']}")
        assert answer.status_code == expected
        assert ("retry-after" in answer.headers) == (expected == 429)


# The last: it takes the revocation data away.


async def test_a_parked_document_resolves_as_any_and_one_that_waits_as_none(place: CitizenWorld) -> None:
    """Neither whether its holder has activated the account nor what is being judged is told to who reads an address."""
    world, uid = place.world, "2000000055"
    world.subs[uid] = world.provider.enrol(uid)
    world.provider.dormant.add(world.subs[uid])
    parked, any_ = (await world.deposit(uid=uid)).json(), (await world.deposit()).json()
    assert parked["parked"]
    said = [(await resolved(place, one["uri"])).json() for one in (parked, any_)]
    assert {**said[0], "uri": ""} == {**said[1], "uri": ""}
    await world.rows("DELETE FROM locker.trust_material WHERE kind = 'crl' RETURNING 1")
    await world.rows("UPDATE locker.trust_version SET version = version + 1 RETURNING version")
    waiting = await world.deposit()
    assert waiting.status_code == 202
    answer = await resolved(place, waiting.json()["uri"])
    unknown = await resolved(place, "0" * 25)
    assert answer.status_code == 404
    assert {**answer.json(), "instance": ""} == {**unknown.json(), "instance": ""}
