"""Eight citizens: enrolled by an officer, and all but one activated as they would do it themselves."""

import base64
import secrets as random
import time
from uuid import UUID

import msgspec

from idp.activation.choose_password import choose_password
from idp.activation.finish import finish
from idp.activation.issue import issue
from idp.activation.open_code import open_code
from idp.activation.schema import Activation
from idp.authenticators.methods import methods_of
from idp.authenticators.schema import Destination
from idp.authenticators.set_up_totp import proposed
from idp.authenticators.totp import as_text, code_at, step_at
from idp.authenticators.use_code_by_message import use_code_by_message
from idp.citizens.enrol import enrol
from idp.citizens.find import find_by_uid
from idp.citizens.schema import Citizen as Enrolled
from idp.citizens.schema import Enrolment
from khizana.demo.country import Citizen
from khizana.demo.kept import KeptCitizen, Memory
from khizana.demo.register import OFFICER
from kit.db import Tx

LEFT_TO_ACTIVATE = "oum-keltoum"
"""Whoever tries the demo activates this account: the code is printed."""

_CODE_LIFETIME_S = 30 * 86_400
_WORDS = (
    "argan",
    "atlas",
    "cedre",
    "datte",
    "ecume",
    "figue",
    "grenade",
    "jasmin",
    "kasbah",
    "lagune",
    "medina",
    "menthe",
    "oasis",
    "olive",
    "palmier",
    "riad",
    "safran",
    "sable",
    "tajine",
    "zellige",
)


async def enrol_citizen(parts: Activation, memory: Memory, citizen: Citizen) -> None:
    """Nothing is lost between two steps: what only this program knows is kept before it holds."""
    enrolled = await enrol(
        parts.db,
        parts.audit,
        parts.secrets,
        msgspec.convert(citizen.enrolment(), Enrolment),
        officer=OFFICER,
        code_lifetime_s=_CODE_LIFETIME_S,
    )
    kept = memory.kept.citizens.get(citizen.key)
    if kept is None:
        kept = KeptCitizen(uid=enrolled.uid, name=citizen.full.fr, locale=citizen.locale)
        memory.kept.citizens[citizen.key] = kept
    found = await find_by_uid(parts.db, enrolled.uid)
    assert found is not None
    if citizen.key == LEFT_TO_ACTIVATE:
        if found.state == "registered" and kept.activation_code is None:
            kept.activation_code = enrolled.activation_code or await _fresh_code(parts, found.citizen_id)
            memory.save()
        return
    if found.state == "registered":
        code = enrolled.activation_code or await _fresh_code(parts, found.citizen_id)
        await _activate(parts, memory, kept, found, code)
    kept.active = True
    memory.save()


async def _fresh_code(parts: Activation, citizen_id: UUID) -> str:
    """The one before was shown to a seeding that was killed."""

    async def once(tx: Tx) -> str:
        return await issue(tx, parts.secrets, citizen_id, lifetime_s=_CODE_LIFETIME_S)

    return await parts.db.transact(once)


async def _activate(parts: Activation, memory: Memory, kept: KeptCitizen, citizen: Enrolled, code: str) -> None:
    browser_sha256 = random.token_bytes(32)
    opened = await open_code(parts, uid=citizen.uid, code=code, browser_sha256=browser_sha256, address_prefix="demo")
    assert opened, "the activation code was made a moment ago"
    secret = await proposed(parts.db, parts.secrets, citizen.citizen_id)
    kept.password = kept.password or _new_password()
    kept.totp_secret = as_text(secret)
    memory.save()
    await choose_password(parts, browser_sha256=browser_sha256, password=kept.password)
    await _take_codes_by_message(parts, citizen)
    # The code of half a minute ago, so that the one of this moment is left for whoever signs in now.
    typed = code_at(secret, step_at(time.time()) - 1)
    uid = await finish(parts, browser_sha256=browser_sha256, method="totp", typed=typed)
    assert uid == citizen.uid, "the code was made from the secret"


async def _take_codes_by_message(parts: Activation, citizen: Enrolled) -> None:
    """Another way beside the authenticator app: codes to the telephone, to be read in the outbox of the demo.

    Before the app, because the way set up last is offered first.
    """
    methods = await methods_of(parts.db, citizen.citizen_id)
    if methods.code is not None:
        return
    to = Destination("sms", str(citizen.claims["phone_number"]))

    async def once(tx: Tx) -> None:
        await use_code_by_message(tx, parts.audit, citizen.citizen_id, to)

    await parts.db.transact(once)


def _new_password() -> str:
    return f"{random.choice(_WORDS)}-{random.choice(_WORDS)}-{random.randbelow(9000) + 1000}"


def secret_bytes(text: str) -> bytes:
    """The secret of an authenticator app from its base32 in groups."""
    joined = text.replace(" ", "")
    return base64.b32decode(joined + "=" * (-len(joined) % 8))
