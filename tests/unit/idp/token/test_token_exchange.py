"""RFC 8693: a resource server goes on to the next one with less than it was given, and the token says who acts."""

from typing import Any

import httpx
import jwt
import pytest

from kit.ids import new_id
from tests.provider import ISSUER, RESOURCE, Provider, RelyingParty, csrf_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
ARCHIVE = "https://archive.test"


@pytest.fixture(autouse=True)
async def archive(idp: Provider) -> None:
    """A second resource server that understands some of the same scopes."""
    await idp.owner(
        "INSERT INTO idp.resource (resource, name, scopes, sector) VALUES ($1, 'Archive', $2, 'archive')"
        " ON CONFLICT DO NOTHING",
        ARCHIVE,
        ["documents:read"],
    )
    idp.wiring.scopes.forget()


async def subject(idp: Provider, **metadata: Any) -> tuple[RelyingParty, str]:
    """A client that has a citizen's token for the locker."""
    party = await idp.client(scope="openid documents:read documents:share", **metadata)
    browser = await idp.signed_in(await idp.citizen())
    tokens = await idp.tokens(browser, party, scope="openid documents:read documents:share", resource=RESOURCE)
    return party, tokens["access_token"]


async def locker(idp: Provider, **metadata: Any) -> RelyingParty:
    return await idp.client(
        **{
            "profile": "machine",
            "token_endpoint_auth_method": "private_key_jwt",
            "redirect_uris": [],
            "grant_types": ["client_credentials", GRANT],
            "scope": "documents:read documents:deposit",
            "resource": RESOURCE,
            **metadata,
        }
    )


async def exchanged(idp: Provider, party: RelyingParty, token: str, **changed: str | None) -> httpx.Response:
    form: dict[str, str | None] = {
        "grant_type": GRANT,
        "subject_token": token,
        "subject_token_type": ACCESS_TOKEN,
        **party.authentication(),
        **changed,
    }
    return await idp.token(party, {name: value for name, value in form.items() if value is not None})


def claims_of(token: str) -> dict[str, Any]:
    found: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return found


def error_of(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]


async def active(idp: Provider, party: RelyingParty, token: str) -> bool:
    answer = await idp.http.post("/idp/introspect", data={"token": token, **party.authentication()})
    return bool(answer.json()["active"])


async def test_the_new_token_is_narrower_and_says_who_acts(idp: Provider) -> None:
    first, token = await subject(idp)
    party = await locker(idp)
    answer = (await exchanged(idp, party, token, resource=ARCHIVE)).json()
    assert (answer["issued_token_type"], answer["token_type"]) == (ACCESS_TOKEN, "DPoP")
    assert "refresh_token" not in answer
    assert answer["scope"] == "documents:read"
    assert party.dpop is not None
    old, new = claims_of(token), claims_of(answer["access_token"])
    assert (new["aud"], new["client_id"], new["scope"]) == (ARCHIVE, party.client_id, "documents:read")
    assert new["act"] == {"sub": party.client_id, "client_id": party.client_id}
    assert new["cnf"] == {"jkt": party.dpop.kid}
    # The archive knows citizens in its own sector.
    assert new["sub"] != old["sub"]
    assert new["exp"] <= old["exp"]
    assert await active(idp, party, answer["access_token"])
    assert first.client_id == old["client_id"]


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"subject_token": None}, "invalid_request"),
        ({"subject_token": "x.y.z"}, "invalid_request"),
        ({"subject_token_type": "urn:ietf:params:oauth:token-type:id_token"}, "invalid_request"),
        ({"subject_token_type": None}, "invalid_request"),
        ({"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"}, "invalid_request"),
        ({"actor_token": "x", "actor_token_type": ACCESS_TOKEN}, "invalid_request"),
        ({"scope": "documents:read documents:share"}, "invalid_scope"),
        ({"scope": "documents:deposit"}, "invalid_scope"),
        ({"resource": "https://unknown.test"}, "invalid_target"),
        ({"resource": ISSUER}, "invalid_target"),
        ({"resource": RESOURCE, "audience": ARCHIVE}, "invalid_target"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else value,
)
async def test_what_cannot_be_exchanged_rfc8693_2_2_2(
    idp: Provider, changed: dict[str, str | None], error: str
) -> None:
    _, token = await subject(idp)
    assert error_of(await exchanged(idp, await locker(idp), token, **changed)) == (400, error)


async def test_only_a_client_with_the_grant_and_only_its_own_tokens(idp: Provider) -> None:
    party, token = await subject(idp)
    assert error_of(await exchanged(idp, party, token)) == (400, "unauthorized_client")
    stranger = await locker(idp, resource=ARCHIVE)
    assert error_of(await exchanged(idp, stranger, token)) == (400, "invalid_request")
    machine = await locker(idp, scope="documents:deposit")
    own = (await idp.token(machine, {"grant_type": "client_credentials", **machine.authentication()})).json()
    assert error_of(await exchanged(idp, machine, own["access_token"])) == (400, "invalid_request")


