"""``erase UID`` asks for it: it begins after the waiting time, or ``--now``. Without a citizen: what is due."""

import argparse
from typing import Any

import msgspec

from idp.citizens.find import find_by_uid
from idp.erasing.erase_account import erase_account
from idp.keys.secrets import Secrets
from idp.subjects.pairwise import pairwise_sub
from khizana.cli import CommandRefused
from khizana.databases import connected, opened_vault, with_locker
from khizana.deployment import Deployment, officer
from khizana.prepare import LOCKER_SECTOR
from khizana.say import answer
from kit.audit import Audit
from kit.db import Database
from locker.erasing.ask import ask, withdraw
from locker.erasing.erase import erase_again, erase_due
from locker.erasing.store import holds

_HELD_SHOWN_MAX = 100


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("uid", nargs="?", help="ten digits; needs the provider's settings too")
    parser.add_argument("--owner", metavar="SUB", help="instead of the uid: the locker's own identifier of the citizen")
    parser.add_argument("--reference", help="of the request or the decision")
    parser.add_argument("--now", action="store_true", help="without the waiting time; cannot be undone")
    parser.add_argument(
        "--account", action="store_true", help="with --now: also the account at the provider, after the locker"
    )
    parser.add_argument("--undo", action="store_true", help="undo what was asked for and has not begun")
    parser.add_argument("--after-restore", action="store_true", help="erase again who was erased since the backup")


def run(arguments: argparse.Namespace) -> int:
    named = arguments.uid is not None or arguments.owner is not None
    if (arguments.uid and arguments.owner) or (named and arguments.after_restore):
        raise CommandRefused("one-citizen", "name one citizen, by uid or by --owner, or nobody")
    if named and not arguments.undo and not arguments.reference:
        raise CommandRefused("reference-needed", "an erasure needs the --reference of who asked for it")
    if arguments.account and not (arguments.uid and arguments.now):
        raise CommandRefused("account-needs-uid", "--account goes with a uid and --now: it cannot be undone")
    answer(with_locker(lambda found, db: _run(found, db, arguments)))
    return 0


async def _run(found: Deployment, db: Database, arguments: argparse.Namespace) -> dict[str, Any]:
    settings, audit = found.locker_settings(), Audit("locker")
    said: dict[str, Any] = {}
    owner = arguments.owner or (await _owner_of(found, arguments.uid) if arguments.uid else None)
    if owner is not None and arguments.undo:
        await withdraw(db, audit, owner=owner, by="officer", actor=officer())
        return {"undone": True}
    if owner is not None:
        asked = await ask(
            db,
            audit,
            owner=owner,
            by="officer",
            actor=officer(),
            wait_s=0 if arguments.now else settings.erasure_wait_s,
            reference=arguments.reference,
        )
        said = {"due_at": asked.due_at}
        if held := await holds(db, owner=owner, limit=_HELD_SHOWN_MAX):
            said["held_until_their_hold_ends"] = held
        if not arguments.now:
            return said
    async with opened_vault(db, settings) as vault:
        if arguments.after_restore:
            said = {"again": await erase_again(db, audit, vault, officer=officer())}
        said |= msgspec.structs.asdict(await erase_due(db, audit, vault))
    if arguments.account and owner is not None:
        # What is held can be looked at by nobody whose account is gone.
        if await holds(db, owner=owner, limit=1):
            raise CommandRefused(
                "legal-hold", "the account stands until the hold ends; the locker is erased but for it"
            )
        async with connected(found.idp_settings().database_url) as idp:
            said["account_rows"] = await erase_account(
                idp, Audit("idp"), arguments.uid, officer=officer(), reference=arguments.reference
            )
    return said


async def _owner_of(found: Deployment, uid: str) -> str:
    settings = found.idp_settings()
    async with connected(settings.database_url) as db:
        citizen = await find_by_uid(db, uid)
    if citizen is None or citizen.state == "erased":
        raise CommandRefused("unknown-citizen", "there is no citizen of this identifier")
    secrets = Secrets(bytes.fromhex(settings.secret))
    return pairwise_sub(secrets, sector=LOCKER_SECTOR, citizen_id=citizen.citizen_id)
