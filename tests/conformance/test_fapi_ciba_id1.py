"""FAPI-CIBA ID1: what each module of the certification plan fapi-ciba-id1 asks, in poll and in ping mode.

A test is named after its module. The plan's clients hold their tokens by mTLS; here by DPoP, which the profile allows
as well and which needs no edge.
"""

import asyncio
import itertools
import json
import secrets
import time
from typing import Any

import httpx
import jwt
import pytest
from aiohttp import web

from idp.backchannel.answer_for import allow_for, deny_for
from idp.backchannel.ping import ping
from idp.backchannel.waiting import find_by_digest
from kit.jose import SigningKey, client_assertion
from kit.tokens import digest
from tests.provider import ISSUER, Provider, RelyingParty
from tests.sites import Request, Site
from tests.waiting import CIBA, ask, five_seconds_later, poll, send, service, signed, uid_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

MODES = ["poll", "ping"]
BAD_BINDING_MESSAGE = (
    "1234 \N{THUMBS UP SIGN}\N{EMOJI MODIFIER FITZPATRICK TYPE-6} 品川 Lorem ipsum dolor sit amet, consectetur "
    "adipiscing elit, sed do eiusmod tempor incididunt ut labore et dolore magna aliqua."
)
_paths = (f"/ciba-notification-endpoint/{number}" for number in itertools.count())


class Module:
    """One run of a module: a client, a citizen, and the relying party's server."""

    def __init__(self, idp: Provider, site: Site, party: RelyingParty, uid: str, path: str | None) -> None:
        self.idp, self.site, self.party, self.uid, self.path = idp, site, party, uid, path
        self.notification_token = secrets.token_urlsafe(32)

    async def ask(self, **changed: Any) -> httpx.Response:
        return await ask(self.idp, self.party, **self.asked_with(**changed))

    def asked_with(self, **changed: Any) -> dict[str, Any]:
        pinged = {"client_notification_token": self.notification_token} if self.path else {}
        return {"login_hint": self.uid, **pinged, **changed}

    async def begun(self, **changed: Any) -> dict[str, Any]:
        answer = await self.ask(**changed)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].startswith("application/json")
        body: dict[str, Any] = answer.json()
        return body

    async def poll(self, auth_req_id: str, **changed: str) -> httpx.Response:
        return await poll(self.idp, self.party, CIBA, auth_req_id, **changed)

    async def answered(self, auth_req_id: str, *, allowed: bool = True) -> None:
        """By the operator's command, as the suite's automation does it."""
        waiting = await find_by_digest(self.idp.wiring.db, digest(auth_req_id))
        assert waiting is not None
        await (allow_for if allowed else deny_for)(self.idp.wiring, waiting)

    async def pinged(self, auth_req_id: str) -> Request | None:
        """What arrived at the client; None for a client that polls."""
        await ping(self.idp.wiring.db, self.idp.wiring.secrets, self.idp.wiring.fetcher)
        if self.path is None:
            return None
        request = await self.site.next()
        assert (request.method, request.path) == ("POST", self.path)
        assert request.headers["Content-Type"] == "application/json"
        assert request.headers["Authorization"] == f"Bearer {self.notification_token}"
        assert json.loads(request.body) == {"auth_req_id": auth_req_id}
        return request


async def module(idp: Provider, site: Site, mode: str, *, status: int = 204, **metadata: Any) -> Module:
    path = next(_paths) if mode == "ping" else None
    pinged = {"backchannel_client_notification_endpoint": site.refuse(path, status)} if path else {}
    party = await service(idp, backchannel_token_delivery_mode=mode, **{**pinged, **metadata})
    return Module(idp, site, party, await uid_of(idp, await idp.citizen()), path)


