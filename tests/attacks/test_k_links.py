"""Attack rows K: what a link gives to whom, over HTTP against the real locker."""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from kit.tokens import new_token
from tests.citizen_browser import CitizenWorld, open_citizen_world
from tests.locker_world import AMINA, YOUSSEF
from tests.windows import in_one_window

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CitizenWorld]:
    async with open_citizen_world(
        dsns, s3, tmp_path_factory.mktemp("locker"), verifications_per_address_per_minute=1_000
    ) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def document_id(place: CitizenWorld) -> str:
    return await place.document()


def neutral(answer: httpx.Response) -> str:
    """The body without what differs in every answer: the request's reference."""
    return answer.text.replace(answer.headers["x-request-id"], "-")


async def events(place: CitizenWorld, share_id: str) -> list[tuple[str, str]]:
    rows = await place.world.rows(
        "SELECT action, result FROM locker.audit WHERE object_id = $1 AND owner = $2 ORDER BY at",
        share_id,
        place.world.subs[AMINA],
    )
    return [(row["action"], row["result"]) for row in rows]


async def test_k_01_guessed_tokens_are_one_answer_and_the_prober_is_slowed(
    place: CitizenWorld, document_id: str
) -> None:
    async def tries(number: int) -> tuple[Any, list[httpx.Response]]:
        prober = place.browser(f"203.0.113.{90 + number}")
        return prober, [await prober.get(f"/s/{new_token()}") for _ in range(40)]

    prober, answers = await in_one_window(60, tries)
    statuses = [answer.status_code for answer in answers]
    assert statuses[:30] == [404] * 30
    assert set(statuses[30:]) == {429}
    # The language links name the page's own address nowhere, so the bodies are the same bytes.
    assert len({neutral(answer) for answer in answers[:30]}) == 1
    assert all(int(answer.headers["retry-after"]) > 0 for answer in answers[30:])
    # Who holds a real link is not slowed by his own bad guesses.
    _share_id, path = await place.share(document_id)
    assert len(path.removeprefix("/s/")) == 43
    assert (await prober.get(path)).status_code == 200


async def test_k_02_the_end_is_by_the_database_clock(place: CitizenWorld, document_id: str) -> None:
    share_id, path = await place.share(document_id)
    await place.world.owner_db.execute(
        "UPDATE locker.share SET until = now() - interval '1 second' WHERE share_id = $1", share_id
    )
    over = await place.open(path)
    unknown = await place.open(f"/s/{new_token()}")
    assert over.status_code == unknown.status_code == 404
    assert neutral(over) == neutral(unknown)
    await place.world.owner_db.execute(
        "UPDATE locker.share SET until = now() + interval '1 minute' WHERE share_id = $1", share_id
    )
    assert (await place.open(path)).status_code == 200


async def test_k_03_ten_race_for_three_openings(place: CitizenWorld, document_id: str) -> None:
    share_id, path = await place.share(document_id, openings=3)
    answers = await asyncio.gather(*(place.open(path) for _ in range(10)))
    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [404] * 7
    [row] = await place.world.rows("SELECT openings_used FROM locker.share WHERE share_id = $1", share_id)
    openings = await place.world.rows("SELECT 1 FROM locker.opening WHERE share_id = $1", share_id)
    assert row["openings_used"] == len(openings) == 3
    assert (await events(place, share_id)).count(("share.opened", "ok")) == 3


async def test_k_03_fifty_race_for_what_is_left(place: CitizenWorld, document_id: str) -> None:
    share_id, path = await place.share(document_id, openings=9)
    assert [(await place.open(path)).status_code for _ in range(2)] == [200, 200]
    answers = await asyncio.gather(*(place.open(path, f"198.51.100.{n}") for n in range(50)))
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [404] * 43
    [row] = await place.world.rows("SELECT openings_used FROM locker.share WHERE share_id = $1", share_id)
    openings = await place.world.rows("SELECT audit_id FROM locker.opening WHERE share_id = $1", share_id)
    lines = await place.world.rows(
        "SELECT audit_id FROM locker.audit WHERE object_id = $1 AND action = 'share.opened'", share_id
    )
    assert row["openings_used"] == len(openings) == 9
    # Each opening has its line of the log, and names it.
    assert {each["audit_id"] for each in openings} == {each["audit_id"] for each in lines}


