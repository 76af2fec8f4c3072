"""Passkeys over HTTP, with an authenticator in software (Web Authentication Level 3, §7.1 and §7.2)."""

import json

import jwt
import pytest

from tests.passkeys import BE, BS, UP, UV, SoftPasskey, set_up, use
from tests.people import active, aged, first_factor, letters, post, signed_in, submit
from tests.provider import Provider, answer_of, press_allow

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def with_passkey(idp: Provider, device: SoftPasskey, **changed: object) -> object:
    person = await active(idp, **changed)  # type: ignore[arg-type]
    async with signed_in(idp, person) as browser:
        answer = await set_up(browser, device)
        assert answer.status_code == 303, answer.text
    return person


async def levels(idp: Provider, citizen_id: object) -> tuple[str, list[str]]:
    row = (
        await idp.owner(
            "SELECT acr, amr FROM idp.session WHERE citizen_id = $1 ORDER BY created_at DESC LIMIT 1", citizen_id
        )
    )[0]
    return row["acr"], row["amr"]


@pytest.mark.parametrize("alg", [-7, -8, -257])
async def test_a_passkey_is_set_up_and_signs_in_alone_at_the_highest_level(idp: Provider, alg: int) -> None:
    device = SoftPasskey(alg=alg)
    person = await active(idp)
    async with signed_in(idp, person) as browser:
        answer = await set_up(browser, device)
        assert answer.headers["location"] == "/idp/account/passkeys?done=added"
        assert "my phone" in (await browser.get("/idp/account/passkeys")).text
    async with idp.browser() as browser:
        answer = await use(browser, device)
        assert (answer.status_code, answer.headers["location"]) == (303, "/idp/account"), answer.text
        assert (await browser.get("/idp/account")).status_code == 200
    assert await levels(idp, person.citizen_id) == ("high", ["pop", "user", "mfa"])
    assert [one.kind for one in await letters(idp, person.citizen_id)].count("passkey.changed") == 2


async def test_what_is_asked_for_is_discoverable_verified_and_without_attestation(idp: Provider) -> None:
    person = await active(idp)
    async with signed_in(idp, person) as browser:
        options = (await browser.get("/idp/account/passkeys/options")).json()
    assert options["rp"] == {"id": "id.test", "name": "Khizana"}
    assert options["authenticatorSelection"]["residentKey"] == "required"
    assert options["authenticatorSelection"]["userVerification"] == "required"
    assert options["attestation"] == "none"
    assert [one["alg"] for one in options["pubKeyCredParams"]] == [-7, -8, -257]
    assert person.uid not in options["user"]["id"]


@pytest.mark.parametrize(("proofing", "acr"), [("desk", "high"), ("remote", "substantial")])
async def test_the_level_is_never_more_than_the_proofing(idp: Provider, proofing: str, acr: str) -> None:
    device = SoftPasskey()
    person = await with_passkey(idp, device, proofing=proofing)
    async with idp.browser() as browser:
        assert (await use(browser, device)).status_code == 303
    assert (await levels(idp, person.citizen_id))[0] == acr  # type: ignore[attr-defined]


async def test_a_passkey_is_a_second_factor_after_the_password(idp: Provider) -> None:
    device = SoftPasskey()
    person = await with_passkey(idp, device)
    async with idp.browser() as browser:
        await first_factor(browser, person)  # type: ignore[arg-type]
        page = await browser.get("/idp/sign-in/second-factor")
        await submit(browser, "/idp/sign-in/another-way", page, way="passkey")
        page = await browser.get("/idp/sign-in/second-factor")
        options = (await browser.get("/idp/sign-in/passkey?second=1")).json()
        assert len(options["allowCredentials"]) == 1
        answer = await submit(browser, "/idp/sign-in/second-factor", page, passkey=device.get(options))
        assert answer.status_code == 303, answer.text
    assert await levels(idp, person.citizen_id) == ("high", ["pwd", "pop", "user", "mfa"])  # type: ignore[attr-defined]


