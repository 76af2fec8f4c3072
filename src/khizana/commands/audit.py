"""The log of accesses: whether every row is in it as it was, and how far it is."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from khizana.databases import opened_vault, with_locker
from khizana.deployment import Deployment, officer
from khizana.rounds import opened_sequencer
from khizana.say import answer, say
from kit.audit import Audit, AuditEvent
from kit.db import Database
from locker.log import store
from locker.log.adopt import adopt
from locker.log.checkpoint import LogKey
from locker.log.objects import LogObjects
from locker.log.republish import republish
from locker.log.rotate_key import retire_key, rotate_key
from locker.log.schema import Adopted, LogKeyChanged, LogShown, Republished, Verified
from locker.log.verify import verify
from locker.settings import LockerSettings


def arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", required=True)
    verifying = verbs.add_parser("verify", help="walk all rows against the tree and its checkpoints; 1 if one is wrong")
    verifying.add_argument(
        "--checkpoint",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="one that you kept: it must be a beginning of this log (may be said again)",
    )
    verifying.add_argument(
        "--key", type=Path, metavar="FILE", help="the verifier keys that you kept of /log/key; else this deployment's"
    )
    verbs.add_parser("adopt", help="after a restored backup: go on where the log was published; lost rows stay lost")
    verbs.add_parser("republish", help="after the bucket lost or altered what was published: write it again")
    verbs.add_parser("rotate-key", help="a new key signs checkpoints; the one of before goes on to sign beside it")
    verbs.add_parser("retire-key", help="destroy the key of before; what it signed goes on to verify")
    verbs.add_parser("show", help="how far the log is, and its verifier key")


def run(arguments: argparse.Namespace) -> int:
    others = {"show": _show, "adopt": _adopt, "republish": _republish, "rotate-key": _rotate, "retire-key": _retire}
    if arguments.verb in others:
        answer(with_locker(others[arguments.verb]))
        return 0
    known = [(str(file), file.read_text(encoding="utf-8")) for file in arguments.checkpoint]
    key = "\n".join(arguments.key.read_text(encoding="utf-8").split()) if arguments.key else None
    verified = with_locker(lambda found, db: _verify(found, db, known, key))
    answer(verified)
    return 1 if verified.findings else 0


async def _verify(
    found: Deployment, db: Database, known: Sequence[tuple[str, str]], verifier_keys: str | None
) -> Verified:
    settings = found.locker_settings()
    async with opened_vault(db, settings) as vault:
        return await verify(
            db,
            LogObjects(vault.blobs, settings.s3_log_prefix),
            verifier_keys=verifier_keys or _own_key(settings).verifier_keys,
            known=known,
            progress=_Progress(),
        )


async def _adopt(found: Deployment, db: Database) -> Adopted:
    settings = found.locker_settings()
    async with opened_vault(db, settings) as vault, opened_sequencer(db, vault, settings) as sequencer:
        return await adopt(sequencer)


async def _republish(found: Deployment, db: Database) -> Republished:
    settings = found.locker_settings()
    async with opened_vault(db, settings) as vault, opened_sequencer(db, vault, settings) as sequencer:
        return await republish(sequencer)


async def _show(found: Deployment, db: Database) -> LogShown:
    settings = found.locker_settings()
    head = await store.head(db)
    return LogShown(
        verifier_key=_own_key(settings).verifier_key,
        leaves=head.size,
        published=head.published,
        waiting=await store.count_waiting(db),
        checkpoint=head.checkpoint,
    )


async def _rotate(found: Deployment, db: Database) -> LogKeyChanged:
    settings = found.locker_settings()
    before = _own_key(settings).verifier_key
    key = rotate_key(settings.keys_folder, settings.locker_url, origin=settings.log_origin)
    say("both keys sign from the next start on: copy the keys folder to each node, start workers and servers again,")
    say("give the new key to whoever keeps the old one; when all have it: khizana audit retire-key")
    return await _tell(db, LogKeyChanged(action="log.key-rotated", verifier_key=key.verifier_key, former=before))


async def _retire(found: Deployment, db: Database) -> LogKeyChanged:
    settings = found.locker_settings()
    former = retire_key(settings.keys_folder, settings.locker_url, origin=settings.log_origin)
    say("remove it on each node too, and start workers and servers again; its line stays in log-former.keys")
    newest = _own_key(settings).verifier_key
    return await _tell(db, LogKeyChanged(action="log.key-retired", verifier_key=newest, former=former))


async def _tell(db: Database, changed: LogKeyChanged) -> LogKeyChanged:
    detail = {"verifier_key": changed.verifier_key, "former": changed.former}
    await Audit("locker").append(
        db, AuditEvent(action=changed.action, actor_kind="officer", actor=officer(), detail=detail)
    )
    return changed


def _own_key(settings: LockerSettings) -> LogKey:
    return LogKey.load_or_create(settings.keys_folder, settings.locker_url, origin=settings.log_origin)


class _Progress:
    """A line for each hundredth, so that a long run says something and its output stays readable."""

    def __init__(self) -> None:
        self._last = ("", 0)

    def __call__(self, what: str, done: int, of: int) -> None:
        hundredth = (what, 100 * done // max(1, of))
        if hundredth != self._last:
            self._last = hundredth
            say(f"{what}: {done} of {of}")
