"""RFC 9449 §10: a code is bound to the key that the request names or shows."""

import pytest

from khizana.holder import Holder
from kit.dpop import prove
from kit.jose import SigningKey
from tests.provider import ISSUER, Provider, RelyingParty, answer_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def code_of(idp: Provider, party: RelyingParty, *, key: SigningKey | None = None, **changed: str) -> str:
    """Of a pushed request, with a proof of ``key`` beside it."""
    data = {**party.request(**changed), **party.authentication()}
    pushed = await idp.http.post("/idp/par", data=data, auth=Holder(key) if key else None)
    assert pushed.status_code == 201, pushed.text
    assert ("dpop-nonce" in pushed.headers) == (key is not None)
    browser = await idp.signed_in(await idp.citizen())
    parameters = {"client_id": party.client_id, "request_uri": pushed.json()["request_uri"]}
    return answer_of(await idp.allowed_of(browser, parameters))["code"]


async def test_proof_at_the_pushed_request_binds_the_code(idp: Provider) -> None:
    party = await idp.fapi()
    code = await code_of(idp, party, key=party.dpop)
    assert (await idp.exchange(party, code)).status_code == 200


@pytest.mark.parametrize("by", ["proof", "dpop_jkt", "both"])
async def test_code_bound_to_another_key_gives_no_tokens(idp: Provider, by: str) -> None:
    party, key = await idp.fapi(), SigningKey.generate("ES256")
    named = {} if by == "proof" else {"dpop_jkt": key.kid}
    code = await code_of(idp, party, key=None if by == "dpop_jkt" else key, **named)
    answer = await idp.exchange(party, code)
    assert answer.status_code == 400
    assert answer.json()["error"] in ("invalid_grant", "invalid_dpop_proof")


async def test_dpop_jkt_at_the_authorization_endpoint_binds_the_code(idp: Provider) -> None:
    party, key = await idp.client(), SigningKey.generate("ES256")
    browser = await idp.signed_in(await idp.citizen())
    code = await idp.code(browser, party, dpop_jkt=key.kid)
    assert (await idp.exchange(party, code)).status_code == 400
    party.dpop = key
    tokens = await idp.tokens(browser, party, dpop_jkt=key.kid)
    assert tokens["token_type"] == "DPoP"


async def test_proof_of_another_key_than_dpop_jkt_is_refused(idp: Provider) -> None:
    party, key = await idp.fapi(), SigningKey.generate("ES256")
    data = {**party.request(dpop_jkt=key.kid), **party.authentication()}
    pushed = await idp.http.post("/idp/par", data=data, auth=party.holder())
    assert pushed.status_code == 400
    assert pushed.json()["error"] == "invalid_dpop_proof"


@pytest.mark.parametrize("dpop_jkt", ["x", "x" * 44, "=" * 43])
async def test_dpop_jkt_is_a_thumbprint(idp: Provider, dpop_jkt: str) -> None:
    party = await idp.fapi()
    assert (await idp.push(party, **party.request(dpop_jkt=dpop_jkt))).json()["error"] == "invalid_request"


async def test_o_38_proof_for_another_address_or_shown_twice_pushes_nothing(idp: Provider) -> None:
    party = await idp.fapi()
    assert party.dpop is not None
    for headers in (
        {"DPoP": prove(party.dpop, method="POST", url=f"{ISSUER}/token")},
        {"DPoP": prove(party.dpop, method="GET", url=f"{ISSUER}/par")},
    ):
        data = {**party.request(), **party.authentication()}
        refused = await idp.http.post("/idp/par", data=data, headers=headers)
        assert refused.json()["error"] == "invalid_dpop_proof"
    proof = {"DPoP": prove(party.dpop, method="POST", url=f"{ISSUER}/par")}
    answers = [
        await idp.http.post("/idp/par", data={**party.request(), **party.authentication()}, headers=proof)
        for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [201, 400]
    assert answers[1].json()["error"] == "invalid_dpop_proof"
