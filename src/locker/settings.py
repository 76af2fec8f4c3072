import re
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from kit.settings import Mode, Settings

_SCANNER = re.compile(r"/.+|(\[[0-9A-Fa-f:.]+\]|[^\s/:\[\]]+):[0-9]{1,5}")


class LockerSettings(Settings, frozen=True, kw_only=True):
    """What the locker is told by its environment."""

    prefix: ClassVar[str] = "KHIZANA_LOCKER_"

    mode: Mode = "production"
    issuer: str
    """The provider's issuer identifier; everything else about it is discovered from there."""
    locker_url: str
    """Our own base URL, the audience of access tokens for us: no trailing slash."""
    database_url: str
    secret: str
    """At least 64 hexadecimal digits. Form tokens and other keyed digests derive from it."""
    keys_folder: Path
    """Holds ``master.key``, ``client-ES256.pem`` (what we show the provider), ``signing-ES256.pem``
    (signs receipts and answers; after rotations ``signing-ES256-activates_at.pem``, ``….pub``, ``….distrusted`` too),
    ``report-seal-ES256.pem`` with ``report-seal.crt`` (the seal of verification reports) and ``log-Ed25519.pem`` (signs
    the log's checkpoints; after a rotation ``log-Ed25519-beside.pem`` and ``log-former.keys`` too), mode 0600."""
    keys_reread_s: float = 30.0
    """How often each process looks at the folder of signing keys again, for what was rotated or withdrawn."""
    master_pkcs11_module: Path | None = None
    """The master key lives in this PKCS#11 module's token instead of ``master.key``: khizana keys rotate-master."""
    master_pkcs11_token: str | None = None
    master_pkcs11_pin: str | None = None
    """The token's user PIN, best by KHIZANA_LOCKER_MASTER_PKCS11_PIN_FILE."""
    backup_retention_days: int = 35
    """How long a backup is kept. A former master key stays for so long, then nothing opens what is older."""
    client_id: str = "khizana-locker"
    """Under which the provider knows us."""
    trusted_proxies: tuple[str, ...] = ()

    s3_endpoint: str
    """``http://host:port`` or ``https://host``."""
    s3_access_key: str
    s3_secret_key: str
    s3_bucket: str = "khizana"
    s3_region: str = "us-east-1"
    s3_fsync_folder: Path | None = None
    """Where an engine on this machine keeps the bucket, for one that does not sync what it has acknowledged."""
    s3_log_prefix: str = "log"
    """The part of the bucket that holds the public log of the audit: checkpoint and tiles."""

    outbound_ca_file: Path | None = None
    """Certification authorities (PEM) for the addresses of trust lists and witnesses, beside the system's."""
    outbound_loopback: bool = False
    """Fetch trust lists and documents also from loopback addresses: for tests on this machine."""
    reference_freshness_s: int = 3_600
    """A document that its administration keeps is asked for there again after this, before it is shown."""
    reference_cache_s: int = 7_200
    """What was not asked for again for so long is removed here, unless the citizen keeps a copy."""
    reference_fetch_max_s: float = 6.0
    reference_certificate_file: Path | None = None
    """PEM, a certificate with its chain and its key: shown to administrations' servers that ask for one (mutual TLS),
    beside the signature of each request."""
    references_at_once_max: int = 4
    """Fetched by one process at once; each is in memory until it is verified."""
    trust_lists_every_s: int = 3_600
    """How often the worker reads the followed trust lists again."""

    log_origin: str | None = None
    """The log's name; else its address without the scheme. To be set to the old one when ``locker_url`` changes."""
    log_witnesses: tuple[str, ...] = ()
    """Who is asked to cosign checkpoints of the log (C2SP tlog-witness): ``https://<prefix>#<verifier key>``."""

    connections_max: int = 10
    connections_wait_s: float = 0.8
    """How long a request waits for one of these connections to the database before it is told to come again."""
    provider_timeout_s: float = 5.0
    provider_keys_age_max_s: int = 300
    provider_keys_refresh_min_s: int = 10
    """An unknown ``kid`` fetches the key set again, at most this often."""
    introspection_age_max_s: float = 1.0
    """How long the provider's word that a token is active may be used again."""
    introspections_kept_max: int = 10_000

    body_max_bytes: int = 1_000_000
    """Where a route does not say otherwise."""

    deposit_pdf_max_bytes: int = 25_000_000
    deposit_json_max_bytes: int = 65_536
    deposit_data_max_bytes: int = 5_000_000
    """Of signed data that comes with a PDF."""
    deposit_data_signature_max_bytes: int = 262_144
    deposit_receive_max_s: float = 60.0
    """A body that arrives more slowly is given up."""
    temporary_folder: Path | None = None
    """Where a document stands while it is judged; else the system's place for temporary files."""
    deposits_at_once_max: int = 64
    """In one process; the next one is answered 503."""
    deposits_per_client_per_minute: int = 6_000
    deposit_intent_grace_s: int = 3_600
    """An intent older than this belongs to a deposit that died; its object is swept."""
    idempotency_lease_s: int = 60
    """An attempt that has not answered for this long may be taken over by the next one."""
    idempotency_lifetime_s: int = 86_400
    batch_items_max: int = 100_000
    batch_manifest_max_bytes: int = 64_000_000
    batch_part_max_bytes: int = 32_000_000
    batch_part_entries_max: int = 1_000
    batch_items_at_once_max: int = 16
    """Of one part: each is a temporary file while it is judged and sealed."""
    batch_parts_at_once_max: int = 4
    """In one process; the next one is answered 503."""
    batch_frame_max_s: float = 30.0
    """A part or a manifest that sends nothing for so long is given up."""
    batch_part_max_s: float = 600.0
    batch_subjects_apart_s: float = 0.05
    """Requests to the provider for subjects of items, each for all that came meanwhile."""
    batch_lifetime_s: int = 7 * 86_400
    """After this no part of a batch is accepted and its results are forgotten."""
    batches_per_administration_max: int = 100
    batch_registrations_per_client_per_minute: int = 60
    batch_parts_per_client_per_minute: int = 6_000
    quarantine_first_wait_s: int = 60
    """A deposit whose revocation data is not there yet is judged again after this, then after twice as long, …"""
    quarantine_wait_max_s: int = 21_600
    quarantine_attempts_max: int = 16
    """Judgements, that of the deposit included, then it is refused: two days with the waits above."""
    quarantine_lease_s: int = 120
    quarantine_per_administration_max: int = 10_000
    quarantine_refused_lifetime_s: int = 30 * 86_400
    """How long its depositor may read of a refusal after quarantine."""
    outbox_lifetime_s: int = 30 * 86_400
    erasure_wait_s: int = 7 * 86_400
    """For so long a citizen can undo the erasure that was asked for; law 09-08 leaves ten days."""
    export_lifetime_s: int = 86_400
    """For so long a citizen can take an export, then it is destroyed."""
    documents_per_owner_max: int = 10_000
    bytes_per_owner_max: int = 20_000_000_000

    clamav: str | None = None
    """``host:port`` or the absolute path of a Unix socket of a ClamAV daemon. Without it, nothing is scanned."""
    clamav_answer_max_s: float = 15.0
    """For one file; after it there is no verdict, and what has none is kept and not served."""
    clamav_at_once_max: int = 8
    """Files of one process at the scanner; as many wait."""

    upload_max_bytes: int = 10_000_000
    upload_receive_max_s: float = 300.0
    """Of an old phone on a slow network."""
    uploads_per_owner_max: int = 200
    upload_bytes_per_owner_max: int = 500_000_000
    """Also what is in the bin counts, until it is gone."""
    upload_bin_days: int = 30
    """How long what a citizen deleted can be restored; also how long a quarantined upload is kept."""
    uploads_per_owner_per_hour: int = 120
    upload_workers: int = 1
    upload_waiting_max: int = 32

    archive_renewal_margin_days: int = 180
    """How long before a certificate or an algorithm ends its time stamps are renewed."""
    archive_renew_each: bool = False
    """Renew every copy by a time stamp of its own, also those that an evidence record covers."""
    archive_digest_algorithms: tuple[str, ...] = ("sha256", "sha512")
    """For new time stamps: the first that still counts after the margin."""
    archive_documents_per_record_max: int = 10_000
    archive_lease_s: int = 900
    archive_first_wait_s: int = 300
    archive_wait_max_s: int = 86_400
    """What fails is tried again after the first wait, then after twice as long, … up to this."""

    session_idle_s: int = 900
    session_lifetime_s: int = 43_200
    sign_in_lifetime_s: int = 600
    share_viewing_s: int = 600
    """How long an opened share may be looked at without another opening."""
    share_lifetime_max_s: int = 30 * 86_400
    """A link works at most this long."""
    verify_file_max_bytes: int = 25_000_000
    verify_receive_max_s: float = 60.0
    verifications_per_address_per_minute: int = 30
    verifications_at_once_max: int = 2
    """Files that people bring, judged by one process at once: one more than ``judge_workers`` keeps them all busy."""
    verifications_waiting_max: int = 32
    verifications_wait_max_s: float = 5.0
    """What waits longer, or comes when so many wait, is answered 503."""
    paper_waiting_max: int = 16
    """Certificates of verification that wait to be drawn and sealed; the next one is answered 503."""
    rendering_workers: int = 1
    rendering_waiting_max: int = 32

    judge_workers: int = 1
    """In each server process: a document is judged on one core."""
    judge_waiting_max: int = 64
    object_connections_max: int = 64
    object_threads: int = 4
    """For the few calls that are not object bytes."""
    object_waiting_max: int = 64

    time_stamp_authorities: tuple[str, ...] = ()
    """Their addresses (RFC 3161 over HTTP), asked in turn; a user and password may stand in an address.
    Without one nothing is archived; what waits is archived once there is one."""
    time_stamp_answer_max_s: float = 5.0
    revocation_hosts: tuple[str, ...] = ()
    """Hosts that are asked for OCSP responses and CRLs after a time stamp; others never are."""

    seal_keys_folder: Path | None = None
    """Holds ``<administration>.pem``; else the folder ``seals`` in ``keys_folder``."""
    seal_pkcs11_module: Path | None = None
    """Seal keys live in this PKCS#11 module's token instead; each is labelled ``seal:<administration>``."""
    seal_pkcs11_token: str | None = None
    seal_pkcs11_pin: str | None = None
    seal_workers: int = 1
    seal_waiting_max: int = 64
    seals_at_once_max: int = 16
    """In one process; the next one is answered 503."""
    seals_per_client_per_minute: int = 1_200
    seal_lease_s: int = 120
    seal_lifetime_s: int = 7 * 86_400
    """For so long a sealed file can be fetched, and its request be repeated."""
    seals_pending_max: int = 10_000
    """Seals of one administration that wait for a time stamp; while there are more, it gets 503 instead of B-B."""

    job_lease_s: int = 60
    """A worker that died keeps its jobs from the others for so long."""
    webhooks_at_once_max: int = 32
    """Messages on their way in one worker."""
    webhook_at_once_max: int = 4
    """Of them to one webhook; one that fails gets one place."""
    webhook_waiting_max: int = 100_000
    """For one webhook; what comes while there are more is held for a replay."""
    webhook_failing_max_s: int = 5 * 86_400
    """A webhook that took nothing for so long is disabled."""
    webhook_key_overlap_s: int = 86_400
    """For so long after a rotation messages are signed with the old keys too."""

    def __post_init__(self) -> None:
        if self.clamav is not None and not _SCANNER.fullmatch(self.clamav):
            raise ValueError("clamav: host:port, or the absolute path of a Unix socket")
        if self.seal_pkcs11_module is not None and (self.seal_pkcs11_token is None or self.seal_pkcs11_pin is None):
            raise ValueError("seal_pkcs11_module: the token and its PIN are needed too")

        if self.job_lease_s < 30:
            raise ValueError("job_lease_s: at least 30, for an answer may take 15 s and the provider's some more")
        if self.master_pkcs11_module is not None and (
            self.master_pkcs11_token is None or self.master_pkcs11_pin is None
        ):
            raise ValueError("master_pkcs11_module: the token and its PIN are needed too")

    def refused_in_production(self) -> Iterable[tuple[str, str]]:
        if not self.issuer.startswith("https://"):
            yield "issuer", "production needs an https address"
        if not self.locker_url.startswith("https://"):
            yield "locker_url", "production needs an https address"
        if len(self.secret) < 64 or len(set(self.secret)) < 8:
            yield "secret", "this is a default, not a secret; make one with: openssl rand -hex 32"
        if self.outbound_loopback:
            yield "outbound_loopback", "production must not fetch from its own host"
        if len(self.s3_secret_key) < 16:
            yield "s3_secret_key", "this is too short to be a secret"
