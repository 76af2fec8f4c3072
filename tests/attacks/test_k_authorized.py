"""Attacks on what a citizen allowed at sign-in: another key, client or citizen, more than that, later than that."""

import datetime as dt
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import jwt
import pytest
import pytest_asyncio

from kit.dpop import prove
from kit.jose import SigningKey
from locker.erasing.ask import ask
from locker.erasing.erase import erase_due
from locker.requests.register_purpose import withdraw_purpose
from tests.client_certificates import certificate, header
from tests.locker_world import BIRTH, LOCKER, RECORD
from tests.one_world import OneWorld, Person, open_one_world, shown
from tests.people import signed_in
from tests.product import ROOT
from tests.provider import RelyingParty
from tests.unit.idp.mandates.test_mandates import code_for, two

pytestmark = pytest.mark.asyncio(loop_scope="module")

FIELDS = {"family_name": "Alaoui-Kettani", "birthdate": "1988-04-17"}
DETAIL: dict[str, Any] = {
    "type": "locker_document",
    "document_types": [BIRTH],
    "fields": ["birthdate"],
    "purpose": "account",
    "until": (dt.datetime.now(dt.UTC).date() + dt.timedelta(days=30)).isoformat(),
}
DETAIL_JSON = json.dumps(DETAIL)
TAKE = "/v1/requests/authorized"
ALLOWED: dict[str, list[str] | None] = {BIRTH: ["family_name", "birthdate"]}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def one(dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OneWorld]:
    async with open_one_world(dsns, s3, tmp_path_factory.mktemp("one")) as opened:
        yield opened


async def bank(one: OneWorld, **metadata: Any) -> RelyingParty:
    party = await one.party(**metadata)
    await one.purpose(party, "account", ALLOWED)
    return party


async def holder(one: OneWorld) -> Person:
    person = await one.person()
    await one.document(person, fields=FIELDS)
    return person


async def taken(one: OneWorld, **metadata: Any) -> tuple[Person, RelyingParty, str, str]:
    """Whose, by whom, with which token, and the share's address."""
    person, party = await holder(one), await bank(one, **metadata)
    token = (await one.tokens(person, party, DETAIL))["access_token"]
    answer = await one.take(party, token, DETAIL)
    assert answer.status_code == 201, answer.text
    return person, party, token, answer.json()["share"]


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def openings(one: OneWorld, party: RelyingParty) -> int:
    rows = await one.world.rows("SELECT openings_used FROM locker.share WHERE client_id = $1", party.client_id)
    return sum(row["openings_used"] for row in rows)


# -- a token in other hands ------------------------------------------------------------------------------------------


async def test_k_14_a_token_of_one_key_is_nothing_with_another_rfc9449(one: OneWorld) -> None:
    _person, party, token, link = await taken(one, dpop_bound_access_tokens=True)
    right = party.dpop
    assert right is not None
    for path in (TAKE, link.removeprefix(LOCKER)):
        url, wrong = f"{LOCKER}{path}", SigningKey.generate("ES256")

        def proof(key: SigningKey, **changed: Any) -> dict[str, str]:
            asked = {"method": "POST", "url": url, "access_token": token, **changed}  # noqa: B023
            return {"Authorization": f"DPoP {token}", "DPoP": prove(key, **asked)}

        once = proof(right)
        for headers in (
            {"Authorization": f"Bearer {token}"},
            {"Authorization": f"DPoP {token}"},
            {**proof(right), "Authorization": f"Bearer {token}"},
            proof(wrong),
            proof(right, access_token="x.y.z"),
            proof(right, method="GET"),
            proof(right, url=f"{LOCKER}/v1/requests"),
        ):
            answer = await one.nodes[0].post(path, headers=headers, json=DETAIL if path == TAKE else None)
            assert answer.status_code == 401, answer.text
        spent = [
            (await one.nodes[node].post(path, headers=once, json=DETAIL if path == TAKE else None)).status_code
            for node in (0, 1)
        ]
        assert spent == [200, 401]
    assert await openings(one, party) == 1


