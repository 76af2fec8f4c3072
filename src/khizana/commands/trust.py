"""The trust list: whom a signature may lead to, and what is known of revocation."""

import argparse

from khizana.databases import with_locker
from khizana.deployment import officer
from khizana.input import pem_blocks, read_json
from khizana.say import answer
from kit.audit import Audit
from locker.trust.add import add
from locker.trust.schema import TrustAddition
from locker.trust.withdraw import show, withdraw

_KINDS = {
    "anchor": "anchors",
    "time-stamp-anchor": "time_stamp_anchors",
    "responder": "responders",
    "intermediate": "intermediates",
    "crl": "crls",
    "ocsp": "ocsps",
}


def arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", required=True)
    adding = verbs.add_parser("add", help="believe more; what is there already stays")
    adding.add_argument("--file", help="JSON with all of it, or - for standard input")
    for option in _KINDS:
        adding.add_argument(f"--{option}", action="append", default=[], metavar="FILE", help="PEM or DER")
    withdrawing = verbs.add_parser("withdraw", help="stop believing an anchor")
    withdrawing.add_argument("sha256", help="of its DER form, hexadecimal")
    verbs.add_parser("show")


def run(arguments: argparse.Namespace) -> int:
    audit = Audit("locker")
    match arguments.verb:
        case "add":
            addition = read_json(arguments.file, TrustAddition) if arguments.file else TrustAddition()
            lists = {
                member: [
                    *getattr(addition, member),
                    *pem_blocks(getattr(arguments, option.replace("-", "_"))),
                ]
                for option, member in _KINDS.items()
            }
            complete = TrustAddition(**lists)
            answer(with_locker(lambda _, db: add(db, audit, complete, officer=officer())))
        case "withdraw":
            answer(with_locker(lambda _, db: withdraw(db, audit, arguments.sha256, officer=officer())))
        case "show":
            answer(with_locker(lambda _, db: show(db)))
    return 0
