"""RFC 9396 with the registered type ``locker_document``."""

import datetime as dt
import json
from typing import Any

import httpx
import pytest

from idp.refusals import InvalidClientMetadata
from tests.provider import Provider, RelyingParty, answer_of, press_allow

pytestmark = pytest.mark.asyncio(loop_scope="module")

TODAY = dt.datetime.now(dt.UTC).date()
ONCE: dict[str, Any] = {
    "type": "locker_document",
    "document_types": ["BIRTHEXTRACT", "XEROX1"],
    "fields": ["birthdate", "commune"],
    "purpose": "open-account",
    "once": True,
}
UNTIL: dict[str, Any] = {
    "type": "locker_document",
    "document_types": ["RESIDENCE"],
    "purpose": "deliver",
    "until": (TODAY + dt.timedelta(days=30)).isoformat(),
}


async def party_of(idp: Provider, **metadata: Any) -> RelyingParty:
    party = await idp.client(authorization_details_types=["locker_document"], **metadata)
    await idp.purpose(party, "open-account", {type_: ["birthdate", "commune"] for type_ in ONCE["document_types"]})
    await idp.purpose(party, "deliver", {"RESIDENCE": None, "DIPLOMA": None})
    return party


async def asked(browser: httpx.AsyncClient, party: RelyingParty, *details: Any, **changed: str) -> httpx.Response:
    return await browser.get(
        "/idp/authorize", params=party.request(authorization_details=json.dumps(details), **changed)
    )


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        "{}",
        "[]",
        json.dumps([{**ONCE, "type": "payment_initiation"}]),
        json.dumps([{name: value for name, value in ONCE.items() if name != "type"}]),
        json.dumps([{**ONCE, "amount": "1"}]),
        json.dumps([{**ONCE, "document_types": []}]),
        json.dumps([{**ONCE, "document_types": ["birth extract"]}]),
        json.dumps([{**ONCE, "document_types": "BIRTHEXTRACT"}]),
        json.dumps([{**ONCE, "fields": ["x" * 65]}]),
        json.dumps([{**ONCE, "purpose": ""}]),
        json.dumps([{**ONCE, "purpose": "two\nlines"}]),
        json.dumps([{**ONCE, "once": False}]),
        json.dumps([{**ONCE, "once": 1}]),
        json.dumps([{**ONCE, "until": UNTIL["until"]}]),
        json.dumps([{**UNTIL, "until": "2020-01-01"}]),
        json.dumps([{**UNTIL, "until": "9999-12-31"}]),
        json.dumps([{**UNTIL, "until": "tomorrow"}]),
        json.dumps([ONCE] * 11),
    ],
    ids=range(19),
)
async def test_details_of_an_unknown_type_or_form_are_refused_rfc9396_5(idp: Provider, text: str) -> None:
    party = await party_of(idp)
    pushed = await idp.push(party, **party.request(authorization_details=text))
    assert pushed.status_code == 400
    assert pushed.json()["error"] == "invalid_authorization_details"
    async with idp.browser() as browser:
        answer = answer_of(await browser.get("/idp/authorize", params=party.request(authorization_details=text)))
    assert answer["error"] == "invalid_authorization_details"


async def test_details_of_a_type_that_the_client_has_not_registered(idp: Provider) -> None:
    party = await idp.client()
    async with idp.browser() as browser:
        assert answer_of(await asked(browser, party, ONCE))["error"] == "invalid_authorization_details"


async def test_discovery_lists_the_types(idp: Provider) -> None:
    described = (await idp.http.get("/idp/.well-known/openid-configuration")).json()
    assert described["authorization_details_types_supported"] == ["locker_document"]


@pytest.mark.parametrize(
    ("lang", "words"),
    [
        ("en", ["Birth record extract", "Date of birth", "Residence certificate", "Once. The next time"]),
        ("fr", ["Extrait d’acte de naissance", "Date de naissance", "Certificat de résidence", "Une seule fois"]),
        ("ar", ["مستخرج من رسم الولادة", "شهادة السكنى", "مرة واحدة"]),
        ("zgh", ["ⴰⵔⵔⴰ ⵏ ⵜⵍⴰⵍⵉⵜ", "ⴰⵔⵔⴰ ⵏ ⵜⵣⴷⴷⵖⵜ", "ⵢⴰⵜ ⵜⵉⴽⴽⵍⵜ"]),
    ],
)
async def test_the_consent_page_says_them_in_words(idp: Provider, lang: str, words: list[str]) -> None:
    party = await party_of(idp)
    browser = await idp.signed_in(await idp.citizen())
    location = (await asked(browser, party, ONCE, UNTIL, ui_locales=lang)).headers["location"]
    page = (await browser.get(location)).text
    for word in [*words, "XEROX1", f"&lt;open-account&gt; {lang}", f"&lt;deliver&gt; {lang}"]:
        assert word in page