async def test_an_essential_high_level_leads_to_setting_up_a_passkey_and_back(idp: Provider) -> None:
    person, party, device = await active(idp), await idp.client(), SoftPasskey()
    claims = json.dumps({"id_token": {"acr": {"essential": True, "value": "high"}}})
    async with signed_in(idp, person) as browser:
        answer = await browser.get("/idp/authorize", params=party.request(claims=claims))
        answer = await browser.get(answer.headers["location"])
        path, _, query = answer.headers["location"].partition("?")
        assert path == "/idp/sign-in/stronger"
        page = await browser.get(answer.headers["location"] + "&lang=en")
        assert "A relying party" in page.text
        assert 'id="visit-needed"' not in page.text
        interaction = query.removeprefix("interaction=")
        assert f"/idp/account/passkeys?back={interaction}" in page.text
        assert (await set_up(browser, device)).status_code == 303
        page = await browser.get(f"/idp/account/passkeys?back={interaction}")
        assert f"/idp/sign-in?interaction={interaction}" in page.text
        # A step-up: the session's first factor is not asked for again.
        answer = await browser.get(f"/idp/sign-in?{query}")
        assert answer.headers["location"] == f"/idp/sign-in/second-factor?{query}"
        page = await browser.get(answer.headers["location"])
        assert 'id="step-up-reason"' in page.text
        options = (await browser.get(f"/idp/sign-in/passkey?{query}&second=1")).json()
        answer = await submit(browser, f"/idp/sign-in/second-factor?{query}", page, passkey=device.get(options))
        assert answer.headers["location"] == f"/idp/authorize/resume?{query}"
        answer = await browser.get(answer.headers["location"])
        answer = await press_allow(browser, answer.headers["location"])
        tokens = await idp.http.post("/idp/token", data=party.exchange(answer_of(answer)["code"]))
        said = jwt.decode(tokens.json()["id_token"], options={"verify_signature": False})
        assert (said["acr"], said["amr"]) == ("high", ["pwd", "otp", "pop", "user", "mfa"])


async def test_who_was_never_at_a_desk_is_told_so_and_may_go_back(idp: Provider) -> None:
    person, party = await active(idp, proofing="remote"), await idp.client()
    claims = json.dumps({"id_token": {"acr": {"essential": True, "value": "high"}}})
    async with signed_in(idp, person) as browser:
        answer = await browser.get("/idp/authorize", params=party.request(claims=claims))
        answer = await browser.get(answer.headers["location"])
        page = await browser.get(answer.headers["location"])
        assert 'id="visit-needed"' in page.text
        answer = await submit(browser, answer.headers["location"], page)
        assert answer_of(answer)["error"] == "unmet_authentication_requirements"
        assert answer_of(answer)["state"] == "s-1"


async def test_a_client_registered_with_high_signs_in_by_passkey_only(idp: Provider) -> None:
    device = SoftPasskey()
    person = await with_passkey(idp, device)
    party = await idp.client(default_acr_values=["high"])
    async with idp.browser() as browser:
        answer = await browser.get("/idp/authorize", params=party.request())
        query = "?" + answer.headers["location"].partition("?")[2]
        answer = await first_factor(browser, person, query=query)  # type: ignore[arg-type]
        page = await browser.get(answer.headers["location"])
        assert 'data-passkey="get"' in page.text
        answer = await use(browser, device, query=query)
        assert answer.headers["location"] == f"/idp/authorize/resume{query}"


