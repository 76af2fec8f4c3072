import argparse
from typing import Any

import msgspec

from khizana.databases import opened_vault, with_idp, with_locker
from khizana.deployment import Deployment
from khizana.rounds import sweep_idp, sweep_locker
from khizana.say import answer
from kit.db import Database


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="show which objects of dead deposits would go")
    parser.add_argument("--grace-s", type=int, help="age from which an unfinished deposit counts as dead")


def run(arguments: argparse.Namespace) -> int:
    if not arguments.dry_run:
        with_idp(lambda _, db: sweep_idp(db))

    async def act(found: Deployment, db: Database) -> Any:
        settings = found.locker_settings()
        if arguments.grace_s is not None:
            settings = msgspec.structs.replace(settings, deposit_intent_grace_s=arguments.grace_s)
        async with opened_vault(db, settings) as vault:
            return await sweep_locker(db, vault, settings, dry_run=arguments.dry_run)

    answer(with_locker(act))
    return 0
