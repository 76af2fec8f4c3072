"""What a judge is asked and answers. Names of indications and sub-indications are those of ETSI EN 319 102-1 §5.1.3."""

from datetime import datetime
from typing import Literal

import msgspec

Indication = Literal["TOTAL-PASSED", "INDETERMINATE", "TOTAL-FAILED", "NO_SIGNATURE_FOUND"]
"""NO_SIGNATURE_FOUND is not ETSI's: a document without signatures, or with time stamps only."""

SubIndication = Literal[
    "FORMAT_FAILURE",
    "HASH_FAILURE",
    "SIG_CRYPTO_FAILURE",
    "NOT_YET_VALID",
    "NO_SIGNING_CERTIFICATE_FOUND",
    "NO_CERTIFICATE_CHAIN_FOUND",
    "NO_CERTIFICATE_CHAIN_FOUND_NO_POE",
    "CERTIFICATE_CHAIN_GENERAL_FAILURE",
    "CHAIN_CONSTRAINTS_FAILURE",
    "CRYPTO_CONSTRAINTS_FAILURE",
    "CRYPTO_CONSTRAINTS_FAILURE_NO_POE",
    "OUT_OF_BOUNDS_NO_POE",
    "REVOKED_NO_POE",
    "REVOKED_CA_NO_POE",
    "SIG_CONSTRAINTS_FAILURE",
    "TRY_LATER",
    "GENERIC",
]

Level = Literal[
    "PAdES-BASELINE-B",
    "PAdES-BASELINE-T",
    "PAdES-BASELINE-LT",
    "PAdES-BASELINE-LTA",
    "PAdES-BES",
    "PAdES-EPES",
    "PAdES-LTV",
    "CAdES-BASELINE-B",
    "CAdES-BASELINE-T",
    "CAdES-BASELINE-LT",
    "JAdES-BASELINE-B",
    "JAdES-BASELINE-T",
    "JAdES-BASELINE-LT",
    "XAdES-BASELINE-B",
    "XAdES-BASELINE-T",
    "XAdES-BASELINE-LT",
    "PKCS7-B",
    "PKCS7-T",
    "PKCS7-LT",
    "PKCS7-LTA",
    "NOT-ETSI",
]

Change = Literal["none", "archive", "signatures", "form-filling", "annotations", "other"]
"""What was added after the signed revision: nothing, validation data and archive time stamps, further signatures, …"""

ActiveContent = Literal[
    "javascript", "launch", "open-action", "xfa", "rich-media", "embedded-file", "submit-form", "multimedia", "3d"
]


ServiceKind = Literal["ca", "time-stamp", "ocsp"]


class ServicePeriod(msgspec.Struct, frozen=True, kw_only=True):
    """From ``since`` to the beginning of the next period a service had this status (ETSI TS 119 612 §5.5.4)."""

    since: datetime
    status: str
    """The last part of its URI: ``granted``, ``withdrawn``, ``undersupervision``, …"""
    granted: bool
    """The status lets the service be relied on, for documents, and no critical extension speaks against it."""


class TrustService(msgspec.Struct, frozen=True, kw_only=True):
    """A service of a trust list: its certificates are anchors for what ``kind`` says, while it is granted."""

    certificates: tuple[bytes, ...]
    kind: ServiceKind
    type: str
    """The last parts of its URI: ``CA/QC``, ``TSA/QTST``, ``Certstatus/OCSP/QC``, …"""
    name: str
    provider: str
    territory: str
    periods: tuple[ServicePeriod, ...]
    """The newest first."""
    subjects: tuple[str, ...] = ()
    """Of the certificates, one each, prepared for comparison (``certificate.comparable``); or none."""
    list_next_update: datetime | None = None
    """Of the list that names it: after that it may be out of date."""


