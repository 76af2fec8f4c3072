import argparse

from idp.authorization.details import TYPES
from idp.clients import store
from idp.clients.register_resource import register_resource
from khizana.databases import with_idp
from khizana.deployment import officer
from khizana.say import answer
from kit.audit import Audit


def arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", required=True)
    registering = verbs.add_parser("register", help="a resource server: access tokens with its scopes are for it")
    registering.add_argument("resource", help="its identifier, an https address (RFC 8707)")
    registering.add_argument("--name", required=True)
    registering.add_argument("--scope", action="append", required=True, help="as often as it has scopes")
    registering.add_argument("--sector", help="in which it knows citizens; without it, by each client's own sub")
    registering.add_argument(
        "--details-type", action="append", choices=TYPES, default=[], help="of authorization details that it consumes"
    )
    verbs.add_parser("list")


def run(arguments: argparse.Namespace) -> int:
    if arguments.verb == "list":
        answer({"resources": [dict(row) for row in with_idp(lambda _, db: store.select_resources(db))]})
        return 0
    with_idp(
        lambda _, db: register_resource(
            db,
            Audit("idp"),
            arguments.resource,
            name=arguments.name,
            scopes=arguments.scope,
            sector=arguments.sector,
            details_types=arguments.details_type,
            officer=officer(),
        )
    )
    answer({"resource": arguments.resource, "name": arguments.name, "scopes": arguments.scope})
    return 0
