import argparse

from khizana.databases import opened_vault, with_locker
from khizana.deployment import Deployment, officer
from khizana.say import answer
from kit.audit import Audit
from kit.db import Database
from locker.retention import store
from locker.retention.hold import place_hold, release_hold

_LISTED_MAX = 1_000


def arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb, what in (("place", "neither retention nor erasure takes the document"), ("release", "the hold is over")):
        one = verbs.add_parser(verb, help=what)
        one.add_argument("document_id")
        one.add_argument("--reference", required=True, help="of the order")
    verbs.add_parser("list", help="all holds, the oldest first")


def run(arguments: argparse.Namespace) -> int:
    if arguments.verb == "list":
        answer({"holds": with_locker(lambda _, db: store.holds(db, limit=_LISTED_MAX))})
        return 0
    with_locker(lambda found, db: _change(found, db, arguments))
    answer({"document_id": arguments.document_id, "reference": arguments.reference, "held": arguments.verb == "place"})
    return 0


async def _change(found: Deployment, db: Database, arguments: argparse.Namespace) -> None:
    audit, what = Audit("locker"), {"document_id": arguments.document_id, "reference": arguments.reference}
    if arguments.verb == "release":
        await release_hold(db, audit, officer=officer(), **what)
        return
    async with opened_vault(db, found.locker_settings()) as vault:
        await place_hold(db, audit, vault, officer=officer(), **what)