class Trust(msgspec.Struct, frozen=True, kw_only=True):
    """Everything is DER. ``version`` names this list of trust in the verdict.

    ``time_stamp_anchors`` and ``responders`` add to ``anchors`` for time stamps and for OCSP; an anchor may be an
    end-entity certificate (a trust list names such services). ``seals`` are the certificates registered for the
    administration whose document it is. ``crls`` and ``ocsps`` are what a refresher collected: nothing is fetched here.
    """

    anchors: tuple[bytes, ...]
    version: str
    time_stamp_anchors: tuple[bytes, ...] = ()
    responders: tuple[bytes, ...] = ()
    intermediates: tuple[bytes, ...] = ()
    seals: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()
    ocsps: tuple[bytes, ...] = ()
    services: tuple[TrustService, ...] = ()
    """Of trust lists. A certificate that is also one of ``anchors`` is trusted whatever its service's status."""


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a document beyond being mathematically right."""

    name: str
    version: str
    minimum_level: Literal["B", "T", "LT", "LTA"] | None = None
    permitted_changes: frozenset[Change] = frozenset({"none", "archive", "signatures"})
    permitted_active_content: frozenset[ActiveContent] = frozenset({"embedded-file", "open-action"})
    revocation: Literal["required", "if-present", "ignored"] = "required"
    """Of the signer's chain, anchors apart. ``required``: without fresh status the answer is TRY_LATER."""
    time_stamp_revocation: Literal["required", "if-present", "ignored"] = "if-present"
    registered_seal: bool = False
    """Every signer's certificate must be one of ``Trust.seals``."""
    encrypted: bool = False
    rsa_bits_min: int = 1024
    ec_bits_min: int = 256
    """Below these nothing counts, whenever it was made; above, the dated table of algorithms decides."""
    size_max_bytes: int = 25 * 1024 * 1024
    revisions_max: int = 160
    signatures_max: int = 64
    certificates_max: int = 64


class PartyName(msgspec.Struct, frozen=True, kw_only=True):
    """A distinguished name for people: controls and bidirectional marks are gone. Show it isolated (``<bdi>``)."""

    display: str
    common_name: str | None = None
    organisation: str | None = None
    organisation_identifier: str | None = None
    country: str | None = None


class RevocationSource(msgspec.Struct, frozen=True, kw_only=True):
    kind: Literal["crl", "ocsp", "none"]
    origin: Literal["trust", "document", "none"]
    this_update: datetime | None = None


class TimeStampVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """``passed``: its imprint, signature and chain hold, so ``time`` is proven."""

    kind: Literal["signature", "document"]
    time: datetime | None
    passed: bool
    sub_indication: SubIndication | None = None
    authority: PartyName | None = None
    field_name: str | None = None
    reasons: tuple[str, ...] = ()


class SignatureVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """``reasons`` speak against it, as stable codes, the deciding one first; ``remarks`` do not."""

    field_name: str
    other_field_names: tuple[str, ...] = ()
    indication: Indication
    sub_indication: SubIndication | None = None
    reasons: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    level: Level = "NOT-ETSI"
    revision: int | None = None
    covers_whole_file: bool = False
    intact: bool = False
    changes: Change | None = None
    changed: tuple[str, ...] = ()
    """Where: names of fields, or paths of keys; at most eight."""
    docmdp: Literal[1, 2, 3] | None = None
    signer: PartyName | None = None
    issuer: PartyName | None = None
    certificate_sha256: str | None = None
    certificate_not_before: datetime | None = None
    certificate_not_after: datetime | None = None
    claimed_time: datetime | None = None
    proven_time: datetime | None = None
    stated_reason: str | None = None
    stated_location: str | None = None
    digest_algorithm: str | None = None
    signature_algorithm: str | None = None
    key_bits: int | None = None
    registered_seal: bool = False
    revocation: RevocationSource | None = None
    time_stamps: tuple[TimeStampVerdict, ...] = ()

    @property
    def passed(self) -> bool:
        return self.indication == "TOTAL-PASSED"


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Of the document: as bad as its worst signature, and what the document itself adds."""

    indication: Indication
    sub_indication: SubIndication | None = None
    reasons: tuple[str, ...] = ()
    signatures: tuple[SignatureVerdict, ...] = ()
    time_stamps: tuple[TimeStampVerdict, ...] = ()
    warnings: tuple[str, ...] = ()
    """Active content and other things a reader should know, as stable codes: ``javascript``, ``encrypted``, …"""
    policy: str
    policy_version: str
    trust_version: str
    algorithm_policy: str = ""
    algorithm_policy_version: str = ""
    judged_for: datetime
    """The time of validation, ``at``."""
    size_bytes: int
    sha256: str
    pages: int | None = None
    revisions: int | None = None

    @property
    def passed(self) -> bool:
        return self.indication == "TOTAL-PASSED"
