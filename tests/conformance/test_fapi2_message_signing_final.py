"""Plan ``fapi2-message-signing-final``: what signed requests (JAR) and answers (JARM) add to the Security Profile.

A test is named after its module; the rest of the plan stands in ``test_fapi2_security_profile_final.py``.
"""

import time
from typing import Any

import httpx
import jwt
import pytest

from kit.jose import SigningKey
from tests.provider import ISSUER, Provider, RelyingParty, answer_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Run:
    """A module's client, citizen and browser."""

    def __init__(self, idp: Provider, party: RelyingParty, browser: httpx.AsyncClient) -> None:
        self.idp, self.party, self.browser = idp, party, browser


async def begin(idp: Provider) -> Run:
    party = await idp.fapi(profile="fapi2-ms")
    return Run(idp, party, await idp.signed_in(await idp.citizen()))


def refused(answer: httpx.Response, error: str) -> None:
    assert (answer.status_code, answer.json()["error"]) == (400, error), answer.text
    assert answer.headers["cache-control"] == "no-store"


async def signed_push(idp: Provider, party: RelyingParty, request: str) -> httpx.Response:
    return await idp.push(party, request=request, client_id=party.client_id)


async def jarm(idp: Provider, run: Run, parameters: dict[str, str]) -> dict[str, Any]:
    answer = answer_of(await idp.allowed_of(run.browser, parameters))
    assert set(answer) == {"response"}
    keys = jwt.PyJWKSet.from_dict((await idp.http.get("/idp/jwks")).json())
    header = jwt.get_unverified_header(answer["response"])
    key = next(key for key in keys.keys if key.key_id == header["kid"])
    claims: dict[str, Any] = jwt.decode(
        answer["response"], key.key, algorithms=["ES256", "PS256"], audience=run.party.client_id, issuer=ISSUER
    )
    return claims


async def test_message_signing_happy_flow(idp: Provider) -> None:
    run = await begin(idp)
    pushed = await signed_push(idp, run.party, run.party.request_object(response_mode="jwt"))
    assert pushed.status_code == 201, pushed.text
    parameters = {"client_id": run.party.client_id, "request_uri": pushed.json()["request_uri"]}
    claims = await jarm(idp, run, parameters)
    assert claims["state"] == "s-1"
    assert claims["exp"] - time.time() <= 600
    assert (await idp.exchange(run.party, claims["code"])).status_code == 200


@pytest.mark.parametrize(
    ("changed", "accepted"),
    [
        ({"aud": [ISSUER, "https://other.test"]}, True),
        ({"nbf": 8}, True),
        ({"aud": "https://other.test"}, False),
        ({"exp": None}, False),
        ({"nbf": None}, False),
        ({"exp": -60}, False),
        ({"exp": 3_700}, False),
        ({"nbf": -3_700}, False),
        ({"redirect_uri": None}, False),
        ({"redirect_uri": "https://rp.test/other"}, False),
    ],
    ids=[
        "request-object-with-multiple-aud-succeeds",
        "nbf-8-seconds-in-the-future-is-accepted",
        "bad-aud",
        "without-exp",
        "without-nbf",
        "expired",
        "exp-over-60",
        "nbf-over-60",
        "without-redirect-uri",
        "unregistered-redirect-uri",
    ],
)
async def test_ensure_request_object(idp: Provider, changed: dict[str, Any], accepted: bool) -> None:
    party, now = await idp.fapi(profile="fapi2-ms"), int(time.time())
    moved = {name: now + value if name in ("exp", "nbf") and value else value for name, value in changed.items()}
    answer = await signed_push(idp, party, party.request_object(response_mode="jwt", **moved))
    if accepted:
        assert answer.status_code == 201, answer.text
    else:
        assert answer.status_code == 400
        assert answer.json()["error"] in ("invalid_request_object", "invalid_request"), answer.text


async def test_ensure_request_object_signature_is_of_the_client_and_not_none(idp: Provider) -> None:
    party = await idp.fapi(profile="fapi2-ms")
    good = party.request_object(response_mode="jwt")
    claims = jwt.decode(good, options={"verify_signature": False})
    none = jwt.encode(claims, None, algorithm="none")
    forged = party.request_object(key=SigningKey.generate("ES256"), response_mode="jwt")
    changed = good[:-4] + ("AAAA" if good[-4:] != "AAAA" else "BBBB")
    for request in (none, forged, changed):
        refused(await signed_push(idp, party, request), "invalid_request_object")


async def test_ensure_unsigned_request_at_par_endpoint_fails(idp: Provider) -> None:
    party = await idp.fapi(profile="fapi2-ms")
    answer = await idp.push(party, **party.request(response_mode="jwt"))
    assert answer.status_code == 400
    assert answer.json()["error"] in ("invalid_request", "invalid_request_object")


@pytest.mark.parametrize("name", ["state", "nonce"])
async def test_ensure_different_values_outside_the_request_object_are_not_used(idp: Provider, name: str) -> None:
    """ensure-different-…-inside-and-outside-request-object, state-only-outside-request-object-not-used."""
    run = await begin(idp)
    inside = run.party.request_object(response_mode="jwt", state=None if name == "state" else "s-1")
    pushed = await idp.push(run.party, request=inside, client_id=run.party.client_id, **{name: "outside"})
    if pushed.status_code == 400:
        assert pushed.json()["error"] in ("invalid_request", "invalid_request_object")
        return
    parameters = {"client_id": run.party.client_id, "request_uri": pushed.json()["request_uri"], name: "outside"}
    claims = await jarm(idp, run, parameters)
    assert claims.get("state") != "outside"
    tokens = (await idp.exchange(run.party, claims["code"])).json()
    assert jwt.decode(tokens["id_token"], options={"verify_signature": False})["nonce"] == "n-1"


async def test_message_signing_errors_are_signed_too(idp: Provider) -> None:
    run = await begin(idp)
    pushed = await signed_push(idp, run.party, run.party.request_object(response_mode="jwt", prompt="none"))
    parameters = {"client_id": run.party.client_id, "request_uri": pushed.json()["request_uri"]}
    fresh = Run(idp, run.party, idp.browser())
    claims = await jarm(idp, fresh, parameters)
    assert (claims["error"], claims["state"]) == ("login_required", "s-1")