REMEMBERED = "This is remembered until you end it"


@pytest.mark.parametrize(
    ("details", "scope", "is_remembered"),
    [([ONCE], "openid", False), ([ONCE, UNTIL], "openid", True), ([ONCE], "openid email", True), ([], "openid", True)],
)
async def test_the_page_does_not_say_that_it_remembers_what_is_for_once(
    idp: Provider, details: list[dict[str, Any]], scope: str, is_remembered: bool
) -> None:
    party, browser = await party_of(idp), await idp.signed_in(await idp.citizen())
    more = {"authorization_details": json.dumps(details)} if details else {}
    begun = await browser.get("/idp/authorize", params=party.request(scope=scope, ui_locales="en", **more))
    page = (await browser.get(begun.headers["location"])).text
    assert (REMEMBERED in page, "You are asked again each time." in page) == (is_remembered, not is_remembered)


async def test_they_are_kept_with_the_consent_and_the_code(idp: Provider) -> None:
    party = await party_of(idp)
    browser = await idp.signed_in(await idp.citizen())
    location = (await asked(browser, party, ONCE, UNTIL)).headers["location"]
    assert "code" in answer_of(await press_allow(browser, location))
    code, consent = [
        (
            await idp.owner(
                f"SELECT authorization_details::text FROM idp.{table} WHERE client_id = $1",
                party.client_id,
            )
        )[0][0]
        for table in ("authorization_code", "consent")
    ]
    assert json.loads(code) == [ONCE, UNTIL]
    # What was for once is used; what is until a day is remembered.
    assert json.loads(consent) == [UNTIL]


async def test_what_is_until_a_day_is_remembered_and_what_is_for_once_is_not(idp: Provider) -> None:
    party = await party_of(idp)
    browser = await idp.signed_in(await idp.citizen())
    location = (await asked(browser, party, ONCE, UNTIL)).headers["location"]
    await press_allow(browser, location)
    assert "code" in answer_of(await asked(browser, party, UNTIL))
    assert (await asked(browser, party, ONCE)).headers["location"].startswith("/idp/consent")
    assert answer_of(await asked(browser, party, ONCE, prompt="none"))["error"] == "consent_required"
    other = {**UNTIL, "document_types": ["RESIDENCE", "DIPLOMA"]}
    assert (await asked(browser, party, other)).headers["location"].startswith("/idp/consent")


async def test_what_was_until_a_day_is_over_after_it(idp: Provider) -> None:
    party = await party_of(idp)
    browser = await idp.signed_in(await idp.citizen())
    await press_allow(browser, (await asked(browser, party, UNTIL)).headers["location"])
    await idp.owner(
        "UPDATE idp.consent SET authorization_details = jsonb_set(authorization_details, '{0,until}', '\"2020-01-01\"')"
        " WHERE client_id = $1",
        party.client_id,
    )
    assert (await asked(browser, party, UNTIL)).headers["location"].startswith("/idp/consent")


async def test_once_is_once_in_two_tabs(idp: Provider) -> None:
    party = await party_of(idp)
    browser = await idp.signed_in(await idp.citizen())
    tabs = [(await asked(browser, party, ONCE)).headers["location"] for _ in range(2)]
    assert "code" in answer_of(await press_allow(browser, tabs[0]))
    again = await browser.get(tabs[1].replace("/idp/consent", "/idp/authorize/resume"))
    assert again.headers["location"] == tabs[1]


async def test_the_citizen_sees_what_still_holds(idp: Provider) -> None:
    party = await party_of(idp)
    browser = await idp.signed_in(await idp.citizen())
    await press_allow(browser, (await asked(browser, party, ONCE, UNTIL)).headers["location"])
    page = (await browser.get("/idp/account/services?lang=en")).text
    assert "Residence certificate" in page
    assert "Birth record extract" not in page