def refused(answer: httpx.Response, error: str = "invalid_request", status: int = 400) -> None:
    """CIBA Core §13: the code, and nothing beside error, error_description and error_uri."""
    body = answer.json()
    assert (answer.status_code, body["error"]) == (status, error), body
    assert set(body) <= {"error", "error_description", "error_uri"}
    assert answer.headers["cache-control"] == "no-store"


async def test_fapi_ciba_id1_discovery_end_point_verification(idp: Provider) -> None:
    found = (await idp.http.get("/idp/.well-known/openid-configuration")).json()
    assert found["backchannel_authentication_endpoint"].startswith("https://")
    assert {"poll", "ping"} == set(found["backchannel_token_delivery_modes_supported"])
    assert {"PS256", "ES256"} <= set(found["backchannel_authentication_request_signing_alg_values_supported"])
    assert found["backchannel_user_code_parameter_supported"] is False
    assert CIBA in found["grant_types_supported"]


@pytest.mark.parametrize("mode", MODES)
async def test_fapi_ciba_id1(idp: Provider, site: Site, mode: str) -> None:
    run = await module(idp, site, mode)
    begun = await run.begun(acr_values="substantial high", requested_expiry=300)
    assert len(begun["auth_req_id"]) * 6 >= 160
    assert (begun["expires_in"], begun["interval"]) == (300, 5)
    for _ in range(2):
        pending = await run.poll(begun["auth_req_id"])
        assert pending.json()["error"] in ("authorization_pending", "slow_down")
    await run.answered(begun["auth_req_id"])
    await run.pinged(begun["auth_req_id"])
    # At once after the ping: an answer that is there is given, however short ago the last poll was.
    tokens = await run.poll(begun["auth_req_id"])
    assert tokens.status_code == 200, tokens.text
    assert tokens.headers["cache-control"] == "no-store"
    header = jwt.get_unverified_header(tokens.json()["id_token"])
    claims = jwt.decode(tokens.json()["id_token"], options={"verify_signature": False})
    assert header["alg"] in ("ES256", "PS256")
    assert header["kid"]
    assert (claims["iss"], claims["aud"]) == (ISSUER, run.party.client_id)
    assert claims["acr"] in ("substantial", "high")
    assert not {"c_hash", "s_hash"} & set(claims)
    assert (await idp.userinfo(tokens.json()["access_token"], run.party)).status_code == 200
    # Another client's key, then the auth_req_id once more.
    other = await service(idp)
    assert (await idp.userinfo(tokens.json()["access_token"], other)).status_code == 401
    refused(await run.poll(begun["auth_req_id"]), "invalid_grant")


@pytest.mark.parametrize("mode", MODES)
async def test_fapi_ciba_id1_user_rejects_authentication(idp: Provider, site: Site, mode: str) -> None:
    run = await module(idp, site, mode)
    begun = await run.begun()
    await run.answered(begun["auth_req_id"], allowed=False)
    await run.pinged(begun["auth_req_id"])
    refused(await run.poll(begun["auth_req_id"]), "access_denied")


@pytest.mark.parametrize("mode", MODES)
async def test_fapi_ciba_id1_auth_req_id_expired(idp: Provider, site: Site, mode: str) -> None:
    run = await module(idp, site, mode)
    begun = await run.begun(requested_expiry=10)
    assert begun["expires_in"] == 10
    await idp.owner("UPDATE idp.backchannel_request SET expires_at = now() WHERE client_id = $1", run.party.client_id)
    refused(await run.poll(begun["auth_req_id"]), "expired_token")


@pytest.mark.parametrize("mode", MODES)
async def test_fapi_ciba_id1_multiple_call_to_token_endpoint(idp: Provider, site: Site, mode: str) -> None:
    run = await module(idp, site, mode)
    begun = await run.begun()
    for _ in range(20):
        answer = await run.poll(begun["auth_req_id"])
        assert (answer.status_code, answer.json()["error"]) in (
            (400, "authorization_pending"),
            (400, "slow_down"),
        )
    await run.answered(begun["auth_req_id"])
    await run.pinged(begun["auth_req_id"])
    assert (await run.poll(begun["auth_req_id"])).status_code == 200


