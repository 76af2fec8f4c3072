"""Coming back without a password or a second step, over HTTP."""

import asyncio
import re
import time

import httpx
import pytest

from idp.activation.issue import issue
from idp.authenticators import totp
from idp.recovery.wait import recovery_parts, remind
from tests.passkeys import SoftPasskey, set_up, use
from tests.people import PASSWORD, Person, active, letters, post, rested, secret_of, sign_in, signed_in, submit
from tests.provider import Provider

pytestmark = pytest.mark.asyncio(loop_scope="module")

NEW = "Le thé du soir à Ifrane"


def code_on(page: httpx.Response) -> str:
    """What an app shows that scanned the page's picture."""
    return totp.code_at(secret_of(page), totp.step_at(time.time()))


async def with_mail(idp: Provider, **changed: object) -> Person:
    """TOTP, and a mailbox that was confirmed."""
    person = await active(idp, **changed)  # type: ignore[arg-type]
    await confirmed(idp, person, "email")
    return person


async def confirmed(idp: Provider, person: Person, name: str) -> None:
    await idp.owner(
        "UPDATE idp.citizen SET claims = claims || jsonb_build_object($2::text, true) WHERE citizen_id = $1",
        person.citizen_id,
        f"{name}_verified",
    )


async def link_of(idp: Provider, person: Person, channel: str = "email") -> str:
    for one in await letters(idp, person.citizen_id):
        if one.kind == "recovery.link" and one.channel == channel:
            found = re.search(r"https://id\.test(/idp/recover/link\?token=[\w-]+)", one.letter.text)
            assert found, one.letter.text
            return found[1]
    raise AssertionError("no link was sent")


async def opened(idp: Provider, browser: httpx.AsyncClient, person: Person, channel: str = "email") -> httpx.Response:
    answer = await post(browser, "/idp/recover", username=person.uid)
    assert answer.headers["location"] == "/idp/recover/sent"
    link = await link_of(idp, person, channel)
    return await post(browser, "/idp/recover/link", page=link, token=link.partition("token=")[2])


async def test_a_password_is_reset_by_a_link_and_a_second_proof(idp: Provider) -> None:
    person = await with_mail(idp)
    async with signed_in(idp, person) as elsewhere, idp.browser() as browser:
        assert (await opened(idp, browser, person)).headers["location"] == "/idp/recover/proof"
        assert (await browser.get("/idp/recover/password")).headers["location"] == "/idp/recover/proof"
        assert (await post(browser, "/idp/recover/proof", otp="000000")).status_code == 422
        await rested(idp, person)
        answer = await post(browser, "/idp/recover/proof", otp=person.otp())
        assert answer.headers["location"] == "/idp/recover/password", answer.text
        assert (await post(browser, "/idp/recover/password", password="password")).status_code == 422
        answer = await post(browser, "/idp/recover/password", password=NEW)
        assert answer.headers["location"] == "/idp/recover/done"
        # No session came of it, those that were there are gone, and the link's browser has nothing left.
        assert (await browser.get("/idp/account")).headers["location"] == "/idp/sign-in"
        assert (await elsewhere.get("/idp/account")).headers["location"] == "/idp/sign-in"
        refused = await browser.get("/idp/recover/password")
        assert (refused.status_code, "recovery-over" in refused.text) == (403, True)
        await rested(idp, person)
        person.password = NEW
        assert (await sign_in(browser, person)).status_code == 303
    kinds = [one.kind for one in await letters(idp, person.citizen_id)]
    assert kinds.count("password.changed") == 2


async def test_a_recovery_code_is_a_second_proof_once_and_its_use_is_told(idp: Provider) -> None:
    person = await with_mail(idp)
    async with signed_in(idp, person) as browser:
        page = await post(browser, "/idp/account/recovery-codes")
        codes = re.findall(r"<samp>([0-9A-Z-]+)</samp>", page.text)
        assert len(codes) == len(set(codes)) == 10
    async with idp.browser() as browser:
        await opened(idp, browser, person)
        answer = await post(browser, "/idp/recover/proof", otp=codes[0].lower().replace("-", " "))
        assert answer.status_code == 303
        await opened(idp, browser, person)
        assert (await post(browser, "/idp/recover/proof", otp=codes[0])).status_code == 422
    kinds = [one.kind for one in await letters(idp, person.citizen_id)]
    assert kinds.count("recovery-code.used") == 2


