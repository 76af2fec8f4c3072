"""``client register --file client.json``: RFC 7591 metadata and what only an operator decides."""

import argparse
import time
from typing import Any, get_args
from uuid import UUID

import msgspec

from idp.clients import store
from idp.clients.profiles import with_defaults
from idp.clients.register import register, update
from idp.clients.rotate_secret import rotate_secret
from idp.clients.schema import Acr, ClientMetadata, ClientRegistration, Profile
from idp.keys.place import place_of
from idp.keys.ring import NEEDED, KeyPlace
from idp.registration.invite import invite, withdraw
from khizana.cli import CommandRefused
from khizana.databases import with_idp
from khizana.deployment import Deployment, deployment, officer
from khizana.input import decoded, read_json
from khizana.prepare import locker_client
from khizana.say import answer
from kit.audit import Audit, AuditEvent
from kit.db import Database, Row, Tx
from kit.jose import Algorithm, LocalKeySet, SigningKey
from kit.outbound.fetch import Fetcher

PAGE = 100
_SECRETS = ("secret_sha256", "previous_secret_sha256", "previous_secret_until")
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", required=True)
    for name, what in (("register", "a new client"), ("update", "replace a client's metadata; its secret stays")):
        reading = verbs.add_parser(name, help=what)
        reading.add_argument("--file", required=True, help="JSON, or - for standard input")
    listing = verbs.add_parser("list", help="all clients, a page at a time")
    listing.add_argument("--after", default="", help="the last client_id of the page before")
    showing = verbs.add_parser("show")
    showing.add_argument("client_id")
    locker = verbs.add_parser("for-locker", help="what to register the locker with; run it where the locker's keys are")
    locker.add_argument("--legal-ground", required=True, help="the text that lets the locker resolve identifiers")
    inviting = verbs.add_parser("invite", help="an initial access token, with which clients register themselves")
    inviting.add_argument("--profile", choices=get_args(Profile), default="fapi2")
    inviting.add_argument("--sector", help="of all its clients; without it each client's is that of its own hosts")
    inviting.add_argument("--scope", default="openid", help="what they may ask for at most, separated by spaces")
    inviting.add_argument("--acr", choices=get_args(Acr), default="substantial", help="the lowest level they may name")
    inviting.add_argument("--uses", type=int, default=1, help="how many clients (1)")
    inviting.add_argument("--lifetime", type=seconds, default="7d", help="as 90s, 30m, 24h or 7d (7d)")
    withdrawing = verbs.add_parser("withdraw-invitation", help="it registers nobody any more; its clients stay")
    withdrawing.add_argument("invitation_id", type=UUID)
    rotating = verbs.add_parser("rotate-secret", help="a new secret; the present one stays good for a while")
    rotating.add_argument("client_id")
    rotating.add_argument("--overlap", type=seconds, default="24h", help="as 90s, 30m, 24h or 7d (24h)")
    for name in ("disable", "enable"):
        verbs.add_parser(name).add_argument("client_id")


def run(arguments: argparse.Namespace) -> int:
    match arguments.verb:
        case "register" | "update":
            members = with_defaults(read_json(arguments.file, dict[str, Any]))
            registration = decoded(msgspec.json.encode(members), ClientRegistration, where=arguments.file)
            action = register if arguments.verb == "register" else update

            async def act(found: Deployment, db: Database) -> Any:
                settings = found.idp_settings()
                fetcher, place = Fetcher.of(settings), place_of(settings)
                try:
                    return await action(
                        db,
                        Audit("idp"),
                        registration,
                        officer=officer(),
                        production=found.production,
                        fetcher=fetcher,
                        signs_with=await _signs_with(place),
                    )
                finally:
                    place.close()
                    fetcher.close()

            answer(with_idp(act))
        case "list":
            rows = with_idp(lambda _, db: store.select_clients(db, after=arguments.after, limit=PAGE))
            answer({"clients": [_without_secret(row) for row in rows]})
        case "show":
            answer(_shown(with_idp(lambda _, db: _find(db, arguments.client_id))))
        case "for-locker":
            with deployment() as found:
                answer(_for_locker(found, arguments.legal_ground))
        case "invite":
            answer(
                with_idp(
                    lambda _, db: invite(
                        db,
                        Audit("idp"),
                        profile=arguments.profile,
                        sector=arguments.sector,
                        scopes=arguments.scope.split(),
                        acr=arguments.acr,
                        uses=arguments.uses,
                        lifetime_s=arguments.lifetime,
                        officer=officer(),
                    )
                )
            )
        case "withdraw-invitation":
            with_idp(lambda _, db: withdraw(db, Audit("idp"), arguments.invitation_id, officer=officer()))
            answer({"invitation_id": arguments.invitation_id, "withdrawn": True})
        case "rotate-secret":
            answer(
                with_idp(
                    lambda _, db: rotate_secret(
                        db, Audit("idp"), arguments.client_id, overlap_s=arguments.overlap, officer=officer()
                    )
                )
            )
        case "disable" | "enable":
            state = "disabled" if arguments.verb == "disable" else "active"
            with_idp(lambda _, db: _set_state(db, arguments.client_id, state))
            answer({"client_id": arguments.client_id, "state": state})
    return 0


def seconds(text: str) -> int:
    number, unit = text[:-1], text[-1:]
    if unit not in _UNITS or not number.isdecimal():
        raise argparse.ArgumentTypeError("a number and s, m, h or d")
    return int(number) * _UNITS[unit]


async def _signs_with(place: KeyPlace) -> set[Algorithm]:
    """Those that every provider has among them: a client may be registered before the first keys are made."""
    now = time.time()
    return {*NEEDED, *(placed.alg for placed in await place.read() if placed.activates_at <= now)}


async def _find(db: Database, client_id: str) -> Row:
    row = await store.select_client(db, client_id, known_revision=-1)
    if row is None:
        raise CommandRefused("unknown-client", "there is no client with this client_id")
    return row


def _without_secret(row: Row) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in _SECRETS}


def _shown(row: Row) -> dict[str, Any]:
    """With every default spelled out."""
    shown = _without_secret(row)
    shown["metadata"] = msgspec.to_builtins(msgspec.convert(row["metadata"], ClientMetadata))
    return shown


def _for_locker(found: Deployment, legal_ground: str) -> dict[str, Any]:
    settings = found.locker_settings()
    key = SigningKey.load_or_create(settings.keys_folder / "client-ES256.pem", "ES256")
    return locker_client(settings.client_id, settings.locker_url, LocalKeySet([key]).jwks(), legal_ground=legal_ground)


async def _set_state(db: Database, client_id: str, state: str) -> None:
    async def record(tx: Tx) -> None:
        if not await store.set_state(tx, client_id, state):
            raise CommandRefused("unknown-client", "there is no client with this client_id")
        event = AuditEvent(
            action="client.disabled" if state == "disabled" else "client.enabled",
            actor_kind="officer",
            actor=officer(),
            object_id=client_id,
        )
        await Audit("idp").append(tx, event)

    await db.transact(record)
