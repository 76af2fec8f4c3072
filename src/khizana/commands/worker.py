"""Beside the servers: sends messages, sweeps what has expired, rotates keys, removes what died half-way."""

import argparse
import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec

import idp
from idp.backchannel.ping import ping
from idp.clients.registry import ClientRegistry
from idp.keys.place import place_of
from idp.keys.ring import KeyPlace, KeyRing
from idp.keys.secrets import Secrets
from idp.logout.deliver import LogoutDelivery
from idp.messages.post import Post
from idp.messages.sms_caps import SmsCaps
from idp.recovery.wait import recovery_parts, remind
from idp.settings import IdpSettings
from khizana.databases import connected, opened_vault
from khizana.deployment import Deployment, deployment
from khizana.every import every
from khizana.metrics import serve_own
from khizana.rounds import (
    count_lapsed,
    count_locker_waiting,
    count_trust_lists,
    count_waiting,
    export_desk,
    make_partitions,
    opened_archive,
    opened_deliveries,
    opened_jobs,
    opened_sequencer,
    quarantine_desk,
    remove_past_retention,
    rewrap_keys,
    rotate_keys,
    scan_desk,
    sweep_idp,
    sweep_locker,
    sync_trust_lists,
)
from khizana.senders import Senders
from khizana.serve import die_with_parent
from kit.audit import Audit
from kit.clock import check_clock
from kit.db import Database
from kit.edge import log_json_lines
from kit.jobs.store import Jobs
from kit.outbound.fetch import Fetcher
from kit.own_folder import own_folder
from kit.pages import Pages
from kit.throttle import Throttle
from locker.archive.renew import renew
from locker.deposits.judge_again import judge_again
from locker.erasing.erase import erase_due
from locker.exporting.make import make_due
from locker.log.sequence import sequence
from locker.scanning.open_scanner import open_scanner
from locker.seals.complete import complete_due
from locker.seals.open_desk import seal_desk
from locker.signatures.judge import SignatureJudge, signature_workers
from locker.signing.ring import SigningKeys
from locker.trust.register import TrustRegister
from locker.uploads.scan_again import scan_again
from locker.webhooks.spread import spread

DELIVER_EVERY_S = 1.0
TELL_EVERY_S = 1.0
PING_EVERY_S = 1.0
JOBS_EVERY_S = 1.0
SPREAD_EVERY_S = 1.0
SWEEP_EVERY_S = 60.0
COMPLETE_EVERY_S = 15.0
REMIND_EVERY_S = 60.0
ROTATE_EVERY_S = 600.0
REWRAP_EVERY_S = 60.0
ERASE_EVERY_S = 60.0
EXPORT_EVERY_S = 5.0
RETENTION_EVERY_S = 600.0
COUNT_EVERY_S = 15.0
SEQUENCE_EVERY_S = 1.0
PARTITIONS_EVERY_S = 21_600.0
QUARANTINE_EVERY_S = 10.0
SCAN_EVERY_S = 5.0
TRUST_LISTS_EVERY_S = 60.0
ARCHIVE_EVERY_S = 30.0
LOCKER_COUNT_EVERY_S = 60.0
COUNT_LAPSED_EVERY_S = 3_600.0

CONNECTIONS_MAX = 8
"""To each database: what comes each second goes on while erasures, sweeps and rewrapping take theirs."""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--for", dest="which", choices=("idp", "locker", "both"), default="both")
    parser.add_argument("--metrics", metavar="HOST:PORT", help="where Prometheus asks (KHIZANA_METRICS)")


def run(arguments: argparse.Namespace) -> int:
    log_json_lines()
    die_with_parent()
    with deployment() as found:
        serve_own(found.environ, arguments.metrics)
        asyncio.run(_work(found, arguments.which))
    return 0