async def test_a_recovery_code_stands_in_for_the_second_step(idp: Provider) -> None:
    person = await active(idp)
    async with signed_in(idp, person) as browser:
        codes = re.findall(r"<samp>([0-9A-Z-]+)</samp>", (await post(browser, "/idp/account/recovery-codes")).text)
        newer = re.findall(r"<samp>([0-9A-Z-]+)</samp>", (await post(browser, "/idp/account/recovery-codes")).text)
        assert "<samp>" not in (await browser.get("/idp/account/recovery-codes")).text

    async def tried(browser: httpx.AsyncClient, code: str) -> int:
        await post(browser, "/idp/sign-in", username=person.uid, password=PASSWORD, expect=303)
        page = await browser.get("/idp/sign-in/second-factor")
        await submit(browser, "/idp/sign-in/another-way", page, way="recovery")
        page = await browser.get("/idp/sign-in/second-factor")
        return (await submit(browser, "/idp/sign-in/second-factor", page, otp=code)).status_code

    async with idp.browser() as browser, idp.browser() as other:
        assert await tried(browser, codes[0]) == 422
        assert sorted(await asyncio.gather(tried(browser, newer[0]), tried(other, newer[0]))) == [303, 422]
    rows = await idp.owner(
        "SELECT acr, amr FROM idp.session WHERE citizen_id = $1 ORDER BY created_at DESC", person.citizen_id
    )
    assert (rows[0]["acr"], rows[0]["amr"]) == ("substantial", ["pwd", "otp", "mfa"])
    kept = await idp.owner("SELECT code_mac FROM idp.recovery_code WHERE citizen_id = $1", person.citizen_id)
    assert all(len(row["code_mac"]) == 32 for row in kept)
    kinds = [one.kind for one in await letters(idp, person.citizen_id)]
    assert kinds.count("recovery-code.used") == 2
    assert kinds.count("recovery-codes.made") == 4


async def test_both_lost_waits_three_days_and_then_everything_is_new(idp: Provider) -> None:
    person, device = await with_mail(idp), SoftPasskey()
    async with signed_in(idp, person) as browser:
        await set_up(browser, device)
    parts = recovery_parts(idp.wiring.settings, idp.wiring.db, idp.wiring.secrets, idp.wiring.post)
    async with idp.browser() as browser:
        await opened(idp, browser, person)
        answer = await post(browser, "/idp/recover/wait", page="/idp/recover/proof")
        assert answer.headers["location"] == "/idp/recover/waiting"
        # Before the time is over a link leads to a proof as ever.
        assert (await opened(idp, browser, person)).headers["location"] == "/idp/recover/proof"
        assert await remind(parts) == 0
        for _ in range(2):
            await idp.owner("UPDATE idp.recovery_wait SET told_at = told_at - interval '25 hours'")
            assert await remind(parts) == 1
            assert await remind(parts) == 0
        await idp.owner("UPDATE idp.recovery_wait SET ready_at = now() - interval '1 second'")
        assert await remind(parts) == 1
        assert await remind(parts) == 0
        assert (await opened(idp, browser, person)).headers["location"] == "/idp/activate/password"
        assert (await post(browser, "/idp/activate/password", password=NEW)).status_code == 303
        page = await browser.get("/idp/activate/totp")
        person.secret, person.password = secret_of(page), NEW
        answer = await submit(browser, "/idp/activate/totp", page, otp=person.otp())
        assert answer.headers["location"] == "/idp/activate/done"
        await rested(idp, person)
        assert (await sign_in(browser, person)).status_code == 303
        # What was set up before is void, and the highest level needs a visit first.
        async with idp.browser() as old:
            assert (await use(old, device)).status_code == 422
        newer = SoftPasskey()
        assert (await set_up(browser, newer)).status_code == 303
        async with idp.browser() as fresh:
            assert (await use(fresh, newer)).status_code == 303
        by_passkey = "SELECT acr FROM idp.session WHERE citizen_id = $1 AND amr[1] = 'pop'"
        rows = await idp.owner(by_passkey, person.citizen_id)
        assert [row["acr"] for row in rows] == ["substantial"]
    kinds = [one.kind for one in await letters(idp, person.citizen_id)]
    assert [kinds.count(f"recovery.{name}") for name in ("begun", "goes-on", "ready")] == [2, 4, 2]
    assert kinds.count("account.recovered") == 2


