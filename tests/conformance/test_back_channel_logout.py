"""OpenID Connect Back-Channel Logout 1.0: what the certification plan asks, and what its text demands beside."""

import asyncio
import itertools
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl

import httpx
import jwt
import pytest
from aiohttp import web

from idp.account.end_sessions import end_sessions
from idp.account.routes import parts_of
from idp.citizens.change_state import change_state
from idp.keys.ring import KeyRing, Placed
from idp.logout.deliver import LogoutDelivery
from idp.sessions import store as sessions
from idp.sessions.end import end_all_for
from idp.sessions.sid import sid_at
from idp.sessions.start import start
from kit.errors import Unavailable
from kit.jose import ASYMMETRIC, Algorithm, DeviceKey, PublicKeys, SigningKey, header_of, verify
from kit.outbound.fetch import Fetcher
from tests.provider import ISSUER, Provider, RelyingParty, answer_of
from tests.sites import Request, Site

pytestmark = pytest.mark.asyncio(loop_scope="module")

BYE = "https://rp.test/post_logout_redirect"
_paths = (f"/backchannel_logout/{number}" for number in itertools.count())


async def party_with_ear(idp: Provider, site: Site, **metadata: Any) -> tuple[RelyingParty, str]:
    path = next(_paths)
    party = await idp.client(
        **{
            "post_logout_redirect_uris": [BYE],
            "backchannel_logout_uri": site.serve(path, b""),
            "backchannel_logout_session_required": True,
            **metadata,
        }
    )
    return party, path


async def heard(site: Site, path: str) -> Request:
    """The next call at this address; those of other tests' clients are passed over."""
    while True:
        request = await site.next()
        if request.path == path:
            return request


async def verified(idp: Provider, request: Request, party: RelyingParty, alg: str = "ES256") -> dict[str, Any]:
    parameters = dict(parse_qsl(request.body.decode()))
    assert set(parameters) == {"logout_token"}
    token = parameters["logout_token"]
    header = header_of(token)
    assert (header["typ"], header["alg"]) == ("logout+jwt", alg)
    keys = PublicKeys((await idp.http.get("/idp/jwks")).json())
    return verify(
        token,
        keys,
        algorithms=[alg],
        typ=["logout+jwt"],
        issuer=ISSUER,
        audience=party.client_id,
        strict_audience=True,
        require=["iss", "aud", "iat", "exp", "jti", "events"],
    )


def claims_of(id_token: str) -> dict[str, Any]:
    return dict(jwt.decode(id_token, options={"verify_signature": False}, algorithms=list(ASYMMETRIC)))


async def sid_of(idp: Provider, id_token: str) -> str:
    """The session's own identifier, which no client ever sees."""
    claims = claims_of(id_token)
    rows = await idp.owner("SELECT sid FROM idp.session")
    (found,) = [row["sid"] for row in rows if sid_at(row["sid"], claims["aud"]) == claims["sid"]]
    return str(found)


async def sign_out(browser: httpx.AsyncClient, id_token: str) -> httpx.Response:
    return await browser.get(
        "/idp/end-session", params={"id_token_hint": id_token, "post_logout_redirect_uri": BYE, "state": "s"}
    )


async def test_discovery_endpoint_verification(idp: Provider) -> None:
    metadata = (await idp.http.get("/idp/.well-known/openid-configuration")).json()
    assert metadata["backchannel_logout_supported"] is True
    assert metadata["backchannel_logout_session_supported"] is True


@pytest.mark.parametrize("alg", ["ES256", "RS256"])
async def test_backchannel_rp_initiated_logout(idp: Provider, site: Site, alg: str) -> None:
    party, path = await party_with_ear(idp, site, id_token_signed_response_alg=alg)
    browser = await idp.signed_in(await idp.citizen())
    id_token = (await idp.tokens(browser, party))["id_token"]
    assert (await sign_out(browser, id_token)).headers["location"] == f"{BYE}?state=s"
    request = await heard(site, path)
    assert request.method == "POST"
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    claims, theirs = await verified(idp, request, party, alg), claims_of(id_token)
    assert (claims["sub"], claims["sid"]) == (theirs["sub"], theirs["sid"])
    assert claims["events"] == {"http://schemas.openid.net/event/backchannel-logout": {}}
    assert "nonce" not in claims
    assert 0 < claims["exp"] - claims["iat"] <= 120
    answer = answer_of(await browser.get("/idp/authorize", params=party.request(prompt="none")))
    assert answer["error"] == "login_required"