async def test_k_14_a_token_of_one_certificate_is_nothing_with_another_rfc8705(one: OneWorld) -> None:
    key = SigningKey.generate("ES256")
    mine, other = (certificate("CN=bank.test", key=each) for each in (key, SigningKey.generate("ES256")))
    person, party = await holder(one), await bank(one, tls_client_certificate_bound_access_tokens=True)
    code = await one.idp.code(person.browser, party, authorization_details=f"[{DETAIL_JSON}]")
    form = party.exchange(code, resource=LOCKER)
    token = (await one.idp.http.post("/idp/token", data=form, headers=header(mine))).json()["access_token"]
    assert jwt.decode(token, options={"verify_signature": False})["cnf"].keys() == {"x5t#S256"}
    for headers in ({}, header(other)):
        assert refused(await one.take(party, token, DETAIL, headers=headers)) == (401, "invalid_token")
    answer = await one.take(party, token, DETAIL, headers=header(mine))
    assert answer.status_code == 201
    link = answer.json()["share"]
    for headers in ({}, header(other)):
        assert refused(await one.open(party, token, link, headers=headers)) == (401, "invalid_token")
    # A certificate that no edge of ours hands over is none.
    stranger = await one.world.locker.post(TAKE, json=DETAIL, **shown(party, token, headers=header(mine)))
    assert refused(stranger) == (401, "invalid_token")
    assert (await one.open(party, token, link, headers=header(mine))).status_code == 200
    assert await openings(one, party) == 1


async def test_k_14_a_link_that_got_away_opens_for_nobody_else(one: OneWorld) -> None:
    person, party, token, link = await taken(one)
    other = await bank(one)
    stranger = await holder(one)
    for_itself = await own_token(one, await bank(one, **FOR_ITSELF))
    tokens = {
        "anonymous": None,
        "another service, of the same citizen": (await one.tokens(person, other, DETAIL))["access_token"],
        "the service, of another citizen": (await one.tokens(stranger, party, DETAIL))["access_token"],
        "another service for itself": for_itself,
    }
    for who, text in tokens.items():
        headers = {"Authorization": f"Bearer {text}"} if text else {}
        answer = await one.nodes[1].post(link.removeprefix(LOCKER), headers=headers)
        assert refused(answer) == (403, "not-for-you"), who
    assert await openings(one, party) == 0
    assert (await one.open(party, token, link)).status_code == 200


async def test_k_14_the_service_opens_it_for_itself_too(one: OneWorld) -> None:
    _person, party, _token, link = await taken(one, **FOR_ITSELF)
    assert (await one.open(party, await own_token(one, party), link)).status_code == 200


FOR_ITSELF: dict[str, Any] = {
    "token_endpoint_auth_method": "private_key_jwt",
    "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
    "scope": "openid profile offline_access documents:request",
    "legal_ground": "test",
}


async def own_token(one: OneWorld, party: RelyingParty) -> str:
    form = {"grant_type": "client_credentials", "scope": "documents:request", **party.authentication()}
    answer = await one.idp.token(party, form)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


async def test_k_14_another_service_takes_nothing_of_what_was_allowed_this_one(one: OneWorld) -> None:
    """Each of them knows the detail word by word."""
    person, party, token, _link = await taken(one)
    other = await bank(one)
    less = {**DETAIL, "fields": ["family_name"]}
    theirs = (await one.tokens(person, other, less))["access_token"]
    assert refused(await one.take(other, theirs, DETAIL)) == (403, "detail-not-given")
    assert refused(await one.take(other, token, less)) == (403, "detail-not-given")
    by_themselves = await bank(one, **FOR_ITSELF)
    assert refused(await one.take(other, await own_token(one, by_themselves), DETAIL)) == (403, "details-missing")
    assert refused(await one.nodes[0].post(TAKE, json=DETAIL)) == (401, "token-missing")
    elsewhere = (await one.idp.tokens(person.browser, party))["access_token"]
    assert refused(await one.take(party, elsewhere, DETAIL)) == (401, "invalid_token")
    assert await one.figures(other) == {"asked": 0, "refused": 0, "given": 0, "declined": 0}


# -- more than was allowed, or than is registered ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "changed",
    [
        {"fields": ["birthdate", "family_name"]},
        {"fields": []},
        {"document_types": [BIRTH, RECORD]},
        {"document_types": [RECORD]},
        {"purpose": "other"},
        {"until": "2099-12-31"},
        {"until": None, "once": True},
    ],
    ids=range(7),
)
async def test_k_14_nothing_but_what_the_citizen_allowed_word_by_word(one: OneWorld, changed: dict[str, Any]) -> None:
    person, party = await holder(one), await bank(one)
    token = (await one.tokens(person, party, DETAIL))["access_token"]
    assert refused(await one.take(party, token, {**DETAIL, **changed})) == (403, "detail-not-given")


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b"null", b"\xff", b'{"type": "payment_initiation"}', b"[" * 5_000], ids=range(7)
)
async def test_k_14_a_body_that_is_no_detail_is_malformed_and_no_fault(one: OneWorld, body: bytes) -> None:
    person, party = await holder(one), await bank(one)
    token = (await one.tokens(person, party, DETAIL))["access_token"]
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    assert (await one.nodes[0].post(TAKE, content=body, headers=headers)).status_code in (400, 422)


