"""Signing keys of the provider and of the locker: a new key is published a day before it signs, so that nobody meets an
unknown one. And the keys under which the locker keeps documents: docs/keys.md."""

import argparse
import asyncio
import datetime as dt
import os
import time
from pathlib import Path
from typing import Any, Literal, cast, get_args

import msgspec

from idp.keys import rotate
from idp.keys.place import place_of
from idp.keys.ring import KeyPlace
from idp.settings import IdpSettings
from khizana.cli import CommandRefused
from khizana.databases import connected, with_locker
from khizana.deployment import Deployment, deployment, officer
from khizana.say import Progress, answer, say
from kit.audit import Audit, AuditEvent
from kit.clock import check_clock
from kit.db import Database
from kit.jose import ASYMMETRIC, Algorithm
from locker.settings import LockerSettings
from locker.signing import rotate as signing
from locker.signing.folder import read
from locker.vault.keys import Keys, MasterKeyMissing
from locker.vault.masters import make_next, masters_of, retire
from locker.vault.rewrap_all import rewrap_all

_OF_THE_VAULT = {"rewrap", "rotate-master", "retire-master"}
Of = Literal["idp", "locker", "verification"]


def arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", required=True)
    listing = verbs.add_parser("list", help="signing keys, and when each starts to sign")
    making = verbs.add_parser("make", help="the first keys of a deployment; keeps what is there")
    making.add_argument("--alg", action="append", choices=ASYMMETRIC, help="default: all four")
    rotating = verbs.add_parser("rotate", help="announce the next key; it signs from tomorrow")
    rotating.add_argument("--alg", action="append", choices=ASYMMETRIC, help="default: those that there are")
    rotating.add_argument("--at-once", action="store_true", help="after a theft: the new key signs from now on")
    retiring = verbs.add_parser(
        "retire", help="remove keys whose last token has expired; the locker's: the private halves of former keys"
    )
    withdrawing = verbs.add_parser("withdraw", help="after a theft: what this key signed is refused from now on")
    withdrawing.add_argument("kid")
    withdrawing.add_argument(
        "--since",
        metavar="TIME",
        type=_moment,
        help="the locker's: when the key may have been stolen (RFC 3339; default: now); what the log has from before"
        " is still believed",
    )
    for one in (listing, making, rotating, retiring, withdrawing):
        one.add_argument(
            "--of",
            choices=get_args(Of),
            default="idp",
            help="whose: the provider's (default), the locker's, or those of verification alone",
        )
    rewrapping = verbs.add_parser(
        "rewrap", help="the locker's: all keys under this month's, and what is over destroyed"
    )
    rewrapping.add_argument("--batch", type=int, default=500, choices=range(1, 10_001), metavar="KEYS")
    rewrapping.add_argument("--dry-run", action="store_true", help="how many there are to move")
    verbs.add_parser("rotate-master", help="the locker's: a new master key; then: khizana keys rewrap")
    verbs.add_parser("retire-master", help="the locker's: destroy former master keys that no backup needs any more")


def run(arguments: argparse.Namespace) -> int:
    if arguments.verb in _OF_THE_VAULT:
        try:
            answer(with_locker(lambda found, db: _of_the_vault(found.locker_settings(), db, arguments)))
        except MasterKeyMissing as missing:
            sentence = f"{missing}; bring back its file (master-<id>.key in the keys folder) or its device"
            raise CommandRefused("master-key-missing", sentence) from None
        return 0
    if arguments.of != "idp":
        answer(_of_signing(arguments))
        return 0
    if arguments.verb == "withdraw" and arguments.since is not None:
        raise CommandRefused("of-the-locker", "--since is for keys whose signatures are filed: --of locker")
    with deployment() as found:
        return asyncio.run(_run(found, arguments))


async def _run(found: Deployment, arguments: argparse.Namespace) -> int:
    settings = found.idp_settings()
    place = place_of(settings)
    try:
        match arguments.verb:
            case "list":
                answer({"keys": await _listed(place)})
            case "make":
                await _done(settings, "keys.made", await rotate.make(place, _algorithms(arguments) or ASYMMETRIC))
            case "rotate":
                algorithms = _algorithms(arguments) or sorted({one.alg for one in await place.read()})
                make_next = rotate.replace if arguments.at_once else rotate.announce
                await _done(settings, "keys.rotated", [await make_next(place, alg) for alg in algorithms])
            case "retire":
                async with connected(settings.database_url) as db:
                    await check_clock(db)
                retired = await rotate.retire(place, longest_token_lifetime_s=settings.longest_token_lifetime_s)
                await _done(settings, "keys.retired", retired)
            case "withdraw":
                await _done(settings, "keys.withdrawn", [await rotate.withdraw(place, arguments.kid)])
    finally:
        place.close()
    return 0


