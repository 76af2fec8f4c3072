"""Row by row of the catalogue, part P: what is nobody else's business stays where it belongs."""

import json
import logging
from typing import Any

import pytest

from idp.mandates import store as mandates
from idp.token import store as token
from kit.ids import new_id
from tests.people import active, enrolled, last_code, post, rested, sign_in, signed_in
from tests.provider import Provider

pytestmark = pytest.mark.asyncio(loop_scope="module")

CANARIES = {
    "given_name#fr": "Canarine",
    "family_name#fr": "Zibouane",
    "given_name#ar": "قنارين",
    "family_name#ar": "زيبوان",
    "birthdate": "1971-02-03",
    "email": "canary.zib@example.net",
    "phone_number": "+212677553311",
}
CNIE = "ZC908172"


class Kept(logging.Handler):
    """Every log record of the process, with everything that hangs on it."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(json.dumps({**vars(record), "said": record.getMessage()}, default=repr, ensure_ascii=False))


@pytest.fixture
def logs() -> Any:
    kept, root = Kept(), logging.getLogger()
    # The test's own HTTP client is no part of the product, and says the addresses that it asks for.
    outside = [logging.getLogger(name) for name in ("httpx", "httpcore", "asyncio")]
    for logger in outside:
        logger.propagate = False
    before = root.level
    # Not by the attribute: each logger remembers what it was asked before, and only `setLevel` makes it forget.
    root.setLevel(logging.DEBUG)
    root.addHandler(kept)
    yield kept.lines
    root.removeHandler(kept)
    root.setLevel(before)
    for logger in outside:
        logger.propagate = True


async def test_p_04_nothing_of_a_person_stands_in_logs_or_audit_after_a_whole_journey(
    idp: Provider, logs: list[str]
) -> None:
    person = await active(idp, claims=CANARIES, cnie=CNIE)
    party = await idp.client(grant_types=["authorization_code", "refresh_token"])
    secrets = [person.password, str(party.secret), *CANARIES.values(), CNIE]
    async with signed_in(idp, person) as browser:
        await post(browser, "/idp/account/codes", channel="sms", expect=303)
        code = await last_code(idp, person.citizen_id)
        await post(browser, "/idp/account/codes/confirm", otp=code, expect=303)
        grant = await idp.code(browser, party, scope="openid profile email phone offline_access")
        tokens = (await idp.http.post("/idp/token", data=party.exchange(grant))).json()
        await idp.userinfo(tokens["access_token"])
        await idp.refresh(party, tokens["refresh_token"])
        await idp.http.post("/idp/introspect", data={"token": tokens["access_token"], **party.authentication()})
        await idp.http.post("/idp/token", data=party.exchange(grant))  # a replay
        await post(browser, "/idp/account/freeze", what="identity", expect=303)
        secrets += [grant, *(tokens[name] for name in ("access_token", "refresh_token", "id_token")), code]
        secrets += [value for name, value in browser.cookies.items() if len(value) > 20 and name.startswith("__Host")]
    await rested(idp, person)
    async with idp.browser() as browser:
        await sign_in(browser, person, query="?to=unfreeze")
    audit = [str(row[0]) for row in await idp.owner("SELECT to_jsonb(a)::text FROM idp.audit a")]
    assert logs
    assert audit
    found = [(secret[:12], place) for secret in secrets for place in (*logs, *audit) if secret in place]
    assert found == []


@pytest.mark.parametrize("injected", ["%0a%0d[fault] owned", "\x1b[31mred", '"}\n{"level":"fault', "‮evil"])
async def test_p_06_what_is_sent_makes_no_line_of_its_own(idp: Provider, logs: list[str], injected: str) -> None:
    escaped = injected.encode("unicode_escape").decode()
    async with idp.browser() as browser:
        await browser.get("/idp/sign-in", params={"ui_locales": injected}, headers={"User-Agent": escaped})
        await post(browser, "/idp/sign-in", username=injected.replace("\x00", ""), password="x" * 20)
        await browser.get("/idp/authorize", params={"client_id": injected, "redirect_uri": injected})
    assert not any("owned" in line or 'level\\":\\"fault' in line or "evil" in line for line in logs)


async def test_p_07_a_refusal_says_nothing_of_tables_files_or_people(idp: Provider) -> None:
    party, person = await idp.client(), await enrolled(idp, claims=CANARIES)
    answers = [
        await idp.http.post("/idp/token", data={"grant_type": "authorization_code", **party.authentication()}),
        await idp.http.post("/idp/token", data=party.exchange("' OR 1=1; --")),
        await idp.http.post("/idp/introspect", data={"token": "\x00" * 3, **party.authentication()}),
        await idp.http.get("/idp/userinfo", headers={"Authorization": "Bearer x.y.z"}),
        await idp.http.get("/idp/account/history?before=%00%ff"),
        await idp.http.get("/idp/authorize", params={"client_id": party.client_id, "claims": "{", "request": "x"}),
        await idp.http.get("/idp/unknown/../../etc/passwd"),
        await idp.http.post("/idp/sign-in", data={"username": person.uid}),
    ]
    for answer in answers:
        assert answer.status_code < 500, answer.text
        for leak in ("Traceback", "asyncpg", "SELECT ", "site-packages", ".py", *CANARIES.values()):
            assert leak not in answer.text, (leak, answer.url)


async def test_p_10_no_claim_beyond_the_consent_in_userinfo_id_token_or_introspection(idp: Provider) -> None:
    party, citizen = await idp.client(), await idp.citizen(phone_number="+212611111111")
    asked = json.dumps({"userinfo": {"phone_number": None}, "id_token": {"birthdate": None}})
    async with await idp.signed_in(citizen) as browser:
        tokens = await idp.tokens(browser, party, scope="openid email", claims=asked)
    userinfo = (await idp.userinfo(tokens["access_token"])).json()
    assert userinfo.keys() == {"sub", "email", "email_verified"}
    introspected = await idp.http.post(
        "/idp/introspect", data={"token": tokens["access_token"], **party.authentication()}
    )
    for text in (introspected.text, tokens["id_token"]):
        for value in ("+212611111111", "1990-03-14", "amina@example.com"):
            assert value not in text


async def test_p_13_what_expired_goes_with_the_next_sweep(idp: Provider) -> None:
    party, citizen = await idp.client(), await idp.citizen()
    async with await idp.signed_in(citizen) as browser:
        tokens = await idp.tokens(browser, party, scope="openid email offline_access")
        await idp.userinfo(tokens["access_token"])
    family = (await idp.owner("SELECT family_id FROM idp.token_family WHERE citizen_id = $1", citizen))[0][0]

    async def left() -> list[int]:
        return [
            (await idp.owner(f"SELECT count(*) FROM idp.{table} WHERE family_id = $1", family))[0][0]
            for table in ("token_family", "refresh_token", "release")
        ]

    await token.sweep(idp.wiring.db)
    assert await left() == [1, 1, 1]
    await idp.owner("UPDATE idp.token_family SET expires_at = now() - interval '8 days' WHERE family_id = $1", family)
    await token.sweep(idp.wiring.db)
    assert await left() == [0, 0, 0]


async def test_p_13_a_mandate_that_is_over_goes_after_a_month(idp: Provider) -> None:
    people = [await idp.citizen() for _ in range(2)]
    ids = {name: new_id() for name in ("stands", "expired", "ended", "just ended")}
    for name, until, ended in (
        ("stands", "1 day", None),
        ("expired", "-31 days", None),
        ("ended", "1 day", "-31 days"),
        ("just ended", "1 day", "-29 days"),
    ):
        await idp.owner(
            "INSERT INTO idp.mandate (mandate_id, represented_id, actor_id, kind, valid_from, valid_until, ended_at)"
            " VALUES ($1, $2, $3, 'proxy', now() - interval '99 days', now() + $4::text::interval,"
            " now() + $5::text::interval)",
            ids[name],
            *people,
            until,
            ended,
        )
    await mandates.sweep(idp.wiring.db)
    left = await idp.owner("SELECT mandate_id FROM idp.mandate WHERE actor_id = $1", people[1])
    assert {row[0] for row in left} == {ids["stands"], ids["just ended"]}
