import argparse

from khizana.databases import with_locker
from khizana.say import answer
from kit.audit import Audit
from locker.retention.remove_overdue import remove_overdue


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="count what would be removed, by type")
    parser.add_argument("--documents-max", type=int, default=100_000)


def run(arguments: argparse.Namespace) -> int:
    limit, dry_run = arguments.documents_max, arguments.dry_run
    answer(with_locker(lambda _, db: remove_overdue(db, Audit("locker"), documents_max=limit, dry_run=dry_run)))
    return 0