async def test_fapi_ciba_id1_refresh_token(idp: Provider, site: Site) -> None:
    run, other = await module(idp, site, "poll"), await service(idp)
    begun = await run.begun(scope="openid profile offline_access")
    await run.answered(begun["auth_req_id"])
    tokens = (await run.poll(begun["auth_req_id"])).json()
    refreshed = await idp.refresh(run.party, tokens["refresh_token"])
    assert refreshed.status_code == 200
    refused(await idp.refresh(other, tokens["refresh_token"]), "invalid_grant")


async def test_fapi_ciba_id1_ensure_authorization_request_with_binding_message_succeeds(
    idp: Provider, site: Site
) -> None:
    run = await module(idp, site, "poll")
    begun = await run.begun(binding_message="1234")
    await run.answered(begun["auth_req_id"])
    assert (await run.poll(begun["auth_req_id"])).status_code == 200


async def test_fapi_ciba_id1_ensure_authorization_request_with_potentially_bad_binding_message(
    idp: Provider, site: Site
) -> None:
    run = await module(idp, site, "poll")
    refused(await run.ask(binding_message=BAD_BINDING_MESSAGE), "invalid_binding_message")


async def test_fapi_ciba_id1_ensure_authorization_request_with_multiple_hints_fails(idp: Provider, site: Site) -> None:
    run = await module(idp, site, "poll")
    refused(await run.ask(id_token_hint="x.y.z", login_hint_token="x"))
    refused(await run.ask(id_token_hint="x.y.z"))


async def test_fapi_ciba_id1_ensure_other_scope_order_succeeds(idp: Provider, site: Site) -> None:
    run = await module(idp, site, "poll")
    await run.begun(scope="profile openid")


async def test_fapi_ciba_id1_ensure_requested_expiry_as_string_succeeds(idp: Provider, site: Site) -> None:
    run = await module(idp, site, "poll")
    assert (await run.begun(requested_expiry="30"))["expires_in"] == 30


async def test_fapi_ciba_id1_ensure_unsigned_backchannel_authorization_request_fails(idp: Provider, site: Site) -> None:
    run = await module(idp, site, "poll")
    refused(await send(idp, run.party, scope="openid", login_hint=run.uid))


@pytest.mark.parametrize("member", ["aud", "exp", "iat", "iss", "jti", "nbf"])
async def test_fapi_ciba_id1_ensure_request_object_missing_member_fails(idp: Provider, site: Site, member: str) -> None:
    run = await module(idp, site, "poll")
    refused(await run.ask(**{member: None}))


@pytest.mark.parametrize(("member", "value"), [("aud", "https://other.test"), ("iss", "another-client"), ("aud", "")])
async def test_fapi_ciba_id1_ensure_request_object_bad_aud_or_iss_fails(
    idp: Provider, site: Site, member: str, value: str
) -> None:
    run = await module(idp, site, "poll")
    refused(await run.ask(**{member: value}))


async def test_ciba_7_1_1_aud_may_be_an_array_with_the_issuer_in_it(idp: Provider, site: Site) -> None:
    run = await module(idp, site, "poll")
    await run.begun(aud=[ISSUER, "https://other.test"])


@pytest.mark.parametrize(("member", "minutes"), [("exp", -5), ("exp", 70), ("nbf", 10), ("nbf", -70), ("iat", 10)])
async def test_fapi_ciba_id1_ensure_request_object_times_that_are_wrong_fail(
    idp: Provider, site: Site, member: str, minutes: int
) -> None:
    """…-expired-exp-fails, …-exp-is-70-minutes-in-future-fails, …-nbf-is-10-minutes-in-future-fails and
    …-nbf-is-70-minutes-in-past-fails."""
    run = await module(idp, site, "poll")
    refused(await run.ask(**{member: int(time.time()) + minutes * 60}))


