import argparse

from khizana.databases import with_locker
from khizana.deployment import officer
from khizana.input import read_json
from khizana.say import answer
from kit.audit import Audit
from locker.catalogue import store
from locker.catalogue.register_type import register_type
from locker.catalogue.schema import TypeRegistration

PAGE = 100


def arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", required=True)
    registering = verbs.add_parser("register", help="make or change a document type to what the file says")
    registering.add_argument("--file", required=True, help="JSON, or - for standard input")
    listing = verbs.add_parser("list")
    listing.add_argument("--after", default="", help="the last type of the page before")


def run(arguments: argparse.Namespace) -> int:
    if arguments.verb == "list":
        answer({"types": with_locker(lambda _, db: store.listed(db, after=arguments.after, limit=PAGE))})
        return 0
    registration = read_json(arguments.file, TypeRegistration)
    answer(with_locker(lambda _, db: register_type(db, Audit("locker"), registration, officer=officer())))
    return 0
