import argparse
import datetime as dt
from typing import Any

import msgspec

from khizana.cli import CommandRefused
from khizana.databases import with_locker
from khizana.deployment import Deployment, officer
from khizana.say import answer
from kit.audit import Audit
from kit.db import Database
from kit.jobs.store import Jobs
from locker.administrations import store as administrations
from locker.webhooks.disable import disable, enable
from locker.webhooks.find import list_messages, list_webhooks
from locker.webhooks.register import register
from locker.webhooks.remove import remove
from locker.webhooks.replay import replay, send_test
from locker.webhooks.rotate import rotate
from locker.webhooks.schema import OF_ADMINISTRATIONS, OF_CLIENTS, Actor, NewWebhook, Owner, Replay
from locker.webhooks.sealed_keys import SealedKeys


def arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", required=True)
    adding = verbs.add_parser("add", help="tell an administration or a relying party; its keys are said once")
    owner = adding.add_mutually_exclusive_group(required=True)
    owner.add_argument("--administration")
    owner.add_argument("--client-id", help="a relying party")
    adding.add_argument("--url", required=True)
    adding.add_argument("--event", action="append", help="all that there are for it, if none is named")
    adding.add_argument(
        "--scheme", action="append", choices=("v1", "v1a"), help="v1: shared secret (default); v1a: Ed25519"
    )
    verbs.add_parser("list")
    messages = verbs.add_parser("messages", help="what was to be told, the newest first")
    messages.add_argument("--state", choices=("waiting", "delivered", "failed", "held"))
    messages.add_argument("--limit", type=int, default=50)
    rotating = verbs.add_parser("rotate", help="new keys, said once; the old ones sign beside them for a while")
    rotating.add_argument("--overlap-s", type=int, help="0 after a key was lost")
    replaying = verbs.add_parser("replay", help="send again, under the same webhook-id")
    replaying.add_argument("--message", metavar="ID")
    replaying.add_argument("--since", type=dt.datetime.fromisoformat, help="2026-11-28T18:00:00+00:00")
    replaying.add_argument("--until", type=dt.datetime.fromisoformat)
    replaying.add_argument("--delivered", action="store_true", help="also those that were taken")
    others = [verbs.add_parser(verb) for verb in ("disable", "enable", "remove", "test")]
    for verb in (messages, rotating, replaying, *others):
        verb.add_argument("webhook_id")


def run(arguments: argparse.Namespace) -> int:
    answer(with_locker(lambda found, db: _act(found, db, arguments)))
    return 0


async def _act(found: Deployment, db: Database, asked: argparse.Namespace) -> Any:
    audit, jobs, actor = Audit("locker"), Jobs("locker"), Actor(kind="officer", name=officer())
    settings = found.locker_settings()
    match asked.verb:
        case "add":
            owner = Owner(administration=asked.administration, client_id=asked.client_id)
            if asked.administration and not await administrations.registered(db, administration=asked.administration):
                raise CommandRefused("unknown-administration", "there is no administration of this identifier")
            events = asked.event or list(OF_ADMINISTRATIONS if asked.administration else OF_CLIENTS)
            return await register(
                db,
                audit,
                SealedKeys(settings.secret),
                NewWebhook(url=asked.url, events=events, schemes=tuple(asked.scheme or ("v1",))),
                owner=owner,
                actor=actor,
                loopback_allowed=settings.outbound_loopback,
            )
        case "list":
            return await list_webhooks(db, owner=None)
        case "messages":
            limit = max(1, min(asked.limit, 1_000))
            return await list_messages(db, asked.webhook_id, owner=None, state=asked.state, limit=limit)
        case "rotate":
            overlap_s = settings.webhook_key_overlap_s if asked.overlap_s is None else asked.overlap_s
            return await rotate(
                db,
                audit,
                SealedKeys(settings.secret),
                asked.webhook_id,
                owner=None,
                actor=actor,
                overlap_s=max(0, overlap_s),
            )
        case "replay":
            wanted = Replay(message_id=asked.message, since=_aware(asked.since), until=_aware(asked.until))
            if asked.delivered:
                wanted = msgspec.structs.replace(wanted, states=("failed", "held", "delivered"))
            return await replay(db, audit, jobs, asked.webhook_id, wanted, owner=None, actor=actor)
        case "disable":
            return await disable(db, audit, asked.webhook_id, owner=None, actor=actor)
        case "remove":
            await remove(db, audit, asked.webhook_id, owner=None, actor=actor)
            return {"removed": asked.webhook_id}
        case "enable":
            return await enable(db, audit, asked.webhook_id, owner=None, actor=actor)
        case _:
            return {"message_id": await send_test(db, audit, jobs, asked.webhook_id, owner=None, actor=actor)}


def _aware(at: dt.datetime | None) -> dt.datetime | None:
    return at if at is None or at.tzinfo else at.replace(tzinfo=dt.UTC)
