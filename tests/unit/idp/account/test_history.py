"""Everything that happened with one's data, by name of field, a page at a time, however long it is."""

import datetime as dt
import json
import re
from uuid import UUID

import httpx
import pytest

from idp.account.store import HISTORY
from idp.citizens.read_record import read_record
from idp.citizens.refusals import ReasonNeeded
from idp.subjects.pairwise import pairwise_sub
from tests.provider import Provider

pytestmark = pytest.mark.asyncio(loop_scope="module")

HISTORY_PAGE = "/idp/account/history"


async def released(idp: Provider, citizen: UUID) -> list[dict[str, object]]:
    rows = await idp.owner(
        "SELECT detail::text FROM idp.audit WHERE owner = $1 AND action = 'claims.released' ORDER BY at", str(citizen)
    )
    return [json.loads(row[0]) for row in rows]


async def test_each_set_of_claims_stands_once_for_a_grant_by_name_and_never_by_value(idp: Provider) -> None:
    party, citizen = await idp.client(), await idp.citizen()
    async with await idp.signed_in(citizen) as browser:
        tokens = await idp.tokens(browser, party, scope="openid email offline_access")
        for _ in range(3):
            await idp.userinfo(tokens["access_token"])
        again = await idp.refresh(party, tokens["refresh_token"], scope="openid")
        await idp.userinfo(again.json()["access_token"])
        page = await browser.get(f"{HISTORY_PAGE}?lang=en")
    found = await released(idp, citizen)
    assert [one["claims"] for one in found] == [["email", "email_verified"], []]
    assert all(one["consent"] for one in found)
    assert "amina@example.com" not in json.dumps(found)
    assert page.text.count("A service read your data") == 2
    assert "E-mail address" in page.text


async def test_a_connected_service_says_when_it_read_last_and_when_it_was_ended(idp: Provider) -> None:
    party, citizen = await idp.client(client_uri="https://bank.example/"), await idp.citizen()
    async with await idp.signed_in(citizen) as browser:
        tokens = await idp.tokens(browser, party)
        await idp.userinfo(tokens["access_token"])
        page = await browser.get("/idp/account/services?lang=en")
        assert '<a href="https://bank.example/" rel="noreferrer">' in page.text
        assert "Last read your data" in page.text
        assert 'id="freeze-1"' in page.text
        fields = dict(re.findall(r'name="(csrf|consent)" value="([^"]+)"', page.text))
        answer = await browser.post("/idp/account/services", data=fields)
        page = await browser.get(answer.headers["location"])
        assert re.search(r"ended at <time [^>]+>\d\d:\d\d:\d\d</time>", page.text)
        for other in ("x", str(UUID(int=1))):
            assert "ended at" not in (await browser.get(f"/idp/account/services?ended={other}")).text
    assert (await idp.userinfo(tokens["access_token"])).status_code == 401


async def test_an_officers_look_has_a_reason_that_the_citizen_reads(idp: Provider) -> None:
    citizen = await idp.citizen()
    uid = (await idp.owner("SELECT uid FROM idp.citizen WHERE citizen_id = $1", citizen))[0][0]
    with pytest.raises(ReasonNeeded):
        await read_record(idp.wiring.db, idp.wiring.audit, uid, officer="desk", reason="  ")
    await read_record(idp.wiring.db, idp.wiring.audit, uid, officer="desk", reason="a lost card")
    async with await idp.signed_in(citizen) as browser:
        page = await browser.get(f"{HISTORY_PAGE}?lang=en&only=officers")
    assert "An officer looked at your data" in page.text
    assert "a lost card" in page.text


async def test_who_resolves_an_identifier_stands_there_with_ground_and_purpose_and_gets_its_own_sub(
    idp: Provider,
) -> None:
    registry = await idp.client(
        profile="machine",
        token_endpoint_auth_method="private_key_jwt",
        redirect_uris=[],
        grant_types=["client_credentials"],
        client_name="The land registry",
        sector="land",
        legal_ground="Law 00-00, article 7",
        scope="subjects:resolve",
    )
    answer = await idp.token(registry, {"grant_type": "client_credentials", **registry.authentication()})
    citizen = await idp.citizen()
    uid = (await idp.owner("SELECT uid FROM idp.citizen WHERE citizen_id = $1", citizen))[0][0]

    async def resolved(uid: str, **more: str) -> httpx.Response:
        return await idp.http.post(
            "/idp/subjects/resolve", json={"uid": uid, **more}, auth=registry.holder(answer.json()["access_token"])
        )

    found = await resolved(uid, purpose="to send a deed <b>")
    assert found.json() == {"sub": pairwise_sub(idp.wiring.secrets, sector="land", citizen_id=citizen)}
    assert (await resolved("1000000008")).status_code == 404
    async with await idp.signed_in(citizen) as browser:
        page = (await browser.get(f"{HISTORY_PAGE}?lang=en&only=officers")).text
    assert page.count("An administration looked up your number in its own sector") == 1
    for said in ("The land registry", "Law 00-00, article 7", "to send a deed &lt;b&gt;"):
        assert said in page
    assert uid not in page.partition("<main")[2]


async def test_a_filter_shows_only_its_kind(idp: Provider) -> None:
    party, citizen = await idp.client(), await idp.citizen()
    async with await idp.signed_in(citizen) as browser:
        await idp.tokens(browser, party)
        page = await browser.get(f"{HISTORY_PAGE}?lang=en&only=sign-ins")
        assert "You signed in" in page.text
        assert "A service received access" not in page.text
        page = await browser.get(f"{HISTORY_PAGE}?lang=en&only=services")
        assert "You signed in" not in page.text
        assert "A service received access" in page.text
        assert (await browser.get(f"{HISTORY_PAGE}?only=nonsense")).status_code == 200


async def test_d_12_a_page_of_a_hundred_thousand_rows_is_one_range_of_an_index(idp: Provider) -> None:
    citizen = await idp.citizen()
    await idp.owner(
        """
        INSERT INTO idp.audit (audit_id, at, action, actor_kind, actor, owner, result, detail)
        SELECT gen_random_uuid(), now() - make_interval(secs => n), 'session.started', 'citizen', $1, $1, 'ok', '{}'
          FROM generate_series(1, 100000) n""",
        str(citizen),
    )
    await idp.owner(
        """
        INSERT INTO idp.audit (audit_id, at, action, actor_kind, owner, actor, result, detail)
        SELECT gen_random_uuid(), now() - make_interval(secs => n), 'session.started', 'citizen', md5((n % 500)::text),
               '', 'ok', '{}'
          FROM generate_series(1, 100000) n"""
    )
    await idp.owner("ANALYZE idp.audit")
    middle = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=50_000)
    explained = HISTORY
    for number, value in enumerate((f"'{citizen}'", f"'{middle.isoformat()}'", f"'{UUID(int=0)}'", "NULL", "26"), 1):
        explained = explained.replace(f"${number}", value)
    plan = "\n".join(row[0] for row in await idp.owner(f"EXPLAIN (ANALYZE, COSTS off, TIMING off) {explained}"))
    assert "audit_default_owner" in plan, plan
    assert re.search(r"Index Cond: \(\(owner = .*\) AND \(ROW\(.*", plan), plan
    assert "Sort" not in plan, plan
    assert "Seq Scan on audit" not in plan, plan
    async with await idp.signed_in(citizen) as browser:
        page = await browser.get(HISTORY_PAGE)
        following = re.search(r'rel="next" href="([^"]+)"', page.text)
        assert following
        assert (await browser.get(following[1])).status_code == 200
