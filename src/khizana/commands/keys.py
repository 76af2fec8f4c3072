"""Signing keys of the provider. A new key is published a day before it signs, so that nobody meets an unknown one."""

import argparse
import asyncio
import datetime as dt
from pathlib import Path
from typing import Any, cast

from idp.keys import ring
from khizana.databases import connected
from khizana.deployment import Deployment, deployment, officer
from khizana.say import answer
from kit.audit import Audit, AuditEvent
from kit.jose import ASYMMETRIC, Algorithm, SigningKey


def arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("list", help="the provider's signing keys, and when each starts to sign")
    making = verbs.add_parser("make", help="the first keys of a deployment; keeps what is there")
    making.add_argument("--alg", action="append", choices=ASYMMETRIC, help="default: ES256 and RS256")
    rotating = verbs.add_parser("rotate", help="announce the next key; it signs from tomorrow")
    rotating.add_argument("--alg", action="append", choices=ASYMMETRIC, help="default: ES256 and RS256")
    rotating.add_argument("--at-once", action="store_true", help="after a theft: the new key signs from now on")
    verbs.add_parser("retire", help="remove keys whose last token has expired")


def run(arguments: argparse.Namespace) -> int:
    with deployment() as found:
        folder = found.idp_settings().keys_folder
        match arguments.verb:
            case "list":
                answer({"keys": _listed(folder)})
            case "make":
                made = [
                    ring.create(folder, alg) for alg in _algorithms(arguments) if not any(folder.glob(f"{alg}-*.pem"))
                ]
                _done(found, "keys.made", made)
            case "rotate":
                now = int(dt.datetime.now(dt.UTC).timestamp())
                fresh = [
                    ring.create(folder, alg, activates_at=now) if arguments.at_once else ring.rotate(folder, alg)
                    for alg in _algorithms(arguments)
                ]
                _done(found, "keys.rotated", fresh)
            case "retire":
                settings = found.idp_settings()
                longest = max(settings.access_token_lifetime_s, settings.code_lifetime_s, 3_600)
                _done(found, "keys.retired", ring.retire(folder, longest_token_lifetime_s=longest))
    return 0


def _algorithms(arguments: argparse.Namespace) -> list[Algorithm]:
    return cast("list[Algorithm]", arguments.alg or ["ES256", "RS256"])


def _listed(folder: Path) -> list[dict[str, Any]]:
    listed = []
    for path in sorted(folder.glob("*-*.pem")):
        alg, at = path.stem.split("-", 1)
        key = SigningKey.load(path, cast("Algorithm", alg))
        listed.append({"kid": key.kid, "alg": alg, "signs_from": dt.datetime.fromtimestamp(int(at), dt.UTC)})
    return listed


def _done(found: Deployment, action: str, files: list[Path]) -> None:
    names = [path.name for path in files]

    async def record() -> None:
        async with connected(found.idp_settings().database_url) as db:
            event = AuditEvent(action=action, actor_kind="officer", actor=officer(), detail={"keys": names})
            await Audit("idp").append(db, event)

    if names:
        asyncio.run(record())
    answer({"action": action, "keys": names})