async def test_k_05_revoked_expired_used_up_and_unknown_are_one_neutral_answer(
    place: CitizenWorld, document_id: str
) -> None:
    share_id, path = await place.share(document_id)
    opened = (await place.open(path)).json()
    picture = opened["documents"][0]["pictures"][0].removeprefix("http://localhost:8000")
    bearer = {"Authorization": f"Bearer {opened['viewing_token']}"}
    assert (await place.world.locker.get(picture, headers=bearer)).status_code == 200

    done = await place.world.locker.delete(f"/v1/shares/{share_id}", headers=place.share_headers())
    assert done.status_code == 204
    revoked = await place.open(path)
    used_id, used = await place.share(document_id, openings=1)
    assert (await place.open(used)).status_code == 200
    used_up = await place.open(used)
    unknown = await place.open(f"/s/{new_token()}")
    assert {answer.status_code for answer in (revoked, used_up, unknown)} == {404}
    assert len({neutral(answer) for answer in (revoked, used_up, unknown)}) == 1
    # Also what was opened before is over, and each refusal stands in the owner's history.
    assert (await place.world.locker.get(picture, headers=bearer)).status_code == 404
    assert ("share.refused", "share-closed") in await events(place, share_id)
    assert ("share.refused", "share-closed") in await events(place, used_id)


async def test_d_12_whoever_holds_an_ended_link_cannot_fill_its_owners_history(
    place: CitizenWorld, document_id: str
) -> None:
    async def opens(_number: int) -> int:
        share_id, path = await place.share(document_id, openings=1)
        assert (await place.open(path)).status_code == 200
        answers = [await place.open(path, f"198.51.100.{number}") for number in range(70)]
        assert {answer.status_code for answer in answers} == {404}
        return (await events(place, share_id)).count(("share.refused", "share-closed"))

    assert await in_one_window(3_600, opens) == 60


@pytest.mark.parametrize("agent", ["WhatsApp/2.23", "Slackbot-LinkExpanding 1.0", "facebookexternalhit/1.1"])
async def test_k_07_a_robot_sees_nothing_and_spends_nothing(place: CitizenWorld, document_id: str, agent: str) -> None:
    share_id, path = await place.share(document_id, recipient="Notaire Z", purpose="Vente secrete")
    robot = place.browser()
    for _ in range(3):
        shown = await robot.get(path, **{"User-Agent": agent})
        assert shown.status_code == 200
        for private in ("BIRTHEXTRACT", "ma.gov.interieur", "Notaire Z", "Vente secrete", "Alaoui", document_id):
            assert private not in shown.text
        assert "noindex" in shown.text
    [row] = await place.world.rows("SELECT openings_used FROM locker.share WHERE share_id = $1", share_id)
    assert row["openings_used"] == 0


async def test_k_08_the_token_stands_in_no_log_no_table_and_no_referer(
    place: CitizenWorld, document_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    _share_id, path = await place.share(document_id)
    token = path.removeprefix("/s/")
    with caplog.at_level(logging.DEBUG, logger="khizana"):
        stranger = place.browser()
        landing = await stranger.get(path)
        opened = await stranger.submit(landing)
        result = await stranger.get(opened.headers["location"])
    logged = [f"{record.getMessage()} {record.__dict__}" for record in caplog.records if record.name != "httpx"]
    assert any("khizana.access" in line for line in logged)
    assert not any(token in line for line in logged)
    assert landing.headers["referrer-policy"] == result.headers["referrer-policy"] == "no-referrer"
    assert token not in opened.headers["location"] + result.text
    tables = await place.world.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'locker'")
    for table in tables:
        found = await place.world.rows(
            f"SELECT 1 FROM locker.{table['tablename']} t WHERE t::text LIKE '%' || $1 || '%'", token
        )
        assert not found, table


async def test_k_10_six_wrong_pins_stop_the_prober_and_not_the_reader(place: CitizenWorld, document_id: str) -> None:
    share_id, path = await place.share(document_id, pin="482913")
    tries = [await place.open(path, address="203.0.113.10", json={"pin": f"00000{n}"}) for n in range(6)]
    assert [answer.status_code for answer in tries] == [403] * 6
    assert tries[0].json()["code"] == "wrong-pin"
    assert (await place.open(path, address="203.0.113.10", json={"pin": "482913"})).status_code == 429
    assert (await place.open(path, address="198.51.100.20", json={"pin": "482913"})).status_code == 200
    seen = await events(place, share_id)
    assert seen.count(("share.refused", "wrong-pin")) == 6
    assert seen.count(("share.pin-locked", "pin-locked")) == 1
    history = await (await place.signed_in()).get("/wallet/history?of=shares&lang=en")
    assert "too many wrong PINs" in history.text


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({}, "Whoever has the link can see"),
        ({"pin": "482913"}, "Whoever has the link and the PIN can see"),
        ({"client_id": "bank-x", "pin": "482913"}, "Only that one service can see"),
    ],
)
async def test_k_14_the_citizen_reads_who_will_see_it(
    place: CitizenWorld, document_id: str, limits: dict[str, str], said: str
) -> None:
    citizen = await place.signed_in()
    step = await citizen.submit(await citizen.get("/wallet/shares/new"), document=[document_id])
    step = await citizen.submit(await citizen.get(step.headers["location"]), recipient="R", purpose="P")
    step = await citizen.submit(await citizen.get(step.headers["location"]), days="7", openings="3", **limits)
    assert said in (await citizen.get(f"{step.headers['location']}?lang=en")).text


