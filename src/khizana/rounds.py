"""What the worker does again and again. Any number of workers may run: each round takes what nobody else has."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing, suppress
from datetime import UTC, timedelta
from functools import partial

import httpx

from idp.alerts import store as alerts
from idp.authenticators import store as authenticators
from idp.authorization import store as authorization
from idp.backchannel import store as backchannel
from idp.clients import store as clients
from idp.device import store as device
from idp.erasing import store as erasing
from idp.freezing import store as freezing
from idp.keys.keep_rotating import keep_rotating
from idp.keys.ring import KeyPlace
from idp.keys.secrets import Secrets
from idp.logout import store as logout
from idp.mandates import store as mandates
from idp.messages import store as messages
from idp.messages.deliver import MessageDelivery
from idp.messages.forget_late import forget_late
from idp.messages.schema import Channel
from idp.officers import store as officers
from idp.recovery import store as recovery
from idp.sessions import store as sessions
from idp.settings import IdpSettings
from idp.sign_in import store as sign_in
from idp.token import store as token
from idp.upstream import store as upstream
from khizana.senders import Senders
from kit import metrics
from kit.audit import Audit
from kit.db import Database, Tx, database_time
from kit.errors import Unavailable
from kit.jobs.store import Jobs
from kit.jobs.worker import JobWorker
from kit.outbound.fetch import Fetcher
from kit.settings import SettingRefused
from kit.throttle import Throttle
from locker.access import store as access
from locker.access.provider import Provider
from locker.access.standing import ClientStanding
from locker.archive import store as archive
from locker.archive.desk import ArchiveDesk
from locker.archive.schema import GROWTH_MAX_BYTES, ArchiveLimits
from locker.archive.stamp_copy import Stamping
from locker.batches import forget_expired as batches
from locker.deposits import store as deposits
from locker.deposits.judge_again import QuarantineDesk
from locker.exporting.make import ExportDesk
from locker.log import store as log
from locker.log.checkpoint import LogKey
from locker.log.objects import LogObjects
from locker.log.sequence import Sequencer
from locker.log.witness import ANSWER_MAX_S, Witness, WitnessRefused
from locker.references.let_go import let_go
from locker.requests import store as requests
from locker.retention.remove_overdue import remove_overdue
from locker.scanning.scanner import Scanner
from locker.seals import forget as seals
from locker.seals.collect import Collector
from locker.settings import LockerSettings
from locker.shares import store as shares
from locker.shares.forget_keys import forget_keys
from locker.shares.settle_ended import settle_ended
from locker.signatures.judge import SignatureJudge
from locker.signatures.seal_workers import SealWorkers, seal_workers
from locker.signatures.time_stamp_client import TimeStampClient
from locker.signing.ring import SigningKeys
from locker.sweeping.schema import Swept
from locker.sweeping.sweep import sweep
from locker.trust import list_store as trust_lists
from locker.trust.list_schema import Synced
from locker.trust.read_list import list_workers
from locker.trust.register import TrustRegister
from locker.trust.show_lists import count_lists
from locker.trust.sync import FETCH_MAX_S, ListReaders, sync
from locker.uploads import store as uploads
from locker.uploads.scan_again import ScanDesk
from locker.vault import Vault
from locker.vault.rewrap_all import rewrap_all
from locker.webhooks import deliver
from locker.webhooks import forget as webhooks
from locker.webhooks.deliver import WebhookDelivery
from locker.webhooks.schema import Delivery
from locker.webhooks.sealed_keys import SealedKeys
from locker.wiring import quarantine_limits

TRUST_ROUND_MAX_S = 1_800.0
REQUESTS_KEPT_S = 86_400.0
"""After their time, so that who asked can fetch the answer."""
STATUS_MAX_S = 5.0
RETENTION_STEPS = 20
"""Of 1,000 documents each."""
REWRAP_BATCHES = 10
"""Of 500 keys each."""

IDP_SWEEPS: dict[str, Callable[[Tx], Awaitable[None]]] = {
    "alerts": alerts.sweep,
    "authenticators": authenticators.sweep,
    "authorization": authorization.sweep,
    "proofs seen": clients.sweep_proofs,
    "backchannel": backchannel.sweep,
    "devices": device.sweep,
    "erased accounts": erasing.sweep,
    "logout notices": logout.sweep,
    "mandates": mandates.sweep,
    "messages": messages.sweep,
    "late messages": forget_late,
    "officers' requests": officers.sweep,
    "recovery": recovery.sweep,
    "sessions": sessions.sweep,
    "sign-in": sign_in.sweep,
    "tokens": token.sweep,
    "thaws": freezing.sweep,
    "throttle": Throttle("idp").sweep,
    "upstream": upstream.sweep,
}


async def sweep_idp(db: Database) -> None:
    """Rows past their time."""
    await _in_turn(*(partial(sweep_one, db) for sweep_one in IDP_SWEEPS.values()))


async def count_waiting(db: Database) -> None:
    metrics.waiting.labels("messages").set(await messages.count_waiting(db))
    metrics.waiting.labels("logout notices").set(await logout.count_waiting(db))


@asynccontextmanager
async def opened_deliveries(
    db: Database, secrets: Secrets, senders: Senders, *, at_once_max: int
) -> AsyncIterator[dict[Channel, MessageDelivery]]:
    """Of each channel that has a sender. What they have in hand at the end is sent or goes back to the others."""
    deliveries = {
        channel: MessageDelivery(db, secrets, senders, channel=channel, at_once_max=at_once_max)
        for channel in senders.channels
    }
    try:
        yield deliveries
    finally:
        for left in await asyncio.gather(*(one.close() for one in deliveries.values()), return_exceptions=True):
            if isinstance(left, Exception) and not isinstance(left, Unavailable):
                raise left


async def rotate_keys(db: Database, place: KeyPlace, settings: IdpSettings) -> None:
    await keep_rotating(
        db,
        Audit("idp"),
        place,
        lifetime_s=settings.signing_key_lifetime_s,
        longest_token_lifetime_s=settings.longest_token_lifetime_s,
    )


def quarantine_desk(
    db: Database, vault: Vault, judge: SignatureJudge, settings: LockerSettings, *, scanner: Scanner | None = None
) -> QuarantineDesk:
    return QuarantineDesk(
        db=db,
        audit=Audit("locker"),
        trust=TrustRegister(),
        judge=judge,
        vault=vault,
        limits=quarantine_limits(settings),
        pdf_max_bytes=settings.deposit_pdf_max_bytes,
        documents_per_owner_max=settings.documents_per_owner_max,
        bytes_per_owner_max=settings.bytes_per_owner_max,
        folder=settings.temporary_folder,
        scanner=scanner,
    )


def scan_desk(db: Database, vault: Vault, scanner: Scanner, settings: LockerSettings) -> ScanDesk:
    return ScanDesk(
        db=db,
        audit=Audit("locker"),
        vault=vault,
        scanner=scanner,
        upload_max_bytes=settings.upload_max_bytes,
        quarantine_days=settings.upload_bin_days,
        folder=settings.temporary_folder,
    )


async def sync_trust_lists(
    db: Database, settings: LockerSettings, *, told: Callable[[Synced], None] = lambda _: None
) -> list[Synced]:
    """The lists that are due. What fetches and reads them lives as long as the round."""
    not_since = timedelta(seconds=settings.trust_lists_every_s)
    if not await trust_lists.count_due(db, not_since=not_since):
        return []
    with closing(Fetcher.of(settings, overall_max_s=FETCH_MAX_S)) as fetcher:
        pool = list_workers()
        try:
            async with asyncio.timeout(TRUST_ROUND_MAX_S):
                return await sync(
                    db,
                    Audit("locker"),
                    ListReaders(fetcher=fetcher, pool=pool),
                    not_since=not_since,
                    told=told,
                )
        finally:
            await pool.close()


async def count_trust_lists(db: Database) -> None:
    for state, many in (await count_lists(db)).items():
        metrics.trust_lists.labels(state).set(many)


def archive_desk(
    db: Database, vault: Vault, judge: SignatureJudge, stamping: Stamping, settings: LockerSettings
) -> ArchiveDesk:
    return ArchiveDesk(
        db=db,
        audit=Audit("locker"),
        trust=TrustRegister(),
        judge=judge,
        stamping=stamping,
        vault=vault,
        limits=ArchiveLimits(
            margin=timedelta(days=settings.archive_renewal_margin_days),
            each=settings.archive_renew_each,
            digest_algorithms=settings.archive_digest_algorithms,
            size_max_bytes=settings.deposit_pdf_max_bytes + GROWTH_MAX_BYTES,
            documents_per_record_max=settings.archive_documents_per_record_max,
            lease=timedelta(seconds=settings.archive_lease_s),
            first_wait=timedelta(seconds=settings.archive_first_wait_s),
            wait_max=timedelta(seconds=settings.archive_wait_max_s),
        ),
        folder=settings.temporary_folder,
    )


@asynccontextmanager
async def opened_archive(
    db: Database, vault: Vault, judge: SignatureJudge, settings: LockerSettings
) -> AsyncIterator[ArchiveDesk]:
    """With its workers and its clients of time-stamp authorities and of who knows about revocation."""
    pool = seal_workers(workers=1, waiting_max=8, pdf_max_bytes=settings.deposit_pdf_max_bytes)
    client = TimeStampClient(settings.time_stamp_authorities, timeout_s=settings.time_stamp_answer_max_s)
    async with httpx.AsyncClient(timeout=STATUS_MAX_S, follow_redirects=False, trust_env=False) as http:
        stamping = Stamping(
            workers=SealWorkers(pool), client=client, collector=Collector(http, settings.revocation_hosts)
        )
        try:
            yield archive_desk(db, vault, judge, stamping, settings)
        finally:
            await pool.close()
            await client.close()


@asynccontextmanager
async def opened_sequencer(db: Database, vault: Vault, settings: LockerSettings) -> AsyncIterator[Sequencer]:
    key = LogKey.load_or_create(settings.keys_folder, settings.locker_url, origin=settings.log_origin)
    try:
        witnesses = [Witness(named) for named in settings.log_witnesses]
    except WitnessRefused:
        raise SettingRefused(settings.variable("log_witnesses"), "each is an address, # and its verifier key") from None
    with closing(Fetcher.of(settings, overall_max_s=ANSWER_MAX_S)) as fetcher:
        objects = LogObjects(vault.blobs, settings.s3_log_prefix)
        sequencer = Sequencer(db, objects, key, witnesses=witnesses, fetcher=fetcher)
        try:
            yield sequencer
        finally:
            with suppress(Unavailable):
                await sequencer.close()


@asynccontextmanager
async def opened_jobs(db: Database, settings: LockerSettings, *, ca_file: str | None) -> AsyncIterator[JobWorker]:
    """What it was doing when it ends goes back to the others. ``ca_file`` is of the provider's host."""
    verify = ssl.create_default_context(cafile=ca_file) if ca_file else True
    with closing(Fetcher.of(settings, overall_max_s=deliver.ANSWER_MAX_S)) as fetcher:
        async with httpx.AsyncClient(
            verify=verify, timeout=settings.provider_timeout_s, follow_redirects=False, trust_env=False
        ) as http:
            provider = Provider.of(http, settings)
            delivery = WebhookDelivery(
                db,
                Audit("locker"),
                fetcher=fetcher,
                sealed=SealedKeys(settings.secret),
                stands=ClientStanding(provider),
                connected=provider.stands,
                limits=webhook_limits(settings),
            )
            worker = JobWorker(db, Jobs("locker"), [delivery.kind()])
            try:
                yield worker
            finally:
                with suppress(Unavailable):
                    await worker.close()