async def test_fapi_ciba_id1_ensure_request_object_signed_by_other_client_fails(idp: Provider, site: Site) -> None:
    run = await module(idp, site, "poll")
    request = signed(run.party, key=SigningKey.generate("ES256"), login_hint=run.uid)
    refused(await send(idp, run.party, request=request))


async def test_fapi_ciba_id1_ensure_request_object_signature_algorithm_is_bad_fails(idp: Provider, site: Site) -> None:
    run = await module(idp, site, "poll")
    head, body, signature = signed(run.party, login_hint=run.uid).split(".")
    refused(await send(idp, run.party, request=f"{head}.{body}.{signature[::-1]}"))


async def test_fapi_ciba_id1_ensure_request_object_signature_algorithm_is_none_fails(idp: Provider, site: Site) -> None:
    run = await module(idp, site, "poll")
    claims = jwt.decode(signed(run.party, login_hint=run.uid), options={"verify_signature": False})
    refused(await send(idp, run.party, request=jwt.encode(claims, None, algorithm="none")))


async def test_fapi_ciba_id1_ensure_signature_algorithms_that_are_rs256_fail(idp: Provider, site: Site) -> None:
    """…-ensure-request-object-signature-algorithm-is-RS256-fails, and those of client assertions at both endpoints."""
    rsa = SigningKey.generate("RS256")
    both = {name: value for name, value in rsa.public_jwk.items() if name not in ("alg", "kid")}
    run = await module(idp, site, "poll", jwks={"keys": [both]}, backchannel_authentication_request_signing_alg="PS256")
    ps = SigningKey(rsa.private, "PS256")
    run.party.key = ps
    begun = await run.begun()
    refused(await send(idp, run.party, request=signed(run.party, key=rsa, login_hint=run.uid)))
    run.party.key = rsa
    refused(await send(idp, run.party, request=signed(run.party, key=ps, login_hint=run.uid)), "invalid_client", 401)
    refused(await run.poll(begun["auth_req_id"]), "invalid_client", 401)


@pytest.mark.parametrize("profile", ["basic", "fapi2"])
@pytest.mark.parametrize(
    "audience", [ISSUER, f"{ISSUER}/token", f"{ISSUER}/bc-authorize", [ISSUER], [f"{ISSUER}/bc-authorize"]]
)
async def test_ciba_7_1_client_assertions_name_one_of_three_audiences(
    idp: Provider, site: Site, audience: Any, profile: str
) -> None:
    run = await module(idp, site, "poll", profile=profile)
    assert run.party.key is not None
    assertion = client_assertion(
        run.party.key, client_id=run.party.client_id, audience=audience, jti=secrets.token_urlsafe(16)
    )
    parameters = {"client_assertion": assertion, "request": signed(run.party, login_hint=run.uid)}
    assert (await send(idp, run.party, **parameters)).status_code == 200


async def test_fapi_ciba_id1_ensure_client_assertion_with_iss_aud_to_token_endpoint_succeeds(
    idp: Provider, site: Site
) -> None:
    run = await module(idp, site, "poll")
    begun = await run.begun()
    refused(await run.poll(begun["auth_req_id"]), "authorization_pending")


@pytest.mark.parametrize("profile", ["basic", "fapi2"])
async def test_ciba_7_1_client_assertions_at_the_token_endpoint_may_name_it(
    idp: Provider, site: Site, profile: str
) -> None:
    run = await module(idp, site, "poll", profile=profile)
    begun = await run.begun()
    assert run.party.key is not None
    assertion = client_assertion(
        run.party.key, client_id=run.party.client_id, audience=f"{ISSUER}/token", jti=secrets.token_urlsafe(16)
    )
    refused(await run.poll(begun["auth_req_id"], client_assertion=assertion), "authorization_pending")


