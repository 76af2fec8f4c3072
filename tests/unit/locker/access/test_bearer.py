"""Whose access token opens the API, and how fast one that ended stops."""

import asyncio
import base64
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from kit.dpop import prove
from kit.jose import LocalKeySet, SigningKey
from tests.locker_world import INTERIOR, ISSUER, LOCKER, World, client_of, open_world

pytestmark = pytest.mark.asyncio(loop_scope="module")

CLIENT = client_of(INTERIOR)
NOTHING = "/v1/deposits/" + "0" * 25


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with open_world(
        dsns, s3, tmp_path_factory.mktemp("locker"), introspection_age_max_s=0.3, provider_keys_refresh_min_s=1
    ) as opened:
        yield opened


async def ask(world: World, authorization: str | None) -> tuple[int, str, str]:
    headers = {"Authorization": authorization.encode()} if authorization is not None else {}
    answer = await world.locker.get(NOTHING, headers=headers)
    return answer.status_code, answer.json()["code"], answer.headers.get("www-authenticate", "")


def token(world: World, **claims: Any) -> str:
    asked = {"sub": CLIENT, "client_id": CLIENT, "scope": "documents:deposit", **claims}
    return "Bearer " + world.provider.token(**asked)


async def test_a_token_of_the_client_for_itself_passes(world: World) -> None:
    assert (await ask(world, token(world)))[0:2] == (404, "document-unknown")


async def test_without_a_token_the_challenge_names_no_error_rfc6750_3_1(world: World) -> None:
    for authorization in (None, "", "Basic eDp5", "Bearer", "Bearer "):
        status, _, challenge = await ask(world, authorization)
        assert (status, "error" in challenge, challenge.startswith("Bearer")) == (401, False, True)


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "http://localhost:9999"},
        {"aud": [f"{ISSUER}/userinfo"]},
        {"iss": "http://localhost:9999/idp"},
        {"lifetime_s": -60},
        {"cnf": {"jkt": "x"}},
        {"sub": 7},
        {"client_id": ["x"]},
        {"sub": "some-citizen"},
    ],
)
async def test_a_token_that_is_not_for_this_is_invalid(world: World, claims: dict[str, Any]) -> None:
    status, code, challenge = await ask(world, token(world, **claims))
    assert (status, code) == (401, "invalid_token")
    assert 'error="invalid_token"' in challenge


async def test_a_token_of_another_key_or_kind_is_invalid(world: World) -> None:
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": "http://localhost:8000", "sub": CLIENT, "client_id": CLIENT, "jti": "1"}
    claims |= {"scope": "documents:deposit", "iat": now, "exp": now + 60}
    forged = LocalKeySet([SigningKey.generate("ES256")]).sign(claims, typ="at+jwt")
    other_kind = world.provider.keys.sign(claims, typ="JWT")
    for text in (forged, other_kind, "x", "x.y.z", "é" * 10, "." * 20_000):
        assert (await ask(world, f"Bearer {text}"))[0] in (401, 431)


async def test_a_scope_that_is_missing_is_named(world: World) -> None:
    status, code, challenge = await ask(world, token(world, scope="documents:read"))
    assert (status, code) == (403, "insufficient_scope")
    assert 'scope="documents:deposit"' in challenge


async def test_a_revoked_token_stops_within_the_second(world: World) -> None:
    authorization = token(world)
    assert (await ask(world, authorization))[0] == 404
    world.provider.revoked.add(authorization.removeprefix("Bearer "))
    await asyncio.sleep(0.35)
    assert (await ask(world, authorization))[0] == 401


async def test_many_requests_with_one_token_ask_the_provider_once(world: World) -> None:
    authorization = token(world)
    before = world.provider.calls.count("/introspect")
    assert {status for status, *_ in await asyncio.gather(*(ask(world, authorization) for _ in range(20)))} == {404}
    assert world.provider.calls.count("/introspect") == before + 1


async def test_invented_kids_cost_the_provider_no_flood(world: World) -> None:
    before = world.provider.calls.count("/jwks")
    for _ in range(10):
        key = SigningKey.generate("ES256")
        assert (await ask(world, "Bearer " + key.sign({"iss": ISSUER}, typ="at+jwt")))[0] == 401
    assert world.provider.calls.count("/jwks") <= before + 1


