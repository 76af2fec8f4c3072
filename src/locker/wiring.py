"""The parts, put together once at the start. Actions get the parts they need, never this whole."""

from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace

import httpx
import msgspec
from litestar.datastructures import State

from kit.audit import Audit
from kit.csrf import Csrf
from kit.db import Database
from kit.dpop import Nonces
from kit.errors import Unavailable
from kit.offload import Offload
from kit.outbound.fetch import Fetcher
from kit.own_folder import own_folder
from kit.pages import Pages
from kit.sealed import derived_key
from kit.throttle import Limit, Throttle
from locker.access.bearer import BearerTokens
from locker.access.cursor import Cursors
from locker.access.provider import Provider
from locker.access.sessions import SessionLimits
from locker.batches.desk import BatchDesk, BatchLimits
from locker.batches.line_keys import LineKeys
from locker.catalogue.fields import FieldsChecker
from locker.deposits.desk import DepositDesk, DepositLimits, Places
from locker.deposits.quarantine import QuarantineLimits
from locker.deposits.receive import Limits as ReceiveLimits
from locker.deposits.resolve_subject import Subjects
from locker.log.checkpoint import LogKey
from locker.log.objects import LogObjects
from locker.references.desk import ReferenceDesk, Room
from locker.rendering.pictures import Pictures
from locker.reports.seal_certificate import ReportSeal
from locker.scanning.open_scanner import open_scanner
from locker.seals.desk import SealDesk
from locker.seals.open_desk import seal_desk
from locker.settings import LockerSettings
from locker.shares.code import Codes
from locker.shares.desk import ShareDesk
from locker.shares.pin import Pins
from locker.signatures.judge import SignatureJudge, signature_workers
from locker.signing.ring import SigningKeys
from locker.trust.register import TrustRegister
from locker.uploads.desk import UploadDesk, UploadLimits
from locker.uploads.files import Files
from locker.uploads.receive import Limits as UploadReceiveLimits
from locker.vault import Vault
from locker.vault.blobs import S3BlobStore
from locker.vault.masters import masters_of


@dataclass(frozen=True, kw_only=True)
class Wiring:
    settings: LockerSettings
    db: Database
    audit: Audit
    throttle: Throttle
    csrf: Csrf
    signing: SigningKeys
    """What the locker itself says for somebody's file: receipts, answers of verification."""
    provider: Provider
    bearer: BearerTokens
    pages: Pages
    sessions: SessionLimits
    cursors: Cursors
    vault: Vault
    pictures: Pictures
    shares: ShareDesk
    judge: SignatureJudge
    trust: TrustRegister
    deposits: DepositDesk
    batches: BatchDesk
    references: ReferenceDesk
    uploads: UploadDesk
    report_seal: ReportSeal
    log_key: LogKey
    log_objects: LogObjects
    paper: Offload
    seals: SealDesk
    closing: AsyncExitStack

    @property
    def issuer(self) -> str:
        return self.settings.issuer


