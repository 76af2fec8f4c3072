"""Citizens with a password and a second factor, and the browser in which they use them."""

import base64
import re
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import msgspec

from idp.authenticators import totp
from idp.citizens.enrol import enrol
from idp.citizens.schema import Enrolled, Enrolment
from idp.messages import store as messages
from idp.messages.deliver import opened
from tests.provider import Provider, csrf_of

PASSWORD = "Zellige vert 42 matin"


@dataclass
class Person:
    uid: str
    citizen_id: UUID
    password: str
    secret: bytes | None
    """Of the authenticator app; None for who gets codes by message."""

    def otp(self, *, steps: int = 0) -> str:
        assert self.secret is not None
        return totp.code_at(self.secret, totp.step_at(time.time()) + steps)


def enrolment(**changed: Any) -> Enrolment:
    claims = {
        "given_name#ar": "أمينة",
        "family_name#ar": "العلوي",
        "given_name#fr": "Amina",
        "family_name#fr": "El Alaoui",
        "given_name#zgh": "ⴰⵎⵉⵏⴰ",
        "family_name#zgh": "ⵍⵄⵍⴰⵡⵉ",
        "birthdate": "1990-03-14",
        "gender": "female",
        "email": f"a{secrets.randbelow(10**12)}@example.org",
        "phone_number": f"+212600{secrets.randbelow(10**6):06d}",
        **changed.pop("claims", {}),
    }
    return msgspec.convert({"claims": claims, **changed}, Enrolment)


async def enrolled(idp: Provider, **changed: Any) -> Enrolled:
    return await enrol(
        idp.wiring.db,
        idp.wiring.audit,
        idp.wiring.secrets,
        enrolment(**changed),
        officer="test",
        code_lifetime_s=idp.wiring.settings.activation_code_lifetime_s,
    )


async def active(idp: Provider, *, method: str = "totp", **changed: Any) -> Person:
    """Enrolled, then activated through the pages, as a citizen does it."""
    person = await enrolled(idp, **changed)
    async with idp.browser() as browser:
        await post(
            browser, "/idp/activate", username=person.uid, activation_code=person.activation_code or "", expect=303
        )
        await post(browser, "/idp/activate/password", password=PASSWORD, expect=303)
        if method == "totp":
            page = await browser.get("/idp/activate/totp")
            secret = secret_of(page)
            code = totp.code_at(secret, totp.step_at(time.time()))
            answer = await submit(browser, "/idp/activate/totp", page, otp=code)
        else:
            secret = None
            await post(browser, "/idp/activate/second-factor", method=method, expect=303)
            code = await last_code(idp, person.citizen_id)
            answer = await post(browser, "/idp/activate/code", otp=code)
        assert answer.status_code == 303, answer.text
        assert answer.headers["location"] == "/idp/activate/done"
    # The first code was spent by the activation; the tests' next one may come in the same half minute.
    await idp.owner("UPDATE idp.totp SET last_step = 0 WHERE citizen_id = $1", person.citizen_id)
    return Person(person.uid, person.citizen_id, PASSWORD, secret)


def secret_of(page: httpx.Response) -> bytes:
    found = re.search(r'id="secret"[^>]*value="([A-Z2-7 ]+)"', page.text)
    assert found, page.text
    text = found[1].replace(" ", "")
    return base64.b32decode(text + "=" * (-len(text) % 8))


async def letters(idp: Provider, citizen_id: UUID) -> list[Any]:
    """The outbox of one citizen, the latest first."""
    owners = {
        row["message_id"]
        for row in await idp.owner("SELECT message_id FROM idp.outbox WHERE citizen_id = $1", citizen_id)
    }
    rows = await messages.latest(idp.wiring.db, count_max=1000)
    return [opened(idp.wiring.secrets, row) for row in rows if row["message_id"] in owners]


async def last_code(idp: Provider, citizen_id: UUID) -> str:
    for message in await letters(idp, citizen_id):
        if message.kind.startswith("code."):
            found = re.search(r"\d{6}", message.letter.text)
            assert found
            return found[0]
    raise AssertionError("no code was sent")


async def submit(browser: httpx.AsyncClient, path: str, page: httpx.Response, **fields: str) -> httpx.Response:
    return await browser.post(path, data={"csrf": csrf_of(page), **fields})


async def post(
    browser: httpx.AsyncClient, path: str, *, page: str | None = None, expect: int | None = None, **fields: str
) -> httpx.Response:
    """Get the page, fill in its form, send it."""
    shown = await browser.get(page or path)
    answer = await submit(browser, path, shown, **fields)
    if expect is not None:
        assert answer.status_code == expect, answer.text
    return answer


async def first_factor(browser: httpx.AsyncClient, person: Person, *, query: str = "") -> httpx.Response:
    return await post(browser, f"/idp/sign-in{query}", username=person.uid, password=person.password)


async def second_factor(browser: httpx.AsyncClient, code: str, *, query: str = "") -> httpx.Response:
    return await post(browser, f"/idp/sign-in/second-factor{query}", otp=code)


async def sign_in(browser: httpx.AsyncClient, person: Person, *, query: str = "") -> httpx.Response:
    """Both factors; the answer that leads on."""
    answer = await first_factor(browser, person, query=query)
    assert answer.status_code == 303, answer.text
    return await second_factor(browser, person.otp(), query=query)


@asynccontextmanager
async def signed_in(idp: Provider, person: Person, *, query: str = "") -> AsyncIterator[httpx.AsyncClient]:
    """A browser in which the person signed in with both factors just now."""
    await rested(idp, person)
    async with idp.browser() as browser:
        answer = await sign_in(browser, person, query=query)
        assert answer.status_code == 303, answer.text
        yield browser


async def aged(idp: Provider, person: Person, seconds: int) -> None:
    """As if the last authentication were that much longer ago."""
    await idp.owner(
        "UPDATE idp.session SET auth_time = auth_time - make_interval(secs => $2) WHERE citizen_id = $1",
        person.citizen_id,
        float(seconds),
    )


async def rested(idp: Provider, person: Person) -> None:
    """As if half a minute had passed: the app's code may be used again."""
    await idp.owner("UPDATE idp.totp SET last_step = 0 WHERE citizen_id = $1", person.citizen_id)