def webhook_limits(settings: LockerSettings) -> Delivery:
    return Delivery(
        at_once_max=settings.webhooks_at_once_max,
        per_webhook_max=settings.webhook_at_once_max,
        waiting_max=settings.webhook_waiting_max,
        failing_max_s=settings.webhook_failing_max_s,
        lease_s=settings.job_lease_s,
    )


async def make_partitions(db: Database) -> None:
    """Of the audit, for the next two months."""
    month = (await database_time(db)).astimezone(UTC).date().replace(day=1)
    for _ in range(2):
        month = (month + timedelta(days=31)).replace(day=1)
        await log.make_partition(db, month)


async def count_locker_waiting(db: Database) -> None:
    waiting, dead = await Jobs("locker").count(db)
    metrics.waiting.labels("jobs").set(waiting)
    metrics.waiting.labels("dead jobs").set(dead)
    metrics.waiting.labels("quarantined deposits").set(await deposits.count_quarantined(db))
    metrics.waiting.labels("rows to log").set(await log.count_waiting(db))
    metrics.waiting.labels("uploads to scan").set(await uploads.count_pending(db))
    metrics.waiting.labels("copies to archive").set(await archive.count_copies(db, state="waiting"))


async def count_lapsed(db: Database) -> None:
    metrics.waiting.labels("lapsed copies").set(await archive.count_copies(db, state="lapsed"))