async def connect(
    settings: LockerSettings, *, pages: Pages, idp_transport: httpx.AsyncBaseTransport | None = None
) -> Wiring:
    """``idp_transport`` carries requests to the provider in embedded mode; None is the network."""
    async with AsyncExitStack() as stack:
        # Documents stand there while they are judged: none may outlive us, however we end.
        folder = stack.enter_context(own_folder(settings.temporary_folder))
        settings = msgspec.structs.replace(settings, temporary_folder=folder)
        db = await Database.connect(
            settings.database_url,
            connections_max=settings.connections_max,
            acquire_timeout_s=settings.connections_wait_s,
        )
        stack.push_async_callback(db.close)
        http = httpx.AsyncClient(
            transport=idp_transport,
            timeout=settings.provider_timeout_s,
            follow_redirects=False,
            trust_env=False,
            headers={"Accept": "application/json"},
        )
        stack.push_async_callback(http.aclose)
        provider = Provider.of(http, settings)
        bearer = BearerTokens(
            db,
            provider,
            audience=settings.locker_url,
            nonces=Nonces(derived_key(settings.secret, "dpop-nonce")),
            age_max_s=settings.introspection_age_max_s,
            kept_max=settings.introspections_kept_max,
        )
        vault = Vault(
            db,
            masters_of(settings),
            await S3BlobStore.connect(
                endpoint=settings.s3_endpoint,
                access_key=settings.s3_access_key,
                secret_key=settings.s3_secret_key,
                bucket=settings.s3_bucket,
                region=settings.s3_region,
                fsync_root=settings.s3_fsync_folder,
                connections_max=settings.object_connections_max,
                control_threads=settings.object_threads,
                control_waiting_max=settings.object_waiting_max,
            ),
        )
        stack.push_async_callback(vault.close)
        # A database that is away is no reason not to start; a master key that opens nothing is.
        with suppress(Unavailable):
            await vault.check()
        pictures = Pictures.start(
            workers=settings.rendering_workers,
            waiting_max=settings.rendering_waiting_max,
            length_max=settings.deposit_pdf_max_bytes,
            folder=folder,
        )
        stack.push_async_callback(pictures.close)
        judges = signature_workers(
            workers=settings.judge_workers,
            waiting_max=settings.judge_waiting_max,
            kept_for_last=settings.judge_waiting_max // 4,
        )
        stack.push_async_callback(judges.close)
        audit, throttle = Audit("locker"), Throttle("locker")
        signing = SigningKeys(settings.keys_folder, reread_s=settings.keys_reread_s)
        stack.push_async_callback(signing.stop)
        await signing.start()
        judge, trust = SignatureJudge(judges), TrustRegister()
        files = Files.start(
            workers=settings.upload_workers,
            waiting_max=settings.upload_waiting_max,
            file_max_bytes=settings.upload_max_bytes,
        )
        stack.push_async_callback(files.close)
        paper = Offload("paper", threads=1, waiting_max=settings.paper_waiting_max)
        stack.callback(paper.close)
        scanner = open_scanner(settings)
        deposits = DepositDesk(
            db=db,
            audit=audit,
            throttle=throttle,
            subjects=Subjects(provider),
            fields=FieldsChecker(),
            trust=trust,
            judge=judge,
            vault=vault,
            signing=signing,
            locker_url=settings.locker_url,
            limits=_deposit_limits(settings),
            places=Places(settings.deposits_at_once_max),
            scanner=scanner,
        )
        fetcher = Fetcher.of(
            settings,
            overall_max_s=settings.reference_fetch_max_s,
            certificate=settings.reference_certificate_file,
        )
        stack.callback(fetcher.close)
        references = ReferenceDesk(
            deposits=deposits,
            fetcher=fetcher,
            signing=signing,
            freshness_s=settings.reference_freshness_s,
            fetch_max_s=settings.reference_fetch_max_s,
            room=Room(settings.references_at_once_max, wait_max_s=settings.reference_fetch_max_s),
        )
        return Wiring(
            settings=settings,
            db=db,
            audit=audit,
            throttle=throttle,
            csrf=Csrf(derived_key(settings.secret, "csrf"), origin=_origin_of(settings.locker_url)),
            signing=signing,
            provider=provider,
            bearer=bearer,
            pages=pages,
            sessions=SessionLimits(
                idle_s=settings.session_idle_s,
                lifetime_s=settings.session_lifetime_s,
                sign_in_lifetime_s=settings.sign_in_lifetime_s,
            ),
            cursors=Cursors(derived_key(settings.secret, "cursor")),
            pictures=pictures,
            shares=ShareDesk(
                db=db,
                audit=audit,
                throttle=throttle,
                provider=provider,
                vault=vault,
                signing=signing,
                pins=Pins(derived_key(settings.secret, "share-pin")),
                codes=Codes(derived_key(settings.secret, "share-code")),
                locker_url=settings.locker_url,
                lifetime_max_s=settings.share_lifetime_max_s,
                viewing_s=settings.share_viewing_s,
            ),
            vault=vault,
            judge=judge,
            trust=trust,
            deposits=deposits,
            batches=BatchDesk(
                # Nobody looks at one item of a batch: its subject may wait for others'.
                deposits=replace(deposits, subjects=Subjects(provider, apart_s=settings.batch_subjects_apart_s)),
                keys=LineKeys(derived_key(settings.secret, "batch-lines")),
                limits=_batch_limits(settings),
                registering=Places(settings.batch_parts_at_once_max),
                parts=Places(settings.batch_parts_at_once_max),
            ),
            references=references,
            log_key=LogKey.load_or_create(settings.keys_folder, settings.locker_url, origin=settings.log_origin),
            log_objects=LogObjects(vault.blobs, settings.s3_log_prefix),
            uploads=UploadDesk(
                db=db,
                audit=audit,
                throttle=throttle,
                vault=vault,
                files=files,
                scanner=scanner,
                limits=upload_limits(settings),
                places=Places(settings.deposits_at_once_max),
            ),
            report_seal=ReportSeal.load_or_create(settings.keys_folder, name=settings.locker_url),
            paper=paper,
            seals=await seal_desk(
                settings, stack, db=db, vault=vault, audit=audit, throttle=throttle, judge=judge, trust=trust
            ),
            closing=stack.pop_all(),
        )