async def _of_the_vault(settings: LockerSettings, db: Database, arguments: argparse.Namespace) -> dict[str, Any]:
    masters, audit = masters_of(settings), Audit("locker")
    keys = Keys(db, masters)
    try:
        match arguments.verb:
            case "rewrap" if arguments.dry_run:
                return {"action": "keys.rewrapped", "dry_run": True, "behind": await keys.count_behind()}
            case "rewrap":
                behind = await keys.count_behind()
                progress = Progress("wrapping again", behind) if behind else None
                done = await rewrap_all(keys, audit, db, officer=officer(), batch_max=arguments.batch, told=progress)
                if progress:
                    progress.finish()
                if done.unreadable:
                    say(f"{done.unreadable} citizen keys are not what their epoch wrapped: the lines above name them")
                return {"action": "keys.rewrapped", **msgspec.structs.asdict(done)}
            case "rotate-master":
                action, ids = "keys.master-rotated", [await make_next(settings, masters)]
                say("next: copy master.key and master-*.key to each node (a device needs nothing), khizana keys rewrap")
            case _:
                await check_clock(db)
                needed = await keys.masters_needed()
                action, ids = "keys.master-retired", await retire(settings, masters, needed=needed)
        if ids:
            event = AuditEvent(action=action, actor_kind="officer", actor=officer(), detail={"masters": ids})
            await audit.append(db, event)
        return {"action": action, "masters": ids}
    finally:
        keys.close()


def _of_signing(arguments: argparse.Namespace) -> dict[str, Any]:
    """What signs receipts, answers and exports."""
    if getattr(arguments, "alg", None) not in (None, ["ES256"]):
        raise CommandRefused("alg", "these sign with ES256 alone")
    if arguments.of == "verification":
        # It has no database, so nothing to record it in.
        return _changed_signing(Deployment(dict(os.environ)).verification_settings().keys_folder, arguments)

    async def with_record(found: Deployment, db: Database) -> dict[str, Any]:
        if arguments.verb == "retire":
            await check_clock(db)
        said = _changed_signing(found.locker_settings().keys_folder, arguments)
        if "action" in said and said["keys"]:
            event = AuditEvent(
                action=said["action"], actor_kind="officer", actor=officer(), detail={"keys": said["keys"]}
            )
            await Audit("locker").append(db, event)
        return said

    return with_locker(with_record)


def _changed_signing(folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    match arguments.verb:
        case "list":
            return {"keys": _listed_signing(folder)}
        case "make":
            action, names = "keys.made", signing.make(folder)
        case "rotate":
            action, names = "keys.rotated", (signing.replace if arguments.at_once else signing.announce)(folder)
            say(f"next: copy the keys folder to each node{', now' if arguments.at_once else ' before it signs'}")
        case "retire":
            action, names = "keys.retired", signing.retire(folder)
            say("next: the same on each node that has a folder of its own")
        case _:
            since = int(time.time()) if arguments.since is None else arguments.since
            action, names = "keys.withdrawn", signing.withdraw(folder, arguments.kid, since=since)
            say("next: copy the keys folder to each node, now, then there: khizana keys retire")
    return {"action": action, "keys": names}


def _listed_signing(folder: Path) -> list[dict[str, object]]:
    placed, now = list(read(folder, {}).values()), time.time()
    signs = next((one for one in placed if one.signs_at(now)), None)
    return [
        {
            "kid": one.key.kid,
            "alg": one.key.alg,
            "signs_from": dt.datetime.fromtimestamp(one.activates_at, dt.UTC) if one.activates_at else None,
            "state": "distrusted"
            if one.distrusted_from is not None
            else "announced"
            if one.activates_at > now
            else "signs"
            if one is signs
            else "verifies",
            "distrusted_from": None
            if one.distrusted_from is None
            else dt.datetime.fromtimestamp(one.distrusted_from, dt.UTC),
        }
        for one in placed
    ]


def _moment(text: str) -> int:
    """Seconds since 1970, not of the future."""
    try:
        at = dt.datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError("a date-time of RFC 3339, as 2026-11-28T12:00:00Z") from None
    if at.tzinfo is None or at > dt.datetime.now(dt.UTC):
        raise argparse.ArgumentTypeError("a past moment with its zone, as 2026-11-28T12:00:00Z")
    return int(at.timestamp())


def _algorithms(arguments: argparse.Namespace) -> list[Algorithm] | None:
    return cast("list[Algorithm] | None", arguments.alg)


async def _listed(place: KeyPlace) -> list[dict[str, object]]:
    placed, now = await place.read(), time.time()
    return [
        {
            "kid": one.key.kid,
            "alg": one.alg,
            "signs_from": dt.datetime.fromtimestamp(one.activates_at, dt.UTC),
            "state": "announced"
            if one.activates_at > now
            else "signs"
            if one.activates_at == max(o.activates_at for o in placed if o.alg == one.alg and o.activates_at <= now)
            else "verifies",
        }
        for one in placed
    ]


async def _done(settings: IdpSettings, action: str, names: list[str]) -> None:
    if names:
        async with connected(settings.database_url) as db:
            event = AuditEvent(action=action, actor_kind="officer", actor=officer(), detail={"keys": names})
            await Audit("idp").append(db, event)
    answer({"action": action, "keys": names})
