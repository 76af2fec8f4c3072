import argparse

import msgspec

from idp.purposes import register_purpose as at_sign_in
from idp.purposes.schema import DocumentPurpose
from khizana.databases import with_idp, with_locker
from khizana.deployment import officer
from khizana.input import read_json
from khizana.say import answer
from kit.audit import Audit
from locker.requests import store
from locker.requests.register_purpose import register_purpose, withdraw_purpose
from locker.requests.schema import PurposeRegistration

_LISTED_MAX = 1_000


def arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", required=True)
    registering = verbs.add_parser("register", help="make or change a purpose, at the provider and at the locker")
    registering.add_argument("--file", required=True, help="JSON, or - for standard input")
    withdrawing = verbs.add_parser("withdraw", help="requests that wait for an answer end with it")
    withdrawing.add_argument("client_id")
    withdrawing.add_argument("purpose_id")
    verbs.add_parser("list")


def run(arguments: argparse.Namespace) -> int:
    """Both say the same; where one fails, the command is given again."""
    audit = Audit("locker")
    if arguments.verb == "list":
        answer({"purposes": with_locker(lambda _, db: store.purposes(db, limit=_LISTED_MAX))})
    elif arguments.verb == "withdraw":
        one = {"client_id": arguments.client_id, "purpose_id": arguments.purpose_id}
        with_idp(lambda _, db: at_sign_in.withdraw_purpose(db, Audit("idp"), officer=officer(), **one))
        with_locker(lambda _, db: withdraw_purpose(db, audit, officer=officer(), **one))
        answer({**one, "withdrawn": True})
    else:
        new = read_json(arguments.file, PurposeRegistration)
        said = msgspec.to_builtins(new)
        del said["names"]
        same = msgspec.convert(said, DocumentPurpose)
        version = with_locker(lambda _, db: register_purpose(db, audit, new, officer=officer()))
        with_idp(lambda _, db: at_sign_in.register_purpose(db, Audit("idp"), same, officer=officer()))
        answer({"client_id": new.client_id, "purpose_id": new.purpose_id, "version": version})
    return 0