async def close(wiring: Wiring) -> None:
    await wiring.closing.aclose()


async def provide_wiring(state: State) -> Wiring:
    wiring = state.wiring
    assert isinstance(wiring, Wiring)
    return wiring


def _deposit_limits(settings: LockerSettings) -> DepositLimits:
    return DepositLimits(
        receive=ReceiveLimits(
            pdf_max_bytes=settings.deposit_pdf_max_bytes,
            json_max_bytes=settings.deposit_json_max_bytes,
            data_max_bytes=settings.deposit_data_max_bytes,
            data_signature_max_bytes=settings.deposit_data_signature_max_bytes,
            receive_max_s=settings.deposit_receive_max_s,
            folder=settings.temporary_folder,
        ),
        per_client=Limit("deposits", settings.deposits_per_client_per_minute, 60),
        lease_s=settings.idempotency_lease_s,
        lifetime_s=settings.idempotency_lifetime_s,
        documents_per_owner_max=settings.documents_per_owner_max,
        bytes_per_owner_max=settings.bytes_per_owner_max,
        quarantine=quarantine_limits(settings),
    )


def _batch_limits(settings: LockerSettings) -> BatchLimits:
    return BatchLimits(
        items_max=settings.batch_items_max,
        manifest_max_bytes=settings.batch_manifest_max_bytes,
        line_max_bytes=settings.deposit_json_max_bytes,
        part_max_bytes=settings.batch_part_max_bytes,
        part_entries_max=settings.batch_part_entries_max,
        items_at_once_max=settings.batch_items_at_once_max,
        frame_max_s=settings.batch_frame_max_s,
        part_max_s=settings.batch_part_max_s,
        lifetime_s=settings.batch_lifetime_s,
        per_administration_max=settings.batches_per_administration_max,
        registrations=Limit("batches", settings.batch_registrations_per_client_per_minute, 60),
        parts=Limit("batch-parts", settings.batch_parts_per_client_per_minute, 60),
        lease_s=settings.idempotency_lease_s,
        folder=settings.temporary_folder,
    )


def upload_limits(settings: LockerSettings) -> UploadLimits:
    return UploadLimits(
        receive=UploadReceiveLimits(
            file_max_bytes=settings.upload_max_bytes,
            receive_max_s=settings.upload_receive_max_s,
            folder=settings.temporary_folder,
        ),
        per_owner=Limit("uploads", settings.uploads_per_owner_per_hour, 3_600),
        uploads_per_owner_max=settings.uploads_per_owner_max,
        bytes_per_owner_max=settings.upload_bytes_per_owner_max,
        bin_days=settings.upload_bin_days,
    )


def quarantine_limits(settings: LockerSettings) -> QuarantineLimits:
    return QuarantineLimits(
        first_wait_s=settings.quarantine_first_wait_s,
        wait_max_s=settings.quarantine_wait_max_s,
        attempts_max=settings.quarantine_attempts_max,
        lease_s=settings.quarantine_lease_s,
        per_administration_max=settings.quarantine_per_administration_max,
    )


def _origin_of(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.split('/', 1)[0]}"
