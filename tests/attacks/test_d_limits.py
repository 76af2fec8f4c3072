"""What more than enough requests meet: 429 by address, client and account; 503 where work queues up."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from tests.conftest import Dsns
from tests.people import PASSWORD, active, post
from tests.provider import Provider, RelyingParty, running_provider
from tests.windows import in_one_window

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def paced(dsns: Dsns) -> AsyncIterator[Provider]:
    async with running_provider(
        dsns.idp,
        dsns.owner,
        trusted_proxies=("192.0.2.1/32",),
        requests_per_minute_of_address=40,
        requests_per_minute_of_client=20,
        requests_per_minute_of_public_client=12,
        requests_per_minute_of_account=10,
        registrations_per_minute_of_address=3,
    ) as provider:
        yield provider


async def introspect(idp: Provider, party: RelyingParty, address: str, **changed: str) -> httpx.Response:
    return await idp.http.post(
        "/idp/introspect",
        data={"token": "nothing", **party.authentication(), **changed},
        headers={"X-Forwarded-For": address},
    )


async def test_one_client_cannot_take_what_is_for_all(paced: Provider) -> None:
    async def flood(number: int) -> list[httpx.Response]:
        loud = await paced.client()
        return [await introspect(paced, loud, f"198.51.{96 + number}.{n}") for n in range(25)]

    quiet = await paced.client()
    answers = await in_one_window(60, flood)
    statuses = [answer.status_code for answer in answers]
    assert statuses == [200] * 20 + [429] * 5
    refused = answers[-1]
    assert refused.json()["error"] == "temporarily_unavailable"
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert refused.headers["ratelimit-policy"] == '"client";q=20;w=60'
    begins, _, reset_s = refused.headers["ratelimit"].rpartition("=")
    assert begins == '"client";r=0;t'
    # Never earlier than the reset (draft-ietf-httpapi-ratelimit-headers-10 §6).
    assert int(refused.headers["retry-after"]) >= int(reset_s) > 0
    assert (await introspect(paced, quiet, "198.51.100.99")).status_code == 200


async def test_a_client_is_told_when_its_limit_is_near(paced: Provider) -> None:
    async def asked(number: int) -> list[httpx.Response]:
        party = await paced.client()
        return [await introspect(paced, party, f"198.51.{98 + number}.{100 + n}") for n in range(16)]

    answers = await in_one_window(60, asked)
    assert "ratelimit" not in answers[9].headers
    assert answers[15].headers["ratelimit"].startswith('"client";r=4;t=')


async def test_nobody_uses_up_a_limit_by_another_clients_name(paced: Provider) -> None:
    party = await paced.client()
    for n in range(30):
        refused = await introspect(paced, party, f"198.51.100.{130 + n}", client_secret="wrong")
        assert refused.status_code == 401
    assert (await introspect(paced, party, "198.51.100.200")).status_code == 200


async def test_a_public_client_takes_a_share_of_each_address_and_of_no_other_client(paced: Provider) -> None:
    async def asked(party: RelyingParty, address: str) -> httpx.Response:
        form = {"client_id": party.client_id, "token": "nothing"}
        return await paced.http.post("/idp/revoke", data=form, headers={"X-Forwarded-For": address})

    async def flood(_: int) -> tuple[RelyingParty, list[httpx.Response]]:
        party = await paced.wallet()
        return party, [await asked(party, "198.51.101.1") for _ in range(14)]

    quiet = await paced.wallet()
    loud, answers = await in_one_window(60, flood)
    assert [answer.status_code for answer in answers] == [200] * 12 + [429] * 2
    assert answers[-1].headers["ratelimit-policy"] == '"public-client";q=12;w=60'
    assert (await asked(quiet, "198.51.101.1")).status_code == 200
    assert (await asked(loud, "198.51.101.2")).status_code == 200


async def test_one_address_is_held_to_its_share_before_anything_is_looked_at(paced: Provider) -> None:
    party = await paced.client()

    async def flood(number: int) -> list[httpx.Response]:
        household = f"2001:db8:{number}:1::"
        return [await introspect(paced, party, f"{household}{n:x}", client_secret="wrong") for n in range(1, 43)]

    answers = await in_one_window(60, flood)
    assert [answer.status_code for answer in answers].count(429) == 2
    assert answers[-1].json()["error"] == "temporarily_unavailable"
    assert int(answers[-1].headers["retry-after"]) >= 1
    # Another household is another prefix; another endpoint has a share of its own.
    assert (await introspect(paced, party, "2001:db8:0:2::1")).status_code == 200
    elsewhere = await paced.http.post("/idp/revoke", data={}, headers={"X-Forwarded-For": "2001:db8:0:1::1"})
    assert elsewhere.status_code != 429


async def test_a_citizens_tokens_are_held_to_a_share_at_each_client(paced: Provider) -> None:
    async def flood(_: int) -> list[httpx.Response]:
        party, citizen = await paced.client(), await paced.citizen()
        access_token = (await paced.tokens(await paced.signed_in(citizen), party))["access_token"]
        return [await paced.userinfo(access_token) for _ in range(12)]

    answers = await in_one_window(60, flood)
    assert [answer.status_code for answer in answers] == [200] * 10 + [429] * 2


async def test_what_is_counted_outlives_the_process(paced: Provider, dsns: Dsns) -> None:
    party = await paced.client()
    for n in range(20):
        await introspect(paced, party, f"203.0.113.{n}")
    async with asyncio.timeout(10):
        while not await paced.owner("SELECT 1 FROM idp.throttle WHERE bucket LIKE $1", f"%{party.client_id}"):
            await asyncio.sleep(0.02)
    async with running_provider(
        dsns.idp,
        dsns.owner,
        trusted_proxies=("192.0.2.1/32",),
        requests_per_minute_of_client=20,
    ) as restarted:
        statuses = set()
        async with asyncio.timeout(10):
            while 429 not in statuses:
                statuses.add((await introspect(restarted, party, "203.0.113.99")).status_code)
                await asyncio.sleep(0.02)
        assert len(statuses) <= 2


async def test_d_10_a_spike_of_sign_ins_is_shed_and_other_requests_go_on(dsns: Dsns) -> None:
    async with running_provider(dsns.idp, dsns.owner, password_threads=1, password_waiting_max=3) as idp:
        person, party = await active(idp), await idp.client()
        citizen = await idp.citizen()
        access_token = (await idp.tokens(await idp.signed_in(citizen), party))["access_token"]
        browsers = [idp.browser() for _ in range(14)]

        async def sign_in(browser: httpx.AsyncClient) -> httpx.Response:
            return await post(browser, "/idp/sign-in", username=person.uid, password=PASSWORD)

        spike = asyncio.gather(*(sign_in(browser) for browser in browsers))
        reads = []
        while not spike.done():
            started = asyncio.get_running_loop().time()
            assert (await idp.userinfo(access_token)).status_code == 200
            reads.append(asyncio.get_running_loop().time() - started)
        answers = await spike
        statuses = [answer.status_code for answer in answers]
        assert set(statuses) <= {303, 429, 503}
        assert statuses.count(303) >= 1
        shed = [answer for answer in answers if answer.status_code != 303]
        assert shed
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in shed)
        assert len(reads) >= 2
        for browser in browsers:
            await browser.aclose()
