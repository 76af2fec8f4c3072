import argparse

from khizana.databases import opened_vault, with_locker
from khizana.deployment import Deployment
from khizana.say import answer
from kit.audit import Audit
from kit.db import Database
from locker.sweeping.reconcile import KEPT_S, reconcile
from locker.sweeping.schema import Reconciled


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--grace-s", type=int, help="age from which an object that no row knows counts as a stray")
    parser.add_argument("--remove-strays", action="store_true", help="remove strays that were first met long ago")
    parser.add_argument("--kept-s", type=int, default=KEPT_S, help="how long ago that is (30 days)")
    parser.add_argument(
        "--restored",
        action="store_true",
        help="once, after the database was restored, before the servers start: nothing is under way, keep all",
    )


def run(arguments: argparse.Namespace) -> int:
    async def act(found: Deployment, db: Database) -> Reconciled:
        settings = found.locker_settings()
        grace_s = settings.deposit_intent_grace_s if arguments.grace_s is None else arguments.grace_s
        async with opened_vault(db, settings) as vault:
            return await reconcile(
                db,
                Audit("locker"),
                vault,
                grace_s=-60 if arguments.restored else grace_s,
                remove_unknown=arguments.remove_strays and not arguments.restored,
                kept_s=arguments.kept_s,
                restored=arguments.restored,
            )

    result = with_locker(act)
    answer(result)
    # A row without its object is a lost document: whoever runs this from a timer must hear of it.
    return 1 if result.missing else 0
