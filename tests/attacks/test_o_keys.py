"""Rows O of the catalogue about the provider's own keys: what is published, and what a rotation does to tokens."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from idp.keys import rotate
from idp.keys.place import place_of
from kit.jose import header_of
from tests.conftest import Dsns
from tests.provider import Provider, running_provider

pytestmark = pytest.mark.asyncio(loop_scope="module")

PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}


@pytest_asyncio.fixture(loop_scope="module")
async def idp(dsns: Dsns) -> AsyncIterator[Provider]:
    async with running_provider(dsns.idp, dsns.owner) as provider:
        yield provider


async def published(idp: Provider) -> dict[str, dict[str, str]]:
    keys = (await idp.http.get("/idp/jwks")).json()["keys"]
    return {key["kid"]: key for key in keys}


async def test_o_52_jwks_has_no_private_members_and_one_algorithm_a_key(idp: Provider) -> None:
    keys = await published(idp)
    assert {key["alg"] for key in keys.values()} == {"ES256", "RS256", "PS256", "EdDSA"}
    for key in keys.values():
        assert not PRIVATE & key.keys()
        assert key["use"] == "sig"


async def test_o_52_after_a_rotation_old_tokens_verify_and_new_ones_bear_the_new_key(idp: Provider) -> None:
    party, browser = await idp.client(), await idp.signed_in(await idp.citizen())
    place, keys = place_of(idp.wiring.settings), idp.wiring.keys
    before = await published(idp)
    old = await idp.tokens(browser, party)

    # Announced: everybody can see it, nobody meets its signature.
    await rotate.announce(place, "ES256")
    await keys.reread()
    announced = (await published(idp)).keys() - before.keys()
    assert len(announced) == 1
    assert header_of((await idp.tokens(browser, party))["access_token"])["kid"] in before

    await rotate.replace(place, "ES256")
    await keys.reread()
    new = await idp.tokens(browser, party)
    kid = header_of(new["access_token"])["kid"]
    assert kid in await published(idp)
    assert kid not in before
    assert kid not in announced
    for tokens in (old, new):
        assert (await idp.userinfo(tokens["access_token"])).status_code == 200
    place.close()


async def test_o_52_what_a_withdrawn_key_signed_is_refused_everywhere(idp: Provider) -> None:
    party, browser = await idp.client(), await idp.signed_in(await idp.citizen())
    place, keys = place_of(idp.wiring.settings), idp.wiring.keys
    old = await idp.tokens(browser, party, scope="openid profile offline_access")
    stolen = header_of(old["access_token"])["kid"]
    await rotate.replace(place, "ES256")
    await rotate.withdraw(place, stolen)
    await keys.reread()
    assert stolen not in await published(idp)
    assert (await idp.userinfo(old["access_token"])).status_code == 401
    hint = await browser.get("/idp/authorize", params=party.request(prompt="none", id_token_hint=old["id_token"]))
    assert "error=" in hint.headers.get("location", "") or hint.status_code == 400
    # Who is honest refreshes and goes on.
    fresh = await idp.refresh(party, old["refresh_token"])
    assert fresh.status_code == 200
    assert (await idp.userinfo(fresh.json()["access_token"])).status_code == 200
    place.close()
