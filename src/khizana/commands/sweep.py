import argparse
from typing import Any

import msgspec

from khizana.databases import opened_vault, with_idp, with_locker
from khizana.deployment import Deployment
from khizana.rounds import sweep_idp, sweep_locker
from khizana.say import answer
from kit.audit import Audit
from kit.db import Database
from locker.sweeping.reconcile import reconcile


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="show which objects of dead deposits would go")
    parser.add_argument("--grace-s", type=int, help="age from which an unfinished deposit counts as dead")
    parser.add_argument("--reconcile", action="store_true", help="compare all rows with all objects, both ways")
    parser.add_argument("--remove-unknown", action="store_true", help="with --reconcile: remove objects of no row")


def run(arguments: argparse.Namespace) -> int:
    if not arguments.dry_run and not arguments.reconcile:
        with_idp(lambda _, db: sweep_idp(db))

    async def act(found: Deployment, db: Database) -> Any:
        settings = found.locker_settings()
        if arguments.grace_s is not None:
            settings = msgspec.structs.replace(settings, deposit_intent_grace_s=arguments.grace_s)
        async with opened_vault(db, settings) as vault:
            if arguments.reconcile:
                return await reconcile(
                    db,
                    Audit("locker"),
                    vault,
                    grace_s=settings.deposit_intent_grace_s,
                    remove_unknown=arguments.remove_unknown,
                )
            return await sweep_locker(db, vault, settings, dry_run=arguments.dry_run)

    result = with_locker(act)
    answer(result)
    # A row without its object is a lost document: whoever runs this from a timer must hear of it.
    return 1 if arguments.reconcile and result.missing else 0
