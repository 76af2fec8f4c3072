"""``citizen enrol --file citizens.ndjson``: one line in, one line out, in the same order."""

import argparse
import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from idp.activation import issue
from idp.citizens import store
from idp.citizens.change_state import change_state
from idp.citizens.enrol import enrol
from idp.citizens.read_record import read_record
from idp.citizens.refusals import UnknownCitizen
from idp.citizens.schema import Citizen, Enrolment
from idp.freezing.freeze import name_of
from idp.freezing.schema import Authenticator, Freezing, Service
from idp.freezing.thaw import thaw
from idp.keys.secrets import Secrets
from khizana.cli import CommandRefused
from khizana.databases import with_idp
from khizana.deployment import Deployment, officer, post_of
from khizana.input import decoded, is_bulk, lines, read_json
from khizana.say import Progress, answer, answer_line, say
from kit.audit import Audit
from kit.db import Database
from kit.errors import Refusal

AT_ONCE = 4
_CHANGES = ("suspend", "reactivate", "freeze", "unfreeze", "record-death")


def arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", required=True)
    enrolling = verbs.add_parser("enrol", help="one JSON object, or NDJSON with one citizen a line")
    enrolling.add_argument("--file", required=True, help="*.json, *.ndjson, or - for standard input")
    enrolling.add_argument("--ndjson", action="store_true", help="standard input is NDJSON")
    showing = verbs.add_parser("show", help="what is recorded of a citizen")
    showing.add_argument("uid")
    showing.add_argument("--reason", required=True, help="the citizen reads it in their history")
    changing = verbs.add_parser("state", help="suspend, reactivate, freeze, unfreeze or record a death")
    changing.add_argument("uid")
    changing.add_argument("change", choices=_CHANGES)
    changing.add_argument("--reason", required=True)
    thawing = verbs.add_parser("thaw", help="at a desk: a frozen service or authenticator works again")
    thawing.add_argument("uid")
    thawing.add_argument("--service", metavar="CLIENT_ID")
    thawing.add_argument("--authenticator", metavar="NAME", help="password, totp, code, recovery or passkey:ID")
    thawing.add_argument("--reason", required=True)
    activating = verbs.add_parser("activation-code", help="a fresh one-time code; the earlier one is void")
    activating.add_argument("uid")


def run(arguments: argparse.Namespace) -> int:
    match arguments.verb:
        case "enrol" if arguments.ndjson or is_bulk(arguments.file):
            return with_idp(lambda found, db: _enrol_many(found, db, lines(arguments.file)))
        case "enrol":
            enrolment = read_json(arguments.file, Enrolment)
            answer(with_idp(lambda found, db: _enrol(found, db, enrolment)))
        case "show":
            answer(_shown(with_idp(lambda _, db: _look(db, arguments.uid, arguments.reason))))
        case "state":
            state = with_idp(lambda _, db: _change(db, arguments.uid, arguments.change, arguments.reason))
            answer({"uid": arguments.uid, "state": state})
        case "thaw":
            target = _thawed(arguments.service, arguments.authenticator)
            answer(with_idp(lambda found, db: _thaw(found, db, arguments.uid, target, arguments.reason)))
        case "activation-code":
            answer(with_idp(lambda found, db: _new_code(found, db, arguments.uid)))
    return 0


async def _enrol(found: Deployment, db: Database, enrolment: Enrolment) -> Any:
    settings = found.idp_settings()
    return await enrol(
        db,
        Audit("idp"),
        Secrets(bytes.fromhex(settings.secret)),
        enrolment,
        officer=officer(),
        code_lifetime_s=settings.activation_code_lifetime_s,
        trust_frameworks=settings.trust_frameworks,
    )


async def _enrol_many(found: Deployment, db: Database, texts: list[bytes]) -> int:
    """Exit code 1 if a line was refused; the others are enrolled, and sending the file again enrols nobody twice
    whose line has an ``external_reference``."""
    progress = Progress("enrolling", len(texts))
    failed = 0
    async for number, result in _results(found, db, texts):
        failed += "error" in result
        answer_line({"line": number, **result})
        progress.step()
    progress.finish()
    say(f"{len(texts) - failed} enrolled, {failed} refused")
    return 1 if failed else 0


async def _results(found: Deployment, db: Database, texts: list[bytes]) -> AsyncIterator[tuple[int, dict[str, Any]]]:
    """A few at a time, answered in the order of the lines."""
    for start in range(0, len(texts), AT_ONCE):
        batch = texts[start : start + AT_ONCE]
        answers = await asyncio.gather(*(_one(found, db, text, start + place) for place, text in enumerate(batch, 1)))
        for place, result in enumerate(answers, 1):
            yield start + place, result


async def _one(found: Deployment, db: Database, text: bytes, number: int) -> dict[str, Any]:
    try:
        enrolled = await _enrol(found, db, decoded(text, Enrolment, where=f"line {number}"))
    except CommandRefused as refused:
        return {"error": refused.code, "detail": refused.sentence}
    except Refusal as refused:
        return {"error": refused.code, "detail": refused.detail or refused.title}
    built = msgspec.to_builtins(enrolled)
    assert isinstance(built, dict)
    return built


async def _find(db: Database, uid: str) -> Citizen:
    citizen = await store.by_uid(db, uid)
    if citizen is None:
        raise UnknownCitizen
    return citizen


async def _look(db: Database, uid: str, reason: str) -> Citizen:
    return await read_record(db, Audit("idp"), uid, officer=officer(), reason=reason)


def _shown(citizen: Citizen) -> dict[str, Any]:
    return {
        "uid": citizen.uid,
        "citizen_id": citizen.citizen_id,
        "state": citizen.state,
        "proofing": citizen.proofing,
        "locale": citizen.locale,
        "claims": citizen.claims,
        "updated_at": citizen.updated_at,
    }


async def _change(db: Database, uid: str, change: Any, reason: str) -> str:
    return await change_state(db, Audit("idp"), uid, change, actor_kind="officer", actor=officer(), reason=reason)


def _thawed(service: str | None, authenticator: str | None) -> Service | Authenticator:
    if service and not authenticator:
        return Service(service)
    if authenticator and not service:
        return Authenticator(authenticator)
    raise CommandRefused("arguments", "either --service or --authenticator")


async def _thaw(
    found: Deployment, db: Database, uid: str, target: Service | Authenticator, reason: str
) -> dict[str, str]:
    citizen = await _find(db, uid)
    parts = Freezing(audit=Audit("idp"), post=post_of(found.idp_settings()))
    async with db.transaction() as tx:
        await thaw(
            tx,
            parts,
            citizen.citizen_id,
            target,
            signed_in_at=None,
            actor_kind="officer",
            actor=officer(),
            because=reason,
        )
    return {"uid": uid, "thawed": name_of(target)}


async def _new_code(found: Deployment, db: Database, uid: str) -> dict[str, str]:
    citizen = await _find(db, uid)
    settings = found.idp_settings()
    async with db.transaction() as tx:
        code = await issue.issue(
            tx,
            Secrets(bytes.fromhex(settings.secret)),
            citizen.citizen_id,
            lifetime_s=settings.activation_code_lifetime_s,
        )
    return {"uid": uid, "activation_code": code}
