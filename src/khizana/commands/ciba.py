"""Answer back-channel requests by command, for tests of relying parties: never in production, where citizens answer."""

import argparse
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import idp
from idp import wiring as parts
from idp.backchannel.answer_for import allow_for, deny_for
from idp.backchannel.schema import WaitingService
from idp.backchannel.waiting import all_waiting, find_by_digest
from idp.wiring import Wiring
from khizana.cli import CommandRefused
from khizana.databases import with_idp
from khizana.deployment import Deployment
from khizana.say import answer
from kit.db import Database
from kit.pages import Pages
from kit.tokens import digest


def arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("list", help="requests that wait, without their auth_req_id: that is the client's alone")
    for name, what in (
        ("approve", "as if the citizen allowed everything"),
        ("deny", "as if the citizen refused"),
    ):
        verbs.add_parser(name, help=what).add_argument("auth_req_id")


def run(arguments: argparse.Namespace) -> int:
    match arguments.verb:
        case "list":
            answer({"requests": with_idp(_list)})
        case "approve":
            answer(with_idp(lambda found, db: _answer(found, db, arguments.auth_req_id, allow_for)))
        case "deny":
            answer(with_idp(lambda found, db: _answer(found, db, arguments.auth_req_id, deny_for)))
    return 0


async def _list(found: Deployment, db: Database) -> list[dict[str, Any]]:
    _not_in_production(found)
    return [_shown(waiting) for waiting in await all_waiting(db)]


async def _answer(
    found: Deployment, db: Database, auth_req_id: str, act: Callable[[Wiring, WaitingService], Awaitable[None]]
) -> dict[str, Any]:
    _not_in_production(found)
    waiting = await find_by_digest(db, digest(auth_req_id))
    if waiting is None:
        raise CommandRefused("unknown-request", "no request with this auth_req_id waits")
    wiring = await parts.connect(
        found.idp_settings(), Pages({"idp": Path(idp.__file__).parent}, static_prefix="/idp/static")
    )
    try:
        await act(wiring, waiting)
    finally:
        await parts.close(wiring)
    return {**_shown(waiting), "allowed": act is allow_for}


def _not_in_production(found: Deployment) -> None:
    if found.production:
        raise CommandRefused("production", "in production citizens answer for themselves")


def _shown(waiting: WaitingService) -> dict[str, Any]:
    return {
        "request_id": waiting.request_id,
        "client_id": waiting.client_id,
        "scope": " ".join(waiting.request.scopes),
        "binding_message": waiting.binding_message,
        "number": waiting.number,
        "expires_at": waiting.expires_at,
    }