async def test_every_client_of_the_session_is_told_and_no_other(idp: Provider, site: Site) -> None:
    citizen = await idp.citizen()
    browser, elsewhere = await idp.signed_in(citizen), await idp.signed_in(citizen)
    (one, path_one), (two, path_two), (other, path_other) = [await party_with_ear(idp, site) for _ in range(3)]
    id_token = (await idp.tokens(browser, one))["id_token"]
    await idp.tokens(browser, two)
    await idp.tokens(elsewhere, other)
    await sign_out(browser, id_token)
    calls = [await site.next(), await site.next()]
    assert {request.path for request in calls} == {path_one, path_two}
    subs = {(await verified(idp, call, one if call.path == path_one else two))["sub"] for call in calls}
    assert len(subs) == 1, "both clients are of one sector"
    await idp.wiring.logout_delivery.deliver()
    assert site.requests.empty()
    assert path_other
    assert await idp.owner("SELECT 1 FROM idp.logout_notice WHERE client_id = $1", other.client_id) == []


async def test_two_clients_of_one_session_share_no_sid(idp: Provider, site: Site) -> None:
    """Or two sectors could recognise one citizen by it, whom they know by two subs."""
    browser = await idp.signed_in(await idp.citizen())
    one, two = await idp.client(sector="one"), await idp.client(sector="two")
    first, again, other = [claims_of((await idp.tokens(browser, party))["id_token"]) for party in (one, one, two)]
    assert first["sid"] == again["sid"] != other["sid"]
    assert first["sub"] == again["sub"] != other["sub"]


async def test_a_client_without_an_id_token_is_not_told(idp: Provider, site: Site) -> None:
    """§2.3: sessions at relying parties. One without ``openid``, or whose code was never redeemed, has none."""
    party, _ = await party_with_ear(idp, site)
    browser = await idp.signed_in(await idp.citizen())
    await idp.code(browser, party)
    await idp.tokens(browser, party, scope="profile")
    await browser.get("/idp/end-session", params={"id_token_hint": "-"})
    token = (await idp.tokens(browser, await idp.client()))["id_token"]
    await browser.get("/idp/end-session", params={"id_token_hint": token})
    assert await idp.owner("SELECT 1 FROM idp.logout_notice WHERE client_id = $1", party.client_id) == []


@pytest.mark.parametrize("way", ["remote", "all", "suspended", "frozen", "other-citizen"])
async def test_a_session_that_ends_in_any_way_is_told(idp: Provider, site: Site, way: str) -> None:
    party, path = await party_with_ear(idp, site)
    citizen = await idp.citizen()
    browser = await idp.signed_in(citizen)
    tokens = await idp.tokens(browser, party)
    sid = await sid_of(idp, tokens["id_token"])
    uid = (await idp.owner("SELECT uid FROM idp.citizen WHERE citizen_id = $1", citizen))[0]["uid"]
    wiring = idp.wiring
    match way:
        case "remote":
            await idp.signed_in(citizen)
            session = await _session(idp, citizen, except_sid=sid)
            await end_sessions(parts_of(wiring), session, sid=sid)
        case "all":
            await wiring.db.transact(lambda tx: end_all_for(tx, wiring.audit, citizen, because="password.changed"))
        case "suspended" | "frozen":
            await change_state(
                wiring.db,
                wiring.audit,
                uid,
                "suspend" if way == "suspended" else "freeze",
                actor_kind="officer",
                actor="test",
                reason="test",
            )
        case _:
            row = (await idp.owner("SELECT session_sha256 FROM idp.session WHERE sid = $1", sid))[0]
            stranger = await idp.citizen()
            await wiring.db.transact(
                lambda tx: start(
                    tx,
                    wiring.audit,
                    citizen_id=stranger,
                    acr="low",
                    amr=["pwd"],
                    browser_label="test",
                    lifetime_s=60,
                    before_sha256=row["session_sha256"],
                )
            )
    wiring.logout_delivery.kick()
    assert (await verified(idp, await heard(site, path), party))["sid"] == sid_at(sid, party.client_id)


async def _session(idp: Provider, citizen: Any, *, except_sid: str) -> Any:
    row = (
        await idp.owner(
            "SELECT session_sha256 FROM idp.session WHERE citizen_id = $1 AND sid <> $2", citizen, except_sid
        )
    )[0]
    return await sessions.current(idp.wiring.db, row["session_sha256"], idle_s=900)