async def test_k_10_racing_guesses_get_no_more_tries(place: CitizenWorld, document_id: str) -> None:
    _share_id, path = await place.share(document_id, pin="777777")
    answers = await asyncio.gather(
        *(place.open(path, address="203.0.113.11", json={"pin": f"{n:06d}"}) for n in range(20))
    )
    assert sorted(answer.status_code for answer in answers) == [403] * 6 + [429] * 14


async def test_k_12_a_share_of_one_document_reaches_no_other(place: CitizenWorld, document_id: str) -> None:
    other = await place.document()
    _share_id, path = await place.share(document_id, view_only=False)
    opened = (await place.open(path)).json()
    bearer = {"Authorization": f"Bearer {opened['viewing_token']}"}
    base = f"/o/{opened['opening_id']}"
    get = place.world.locker.get
    assert (await get(f"{base}/{document_id}/original", headers=bearer)).status_code == 200
    for what in ("pages/1.png", "original", "answer", "report"):
        assert (await get(f"{base}/{other}/{what}", headers=bearer)).status_code == 404
        # Somebody else's secret, and none, open nothing either.
        assert (await get(f"{base}/{document_id}/{what}")).status_code == 404
        stranger = {"Authorization": f"Bearer {new_token()}"}
        assert (await get(f"{base}/{document_id}/{what}", headers=stranger)).status_code == 404


async def test_k_14_a_link_for_one_relying_party_opens_for_no_other(place: CitizenWorld, document_id: str) -> None:
    share_id, path = await place.share(document_id, client_id="bank-x")

    def token_of(client_id: str) -> dict[str, str]:
        token = place.provider.token(sub=client_id, client_id=client_id, scope="")
        return {"Authorization": f"Bearer {token}"}

    assert (await place.open(path)).status_code == 403
    assert (await place.open(path, headers=token_of("bank-y"))).status_code == 403
    browser = place.browser()
    page = await browser.get(path)
    assert page.status_code == 200
    assert (await browser.post(path)).status_code == 403
    [row] = await place.world.rows("SELECT openings_used FROM locker.share WHERE share_id = $1", share_id)
    assert row["openings_used"] == 0
    opened = await place.open(path, headers=token_of("bank-x"))
    assert opened.status_code == 200
    rows = await place.world.rows(
        "SELECT actor FROM locker.audit WHERE object_id = $1 AND action = 'share.opened'", share_id
    )
    assert [row["actor"] for row in rows] == ["bank-x"]


async def test_k_14_a_forged_token_of_the_relying_party_is_refused(place: CitizenWorld, document_id: str) -> None:
    _share_id, path = await place.share(document_id, client_id="bank-x")
    answer = await place.open(path, headers={"Authorization": "Bearer eyJhbGciOiJub25lIn0.e30."})
    assert answer.status_code == 401


async def test_k_15_a_document_revoked_after_sharing_is_never_green(place: CitizenWorld) -> None:
    document_id = await place.document()
    _share_id, path = await place.share(document_id, view_only=False)
    before = (await place.open(path)).json()
    bearer = {"Authorization": f"Bearer {before['viewing_token']}"}
    shown = f"/o/{before['opening_id']}"
    assert before["documents"][0]["answer"]["standing"] == "valid"

    revoked = await place.world.locker.post(
        f"/v1/documents/{document_id}/revoke",
        headers={**place.world.machine(), "Idempotency-Key": secrets.token_hex(8)},
        json={"reason": "issued-in-error"},
    )
    assert revoked.status_code == 200, revoked.text
    # What was opened before shows it at once, and nothing of the document any more.
    again = (await place.world.locker.get(shown, headers=bearer)).json()["documents"][0]
    assert again["answer"]["standing"] == "revoked"
    assert again["pictures"] == []
    for what in ("pages/1.png", "original"):
        assert (await place.world.locker.get(f"{shown}/{document_id}/{what}", headers=bearer)).status_code == 403

    stranger = place.browser()
    opened = await stranger.submit(await stranger.get(path))
    page = await stranger.get(f"{opened.headers['location']}?lang=en")
    assert "revoked" in page.text
    assert "tone-good" not in page.text


