import argparse
from typing import Any
from uuid import UUID

from khizana.cli import CommandRefused
from khizana.databases import with_locker
from khizana.deployment import officer
from khizana.say import answer, answer_line
from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx
from kit.jobs.store import Jobs


def arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", required=True)
    listing = verbs.add_parser("list", help="one JSON line a job: the dead first, then what is due first")
    listing.add_argument("--dead", action="store_true", help="only those that nobody tries any more")
    listing.add_argument("--kind")
    listing.add_argument("--limit", type=int, default=100)
    retrying = verbs.add_parser("retry", help="try a dead job again, as if it were new")
    which = retrying.add_mutually_exclusive_group(required=True)
    which.add_argument("job_id", nargs="?", type=UUID)
    which.add_argument("--kind", help="all dead jobs of this kind")


def run(arguments: argparse.Namespace) -> int:
    jobs = Jobs("locker")
    if arguments.verb == "list":
        rows = with_locker(
            lambda _, db: jobs.listed(
                db, dead_only=arguments.dead, kind=arguments.kind, limit=max(1, min(arguments.limit, 10_000))
            )
        )
        for row in rows:
            answer_line(row)
        return 0
    answer(with_locker(lambda _, db: _retry(db, jobs, arguments)))
    return 0


async def _retry(db: Database, jobs: Jobs, arguments: argparse.Namespace) -> dict[str, Any]:
    async def record(tx: Tx) -> list[str]:
        revived = await jobs.revive(tx, job_id=arguments.job_id, kind=arguments.kind)
        for job in revived:
            await Audit("locker").append(
                tx,
                AuditEvent(
                    action="job.retried",
                    actor_kind="officer",
                    actor=officer(),
                    object_id=str(job.job_id),
                    detail={"kind": job.kind},
                ),
            )
        return [str(job.job_id) for job in revived]

    found = await db.transact(record)
    if arguments.job_id and not found:
        raise CommandRefused("unknown-job", "there is no dead job of this identifier")
    return {"retried": found}