async def test_a_rotated_key_is_learnt_and_the_old_one_forgotten(world: World) -> None:
    old = token(world)
    world.provider.keys = LocalKeySet([SigningKey.generate("ES256")])
    await asyncio.sleep(1.05)
    assert (await ask(world, token(world)))[0] == 404
    assert (await ask(world, old))[0] == 401


async def test_without_the_provider_nothing_is_believed(world: World) -> None:
    world.provider.away = True
    try:
        assert (await ask(world, token(world)))[0] == 503
    finally:
        world.provider.away = False
    assert (await ask(world, token(world)))[0] == 404


# -- tokens that are bound to a key or a certificate -----------------------------------------------------------------

HELD = SigningKey.generate("ES256")
NOTHING_URL = f"{LOCKER}{NOTHING}"


async def shown(world: World, text: str, scheme: str = "DPoP", *proofs: str, **headers: str) -> httpx.Response:
    fields = [("Authorization", f"{scheme} {text}"), *(("DPoP", one) for one in proofs), *headers.items()]
    return await world.locker.get(NOTHING, headers=fields)


def bound(world: World) -> str:
    return token(world, cnf={"jkt": HELD.kid}).removeprefix("Bearer ")


async def test_a_bound_token_passes_with_a_fresh_proof_of_its_key_rfc9449_7(world: World) -> None:
    text = bound(world)
    for scheme in ("DPoP", "dpop"):
        good = prove(HELD, method="GET", url=NOTHING_URL, access_token=text)
        assert (await shown(world, text, scheme, good)).json()["code"] == "document-unknown"


async def test_a_bound_token_without_its_proof_was_stolen_rfc9449_7_1(world: World) -> None:
    text, other = bound(world), SigningKey.generate("ES256")
    good = prove(HELD, method="GET", url=NOTHING_URL, access_token=text)
    for answer, error in (
        (await shown(world, text, "Bearer"), "invalid_token"),
        (await shown(world, text, "Bearer", good), "invalid_token"),
        (await shown(world, text), "invalid_dpop_proof"),
        (await shown(world, text, "DPoP", good, good), "invalid_dpop_proof"),
        (await shown(world, text, "DPoP", prove(HELD, method="GET", url=NOTHING_URL)), "invalid_dpop_proof"),
        (
            await shown(world, text, "DPoP", prove(HELD, method="POST", url=NOTHING_URL, access_token=text)),
            "invalid_dpop_proof",
        ),
        (
            await shown(world, text, "DPoP", prove(HELD, method="GET", url=f"{LOCKER}/v1/x", access_token=text)),
            "invalid_dpop_proof",
        ),
        (
            await shown(world, text, "DPoP", prove(other, method="GET", url=NOTHING_URL, access_token=text)),
            "invalid_token",
        ),
    ):
        assert (answer.status_code, answer.json()["code"]) == (401, error)
        challenge = answer.headers["www-authenticate"]
        assert f'error="{error}"' in challenge
        assert 'algs="ES256 PS256 EdDSA"' in challenge


async def test_a_proof_is_good_once_when_four_race_rfc9449_11_1(world: World) -> None:
    text = bound(world)
    once = prove(HELD, method="GET", url=NOTHING_URL, access_token=text)
    answers = await asyncio.gather(*(shown(world, text, "DPoP", once) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [401, 401, 401, 404]


async def test_a_nonce_that_is_not_ours_is_answered_with_one_that_is_rfc9449_9(world: World) -> None:
    text = bound(world)

    async def with_nonce(nonce: str) -> httpx.Response:
        proof = prove(HELD, method="GET", url=NOTHING_URL, access_token=text, nonce=nonce)
        return await shown(world, text, "DPoP", proof)

    refused = await with_nonce("x" * 24)
    assert (refused.status_code, refused.json()["code"]) == (401, "use_dpop_nonce")
    assert (await with_nonce(refused.headers["dpop-nonce"])).status_code == 404


async def test_a_token_bound_to_a_certificate_is_nothing_without_it_rfc8705_3(world: World) -> None:
    text = token(world, cnf={"x5t#S256": "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0"}).removeprefix("Bearer ")
    # Nobody whom the locker trusts handed this one over, so it is as good as none.
    certificate = {"Client-Cert": f":{base64.b64encode(b'x').decode()}:"}
    for headers in ({}, certificate):
        assert (await shown(world, text, "Bearer", **headers)).json()["code"] == "invalid_token"


async def test_a_token_bound_in_a_way_that_is_unknown_is_refused(world: World) -> None:
    assert (await ask(world, token(world, cnf={"kid": "x"})))[0] == 401