async def test_an_idle_session_is_still_told_when_its_browser_signs_out(idp: Provider, site: Site) -> None:
    party, path = await party_with_ear(idp, site)
    browser = await idp.signed_in(await idp.citizen())
    id_token = (await idp.tokens(browser, party))["id_token"]
    sid = await sid_of(idp, id_token)
    await idp.owner("UPDATE idp.session SET seen_at = now() - interval '1 hour' WHERE sid = $1", sid)
    assert (await sign_out(browser, id_token)).headers["location"] == f"{BYE}?state=s"
    assert (await verified(idp, await heard(site, path), party))["sid"] == sid_at(sid, party.client_id)


async def test_refresh_tokens_without_offline_access_end_and_others_stay(idp: Provider, site: Site) -> None:
    """§2.7"""
    party, _ = await party_with_ear(idp, site)
    browser = await idp.signed_in(await idp.citizen())
    bound = await idp.tokens(browser, party, scope="openid")
    offline = await idp.tokens(browser, party, scope="openid offline_access", prompt="consent")
    await sign_out(browser, bound["id_token"])
    assert (await idp.refresh(party, bound["refresh_token"])).status_code == 400
    assert (await idp.refresh(party, offline["refresh_token"])).status_code == 200
    assert (await idp.userinfo(bound["access_token"])).status_code == 401


async def test_o_48_a_slow_client_does_not_hold_the_page_and_is_cut(idp: Provider, site: Site) -> None:
    over = asyncio.Event()

    async def never(_: Request) -> web.StreamResponse:
        await over.wait()
        return web.Response()

    path = next(_paths)
    site.answers[path] = never
    party, _ = await party_with_ear(idp, site, backchannel_logout_uri=site.url(path))
    browser = await idp.signed_in(await idp.citizen())
    id_token = (await idp.tokens(browser, party))["id_token"]
    began = time.monotonic()
    await sign_out(browser, id_token)
    assert time.monotonic() - began < 2
    await heard(site, path)
    await idp.wiring.logout_delivery.idle()
    assert time.monotonic() - began < 7
    row = (await _notices(idp, party))[0]
    assert (row["tries"], row["settled_at"]) == (1, None)
    over.set()


@pytest.mark.parametrize("status", [301, 302, 404, 500, 503])
async def test_o_48_a_redirect_or_fault_is_tried_again_later_each_time(idp: Provider, site: Site, status: int) -> None:
    path = next(_paths)
    uri = site.refuse(path, status, Location=site.url("/elsewhere"))
    party, _ = await party_with_ear(idp, site, backchannel_logout_uri=uri)
    browser = await idp.signed_in(await idp.citizen())
    await sign_out(browser, (await idp.tokens(browser, party))["id_token"])
    await heard(site, path)
    delays = []
    for tries in range(2, 6):
        await _settled_or_tried(idp, party, tries - 1)
        await _due(idp, party)
        await idp.wiring.logout_delivery.deliver()
        request = await heard(site, path)
        row = (await _notices(idp, party))[0]
        delays.append(row["delay"])
        assert (row["tries"], row["settled_at"]) == (tries, None)
    assert delays == sorted(delays)
    assert delays[-1] > 4 * delays[0]
    jtis = dict(parse_qsl(request.body.decode()))
    assert jtis, "each try carries a token of its own"
    site.serve(path, b"")
    await _due(idp, party)
    await idp.wiring.logout_delivery.deliver()
    await heard(site, path)
    row = (await _notices(idp, party))[0]
    assert row["settled_at"] is not None
    assert row["status"] == 200


async def test_204_is_a_success_too(idp: Provider, site: Site) -> None:
    """§2.8"""
    path = next(_paths)
    party, _ = await party_with_ear(idp, site, backchannel_logout_uri=site.refuse(path, 204))
    browser = await idp.signed_in(await idp.citizen())
    await sign_out(browser, (await idp.tokens(browser, party))["id_token"])
    await heard(site, path)
    await idp.wiring.logout_delivery.idle()
    row = (await _notices(idp, party))[0]
    assert (row["settled_at"] is not None, row["status"]) == (True, 204)


@pytest.mark.parametrize("status", [400, 501])
async def test_a_client_that_refuses_is_not_asked_for_a_day(idp: Provider, site: Site, status: int) -> None:
    """§2.8: 400 says that the request was invalid or the logout failed. The citizen reads that it was not confirmed."""
    path = next(_paths)
    party, _ = await party_with_ear(idp, site, backchannel_logout_uri=site.refuse(path, status))
    citizen = await idp.citizen()
    browser = await idp.signed_in(citizen)
    await sign_out(browser, (await idp.tokens(browser, party))["id_token"])
    for tries in (1, 2, 3):
        await heard(site, path)
        await _settled_or_tried(idp, party, tries)
        if tries < 3:
            await _due(idp, party)
            await idp.wiring.logout_delivery.deliver()
    row = (await _notices(idp, party))[0]
    assert (row["settled_at"] is not None, row["status"]) == (True, status)
    lines = await idp.owner(
        "SELECT result FROM idp.audit WHERE owner = $1 AND action = 'logout.not-heard'", str(citizen)
    )
    assert [line["result"] for line in lines] == [f"http-{status}"]