async def test_k_17_a_share_of_a_foreign_document_is_not_made(place: CitizenWorld, document_id: str) -> None:
    body = {"documents": [document_id], "recipient": "R", "purpose": "P"}
    answer = await place.world.locker.post("/v1/shares", headers=place.share_headers(YOUSSEF), json=body)
    assert answer.status_code == 404
    own = await place.document(YOUSSEF)
    mixed = {**body, "documents": [own, document_id]}
    assert (
        await place.world.locker.post("/v1/shares", headers=place.share_headers(YOUSSEF), json=mixed)
    ).status_code == 404
    assert not await place.world.rows("SELECT 1 FROM locker.share WHERE owner = $1", place.world.subs[YOUSSEF])


@pytest.mark.parametrize(
    "limits",
    [
        {"openings": 51},
        {"openings": 0},
        {"openings": -1},
        {"until": "2099-01-01T00:00:00Z"},
        {"until": "2020-01-01T00:00:00Z"},
        {"until": "tomorrow"},
        {"pin": "12345"},
        {"pin": "12a4"},
        {"openings": 10**30},
    ],
)
async def test_k_18_limits_beyond_the_maximum_are_refused(
    place: CitizenWorld, document_id: str, limits: dict[str, Any]
) -> None:
    body = {"documents": [document_id], "recipient": "R", "purpose": "P", **limits}
    answer = await place.world.locker.post("/v1/shares", headers=place.share_headers(), json=body)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


async def test_k_17_a_share_of_nothing_and_one_of_somebody_else_are_not_there(
    place: CitizenWorld, document_id: str
) -> None:
    locker, body = place.world.locker, {"recipient": "R", "purpose": "P"}
    before = await place.world.rows("SELECT share_id FROM locker.share")
    for more in ({"documents": []}, {"documents": [], "uploads": []}):
        answer = await locker.post("/v1/shares", headers=place.share_headers(), json={**body, **more})
        assert (answer.status_code, answer.json()["code"]) == (422, "nothing-shared")
    assert await place.world.rows("SELECT share_id FROM locker.share") == before
    share_id, path = await place.share(document_id)
    # Whoever tries does not learn which of both it is.
    for address in (f"/v1/shares/{share_id}", f"/v1/shares/{'0' * 25}"):
        for method, parts in (("GET", {}), ("PATCH", {"json": {"openings": 1}}), ("DELETE", {})):
            answer = await locker.request(method, address, headers=place.share_headers(YOUSSEF), **parts)
            assert (answer.status_code, answer.json()["code"]) == (404, "share-unknown"), (method, address)
    assert (await place.open(path)).status_code == 200


async def test_k_18_a_share_is_narrowed_and_never_widened(place: CitizenWorld, document_id: str) -> None:
    share_id, path = await place.share(document_id, openings=5)
    url, headers = f"/v1/shares/{share_id}", place.share_headers()

    async def patch(**changes: Any) -> httpx.Response:
        return await place.world.locker.patch(url, headers=headers, json=changes)

    assert (await patch(until="2099-01-01T00:00:00Z")).status_code == 422
    assert (await patch(openings=51)).status_code == 422
    assert (await patch(openings=6)).status_code == 422
    assert (await patch(owner="me")).status_code == 422
    narrowed = await patch(openings=1)
    assert narrowed.status_code == 200
    assert narrowed.json()["openings_max"] == 1
    assert [c["type"] for c in narrowed.json()["caveats"]].count("openings") == 2
    assert (await patch(openings=5)).status_code == 422
    assert [(await place.open(path)).status_code for _ in range(2)] == [200, 404]


async def test_k_20_a_recipient_with_line_ends_and_markup_is_one_escaped_line(
    place: CitizenWorld, document_id: str
) -> None:
    evil = "Banque\r\nBcc: all@example.org <img src=x onerror=alert(1)>\u202egnp.exe"
    share_id, _path = await place.share(document_id, recipient=evil, purpose=evil)
    [row] = await place.world.rows("SELECT recipient, purpose FROM locker.share WHERE share_id = $1", share_id)
    for text in (row["recipient"], row["purpose"]):
        assert "\n" not in text
        assert "\r" not in text
        assert "\u202e" not in text
    citizen = await place.signed_in()
    for path in (f"/wallet/shares/{share_id}", "/wallet/shares", "/wallet/history"):
        shown = await citizen.get(path)
        assert shown.status_code == 200
        assert "<img src=x" not in shown.text
        assert "&lt;img src=x" in shown.text


async def test_k_22_a_flood_of_shares_is_cut(place: CitizenWorld) -> None:
    document_id = await place.document(YOUSSEF)
    body = {"documents": [document_id], "recipient": "R", "purpose": "P"}
    statuses = [
        (await place.world.locker.post("/v1/shares", headers=place.share_headers(YOUSSEF), json=body)).status_code
        for _ in range(130)
    ]
    assert statuses.count(429) >= 10
    # A window may turn over in the middle of the loop.
    assert statuses.count(201) <= 120