async def test_k_14_wider_than_registered_is_refused_and_counted_for_everybody(one: OneWorld) -> None:
    person, party = await holder(one), await bank(one)
    token = (await one.tokens(person, party, DETAIL))["access_token"]
    link = (await one.take(party, token, DETAIL)).json()["share"]
    # An officer narrows it while the token still says more; at the provider the next one says less.
    await one.purpose(party, "account", {BIRTH: ["family_name"]})
    for number in (1, 2):
        answer = await one.take(party, token, DETAIL, node=number % 2)
        assert (*refused(answer), answer.json()["beyond"]) == (403, "request-too-wide", [f"{BIRTH}.birthdate"])
        assert (await one.figures(party))["refused"] == number
    listed = (await one.nodes[0].get("/v1/request-figures")).json()["figures"]
    [public] = [each for each in listed if each["client_id"] == party.client_id]
    assert public["refused"] == 2
    assert public["given"] <= public["asked"] == 1
    # What was given before stays until it ends.
    assert (await one.open(party, token, link)).status_code == 200


async def test_k_14_a_withdrawn_purpose_gives_nothing_more(one: OneWorld) -> None:
    person, party = await holder(one), await bank(one)
    token = (await one.tokens(person, party, DETAIL))["access_token"]
    await withdraw_purpose(
        one.world.wiring.db, one.world.wiring.audit, client_id=party.client_id, purpose_id="account", officer="test"
    )
    assert refused(await one.take(party, token, DETAIL)) == (404, "purpose-unknown")


# -- afterwards --------------------------------------------------------------------------------------------------------

ENDINGS = {
    "ended": "UPDATE idp.consent SET ended_at = now() WHERE citizen_id = $1 AND client_id = $2",
    "frozen service": "INSERT INTO idp.frozen (citizen_id, kind, name) VALUES ($1, 'service', $2)",
    **{
        state: f"UPDATE idp.citizen SET state = '{state}' WHERE citizen_id = $1 AND $2::text IS NOT NULL"
        for state in ("suspended", "frozen", "deceased", "erased")
    },
}


@pytest.mark.parametrize("ending", ENDINGS)
async def test_k_14_what_ends_the_connection_ends_it_at_once_on_every_node(one: OneWorld, ending: str) -> None:
    person, party, token, link = await taken(one, **FOR_ITSELF)
    own = await own_token(one, party)
    opened = await one.open(party, own, link)
    assert opened.status_code == 200
    await one.idp.owner(ENDINGS[ending], person.citizen_id, party.client_id)
    viewing = {"Authorization": f"Bearer {opened.json()['viewing_token']}"}
    for node in (1, 0):
        assert refused(await one.open(party, own, link, node=node)) == (404, "share-closed")
        assert refused(await one.take(party, token, DETAIL, node=node)) == (401, "invalid_token")
        answer = await one.nodes[node].get(f"/o/{opened.json()['opening_id']}", headers=viewing)
        assert refused(answer) == (404, "share-closed")
    assert await openings(one, party) == 1
    [line] = await one.world.rows(
        "SELECT DISTINCT actor, result FROM locker.audit WHERE action = 'share.refused' AND actor = $1", party.client_id
    )
    assert line["result"] == "not-connected"


async def test_k_14_a_disabled_service_opens_nothing(one: OneWorld) -> None:
    _person, party, token, link = await taken(one)
    await one.idp.owner(
        "UPDATE idp.client SET state = 'disabled', revision = revision + 1 WHERE client_id = $1", party.client_id
    )
    for node in (1, 0):
        # A node may remember for a second that the token was good; never that the connection is.
        assert (await one.open(party, token, link, node=node)).status_code in (401, 404)
        assert refused(await one.take(party, token, DETAIL, node=node)) == (401, "invalid_token")
    assert await openings(one, party) == 0


async def test_k_14_a_new_connection_does_not_bring_back_what_ended_with_the_old_one(one: OneWorld) -> None:
    person, party, _token, link = await taken(one)
    await one.disconnect(person, party)
    fresh = (await one.tokens(person, party, DETAIL))["access_token"]
    assert refused(await one.open(party, fresh, link)) == (403, "not-for-you")
    other = (await one.take(party, fresh, DETAIL)).json()["share"]
    assert other != link
    assert (await one.open(party, fresh, other)).status_code == 200