async def test_after_a_day_nobody_is_told_any_more(idp: Provider, site: Site) -> None:
    path = next(_paths)
    party, _ = await party_with_ear(idp, site, backchannel_logout_uri=site.refuse(path, 500))
    browser = await idp.signed_in(await idp.citizen())
    await sign_out(browser, (await idp.tokens(browser, party))["id_token"])
    await heard(site, path)
    await _settled_or_tried(idp, party, 1)
    await _due(idp, party, "expires_at = now() + interval '1 second'")
    await idp.wiring.logout_delivery.deliver()
    await heard(site, path)
    row = (await _notices(idp, party))[0]
    assert row["settled_at"] is not None


async def test_a_code_of_an_ended_session_is_good_for_nothing(idp: Provider, site: Site) -> None:
    """Else a client could be given an ID token of a session whose end it has not heard of."""
    party, _ = await party_with_ear(idp, site)
    browser = await idp.signed_in(await idp.citizen())
    id_token = (await idp.tokens(browser, await idp.client()))["id_token"]
    code = await idp.code(browser, party)
    await browser.get("/idp/end-session", params={"id_token_hint": id_token})
    response = await idp.http.post("/idp/token", data=party.exchange(code))
    assert (response.status_code, response.json()["error"]) == (400, "invalid_grant")


async def test_logout_and_code_exchange_race_and_the_client_is_told_or_has_no_token(idp: Provider, site: Site) -> None:
    party, _ = await party_with_ear(idp, site)
    for _ in range(6):
        browser = await idp.signed_in(await idp.citizen())
        id_token = (await idp.tokens(browser, await idp.client()))["id_token"]
        sid = await sid_of(idp, id_token)
        code = await idp.code(browser, party)
        answer, _ = await asyncio.gather(
            idp.http.post("/idp/token", data=party.exchange(code)),
            browser.get("/idp/end-session", params={"id_token_hint": id_token}),
        )
        told = await idp.owner(
            "SELECT 1 FROM idp.logout_notice WHERE client_id = $1 AND sid = $2", party.client_id, sid
        )
        assert (answer.status_code == 200) == bool(told)


async def test_o_48_one_slow_client_does_not_keep_others_from_being_told(idp: Provider, site: Site) -> None:
    over = asyncio.Event()

    async def never(_: Request) -> web.StreamResponse:
        await over.wait()
        return web.Response()

    slow_path = next(_paths)
    site.answers[slow_path] = never
    slow, _ = await party_with_ear(idp, site, backchannel_logout_uri=site.url(slow_path))
    quick, path = await party_with_ear(idp, site)
    for party, awaited in ((slow, slow_path), (quick, path)):
        browser = await idp.signed_in(await idp.citizen())
        began = time.monotonic()
        await sign_out(browser, (await idp.tokens(browser, party))["id_token"])
        await heard(site, awaited)
        assert time.monotonic() - began < 3
    over.set()
    await idp.wiring.logout_delivery.idle()


class _DeviceAway:
    """Keys whose public halves are known and whose device does not answer."""

    fresh = True

    async def read(self) -> Sequence[Placed]:
        async def sign(_: bytes) -> bytes:
            raise Unavailable("signing device")

        keys = [DeviceKey(SigningKey.generate(alg).public, alg, sign) for alg in ("ES256", "RS256")]  # type: ignore[arg-type]
        return [Placed(f"{key.alg}-0", key.alg, 0, key) for key in keys]

    async def create(self, alg: Algorithm, *, activates_at: int) -> str:
        raise NotImplementedError

    async def remove(self, placed: Placed) -> None:
        raise NotImplementedError

    def close(self) -> None:
        return None


