"""What the reports say. Members stay: a report of an earlier version reads as a later one does."""

import datetime as dt
from typing import Literal

import msgspec

from locker.documents.schema import Standing
from locker.signatures.schema import Change, Indication, Level, RevocationSource

Status = Literal["passed", "failed", "ignored"]
"""``ignored``: not looked at; the check's ``why`` says why not."""

Why = Literal["not-reached", "not-asked", "nothing-there", "not-proven"]

CheckName = Literal[
    "file",
    "validation-context",
    "content",
    "format",
    "signing-certificate",
    "cryptographic-verification",
    "certificate-chain",
    "revocation",
    "revocation-freshness",
    "cryptographic-constraints",
    "signature-acceptance",
    "time-stamps",
    "past-certificate-validation",
    "coverage",
    "changes",
    "long-term",
]


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """One thing in each language."""

    ar: str
    fr: str
    en: str
    zgh: str


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """``code`` is stable."""

    code: str
    says: Said


class PolicyUsed(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    version: str
    trust_version: str


class Meaning(msgspec.Struct, frozen=True, kw_only=True):
    """Of a sub-indication: what it says to a person, and what to do next."""

    means: Said
    next: Said


class ReportedTimeStamp(msgspec.Struct, frozen=True, kw_only=True):
    kind: Literal["signature", "document"]
    time: dt.datetime | None
    passed: bool
    authority: str | None
    sub_indication: str | None
    reasons: list[str]


class ReportedSignature(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    """``S-1``, the same in each report of this verdict."""
    field_name: str
    indication: Indication
    sub_indication: str | None
    reasons: list[str]
    remarks: list[str]
    level: Level
    signer: str | None
    issuer: str | None
    certificate_sha256: str | None
    claimed_time: dt.datetime | None
    proven_time: dt.datetime | None
    covers_whole_file: bool
    changes: Change | None
    digest_algorithm: str | None
    signature_algorithm: str | None
    key_bits: int | None
    revocation: RevocationSource | None
    time_stamps: list[ReportedTimeStamp]


class SimpleReport(msgspec.Struct, frozen=True, kw_only=True):
    """What most readers need of a verdict."""

    report: Literal["simple"]
    version: Literal["1"]
    sentence: Said
    indication: Indication
    sub_indication: str | None
    meaning: Meaning | None
    """Of the sub-indication."""
    reasons: list[Reason]
    warnings: list[str]
    policy: PolicyUsed
    judged_for: dt.datetime
    """The time of validation."""
    checked_at: dt.datetime
    standing: Standing | Literal["unknown", "not-yet"]
    sha256: str
    size_bytes: int
    pages: int | None
    revisions: int | None
    signatures: list[ReportedSignature]
    time_stamps: list[ReportedTimeStamp]
    """Of the document itself."""


class CheckResult(msgspec.Struct, frozen=True, kw_only=True):
    name: CheckName
    clause: str
    """Where the check is described."""
    status: Status
    reasons: list[str]
    """Codes of what speaks against; of the check ``time-stamps``, what speaks against the time stamps."""
    remarks: list[str]
    """Codes of what a reader should know and does not decide."""
    why: Why | None


class CheckedTimeStamp(msgspec.Struct, frozen=True, kw_only=True):
    kind: Literal["signature", "document"]
    time: dt.datetime | None
    passed: bool
    checks: list[CheckResult]


class CheckedSignature(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    field_name: str
    indication: Indication
    sub_indication: str | None
    checks: list[CheckResult]
    time_stamps: list[CheckedTimeStamp]


class DetailedReport(msgspec.Struct, frozen=True, kw_only=True):
    """Every check in the order of ETSI EN 319 102-1."""

    report: Literal["detailed"]
    version: Literal["1"]
    sentence: Said
    indication: Indication
    sub_indication: str | None
    policy: PolicyUsed
    judged_for: dt.datetime
    checked_at: dt.datetime
    sha256: str
    document: list[CheckResult]
    signatures: list[CheckedSignature]
    time_stamps: list[CheckedTimeStamp]
    texts: dict[str, Said]
    """What the names and codes of this report say to people."""
