"""Which clients are active, asked by a resource server that tells them something of its own accord (P-16)."""

from typing import Any

import httpx
import pytest

from tests.provider import Provider
from tests.unit.idp.subjects.test_resolve_several import resolver

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def ask(idp: Provider, *client_ids: Any, **changed: Any) -> httpx.Response:
    party = await resolver(idp, "subjects:resolve")
    answer = await idp.token(party, {"grant_type": "client_credentials", **party.authentication()})
    auth = party.holder(answer.json()["access_token"])
    body = {"client_ids": list(client_ids), **changed}
    return await idp.http.post("/idp/clients/standing", json=body, auth=auth)


async def test_a_disabled_client_and_one_that_never_was_are_not_active(idp: Provider) -> None:
    standing, disabled = await idp.client(), await idp.client()
    await idp.owner("UPDATE idp.client SET state = 'disabled' WHERE client_id = $1", disabled.client_id)
    answer = await ask(idp, standing.client_id, disabled.client_id, "nobody")
    assert (answer.status_code, answer.json()) == (200, {"active": [standing.client_id]})


async def test_only_a_resource_server_asks_and_a_hundred_at_most(idp: Provider) -> None:
    assert (await idp.http.post("/idp/clients/standing", json={"client_ids": ["x"]})).status_code == 401
    assert (await ask(idp, *(f"c{number}" for number in range(101)))).status_code == 400
    assert (await ask(idp)).status_code == 400
