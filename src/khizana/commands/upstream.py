"""``upstream register --file upstream.json``: another OpenID provider that citizens may sign in through."""

import argparse
from typing import Any

from idp.keys.secrets import Secrets
from idp.upstream import store
from idp.upstream.providers import Providers
from idp.upstream.register import register, set_state
from idp.upstream.schema import RegistrationInput
from idp.upstream.wire import opened
from khizana.databases import with_idp
from khizana.deployment import Deployment, officer
from khizana.input import read_json
from khizana.say import answer
from kit.audit import Audit
from kit.db import Database


def arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", required=True)
    registering = verbs.add_parser("register", help="make one, or change the one with this slug; its key stays")
    registering.add_argument("--file", required=True, help="JSON, or - for standard input")
    verbs.add_parser("list")
    for name, what in (
        ("disable", "nobody signs in through it, and the sessions that began there end"),
        ("enable", "as before"),
    ):
        verbs.add_parser(name, help=what).add_argument("slug")


def run(arguments: argparse.Namespace) -> int:
    match arguments.verb:
        case "register":
            wanted = read_json(arguments.file, RegistrationInput)
            answer(with_idp(lambda found, db: _register(found, db, wanted)))
        case "list":
            rows = with_idp(lambda _, db: store.select_upstreams(db))
            answer({"upstreams": [dict(row) for row in rows]})
        case "disable" | "enable":
            enabled = arguments.verb == "enable"
            with_idp(lambda _, db: set_state(db, Audit("idp"), arguments.slug, enabled=enabled, officer=officer()))
            answer({"slug": arguments.slug, "state": "active" if enabled else "disabled"})
    return 0


async def _register(found: Deployment, db: Database, wanted: RegistrationInput) -> dict[str, Any]:
    settings = found.idp_settings()
    return await register(
        db,
        Audit("idp"),
        Providers(
            Secrets(bytes.fromhex(settings.secret)),
            wire=opened(ca_file=settings.outbound_ca_file),
            loopback_allowed=settings.outbound_loopback,
        ),
        wanted,
        our_issuer=settings.issuer,
        loopback_allowed=settings.outbound_loopback,
        officer=officer(),
    )
