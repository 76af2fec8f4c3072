"""Does an evidence record prove that data existed (RFC 4998 §4.3, §5.3; ETSI EN 319 102-1 §5.6.2.3)?"""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import msgspec
from asn1crypto import cms

from locker.signatures.algorithms import ALGORITHMS
from locker.signatures.cms_signature import Finding, Imprint, digest_of, failed, indeterminate
from locker.signatures.document import UNREADABLE
from locker.signatures.evidence_record import (
    ArchiveTimeStamp,
    Chain,
    EvidenceRecord,
    NoEvidenceRecord,
    group_hash,
    leaf_to_renew,
    read,
    root_of,
)
from locker.signatures.evidence_record_xml import read_xml
from locker.signatures.judge_chain import Context
from locker.signatures.judge_time_stamp import judge_time_stamp
from locker.signatures.revocation import Evidence
from locker.signatures.schema import Policy, SubIndication, TimeStampVerdict
from locker.signatures.trust_store import TrustStore


class EvidenceVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """``proven_time``: when the data provably existed, the time of the first archive time stamp; only if it passed."""

    indication: Literal["TOTAL-PASSED", "INDETERMINATE", "TOTAL-FAILED"]
    sub_indication: SubIndication | None = None
    reasons: tuple[str, ...] = ()
    proven_time: datetime | None = None
    renewals: int = 0
    time_stamps: tuple[TimeStampVerdict, ...] = ()
    """Oldest first."""

    @property
    def passed(self) -> bool:
        return self.indication == "TOTAL-PASSED"


def judge_evidence_record(
    der: bytes, data: Sequence[Imprint], store: TrustStore, policy: Policy, at: datetime
) -> EvidenceVerdict:
    """``data``: for each data object of the group, its digest by algorithm. Never raises for a bad record.

    Not in the thread of an event loop: it blocks, and finding a chain starts a loop of its own.
    """
    try:
        # A SEQUENCE, or something that may be XML.
        record = read(der) if der[:1] == b"0" else read_xml(der)
    except NoEvidenceRecord:
        return _verdict(failed("FORMAT_FAILURE", "evidence-record-unreadable"))
    return judge_read_record(record, data, store, policy, at)


def judge_read_record(
    record: EvidenceRecord, data: Sequence[Imprint], store: TrustStore, policy: Policy, at: datetime
) -> EvidenceVerdict:
    roots: list[bytes | None] = []
    finding: Finding | None = None
    for position in range(len(record.chains)):
        expected, wrong = _chain(record, position, data)
        roots += expected
        finding = finding or wrong
    stamps, times = _time_stamps(record, roots, store, policy, at)
    first_bad = next((stamp for stamp in reversed(stamps) if not stamp.passed), None)
    if finding is None and first_bad:
        broken = first_bad.sub_indication in ("HASH_FAILURE", "SIG_CRYPTO_FAILURE", "FORMAT_FAILURE")
        by = failed if broken else indeterminate
        finding = by(first_bad.sub_indication or "GENERIC", first_bad.reasons[0])
    finding = finding or _order(times) or _strength(record.chains, times, at)
    return _verdict(finding, record=record, stamps=stamps)


def _chain(record: EvidenceRecord, position: int, data: Sequence[Imprint]) -> tuple[list[bytes | None], Finding | None]:
    """What each of its time stamps must be over, and what already speaks against it."""
    chain = record.chains[position]
    algorithm = chain[0].digest_algorithm
    roots: list[bytes | None] = []
    finding: Finding | None = None
    for number, each in enumerate(chain):
        if each.digest_algorithm != algorithm:
            return [None] * len(chain), failed("FORMAT_FAILURE", "evidence-record-algorithms")
        if number == 0:
            covered = _covered(record, position, algorithm, data)
        else:
            last = chain[number - 1]
            covered = [digest_of(algorithm, last.renewed or last.token)]
        if any(value is None for value in covered):
            return [None] * len(chain), failed("FORMAT_FAILURE", "evidence-record-algorithms")
        root, wrong = _root(each, [value for value in covered if value is not None])
        roots.append(root)
        finding = finding or wrong
    return roots, finding


