import argparse

from khizana.cli import CommandRefused
from khizana.databases import with_locker
from khizana.deployment import officer
from khizana.input import pem_blocks, read_json
from khizana.say import answer
from kit.audit import Audit
from kit.db import Database
from locker.administrations import store
from locker.administrations.register import register
from locker.administrations.schema import AdministrationRegistered, AdministrationRegistration
from locker.administrations.suspend import resume, suspend


def arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", required=True)
    registering = verbs.add_parser("register", help="make or change an administration to what the file says")
    registering.add_argument("--file", required=True, help="JSON, or - for standard input")
    registering.add_argument(
        "--seal-certificate", action="append", default=[], metavar="PEM", help="added to those of the file"
    )
    showing = verbs.add_parser("show")
    showing.add_argument("administration")
    suspending = verbs.add_parser("suspend", help="from the next request on it may do nothing here")
    suspending.add_argument("administration")
    suspending.add_argument("--reason", required=True)
    resuming = verbs.add_parser("resume")
    resuming.add_argument("administration")


def run(arguments: argparse.Namespace) -> int:
    audit = Audit("locker")
    match arguments.verb:
        case "register":
            registration = _with_certificates(
                read_json(arguments.file, AdministrationRegistration), arguments.seal_certificate
            )
            answer(with_locker(lambda _, db: register(db, audit, registration, officer=officer())))
        case "show":
            answer(with_locker(lambda _, db: _find(db, arguments.administration)))
        case "suspend":
            with_locker(
                lambda _, db: suspend(db, audit, arguments.administration, reason=arguments.reason, officer=officer())
            )
            answer({"administration": arguments.administration, "state": "suspended"})
        case "resume":
            with_locker(lambda _, db: resume(db, audit, arguments.administration, officer=officer()))
            answer({"administration": arguments.administration, "state": "active"})
    return 0


def _with_certificates(registration: AdministrationRegistration, files: list[str]) -> AdministrationRegistration:
    return AdministrationRegistration(
        administration=registration.administration,
        names=registration.names,
        clients=registration.clients,
        types=registration.types,
        seal_certificates=[*registration.seal_certificates, *pem_blocks(files)],
        domains=registration.domains,
    )


async def _find(db: Database, administration: str) -> AdministrationRegistered:
    found = await store.registered(db, administration=administration)
    if found is None:
        raise CommandRefused("unknown-administration", "there is no administration of this identifier")
    return found
