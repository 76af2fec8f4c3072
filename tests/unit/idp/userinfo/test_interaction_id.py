"""FAPI 1.0 Part 1 §6.2.1-11: an exchange has one name in two logs."""

from uuid import UUID

import pytest

from tests.provider import Provider

pytestmark = pytest.mark.asyncio(loop_scope="module")

ASKED = "45b61673-739B-49e9-8E0a-Ff40270Fc5Dd"


async def answered(idp: Provider, **headers: str) -> str:
    party, browser = await idp.client(), await idp.signed_in(await idp.citizen())
    tokens = await idp.tokens(browser, party)
    answer = await idp.http.get(
        "/idp/userinfo", headers={"Authorization": f"Bearer {tokens['access_token']}", **headers}
    )
    assert answer.status_code == 200, answer.text
    return answer.headers["x-fapi-interaction-id"]


async def test_the_clients_interaction_id_comes_back_as_it_was_sent(idp: Provider) -> None:
    assert await answered(idp, **{"x-fapi-interaction-id": ASKED}) == ASKED


@pytest.mark.parametrize("sent", ["", "not a uuid", f"{ASKED}, {ASKED}"])
async def test_without_a_uuid_there_is_a_fresh_one(idp: Provider, sent: str) -> None:
    given = await answered(idp, **({"x-fapi-interaction-id": sent} if sent else {}))
    assert UUID(given).version == 4
