"""Many identifiers at once: what each gives alone, and each citizen sees its own line."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from idp.subjects.pairwise import pairwise_sub
from tests.provider import Provider, RelyingParty

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def resolver(idp: Provider, scope: str) -> RelyingParty:
    return await idp.client(
        profile="machine",
        token_endpoint_auth_method="private_key_jwt",
        redirect_uris=[],
        grant_types=["client_credentials"],
        client_name="The land registry",
        sector="land",
        legal_ground="Law 00-00, article 7",
        scope=scope,
    )


class Asking:
    def __init__(self, idp: Provider, party: RelyingParty, token: str) -> None:
        self._idp, self._party, self._token = idp, party, token

    async def __call__(self, *subjects: dict[str, Any]) -> httpx.Response:
        return await self._idp.http.post(
            "/idp/subjects/resolve-several", json={"subjects": subjects}, auth=self._party.holder(self._token)
        )


async def asking(idp: Provider, scope: str) -> Asking:
    party = await resolver(idp, scope)
    answer = await idp.token(party, {"grant_type": "client_credentials", **party.authentication()})
    return Asking(idp, party, answer.json()["access_token"])


@pytest_asyncio.fixture(loop_scope="module")
async def ask(idp: Provider) -> AsyncIterator[Asking]:
    yield await asking(idp, "subjects:resolve subjects:translate")


async def uid_of(idp: Provider, citizen: Any) -> str:
    return str((await idp.owner("SELECT uid FROM idp.citizen WHERE citizen_id = $1", citizen))[0][0])


async def lines(idp: Provider, citizen: Any) -> list[tuple[str, str]]:
    rows = await idp.owner(
        "SELECT purpose, detail ->> 'by' FROM idp.audit WHERE action = 'subject.resolved' AND owner = $1", str(citizen)
    )
    return [(row[0], row[1]) for row in rows]


async def test_each_is_answered_in_its_place_and_stands_in_its_citizens_history(idp: Provider, ask: Asking) -> None:
    one, two = await idp.citizen(), await idp.citizen()
    sub = pairwise_sub(idp.wiring.secrets, sector="land", citizen_id=one)
    found = await ask(
        {"uid": await uid_of(idp, one), "purpose": "a deed"},
        {"uid": "1000000008", "purpose": "nobody"},
        {"uid": await uid_of(idp, two), "purpose": "a lease"},
        {"uid": await uid_of(idp, one), "purpose": "another deed"},
    )
    assert found.status_code == 200, found.text
    assert found.json() == {
        "subjects": [
            {"sub": sub},
            {"error": "unknown-subject"},
            {"sub": pairwise_sub(idp.wiring.secrets, sector="land", citizen_id=two)},
            {"sub": sub},
        ]
    }
    assert sorted(await lines(idp, one)) == [("a deed", "uid"), ("another deed", "uid")]
    assert await lines(idp, two) == [("a lease", "uid")]


async def test_from_another_clients_sub(idp: Provider, ask: Asking) -> None:
    citizen = await idp.citizen()
    found = (await ask({"uid": await uid_of(idp, citizen)})).json()["subjects"][0]
    client_id = ask._party.client_id
    answer = await ask(
        {"sub": found["sub"], "client_id": client_id, "purpose": "back"}, {"sub": "nobody", "client_id": client_id}
    )
    assert answer.json() == {"subjects": [found, {"error": "unknown-subject"}]}
    assert ("back", "sub") in await lines(idp, citizen)


async def test_of_a_citizens_state_only_that_the_account_waits_to_be_activated_is_said(
    idp: Provider, ask: Asking
) -> None:
    """A deposit is parked for such a citizen; frozen, suspended and active look the same."""
    citizen = await idp.citizen()
    uid = await uid_of(idp, citizen)
    found = {}
    for state in ("registered", "active", "frozen", "suspended"):
        await idp.owner("UPDATE idp.citizen SET state = $2 WHERE citizen_id = $1", citizen, state)
        found[state] = (await ask({"uid": uid})).json()["subjects"][0]
    sub = found["active"]["sub"]
    assert found.pop("registered") == {"sub": sub, "dormant": True}
    assert all(answer == {"sub": sub} for answer in found.values())
    [known] = (await ask({"sub": sub, "client_id": ask._party.client_id})).json()["subjects"]
    assert known == {"sub": sub}


async def test_who_lost_its_legal_ground_learns_nothing_of_anybody(idp: Provider, ask: Asking) -> None:
    citizen = await idp.citizen()
    party = ask._party
    lost = "UPDATE idp.client SET legal_ground = NULL, revision = revision + 1 WHERE client_id = $1"
    await idp.owner(lost, party.client_id)
    uid = await uid_of(idp, citizen)
    for path, body in (
        ("subjects/resolve", {"uid": uid}),
        ("subjects/resolve", {"uid": "1000000008"}),
        ("subjects/resolve-several", {"subjects": [{"uid": uid}]}),
        ("clients/standing", {"client_ids": [party.client_id]}),
    ):
        answer = await idp.http.post(f"/idp/{path}", json=body, auth=party.holder(ask._token))
        assert (answer.status_code, answer.json().get("code")) == (403, "no-legal-ground"), answer.text
    assert await lines(idp, citizen) == []


async def test_the_dead_are_unknown(idp: Provider, ask: Asking) -> None:
    citizen = await idp.citizen()
    uid = await uid_of(idp, citizen)
    await idp.owner("UPDATE idp.citizen SET state = 'deceased' WHERE citizen_id = $1", citizen)
    assert (await ask({"uid": uid})).json() == {"subjects": [{"error": "unknown-subject"}]}
    assert await lines(idp, citizen) == []


async def test_one_that_is_not_allowed_or_not_well_formed_refuses_all_and_tells_nobody(
    idp: Provider, ask: Asking
) -> None:
    citizen = await idp.citizen()
    good = {"uid": await uid_of(idp, citizen)}
    narrow = await asking(idp, "subjects:resolve")
    refused = await narrow(good, {"sub": "x", "client_id": "y"})
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert refused.json()["detail"] == "scope subjects:translate"
    assert (await ask(good, {})).status_code == 422
    assert (await ask(good, {"uid": "1000000008", "purpose": "p" * 201})).status_code == 422
    assert (await ask()).status_code == 400
    assert (await ask(*[good] * 101)).status_code == 400
    assert await lines(idp, citizen) == []
