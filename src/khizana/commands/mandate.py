"""``mandate record --file mandate.json``: what a court, a law or a notary decided, with its reference."""

import argparse
from typing import Any
from uuid import UUID

import msgspec

from idp.citizens.find import find_by_uid
from idp.citizens.refusals import UnknownCitizen
from idp.mandates import store
from idp.mandates.end import end_at_desk
from idp.mandates.record import record
from idp.mandates.refusals import UnknownMandate
from idp.mandates.schema import Mandating, Record
from khizana.databases import with_idp
from khizana.deployment import Deployment, officer, post_of
from khizana.input import read_json
from khizana.say import answer
from kit.audit import Audit
from kit.db import Database

_LINES_MAX = 1_000


def arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", required=True)
    recording = verbs.add_parser("record", help="one JSON object: represented, actor, kind, legal_reference, …")
    recording.add_argument("--file", required=True, help="*.json, or - for standard input")
    ending = verbs.add_parser("end", help="at once, with every token that came of it")
    ending.add_argument("mandate_id")
    ending.add_argument("--reason", required=True)
    listing = verbs.add_parser("list", help="mandates of one citizen, on either side")
    listing.add_argument("uid")


def run(arguments: argparse.Namespace) -> int:
    match arguments.verb:
        case "record":
            wanted = read_json(arguments.file, Record)
            answer(with_idp(lambda found, db: _record(found, db, wanted)))
        case "end":
            answer(with_idp(lambda found, db: _end(found, db, arguments.mandate_id, arguments.reason)))
        case "list":
            answer(with_idp(lambda _, db: _list(db, arguments.uid)))
    return 0


def _parts(found: Deployment) -> Mandating:
    return Mandating(audit=Audit("idp"), post=post_of(found.idp_settings()))


async def _record(found: Deployment, db: Database, wanted: Record) -> dict[str, Any]:
    years = found.idp_settings().majority_years
    async with db.transaction() as tx:
        mandate_id = await record(tx, _parts(found), wanted, officer=officer(), majority_years=years)
    return {"mandate_id": mandate_id}


async def _end(found: Deployment, db: Database, text: str, reason: str) -> dict[str, Any]:
    try:
        mandate_id = UUID(text)
    except ValueError:
        raise UnknownMandate from None
    async with db.transaction() as tx:
        await end_at_desk(tx, _parts(found), mandate_id, officer=officer(), reason=reason)
    return {"mandate_id": mandate_id, "ended": True}


async def _list(db: Database, uid: str) -> list[dict[str, Any]]:
    citizen = await find_by_uid(db, uid)
    if citizen is None:
        raise UnknownCitizen
    lines = await store.select_of_citizen(db, citizen.citizen_id, count_max=_LINES_MAX)
    return [
        {name: value for name, value in msgspec.structs.asdict(line).items() if name != "other_claims"}
        for line in lines
    ]
