"""Attacks on what a service may ask of a citizen's documents at sign-in: never more than an officer registered."""

import datetime as dt
import json
from typing import Any

import httpx
import pytest

from idp.purposes.register_purpose import withdraw_purpose
from tests.provider import Provider, RelyingParty, answer_of, press_allow

pytestmark = pytest.mark.asyncio(loop_scope="module")

UNTIL = (dt.datetime.now(dt.UTC).date() + dt.timedelta(days=30)).isoformat()
FIELDS: dict[str, Any] = {
    "type": "locker_document",
    "document_types": ["BIRTHEXTRACT"],
    "fields": ["birthdate"],
    "purpose": "account",
    "until": UNTIL,
}
WHOLE: dict[str, Any] = {name: value for name, value in FIELDS.items() if name != "fields"}


async def party_of(idp: Provider, **metadata: Any) -> RelyingParty:
    party = await idp.client(authorization_details_types=["locker_document"], **metadata)
    await idp.purpose(party, "account", {"BIRTHEXTRACT": ["birthdate"], "RESIDENCE": ["address"], "DIPLOMA": None})
    await idp.purpose(party, "proof", {"CNIECOPY": ["birthdate", "address"]})
    return party


async def pushed(idp: Provider, party: RelyingParty, *details: dict[str, Any]) -> httpx.Response:
    return await idp.push(party, **party.request(authorization_details=json.dumps(details)))


async def refused_of(idp: Provider, party: RelyingParty) -> int:
    listed = (await idp.http.get("/idp/document-figures")).json()["figures"]
    return sum(each["refused"] for each in listed if each["client_id"] == party.client_id)


WIDER = [
    WHOLE,
    {**FIELDS, "fields": []},
    {**FIELDS, "fields": ["birthdate", "address"]},
    {**FIELDS, "document_types": ["BIRTHEXTRACT", "RESIDENCE"]},
    {**FIELDS, "document_types": ["BIRTHEXTRACT", "CRIMINAL3"]},
    {**FIELDS, "document_types": ["CRIMINAL3"]},
    {**FIELDS, "purpose": "proof"},
]


@pytest.mark.parametrize("detail", WIDER, ids=range(len(WIDER)))
async def test_a_detail_wider_than_its_purpose_is_refused_and_counted(idp: Provider, detail: dict[str, Any]) -> None:
    party = await party_of(idp)
    for details in ([detail], [FIELDS, detail]):
        answer = await pushed(idp, party, *details)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_authorization_details")
    assert await refused_of(idp, party) == 2
    browser = await idp.signed_in(await idp.citizen())
    parameters = party.request(authorization_details=json.dumps([detail]))
    assert answer_of(await browser.get("/idp/authorize", params=parameters))["error"] == "invalid_authorization_details"
    # Anybody can write such a link, so it says nothing of the service.
    assert await refused_of(idp, party) == 2


@pytest.mark.parametrize(
    "purpose", ["Account", "account ", "acc\u043eunt", "other", "account' OR 'a'='a", "To open it"]
)
async def test_a_purpose_that_is_not_registered_for_this_client_is_refused(idp: Provider, purpose: str) -> None:
    party, other = await party_of(idp), await idp.client()
    await idp.purpose(other, "other", {"BIRTHEXTRACT": None})
    answer = await pushed(idp, party, {**FIELDS, "purpose": purpose})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_authorization_details")


async def test_what_is_within_is_taken_and_said_in_the_registered_words(idp: Provider) -> None:
    party = await party_of(idp)
    browser = await idp.signed_in(await idp.citizen())
    less = {**WHOLE, "document_types": ["DIPLOMA"], "fields": ["grade"]}
    parameters = await idp.pushed(party, authorization_details=json.dumps([FIELDS, less]))
    consent = (await browser.get("/idp/authorize", params=parameters)).headers["location"]
    page = (await browser.get(f"{consent}&lang=en")).text
    assert page.count("&lt;account&gt; en") == 2
    assert "code" in answer_of(await press_allow(browser, consent))


async def test_a_purpose_that_is_withdrawn_or_narrowed_ends_what_is_on_its_way(idp: Provider) -> None:
    party = await party_of(idp)
    browser = await idp.signed_in(await idp.citizen())
    handle = await idp.pushed(party, authorization_details=json.dumps([FIELDS]))
    parameters = party.request(authorization_details=json.dumps([FIELDS]))
    consent = (await browser.get("/idp/authorize", params=parameters)).headers["location"]
    await idp.purpose(party, "account", {"BIRTHEXTRACT": ["family_name"]})
    for answer in (await browser.get("/idp/authorize", params=handle), await press_allow(browser, consent)):
        assert answer_of(answer)["error"] == "invalid_authorization_details"


async def test_a_refreshed_token_says_nothing_of_a_purpose_that_is_gone(idp: Provider) -> None:
    party = await party_of(idp)
    browser = await idp.signed_in(await idp.citizen())
    parameters = party.request(authorization_details=json.dumps([FIELDS]))
    consent = (await browser.get("/idp/authorize", params=parameters)).headers["location"]
    code = answer_of(await press_allow(browser, consent))["code"]
    tokens = (await idp.exchange(party, code)).json()
    assert tokens["authorization_details"] == [FIELDS]
    assert (await idp.refresh(party, tokens["refresh_token"])).json()["authorization_details"] == [FIELDS]
    await withdraw_purpose(
        idp.wiring.db, idp.wiring.audit, client_id=party.client_id, purpose_id="account", officer="test"
    )
    assert "authorization_details" not in (await idp.refresh(party, tokens["refresh_token"])).json()
    # Nor is what was allowed once taken for what is allowed today.
    assert answer_of(await browser.get("/idp/authorize", params=parameters))["error"] == "invalid_authorization_details"


async def test_a_device_and_a_back_channel_ask_for_no_more(idp: Provider) -> None:
    party = await party_of(
        idp,
        token_endpoint_auth_method="private_key_jwt",
        grant_types=["urn:ietf:params:oauth:grant-type:device_code", "urn:openid:params:grant-type:ciba"],
        backchannel_token_delivery_mode="poll",
        dpop_bound_access_tokens=True,
        redirect_uris=[],
        response_types=[],
    )
    form = {"scope": "openid", "authorization_details": json.dumps([WHOLE])}
    for path, more in (("/idp/device-authorization", {}), ("/idp/bc-authorize", {"login_hint": "x"})):
        answer = await idp.http.post(path, data={**form, **more, **party.authentication()})
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_authorization_details"), answer.text
    assert await refused_of(idp, party) == 2


async def test_a_client_that_proves_nothing_is_not_counted(idp: Provider) -> None:
    party = await idp.wallet(authorization_details_types=["locker_document"])
    await idp.purpose(party, "account", {"BIRTHEXTRACT": ["birthdate"]})
    answer = await pushed(idp, party, WHOLE)
    assert answer.json()["error"] == "invalid_authorization_details"
    assert await refused_of(idp, party) == 0
