"""Values that the ``claims`` parameter wants (OpenID Connect Core §5.5.1)."""

import json
from typing import Any

import jwt
import pytest

from tests.provider import Provider
from tests.waiting import DEVICE_CODE, begin_device, poll, television, type_code

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(
    ("member", "is_given"),
    [
        ({"value": "amina@example.com"}, True),
        ({"value": "other@example.com"}, False),
        ({"values": ["other@example.com", "amina@example.com"]}, True),
        ({"values": ["other@example.com"]}, False),
        ({"value": {"not": "a string"}}, False),
    ],
)
async def test_a_claim_of_another_value_is_left_out_and_that_is_no_error_core_5_5_1(
    idp: Provider, member: dict[str, Any], is_given: bool
) -> None:
    party, browser = await idp.client(), await idp.signed_in(await idp.citizen())
    wanted = {"essential": True, **member}
    asked = {"id_token": {"email": wanted}, "userinfo": {"email": wanted, "email_verified": {"essential": True}}}
    tokens = await idp.tokens(browser, party, scope="openid", claims=json.dumps(asked))
    id_token = jwt.decode(tokens["id_token"], options={"verify_signature": False})
    userinfo = (await idp.userinfo(tokens["access_token"])).json()
    expected = "amina@example.com" if is_given else None
    assert (id_token.get("email"), userinfo.get("email")) == (expected, expected)
    assert userinfo["email_verified"] is True


async def test_the_value_that_is_wanted_counts_where_a_scope_asks_too(idp: Provider) -> None:
    party, browser = await idp.client(), await idp.signed_in(await idp.citizen())
    claims = json.dumps({"userinfo": {"given_name": {"value": "Fatima"}}})
    tokens = await idp.tokens(browser, party, claims=claims, claims_locales="fr ar")
    userinfo = (await idp.userinfo(tokens["access_token"])).json()
    assert userinfo["family_name"] == "El Alaoui"
    assert not [name for name in userinfo if name.startswith("given_name")]


async def test_o_17_a_device_of_one_person_is_not_let_in_by_another_core_3_1_2_2(idp: Provider) -> None:
    party = await television(idp)
    claims = json.dumps({"id_token": {"sub": {"value": "somebody-else"}}})
    begun = (await begin_device(idp, party, claims=claims)).json()
    async with await idp.signed_in(await idp.citizen()) as browser:
        page = await type_code(browser, begun["user_code"])
    assert 'id="username"' in page.text
    assert (await poll(idp, party, DEVICE_CODE, begun["device_code"])).json()["error"] == "authorization_pending"