async def test_our_own_absence_is_no_try_of_the_clients(idp: Provider, site: Site) -> None:
    """Else a device that is away for some minutes would leave clients untold for hours, and then for good."""
    party, path = await party_with_ear(idp, site)
    citizen = await idp.citizen()
    browser = await idp.signed_in(citizen)
    await idp.tokens(browser, party)
    wiring = idp.wiring
    await wiring.db.transact(lambda tx: end_all_for(tx, wiring.audit, citizen, because="password.changed"))
    ring = KeyRing(_DeviceAway())
    await ring.reread()
    away = LogoutDelivery(
        wiring.db,
        wiring.audit,
        fetcher=Fetcher.of(wiring.settings),
        keys=ring,
        clients=wiring.clients,
        issuer=ISSUER,
    )
    try:
        for _ in range(8):
            await _due(idp, party)
            await away.deliver()
            row = (await _notices(idp, party))[0]
            assert (row["tries"], row["settled_at"]) == (0, None)
            assert row["delay"] < 20
        await _due(idp, party)
        await wiring.logout_delivery.deliver()
        await heard(site, path)
        row = (await _notices(idp, party))[0]
        assert (row["tries"], row["status"]) == (1, 200)
        # A notice whose day is over is not carried on for ever.
        await idp.owner(
            "UPDATE idp.logout_notice SET settled_at = NULL, status = NULL, tries = 0 WHERE client_id = $1",
            party.client_id,
        )
        await _due(idp, party, "expires_at = now()")
        await away.deliver()
    finally:
        await away.close()
    assert (await _notices(idp, party))[0]["settled_at"] is not None
    lines = await idp.owner(
        "SELECT result FROM idp.audit WHERE owner = $1 AND action = 'logout.not-heard'", str(citizen)
    )
    assert [line["result"] for line in lines] == ["no-answer"]


async def test_that_many_are_told_at_once_is_no_try_of_the_clients(idp: Provider, site: Site) -> None:
    """Of one client's host eight are told at once; a ninth session that ends in that moment is told a little later."""
    over = asyncio.Event()

    async def holds(_: Request) -> web.StreamResponse:
        await over.wait()
        return web.Response()

    path, citizen = next(_paths), await idp.citizen()
    site.answers[path] = holds
    party, _ = await party_with_ear(idp, site, backchannel_logout_uri=site.url(path))
    for _ in range(10):
        await idp.tokens(await idp.signed_in(citizen), party)
    wiring = idp.wiring
    # What other tests left waits for the same host.
    await idp.owner("UPDATE idp.logout_notice SET settled_at = now() WHERE settled_at IS NULL")
    await wiring.db.transact(lambda tx: end_all_for(tx, wiring.audit, citizen, because="password.changed"))
    wiring.logout_delivery.kick()
    for _ in range(8):
        await heard(site, path)
    over.set()
    await wiring.logout_delivery.idle()
    rows = await _notices(idp, party)
    told, waiting = [row for row in rows if row["settled_at"]], [row for row in rows if not row["settled_at"]]
    assert (len(told), {row["tries"] for row in told}) == (8, {1})
    assert (len(waiting), {row["tries"] for row in waiting}) == (2, {0})
    assert all(row["delay"] < 4 for row in waiting)
    await _due(idp, party)
    await wiring.logout_delivery.deliver()
    assert {row["tries"] for row in await _notices(idp, party)} == {1}


async def test_a_notice_goes_to_one_of_many_deliverers(idp: Provider, site: Site) -> None:
    party, path = await party_with_ear(idp, site)
    browser = await idp.signed_in(await idp.citizen())
    tokens = await idp.tokens(browser, party)
    sid = await sid_of(idp, tokens["id_token"])
    citizen = await idp.owner("SELECT citizen_id FROM idp.session WHERE sid = $1", sid)
    wiring = idp.wiring
    await wiring.db.transact(
        lambda tx: end_all_for(tx, wiring.audit, citizen[0]["citizen_id"], because="password.changed")
    )
    await asyncio.gather(*(wiring.logout_delivery.deliver() for _ in range(6)))
    await heard(site, path)
    assert (await _notices(idp, party))[0]["tries"] == 1
    assert all(request.path != path for request in _left(site))


def _left(site: Site) -> list[Request]:
    left = []
    while not site.requests.empty():
        left.append(site.requests.get_nowait())
    return left


async def _notices(idp: Provider, party: RelyingParty) -> list[Any]:
    return await idp.owner(
        """
        SELECT tries, settled_at, status, extract(epoch FROM next_try_at - now())::float8 AS delay
          FROM idp.logout_notice WHERE client_id = $1""",
        party.client_id,
    )


async def _due(idp: Provider, party: RelyingParty, also: str = "expires_at = expires_at") -> None:
    await idp.owner(
        f"UPDATE idp.logout_notice SET next_try_at = now() - interval '1 second', {also} WHERE client_id = $1",
        party.client_id,
    )


async def _settled_or_tried(idp: Provider, party: RelyingParty, tries: int) -> None:
    """The background task has finished with what it began."""
    await idp.wiring.logout_delivery.idle()
    assert (await _notices(idp, party))[0]["tries"] == tries