async def test_at_most_three_act_one_for_another(idp: Provider) -> None:
    _, token = await subject(idp)
    party = await locker(idp)
    for depth in range(1, 4):
        answer = await exchanged(idp, party, token)
        assert answer.status_code == 200, answer.text
        token = answer.json()["access_token"]
        seen, act = 0, claims_of(token).get("act")
        while act is not None:
            seen, act = seen + 1, act.get("act")
        assert seen == depth
    assert error_of(await exchanged(idp, party, token)) == (400, "invalid_request")


@pytest.mark.parametrize(
    "ending",
    [
        "UPDATE idp.consent SET ended_at = now() WHERE client_id = $1",
        "UPDATE idp.token_family SET ended_at = now() WHERE client_id = $1",
        "UPDATE idp.client SET state = 'disabled', revision = revision + 1 WHERE client_id = $1",
        "UPDATE idp.citizen z SET state = 'frozen' FROM idp.consent g WHERE g.citizen_id = z.citizen_id"
        " AND g.client_id = $1",
    ],
    ids=["consent", "family", "client", "citizen"],
)
async def test_it_dies_with_what_it_came_from(idp: Provider, ending: str) -> None:
    first, token = await subject(idp)
    party = await locker(idp)
    new = (await exchanged(idp, party, token)).json()["access_token"]
    assert await active(idp, party, new)
    await idp.owner(ending, first.client_id)
    assert not await active(idp, party, new)
    assert error_of(await exchanged(idp, party, token)) == (400, "invalid_request")


async def test_its_own_client_gives_it_back_alone(idp: Provider) -> None:
    _, token = await subject(idp)
    party = await locker(idp)
    new = (await exchanged(idp, party, token)).json()["access_token"]
    await idp.http.post("/idp/revoke", data={"token": new, **party.authentication()})
    assert not await active(idp, party, new)
    assert await active(idp, party, token)
    assert error_of(await exchanged(idp, party, new)) == (400, "invalid_request")


async def test_a_citizen_freezes_the_service_that_goes_on_and_no_other_rfc8693(idp: Provider) -> None:
    first, party = await idp.client(scope="openid documents:read"), await locker(idp)
    citizen = await idp.citizen()
    async with await idp.signed_in(citizen) as browser:
        tokens = await idp.tokens(browser, first, scope="openid documents:read", resource=RESOURCE)
        further = (await exchanged(idp, party, tokens["access_token"], resource=ARCHIVE)).json()["access_token"]
        archive = await locker(idp, resource=ARCHIVE, client_name="The archive")
        last = (await exchanged(idp, archive, further)).json()["access_token"]
        page = await browser.get("/idp/account/freeze?lang=en")
        assert "The archive" in page.text

        async def pressed(path: str, client: RelyingParty) -> str:
            form = {"csrf": csrf_of(page), "what": f"service:{client.client_id}"}
            return (await browser.post(path, data=form)).headers["location"]

        assert await pressed("/idp/account/freeze", party) == "/idp/account/freeze?done=frozen"
        for token, client, stands in (
            (further, archive, False),
            (last, archive, True),
            (tokens["access_token"], party, True),
        ):
            assert await active(idp, client, token) is stands
        # Neither by the frozen service, nor by anybody to whom it handed its token.
        assert error_of(await exchanged(idp, party, tokens["access_token"], resource=ARCHIVE)) == (
            400,
            "invalid_request",
        )
        assert error_of(await exchanged(idp, archive, further)) == (400, "invalid_request")
        assert await pressed("/idp/account/thaw", party) == "/idp/account/freeze?done=thawed"
        assert await active(idp, archive, further)


async def test_who_acts_for_somebody_freezes_the_service_that_goes_on_too(idp: Provider) -> None:
    guardian = await idp.citizen()
    first, token = await subject(idp)
    party = await locker(idp)
    further = (await exchanged(idp, party, token, resource=ARCHIVE)).json()["access_token"]
    mandate = new_id()
    await idp.owner(
        "INSERT INTO idp.mandate (mandate_id, represented_id, actor_id, kind, valid_from, valid_until, accepted_at)"
        " SELECT $1, citizen_id, $2, 'proxy', now(), now() + interval '1 day', now() FROM idp.token_family"
        " WHERE client_id = $3",
        mandate,
        guardian,
        first.client_id,
    )
    await idp.owner(
        "UPDATE idp.token_family SET mandate_id = $1, actor_citizen_id = $2 WHERE client_id = $3",
        mandate,
        guardian,
        first.client_id,
    )
    assert await active(idp, party, further)
    await idp.owner(
        "INSERT INTO idp.frozen (citizen_id, kind, name) VALUES ($1, 'service', $2)", guardian, party.client_id
    )
    assert not await active(idp, party, further)
    assert await active(idp, party, token)