def export_desk(db: Database, vault: Vault, keys: SigningKeys, settings: LockerSettings) -> ExportDesk:
    return ExportDesk(
        db=db,
        audit=Audit("locker"),
        vault=vault,
        keys=keys,
        locker_url=settings.locker_url,
        lifetime_s=settings.export_lifetime_s,
        folder=settings.temporary_folder,
    )


async def rewrap_keys(db: Database, vault: Vault) -> None:
    """Some thousands of citizens a round, so that a month's beginning is no peak."""
    await rewrap_all(vault.keys, Audit("locker"), db, officer=None, batches_max=REWRAP_BATCHES)


async def sweep_locker(db: Database, vault: Vault, settings: LockerSettings, *, dry_run: bool = False) -> Swept:
    async def swept() -> Swept:
        return await sweep(
            db,
            Audit("locker"),
            Throttle("locker"),
            vault,
            grace_s=settings.deposit_intent_grace_s,
            outbox_lifetime_s=settings.outbox_lifetime_s,
            refused_lifetime_s=settings.quarantine_refused_lifetime_s,
            dry_run=dry_run,
        )

    if dry_run:
        return await swept()
    *_, last = await _in_turn(
        partial(let_go, db, older_than_s=settings.reference_cache_s),
        partial(access.sweep, db, idle_s=settings.session_idle_s),
        partial(shares.sweep_drafts, db),
        partial(requests.sweep, db, kept_s=REQUESTS_KEPT_S),
        partial(settle_ended, db),
        partial(forget_keys, db),
        partial(seals.forget_expired, db),
        partial(batches.forget_expired, db),
        partial(webhooks.forget, db, lifetime_s=settings.outbox_lifetime_s),
        swept,
    )
    assert isinstance(last, Swept)
    return last


async def remove_past_retention(db: Database) -> None:
    """Some thousands of documents a round: of an issue day as many are past their time on one day."""
    for _ in range(RETENTION_STEPS):
        if not (await remove_overdue(db, Audit("locker"))).truncated:
            break


async def _in_turn(*steps: Callable[[], Awaitable[object]]) -> list[object]:
    """What each says. One that fails holds no other up; what failed is raised at the end."""
    said: list[object] = []
    failed: list[Exception] = []
    for step in steps:
        try:
            said.append(await step())
        except Exception as fault:
            failed.append(fault)
    faults = [one for one in failed if not isinstance(one, Unavailable)]
    if len(faults) > 1:
        raise ExceptionGroup("several failed", faults)
    if failed:
        raise next(iter(faults), failed[0])
    return said