@pytest.mark.parametrize("changed", [{"sub": "another"}, {"iss": "another"}, {"exp": 1}, {"aud": "https://other.test"}])
async def test_fapi_ciba_id1_ensure_invalid_client_assertions_in_backchannel_authorization_request_fail(
    idp: Provider, site: Site, changed: dict[str, Any]
) -> None:
    run = await module(idp, site, "poll")
    assert run.party.key is not None
    now = int(time.time())
    claims = {
        "iss": run.party.client_id,
        "sub": run.party.client_id,
        "aud": ISSUER,
        "jti": secrets.token_urlsafe(16),
        "iat": now,
        "exp": now + 60,
        **changed,
    }
    answer = await send(
        idp,
        run.party,
        client_id=run.party.client_id,
        client_assertion=run.party.key.sign(claims, typ="JWT"),
        request=signed(run.party, login_hint=run.uid),
    )
    refused(answer, "invalid_client", 401)


async def test_fapi_ciba_id1_ensure_without_client_assertion_fails_at_both_endpoints(idp: Provider, site: Site) -> None:
    run = await module(idp, site, "poll")
    begun = await run.begun()
    unproven = {"client_id": run.party.client_id}
    answer = await idp.http.post(
        "/idp/bc-authorize", data={**unproven, "request": signed(run.party, login_hint=run.uid)}
    )
    refused(answer, "invalid_client", 401)
    token_request = {"grant_type": CIBA, "auth_req_id": begun["auth_req_id"], **unproven}
    answer = await idp.http.post("/idp/token", data=token_request, auth=run.party.holder())
    assert answer.json()["error"] == "invalid_client"


async def test_fapi_ciba_id1_ensure_wrong_auth_req_id_in_token_endpoint_request(idp: Provider, site: Site) -> None:
    run, other = await module(idp, site, "poll"), await service(idp)
    begun = await run.begun()
    refused(await poll(idp, other, CIBA, begun["auth_req_id"]), "invalid_grant")
    await run.answered(begun["auth_req_id"])
    refused(await poll(idp, other, CIBA, begun["auth_req_id"]), "invalid_grant")
    # It was not burnt by the stranger.
    assert (await run.poll(begun["auth_req_id"])).status_code == 200


async def test_fapi_ciba_id1_ensure_mtls_holder_of_key_required(idp: Provider, site: Site) -> None:
    run = await module(idp, site, "poll")
    begun = await run.begun()
    await run.answered(begun["auth_req_id"])
    without = await idp.http.post(
        "/idp/token",
        data={"grant_type": CIBA, "auth_req_id": begun["auth_req_id"], **run.party.authentication()},
    )
    assert without.status_code == 400
    assert "access_token" not in without.json()


@pytest.mark.parametrize("status", [200, 401, 403])
async def test_fapi_ciba_id1_ping_notification_endpoint_answers_and_is_not_called_again(
    idp: Provider, site: Site, status: int
) -> None:
    """…-response-401, -403, -with-body, and -401-and-require-server-does-not-retry."""
    run = await module(idp, site, "ping", status=status)
    begun = await run.begun()
    await run.answered(begun["auth_req_id"])
    await run.pinged(begun["auth_req_id"])
    await idp.owner("UPDATE idp.backchannel_request SET ping_at = now() - interval '1 hour' WHERE ping_at IS NOT NULL")
    await ping(idp.wiring.db, idp.wiring.secrets, idp.wiring.fetcher)
    assert site.requests.empty()
    assert (await run.poll(begun["auth_req_id"])).status_code == 200


async def test_fapi_ciba_id1_ping_backchannel_notification_endpoint_return_redirect_request(
    idp: Provider, site: Site
) -> None:
    run = await module(idp, site, "ping")
    assert run.path is not None
    site.refuse(run.path, 301, Location=site.url("/invalid-ciba-notification-endpoint"))
    begun = await run.begun()
    await run.answered(begun["auth_req_id"])
    await run.pinged(begun["auth_req_id"])
    assert site.requests.empty()
    assert (await run.poll(begun["auth_req_id"])).status_code == 200


