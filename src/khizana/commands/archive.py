"""Long-term copies and evidence records: how they stand, and what is due."""

import argparse
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

from khizana.databases import opened_vault, with_locker
from khizana.deployment import Deployment
from khizana.rounds import opened_archive
from khizana.say import answer, say
from kit.clock import check_clock
from kit.db import Database
from locker.archive.assess import assess
from locker.archive.desk import ArchiveDesk
from locker.archive.export import export
from locker.archive.renew import due, renew, show
from locker.archive.schema import KeptShown, Renewed
from locker.signatures.judge import SignatureJudge, signature_workers


def arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", required=True)
    renewing = verbs.add_parser("renew", help="do everything that is due: the worker's round, once")
    renewing.add_argument("--dry-run", action="store_true", help="show what is due and do nothing")
    showing = verbs.add_parser("show", help="totals, what fails, what is due next; or one document")
    showing.add_argument("document_id", nargs="?", help="how its archived copy stands")
    showing.add_argument("--at", type=_day, metavar="DAY", help="on that day, YYYY-MM-DD, as far as is known today")
    exporting = verbs.add_parser("export", help="write one document's copy and evidence record as files")
    exporting.add_argument("document_id")
    exporting.add_argument("--into", type=Path, default=Path(), metavar="FOLDER")


def run(arguments: argparse.Namespace) -> int:
    if arguments.verb == "renew":
        if arguments.dry_run:
            answer(_with_archive(due))
            return 0
        renewed = _with_archive(_renewed)
        answer(renewed)
        return 1 if _worth_a_look(renewed) else 0
    if arguments.verb == "export":
        answer(_with_archive(lambda desk: export(desk, arguments.document_id, arguments.into)))
        return 0
    if arguments.document_id is None:
        shown = _with_archive(show)
        answer(shown)
        return 1 if shown.failing else 0
    kept: KeptShown = _with_archive(lambda desk: assess(desk, arguments.document_id, at=arguments.at))
    answer(kept)
    return 0 if kept.indication == "TOTAL-PASSED" else 1


def _with_archive(action: Callable[[ArchiveDesk], Awaitable[Any]]) -> Any:
    async def act(found: Deployment, db: Database) -> Any:
        settings = found.locker_settings()
        judges = signature_workers(workers=1)
        try:
            async with (
                opened_vault(db, settings) as vault,
                opened_archive(db, vault, SignatureJudge(judges), settings) as desk,
            ):
                return await action(desk)
        finally:
            await judges.close()

    return with_locker(act)


def _worth_a_look(renewed: Renewed) -> bool:
    return bool(renewed.failed or renewed.copies_lapsed or renewed.records_lapsed)


async def _renewed(desk: ArchiveDesk) -> Renewed:
    await check_clock(desk.db)
    return await renew(desk, progress=_progress)


def _progress(what: str, done: int, of: int) -> None:
    # A line for each hundredth, so that a long run says something and a log stays readable.
    if done == of or done % max(1, of // 100) == 0:
        say(f"{what}: {done} of {of}")


def _day(text: str) -> datetime:
    """The end of that day, UTC: what held at any hour of it holds then or is said not to."""
    return datetime.combine(datetime.fromisoformat(text).date(), time.max, tzinfo=UTC)
