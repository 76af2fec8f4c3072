"""Signing keys of the provider: a new key is published a day before it signs, so that nobody meets an unknown one.
And the keys under which the locker keeps documents: docs/keys.md."""

import argparse
import asyncio
import datetime as dt
import time
from typing import Any, cast

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
from kit.db import Database
from kit.jose import ASYMMETRIC, Algorithm
from locker.settings import LockerSettings
from locker.vault.keys import Keys, MasterKeyMissing
from locker.vault.masters import make_next, masters_of, retire
from locker.vault.rewrap_all import rewrap_all

_OF_THE_LOCKER = {"rewrap", "rotate-master", "retire-master"}


def arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("list", help="the provider's signing keys, and when each starts to sign")
    making = verbs.add_parser("make", help="the first keys of a deployment; keeps what is there")
    making.add_argument("--alg", action="append", choices=ASYMMETRIC, help="default: all four")
    rotating = verbs.add_parser("rotate", help="announce the next key; it signs from tomorrow")
    rotating.add_argument("--alg", action="append", choices=ASYMMETRIC, help="default: those that there are")
    rotating.add_argument("--at-once", action="store_true", help="after a theft: the new key signs from now on")
    verbs.add_parser("retire", help="remove keys whose last token has expired")
    withdrawing = verbs.add_parser("withdraw", help="after a theft: what this key signed is refused from now on")
    withdrawing.add_argument("kid")
    rewrapping = verbs.add_parser(
        "rewrap", help="the locker's: all keys under this month's, and what is over destroyed"
    )
    rewrapping.add_argument("--batch", type=int, default=500, choices=range(1, 10_001), metavar="KEYS")
    rewrapping.add_argument("--dry-run", action="store_true", help="how many there are to move")
    verbs.add_parser("rotate-master", help="the locker's: a new master key; then: khizana keys rewrap")
    verbs.add_parser("retire-master", help="the locker's: destroy former master keys that no backup needs any more")


def run(arguments: argparse.Namespace) -> int:
    if arguments.verb in _OF_THE_LOCKER:
        try:
            answer(with_locker(lambda found, db: _of_the_locker(found.locker_settings(), db, arguments)))
        except MasterKeyMissing as missing:
            sentence = f"{missing}; bring back its file (master-<id>.key in the keys folder) or its device"
            raise CommandRefused("master-key-missing", sentence) from None
        return 0
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
                retired = await rotate.retire(place, longest_token_lifetime_s=settings.longest_token_lifetime_s)
                await _done(settings, "keys.retired", retired)
            case "withdraw":
                await _done(settings, "keys.withdrawn", [await rotate.withdraw(place, arguments.kid)])
    finally:
        place.close()
    return 0


async def _of_the_locker(settings: LockerSettings, db: Database, arguments: argparse.Namespace) -> dict[str, Any]:
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
                needed = await keys.masters_needed()
                action, ids = "keys.master-retired", await retire(settings, masters, needed=needed)
        if ids:
            event = AuditEvent(action=action, actor_kind="officer", actor=officer(), detail={"masters": ids})
            await audit.append(db, event)
        return {"action": action, "masters": ids}
    finally:
        keys.close()


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