async def test_one_word_of_the_owner_stops_a_recovery(idp: Provider) -> None:
    person = await with_mail(idp)
    async with idp.browser() as thief, idp.browser() as owner:
        await opened(idp, thief, person)
        await post(thief, "/idp/recover/wait", page="/idp/recover/proof", expect=303)
        text = next(one.letter.text for one in await letters(idp, person.citizen_id) if one.kind == "recovery.begun")
        found = re.search(r"https://id\.test(/idp/recover/stop\?token=([\w-]+))", text)
        assert found
        await idp.owner("UPDATE idp.recovery_wait SET ready_at = now() - interval '1 second'")
        assert (await opened(idp, thief, person)).headers["location"] == "/idp/activate/password"
        page = await thief.get("/idp/activate/password")
        # The page alone stops nothing, a wrong token neither; the word does, also at the last moment.
        assert (await owner.get(found[1])).status_code == 200
        for token, status in ((found[2][:-2] + "AA", 404), (found[2], 200), (found[2], 404)):
            answer = await post(owner, "/idp/recover/stop", page=found[1], token=token)
            assert answer.status_code == status
        assert (await submit(thief, "/idp/activate/password", page, password=NEW)).status_code == 403
    async with idp.browser() as browser:
        assert (await sign_in(browser, person)).status_code == 303  # with the old password, which nobody replaced
    kinds = [one.kind for one in await letters(idp, person.citizen_id)]
    assert kinds.count("recovery.stopped") == 2


async def test_the_owner_sees_a_recovery_in_the_account(idp: Provider) -> None:
    person = await with_mail(idp)
    async with idp.browser() as thief:
        await opened(idp, thief, person)
        await post(thief, "/idp/recover/wait", page="/idp/recover/proof", expect=303)
    async with signed_in(idp, person) as browser:
        page = await browser.get("/idp/account")
        token = re.search(r"/idp/recover/stop\?token=([\w-]+)", page.text)
        assert token
        answer = await post(browser, "/idp/recover/stop", page=f"/idp/recover/stop?token={token[1]}", token=token[1])
        assert answer.status_code == 200
        assert "stop-recovery" not in (await browser.get("/idp/account")).text


async def test_a_new_code_from_the_desk_makes_an_active_account_anew(idp: Provider) -> None:
    person, device = await active(idp), SoftPasskey()
    async with signed_in(idp, person) as elsewhere:
        await set_up(elsewhere, device)
        code = await idp.wiring.db.transact(lambda tx: issue(tx, idp.wiring.secrets, person.citizen_id, lifetime_s=600))
        async with idp.browser() as browser:
            await post(browser, "/idp/activate", username=person.uid, activation_code=code, expect=303)
            # The old password does not do: a new one is chosen first.
            assert (await browser.get("/idp/activate/totp")).headers["location"] == "/idp/activate/password"
            await post(browser, "/idp/activate/password", password=NEW, expect=303)
            page = await browser.get("/idp/activate/totp")
            answer = await submit(browser, "/idp/activate/totp", page, otp=code_on(page))
            assert answer.headers["location"] == "/idp/activate/done", answer.text
            assert (await use(browser, device)).status_code == 422
        assert (await elsewhere.get("/idp/account")).headers["location"] == "/idp/sign-in"