async def test_k_14_a_locker_that_was_erased_gives_nothing(one: OneWorld) -> None:
    person, party = await holder(one), await bank(one)
    token = (await one.tokens(person, party, DETAIL))["access_token"]
    link = (await one.take(party, token, DETAIL)).json()["share"]
    [row] = await one.world.rows("SELECT owner FROM locker.share WHERE client_id = $1", party.client_id)
    wiring = one.world.wiring
    await ask(wiring.db, wiring.audit, owner=row["owner"], by="officer", actor="test", wait_s=0, reference="R 1")
    assert (await erase_due(wiring.db, wiring.audit, wiring.vault, settled_s=0)).finished == 1
    gone = await one.take(party, token, DETAIL)
    assert refused(gone) == (410, "erased")
    # Who writes a client from the description meets no status that it does not know.
    described = json.loads((ROOT / "openapi" / "locker.json").read_text())["paths"][TAKE]["post"]["responses"]
    assert str(gone.status_code) in described
    assert refused(await one.open(party, token, link)) == (404, "share-closed")
    assert await one.world.rows("SELECT FROM locker.authorized_share WHERE owner = $1", row["owner"]) == []


async def test_k_14_who_acts_for_somebody_takes_nothing_that_outlives_the_mandate(one: OneWorld) -> None:
    represented, actor, mandate_id = await two(one.idp)
    party = await bank(one, representation_allowed=True)
    async with signed_in(one.idp, actor) as browser:
        asked = {"authorization_details": f"[{DETAIL_JSON}]", "scope": "openid profile"}
        code = await code_for(browser, party, str(mandate_id), **asked)
    answer = await one.idp.exchange(party, code, resource=LOCKER)
    assert answer.status_code == 200, answer.text
    taken = await one.take(party, answer.json()["access_token"], DETAIL)
    assert refused(taken) == (403, "details-missing")
    assert represented.citizen_id != actor.citizen_id


async def test_k_14_who_acts_for_somebody_does_nothing_that_outlives_the_mandate(one: OneWorld) -> None:
    """By an app with the represented's whole trust, as by a service: to read is another thing."""
    represented, actor, mandate_id = await two(one.idp)
    await one.document(represented, fields=FIELDS)
    scope = "openid profile documents:read documents:share documents:erase"
    app = await bank(one, representation_allowed=True, scope=scope)
    async with signed_in(one.idp, actor) as browser:
        code = await code_for(browser, app, str(mandate_id), scope=scope)
    token = (await one.idp.exchange(app, code, resource=LOCKER)).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    node = one.nodes[0]
    listed = await node.get("/v1/documents", headers=headers)
    [document] = listed.json()["documents"]
    share = {"documents": [document["document_id"]], "recipient": "Bank", "purpose": "Account"}
    asked = {"documents": {BIRTH: document["document_id"]}}
    for path, body in (("/v1/shares", share), (f"/v1/asked/{'x' * 43}", asked), ("/v1/erasure", None)):
        assert refused(await node.post(path, headers=headers, json=body)) == (403, "acting-for-another"), path
    assert (await node.get("/v1/shares?live=false", headers=headers)).json()["shares"] == []


# -- a limit of a later version ----------------------------------------------------------------------------------------


async def test_k_14_a_limit_that_is_not_known_here_opens_nothing(one: OneWorld) -> None:
    """While nodes are replaced one by one, a newer one makes shares that an older one must not open."""
    person, party, token, link = await taken(one)
    opened = await one.open(party, token, link)
    await one.idp.owner(
        """UPDATE locker.share SET caveats = caveats || '[{"type": "only-on-a-sunday"}]' WHERE client_id = $1""",
        party.client_id,
    )
    assert refused(await one.open(party, token, link)) == (404, "share-closed")
    viewing = {"Authorization": f"Bearer {opened.json()['viewing_token']}"}
    assert (await one.nodes[1].get(f"/o/{opened.json()['opening_id']}", headers=viewing)).status_code == 404
    [row] = await one.world.rows(
        "SELECT share_id, credential_id, openings_used FROM locker.share JOIN locker.share_document"
        " USING (owner, share_id) WHERE client_id = $1",
        party.client_id,
    )
    assert row["openings_used"] == 1
    assert (await one.nodes[1].get(f"/credentials/{row['credential_id']}/status")).json()["shared"] is False
    # Its citizen sees it here, too, and ends it.
    browser = await one.at_the_locker(person)
    page = await browser.get(f"/wallet/shares/{row['share_id']}")
    assert page.status_code == 200
    assert (await browser.submit(page)).status_code == 303
    [row] = await one.world.rows("SELECT revoked_at FROM locker.share WHERE client_id = $1", party.client_id)
    assert row["revoked_at"] is not None