async def test_passkeys_are_renamed_and_removed_with_a_notice_and_only_ones_own(idp: Provider) -> None:
    mine, theirs = SoftPasskey(), SoftPasskey()
    me, them = await active(idp), await active(idp)
    async with signed_in(idp, them) as browser:
        await set_up(browser, theirs)
    foreign = (await idp.owner("SELECT passkey_id FROM idp.passkey WHERE citizen_id = $1", them.citizen_id))[0][0]
    async with signed_in(idp, me) as browser:
        await set_up(browser, mine)
        own = (await idp.owner("SELECT passkey_id FROM idp.passkey WHERE citizen_id = $1", me.citizen_id))[0][0]
        for verb, fields in (("rename", {"name": "x"}), ("remove", {})):
            for passkey_id in (str(foreign), "nonsense"):
                answer = await post(
                    browser,
                    f"/idp/account/passkeys/{verb}",
                    page="/idp/account/passkeys",
                    passkey_id=passkey_id,
                    **fields,
                )
                assert answer.status_code == 404
        await post(
            browser,
            "/idp/account/passkeys/rename",
            page="/idp/account/passkeys",
            passkey_id=str(own),
            name="  هاتفي \u202e القديم ",
            expect=303,
        )
        assert "هاتفي القديم" in (await browser.get("/idp/account/passkeys")).text
        await post(
            browser, "/idp/account/passkeys/remove", page="/idp/account/passkeys", passkey_id=str(own), expect=303
        )
    assert [one.kind for one in await letters(idp, me.citizen_id)].count("passkey.changed") == 6
    assert await idp.owner("SELECT 1 FROM idp.passkey WHERE citizen_id = $1", them.citizen_id)
    async with idp.browser() as browser:
        assert (await use(browser, mine)).status_code == 422


async def test_the_only_passkey_of_who_has_nothing_else_stays(idp: Provider) -> None:
    person = await active(idp)
    async with signed_in(idp, person) as browser:
        await set_up(browser, SoftPasskey())
        await post(browser, "/idp/account/methods/remove", page="/idp/account", method="totp", expect=303)
        own = (await idp.owner("SELECT passkey_id FROM idp.passkey WHERE citizen_id = $1", person.citizen_id))[0][0]
        answer = await post(browser, "/idp/account/passkeys/remove", page="/idp/account/passkeys", passkey_id=str(own))
        assert answer.status_code == 409


async def test_setting_up_needs_a_fresh_session_and_a_name(idp: Provider) -> None:
    person, device = await active(idp), SoftPasskey()
    async with signed_in(idp, person) as browser:
        assert (await set_up(browser, device, name=" ")).status_code == 422
        page = await browser.get("/idp/account/passkeys")
        options = (await browser.get("/idp/account/passkeys/options")).json()
        await aged(idp, person, 301)
        answer = await submit(browser, "/idp/account/passkeys", page, name="x", passkey=device.create(options))
        assert answer.headers["location"] == "/idp/sign-in?to=passkeys"
        assert (await browser.get("/idp/account/passkeys/options")).status_code == 403
    assert await idp.owner("SELECT 1 FROM idp.passkey WHERE citizen_id = $1", person.citizen_id) == []


@pytest.mark.parametrize("flags", [UP | UV, UP | UV | BE, UP | UV | BE | BS])
async def test_where_the_key_lives_is_shown(idp: Provider, flags: int) -> None:
    person = await active(idp)
    async with signed_in(idp, person) as browser:
        assert (await set_up(browser, SoftPasskey(flags=flags))).status_code == 303
        page = await browser.get("/idp/account/passkeys?lang=en")
    assert ("Synced" in page.text) == bool(flags & BS)
    assert ("This device only" in page.text) != bool(flags & BS)


async def test_a_citizen_who_is_frozen_does_not_get_in_by_passkey(idp: Provider) -> None:
    device = SoftPasskey()
    person = await with_passkey(idp, device)
    await idp.owner("UPDATE idp.citizen SET state = 'frozen' WHERE citizen_id = $1", person.citizen_id)  # type: ignore[attr-defined]
    async with idp.browser() as browser:
        answer = await use(browser, device)
    assert answer.status_code == 403
    assert "account-frozen" in answer.text


async def test_nobody_has_more_than_twenty(idp: Provider) -> None:
    person = await active(idp)
    async with signed_in(idp, person) as browser:
        await set_up(browser, SoftPasskey())
        await idp.owner(
            """INSERT INTO idp.passkey (passkey_id, citizen_id, credential_id, public_key, sign_count, transports,
                                        backup_eligible, backed_up, name)
               SELECT gen_random_uuid(), $1, decode(md5(random()::text), 'hex'), '\\x00', 0, '{}', false, false, 'x'
                 FROM generate_series(1, 19)""",
            person.citizen_id,
        )
        assert (await set_up(browser, SoftPasskey())).status_code == 422