async def test_ciba_10_2_a_client_that_is_away_is_pinged_again(idp: Provider, site: Site) -> None:
    run = await module(idp, site, "ping", status=503)
    begun = await run.begun()
    await run.answered(begun["auth_req_id"])
    await run.pinged(begun["auth_req_id"])
    await idp.owner("UPDATE idp.backchannel_request SET ping_at = now() WHERE client_id = $1", run.party.client_id)
    await run.pinged(begun["auth_req_id"])


async def test_ciba_10_2_that_many_are_pinged_at_once_is_no_try_of_the_client(idp: Provider, site: Site) -> None:
    """Eight at once go to one host; six tries were spent in moments in which many citizens answer."""
    over = asyncio.Event()

    async def holds(_: Request) -> web.StreamResponse:
        await over.wait()
        return web.Response(status=204)

    run = await module(idp, site, "ping")
    assert run.path is not None
    site.answers[run.path] = holds
    # What other tests left waits for the same host.
    await idp.owner("UPDATE idp.backchannel_request SET ping_at = NULL")
    for _ in range(10):
        run.uid = await uid_of(idp, await idp.citizen())
        await run.answered((await run.begun())["auth_req_id"])
    pinging = asyncio.ensure_future(ping(idp.wiring.db, idp.wiring.secrets, idp.wiring.fetcher))
    for _ in range(8):
        await site.next()
    over.set()
    assert await pinging == 8
    rows = await idp.owner(
        """SELECT ping_tries, extract(epoch FROM ping_at - now())::float8 AS delay FROM idp.backchannel_request
            WHERE client_id = $1 ORDER BY ping_at NULLS FIRST""",
        run.party.client_id,
    )
    assert [row["delay"] for row in rows[:8]] == [None] * 8
    assert [row["ping_tries"] for row in rows[8:]] == [0, 0]
    assert all(row["delay"] < 4 for row in rows[8:])
    await idp.owner("UPDATE idp.backchannel_request SET ping_at = now() WHERE ping_at IS NOT NULL")
    assert await ping(idp.wiring.db, idp.wiring.secrets, idp.wiring.fetcher) == 2
    for _ in range(2):
        await site.next()


async def test_ciba_10_2_two_workers_ping_once(idp: Provider, site: Site) -> None:
    run = await module(idp, site, "ping")
    begun = await run.begun()
    await run.answered(begun["auth_req_id"])
    wiring = idp.wiring
    told = await asyncio.gather(*(ping(wiring.db, wiring.secrets, wiring.fetcher) for _ in range(4)))
    assert sum(told) == 1
    assert (await site.next()).path == run.path
    assert site.requests.empty()


@pytest.mark.parametrize("token", [None, "a b", "ü", "x" * 1025])
async def test_ciba_7_1_client_notification_token_is_a_bearer_token(
    idp: Provider, site: Site, token: str | None
) -> None:
    run = await module(idp, site, "ping")
    refused(await run.ask(client_notification_token=token))


async def test_ciba_7_1_the_longest_client_notification_token_passes(idp: Provider, site: Site) -> None:
    run = await module(idp, site, "ping")
    run.notification_token = "x" * 1024
    begun = await run.begun()
    await run.answered(begun["auth_req_id"])
    await run.pinged(begun["auth_req_id"])


async def test_the_plans_pace_of_polling_is_not_too_fast(idp: Provider, site: Site) -> None:
    """The suite waits the interval between two polls, and its requests arrive a little early or late."""
    run = await module(idp, site, "poll")
    begun = await run.begun()
    refused(await run.poll(begun["auth_req_id"]), "authorization_pending")
    await five_seconds_later(idp)
    refused(await run.poll(begun["auth_req_id"]), "authorization_pending")