async def _work(found: Deployment, which: str) -> None:
    async with AsyncExitStack() as stack:
        rounds: list[Awaitable[None]] = []
        if which in ("idp", "both"):
            settings = found.idp_settings()
            db = await stack.enter_async_context(connected(settings.database_url, connections_max=CONNECTIONS_MAX))
            rounds.append(every(SWEEP_EVERY_S, "sweep of the provider", lambda: sweep_idp(db)))
            place = place_of(settings)
            stack.callback(place.close)
            rounds.append(every(COUNT_EVERY_S, "count of what waits", lambda: count_waiting(db)))
            rounds.append(
                every(ROTATE_EVERY_S, "rotation of the keys", _by_clock(db, lambda: rotate_keys(db, place, settings)))
            )
            at_once_max = settings.messages_at_once_max
            senders = Senders.of(found.environ, at_once_max=at_once_max)
            secrets = Secrets(bytes.fromhex(settings.secret))
            rounds.append(every(PING_EVERY_S, "pings of clients", _pinging(stack, settings, secrets, db)))
            rounds.append(every(TELL_EVERY_S, "delivery of logout notices", _telling(stack, place, settings, db)))
            pages = Pages({"idp": Path(idp.__file__).parent}, static_prefix="/idp/static", home="/idp/account")
            recovery = recovery_parts(settings, db, secrets, Post(secrets, pages, SmsCaps.of(settings)))
            rounds.append(every(REMIND_EVERY_S, "notices of recoveries", lambda: remind(recovery)))
            deliveries = await stack.enter_async_context(
                opened_deliveries(db, secrets, senders, at_once_max=at_once_max)
            )
            for channel, delivery in deliveries.items():
                rounds.append(every(DELIVER_EVERY_S, f"delivery of messages by {channel}", delivery.start_due))
        if which in ("locker", "both"):
            locker = found.locker_settings()
            folder = stack.enter_context(own_folder(locker.temporary_folder))
            locker = msgspec.structs.replace(locker, temporary_folder=folder)
            locker_db = await stack.enter_async_context(connected(locker.database_url, connections_max=CONNECTIONS_MAX))
            vault = await stack.enter_async_context(opened_vault(locker_db, locker))
            rounds.append(every(SWEEP_EVERY_S, "sweep of the locker", lambda: sweep_locker(locker_db, vault, locker)))
            sequencer = await stack.enter_async_context(opened_sequencer(locker_db, vault, locker))
            rounds.append(every(SEQUENCE_EVERY_S, "sequencing of the log", lambda: sequence(sequencer)))
            rounds.append(every(PARTITIONS_EVERY_S, "partitions of the audit", lambda: make_partitions(locker_db)))
            signing = SigningKeys(locker.keys_folder, reread_s=locker.keys_reread_s)
            stack.push_async_callback(signing.stop)
            await signing.start()
            exports = export_desk(locker_db, vault, signing, locker)
            rounds.append(every(EXPORT_EVERY_S, "exports", lambda: make_due(exports)))
            rounds.append(every(ERASE_EVERY_S, "erasures", lambda: erase_due(locker_db, Audit("locker"), vault)))
            rounds.append(every(RETENTION_EVERY_S, "retention", lambda: remove_past_retention(locker_db)))
            rounds.append(every(REWRAP_EVERY_S, "rewrapping of keys", lambda: rewrap_keys(locker_db, vault)))
            working = await stack.enter_async_context(
                opened_jobs(locker_db, locker, ca_file=found.environ.get("KHIZANA_CA_FILE"))
            )
            rounds.append(every(JOBS_EVERY_S, "jobs", working.start_due))
            rounds.append(
                every(
                    SPREAD_EVERY_S,
                    "spreading of events",
                    lambda: spread(locker_db, Audit("locker"), Jobs("locker"), waiting_max=locker.webhook_waiting_max),
                )
            )
            judges = signature_workers(workers=1)
            stack.push_async_callback(judges.close)
            judge = SignatureJudge(judges)
            scanner = open_scanner(locker)
            quarantined = quarantine_desk(locker_db, vault, judge, locker, scanner=scanner)
            rounds.append(
                every(QUARANTINE_EVERY_S, "judging of quarantined deposits", lambda: judge_again(quarantined))
            )
            if scanner is not None:
                scanning = scan_desk(locker_db, vault, scanner, locker)
                rounds.append(every(SCAN_EVERY_S, "scan of uploads", lambda: scan_again(scanning)))
            rounds.append(
                every(TRUST_LISTS_EVERY_S, "sync of the trust lists", lambda: sync_trust_lists(locker_db, locker))
            )
            rounds.append(every(TRUST_LISTS_EVERY_S, "count of the trust lists", lambda: count_trust_lists(locker_db)))
            sealing = await seal_desk(
                locker,
                stack,
                db=locker_db,
                vault=vault,
                audit=Audit("locker"),
                throttle=Throttle("locker"),
                judge=judge,
                trust=TrustRegister(),
            )
            rounds.append(every(COMPLETE_EVERY_S, "completion of seals", lambda: complete_due(sealing)))
            rounds.append(every(LOCKER_COUNT_EVERY_S, "count of what waits", lambda: count_locker_waiting(locker_db)))
            if locker.time_stamp_authorities:
                rounds.append(every(COUNT_LAPSED_EVERY_S, "count of lapsed copies", lambda: count_lapsed(locker_db)))
                archive = await stack.enter_async_context(opened_archive(locker_db, vault, judge, locker))
                rounds.append(every(ARCHIVE_EVERY_S, "archiving", _by_clock(locker_db, lambda: renew(archive))))
        await _until_stopped(rounds)


def _telling(
    stack: AsyncExitStack, place: KeyPlace, settings: IdpSettings, db: Database
) -> Callable[[], Awaitable[None]]:
    """Logout notices are signed here, so this process reads the keys too; where they are away, it tries again."""
    keys = KeyRing(place)
    delivery = LogoutDelivery(
        db, Audit("idp"), fetcher=Fetcher.of(settings), keys=keys, clients=ClientRegistry(), issuer=settings.issuer
    )

    stack.push_async_callback(delivery.close)

    async def tell() -> None:
        if time.time() - keys.read_at > settings.keys_reread_s:
            await keys.reread()
        await delivery.start_due()

    return tell


def _pinging(
    stack: AsyncExitStack, settings: IdpSettings, secrets: Secrets, db: Database
) -> Callable[[], Awaitable[int]]:
    fetcher = Fetcher.of(settings)
    stack.callback(fetcher.close)
    return lambda: ping(db, secrets, fetcher)


async def _until_stopped(rounds: list[Awaitable[None]]) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    tasks = [asyncio.ensure_future(one) for one in rounds]
    await stopping.wait()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _by_clock(db: Database, action: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[object]]:
    """A round that ends what cannot be made again, by this machine's clock."""

    async def checked() -> object:
        await check_clock(db)
        return await action()

    return checked