def _covered(record: EvidenceRecord, position: int, algorithm: str, data: Sequence[Imprint]) -> list[bytes | None]:
    """What must stand in the first group of a chain's first hash tree."""
    values = [one(algorithm) for one in data]
    if position == 0:
        return values
    if record.syntax == "xml":
        # RFC 6283 §4.2.2: the chains before have a value of their own.
        return [*values, digest_of(algorithm, record.chains[position][0].before)]
    before = record.chains[:position]
    return [leaf_to_renew(before, algorithm, value) if value is not None else None for value in values]


def _root(each: ArchiveTimeStamp, covered: list[bytes]) -> tuple[bytes | None, Finding | None]:
    tree = each.reduced_hashtree
    if not tree:
        # Over what it covers, without others' values (§4.2).
        return group_hash(each.digest_algorithm, covered), None
    if not set(covered) <= set(tree[0]):
        return None, failed("HASH_FAILURE", "evidence-record-data")
    try:
        return root_of(each.digest_algorithm, tree), None
    except (ValueError, TypeError, IndexError):
        return None, failed("FORMAT_FAILURE", "evidence-record-unreadable")


def _time_stamps(
    record: EvidenceRecord, roots: list[bytes | None], store: TrustStore, policy: Policy, at: datetime
) -> tuple[list[TimeStampVerdict], list[datetime | None]]:
    """Newest first, because each proves when the one before it existed; given back oldest first."""
    context = Context(store=store, evidence=Evidence(store.crls, store.ocsps), candidates=(), at=at)
    control_time = at
    verdicts: list[TimeStampVerdict] = []
    all_of_them = [each for chain in record.chains for each in chain]
    for each, root in reversed(list(zip(all_of_them, roots, strict=True))):
        verdict = _time_stamp(each, root, context, policy, control_time)
        if verdict.passed and verdict.time:
            control_time = min(control_time, verdict.time)
        verdicts.append(verdict)
    verdicts.reverse()
    return verdicts, [verdict.time for verdict in verdicts]


def _time_stamp(
    each: ArchiveTimeStamp, root: bytes | None, context: Context, policy: Policy, control_time: datetime
) -> TimeStampVerdict:
    # §4.3: the token is over the root, by the algorithm of the tree.
    def imprint(algorithm: str) -> bytes | None:
        return root if algorithm == each.digest_algorithm else None

    try:
        token = cms.ContentInfo.load(each.token)["content"]
        return judge_time_stamp(token, imprint, context, policy, control_time=control_time, kind="document")
    except UNREADABLE:
        return TimeStampVerdict(
            kind="document",
            time=None,
            passed=False,
            sub_indication="FORMAT_FAILURE",
            reasons=("time-stamp-invalid",),
        )


def _order(times: list[datetime | None]) -> Finding | None:
    known = [time for time in times if time is not None]
    return failed("FORMAT_FAILURE", "evidence-record-order") if known != sorted(known) else None


def _strength(chains: Sequence[Chain], times: list[datetime | None], at: datetime) -> Finding | None:
    """A chain's digest must have been good when the next chain began (§5.3)."""
    begins = 0
    for number, chain in enumerate(chains):
        begins += len(chain)
        following = times[begins] if number + 1 < len(chains) else at
        until = ALGORITHMS.digest_until(chain[0].digest_algorithm)
        if until is None or (following or at) > until:
            return indeterminate("CRYPTO_CONSTRAINTS_FAILURE_NO_POE", "digest-algorithm")
    return None


def _verdict(
    finding: Finding | None, *, record: EvidenceRecord | None = None, stamps: Sequence[TimeStampVerdict] = ()
) -> EvidenceVerdict:
    if finding is None:
        return EvidenceVerdict(
            indication="TOTAL-PASSED",
            proven_time=stamps[0].time,
            renewals=len(stamps) - 1,
            time_stamps=tuple(stamps),
        )
    return EvidenceVerdict(
        indication="TOTAL-FAILED" if finding.indication == "TOTAL-FAILED" else "INDETERMINATE",
        sub_indication=finding.sub_indication,
        reasons=(finding.reason,),
        renewals=max(0, len(stamps) - 1),
        time_stamps=tuple(stamps),
    )


def imprint_of_bytes(data: bytes) -> Imprint:
    return lambda algorithm: digest_of(algorithm, data)