async def test_access_tokens_carry_them_and_refreshed_ones_what_lasts(idp: Provider) -> None:
    party = await party_of(idp)
    browser = await idp.signed_in(await idp.citizen())
    location = (await asked(browser, party, ONCE, UNTIL)).headers["location"]
    code = answer_of(await press_allow(browser, location))["code"]
    tokens = (await idp.exchange(party, code)).json()
    assert tokens["authorization_details"] == [ONCE, UNTIL]
    refreshed = (await idp.refresh(party, tokens["refresh_token"])).json()
    assert refreshed["authorization_details"] == [UNTIL]
    introspected = await idp.http.post(
        "/idp/introspect", data={"token": refreshed["access_token"], **party.authentication()}
    )
    assert introspected.json()["authorization_details"] == [UNTIL]
    await idp.owner(
        "UPDATE idp.token_family SET authorization_details = jsonb_set(authorization_details, '{1,until}',"
        " '\"2020-01-01\"') WHERE client_id = $1",
        party.client_id,
    )
    assert "authorization_details" not in (await idp.refresh(party, tokens["refresh_token"])).json()


async def given(idp: Provider, party: RelyingParty, *details: Any) -> str:
    """The code of a citizen who allowed them."""
    browser = await idp.signed_in(await idp.citizen())
    return answer_of(await press_allow(browser, (await asked(browser, party, *details)).headers["location"]))["code"]


async def test_a_token_request_narrows_what_was_given_and_the_grant_stays_rfc9396_6_1(idp: Provider) -> None:
    party = await party_of(idp)
    code = await given(idp, party, ONCE, UNTIL)
    less = {**ONCE, "document_types": ["XEROX1"], "fields": ["commune"]}
    tokens = (await idp.exchange(party, code, authorization_details=json.dumps([less]))).json()
    assert tokens["authorization_details"] == [less]
    introspected = await idp.http.post(
        "/idp/introspect", data={"token": tokens["access_token"], **party.authentication()}
    )
    assert introspected.json()["authorization_details"] == [less]
    shorter = {**UNTIL, "fields": ["address"], "until": TODAY.isoformat()}
    refreshed = await idp.refresh(party, tokens["refresh_token"], authorization_details=json.dumps([shorter]))
    assert refreshed.json()["authorization_details"] == [shorter]
    assert (await idp.refresh(party, tokens["refresh_token"])).json()["authorization_details"] == [UNTIL]


WIDER: list[dict[str, Any]] = [
    {**UNTIL, "document_types": ["RESIDENCE", "DIPLOMA"]},
    {**UNTIL, "until": (TODAY + dt.timedelta(days=31)).isoformat()},
    {**UNTIL, "purpose": "sell"},
    {**ONCE, "document_types": ["RESIDENCE"], "purpose": UNTIL["purpose"]},
    {**ONCE, "fields": []},
    {**ONCE, "fields": ["birthdate", "address"]},
    {name: value for name, value in {**ONCE, "until": UNTIL["until"]}.items() if name != "once"},
    {"type": "payment_initiation"},
]


@pytest.mark.parametrize("detail", WIDER, ids=range(len(WIDER)))
async def test_a_token_request_never_widens_what_was_given_rfc9396_6(idp: Provider, detail: dict[str, Any]) -> None:
    party = await party_of(idp)
    code = await given(idp, party, ONCE, UNTIL)
    more = json.dumps([UNTIL, detail])
    refused = await idp.exchange(party, code, authorization_details=more)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_authorization_details")
    tokens = (await idp.exchange(party, code)).json()
    refused = await idp.refresh(party, tokens["refresh_token"], authorization_details=more)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_authorization_details")


async def test_what_was_for_once_is_not_asked_for_at_a_refresh(idp: Provider) -> None:
    party = await party_of(idp)
    tokens = (await idp.exchange(party, await given(idp, party, ONCE, UNTIL))).json()
    refused = await idp.refresh(party, tokens["refresh_token"], authorization_details=json.dumps([ONCE]))
    assert refused.json()["error"] == "invalid_authorization_details"


async def test_a_client_has_no_details_of_its_own(idp: Provider) -> None:
    party = await idp.client(
        profile="machine",
        grant_types=["client_credentials"],
        redirect_uris=[],
        token_endpoint_auth_method="private_key_jwt",
        scope="documents:deposit",
        authorization_details_types=["locker_document"],
    )
    form = {"grant_type": "client_credentials", "authorization_details": json.dumps([ONCE]), **party.authentication()}
    assert (await idp.token(party, form)).json()["error"] == "invalid_authorization_details"


async def test_a_type_that_does_not_exist_cannot_be_registered(idp: Provider) -> None:
    with pytest.raises(InvalidClientMetadata, match="authorization_details_types"):
        await idp.client(authorization_details_types=["payment_initiation"])
