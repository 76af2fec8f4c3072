"""A signature over data, judged: its mathematics, then trust at the time that can be proven, as for a PDF."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime

from locker.signatures.algorithms import digest_until, key_until
from locker.signatures.cms_signature import Finding, failed, indeterminate
from locker.signatures.document import UNREADABLE
from locker.signatures.judge_chain import Context, judge_chain, weak
from locker.signatures.judge_time_stamp import is_intact, judge_time_stamp
from locker.signatures.level import reaches
from locker.signatures.names import clean, issuer_name, party_name
from locker.signatures.opened_signature import Format, OpenedSignature
from locker.signatures.revocation import Evidence, RevocationList, StatusResponse
from locker.signatures.schema import Indication, Level, Policy, SignatureVerdict, TimeStampVerdict, Verdict
from locker.signatures.trust_store import TrustStore

_STAMPS_MAX = 4
_REVOCATION_DATA_MAX = 64
_WORST: dict[Indication, int] = {"TOTAL-PASSED": 0, "INDETERMINATE": 1, "TOTAL-FAILED": 2}


def judge_all(
    opened: Sequence[OpenedSignature],
    data: bytes,
    *,
    store: TrustStore,
    policy: Policy,
    at: datetime,
    known_until: datetime | None = None,
    against: Sequence[Finding] = (),
) -> Verdict:
    """``data`` is the file that is spoken of; ``against``: what speaks against the whole, such as its container."""
    verdicts = tuple(
        _judged(signature, store, policy, at, known_until) for signature in opened[: policy.signatures_max]
    )
    whole = [*against]
    if len(opened) > policy.signatures_max:
        whole.append(indeterminate("GENERIC", "too-many-signatures"))
    worst = max(
        [*((v.indication, v.sub_indication) for v in verdicts), *((f.indication, f.sub_indication) for f in whole)],
        key=lambda found: _WORST[found[0]],
        default=("NO_SIGNATURE_FOUND", None),
    )
    if not verdicts and all(finding.indication != "TOTAL-FAILED" for finding in whole):
        worst = ("NO_SIGNATURE_FOUND", None)
    return Verdict(
        indication=worst[0],
        sub_indication=worst[1],
        reasons=tuple(
            dict.fromkeys([*(f.reason for f in whole), *(r for v in verdicts if not v.passed for r in v.reasons)])
        ),
        signatures=verdicts,
        policy=policy.name,
        policy_version=policy.version,
        trust_version=store.version,
        judged_for=at,
        size_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
    )


def _judged(
    opened: OpenedSignature, store: TrustStore, policy: Policy, at: datetime, known_until: datetime | None
) -> SignatureVerdict:
    """A certificate may parse and break when it is looked into; one signature does not spoil the others."""
    try:
        return judge_opened(opened, store, policy, at, known_until)
    except UNREADABLE:
        broken = unreadable_signature(opened.name, opened.format)
        return judge_opened(broken, store, policy, at, known_until)


def judge_opened(
    opened: OpenedSignature, store: TrustStore, policy: Policy, at: datetime, known_until: datetime | None
) -> SignatureVerdict:
    signer = opened.signer
    intact = signer is not None and not opened.findings
    context = Context(store=store, evidence=_evidence(opened, store), candidates=(), at=at, known_until=known_until)
    stamps = _stamps(opened, context, policy) if intact else ()
    times = [stamp.time for stamp in stamps if stamp.passed and stamp.time]
    proven_time = min(times, default=None)
    best_time = min([at, *times])
    proven = proven_time is not None
    trust = (
        judge_chain(
            signer,
            context,
            brought=list(opened.brought),
            best_time=best_time,
            proven=proven,
            revocation=policy.revocation,
        )
        if signer
        else None
    )
    level = _level(opened, stamps)
    registered = signer is not None and signer.sha256 in store.seals_sha256
    findings = [
        *opened.findings,
        None if signer else indeterminate("NO_SIGNING_CERTIFICATE_FOUND", "signing-certificate-missing"),
        None if opened.covers_everything else indeterminate("SIG_CONSTRAINTS_FAILURE", "not-all-covered"),
        trust.finding if trust else None,
        _against_algorithms(opened, policy, best_time),
        _against_level(level, policy, proven=proven),
        indeterminate("CHAIN_CONSTRAINTS_FAILURE", "seal-not-registered")
        if policy.registered_seal and signer and not registered
        else None,
    ]
    against = [finding for finding in findings if finding]
    deciding = next((f for f in against if f.indication == "TOTAL-FAILED"), against[0] if against else None)
    return SignatureVerdict(
        field_name=clean(opened.name),
        indication=deciding.indication if deciding else "TOTAL-PASSED",
        sub_indication=deciding.sub_indication if deciding else None,
        reasons=tuple(dict.fromkeys([*([deciding.reason] if deciding else []), *(f.reason for f in against)])),
        remarks=tuple(dict.fromkeys([*opened.remarks, *(trust.remarks if trust else ())])),
        level=level,
        covers_whole_file=intact and opened.covers_everything,
        intact=intact,
        changes="none" if intact else None,
        signer=party_name(signer) if signer else None,
        issuer=issuer_name(signer) if signer else None,
        certificate_sha256=signer.sha256.hex() if signer else None,
        certificate_not_before=signer.not_before if signer else None,
        certificate_not_after=signer.not_after if signer else None,
        claimed_time=opened.claimed_time,
        proven_time=proven_time,
        digest_algorithm=opened.digest_algorithm,
        signature_algorithm=opened.signature_algorithm,
        key_bits=signer.key_kind[1] if signer else None,
        registered_seal=registered,
        revocation=trust.revocation if trust else None,
        time_stamps=stamps,
    )


def _evidence(opened: OpenedSignature, store: TrustStore) -> Evidence:
    crls = (RevocationList.parse(der, origin="document") for der in opened.crls[:_REVOCATION_DATA_MAX])
    ocsps = (o for der in opened.ocsps[:_REVOCATION_DATA_MAX] for o in StatusResponse.parse(der, origin="document"))
    return Evidence([*store.crls, *(crl for crl in crls if crl)], [*store.ocsps, *ocsps])


def _stamps(opened: OpenedSignature, context: Context, policy: Policy) -> tuple[TimeStampVerdict, ...]:
    found = [
        judge_time_stamp(token, imprint, context, policy, control_time=context.at, kind="signature")
        for token, imprint in opened.stamps[:_STAMPS_MAX]
    ]
    broken = TimeStampVerdict(
        kind="signature",
        time=None,
        passed=False,
        sub_indication="FORMAT_FAILURE",
        reasons=("time-stamp-invalid",),
    )
    return (*found, *([broken] if opened.broken_stamps else []))


def _level(opened: OpenedSignature, stamps: tuple[TimeStampVerdict, ...]) -> Level:
    """Archive time stamps are not looked at, so that nothing is above LT."""
    if opened.signer is None or not opened.names_certificate:
        return "NOT-ETSI"
    stamped = any(is_intact(stamp) for stamp in stamps)
    step = ("LT" if opened.crls or opened.ocsps else "T") if stamped else "B"
    levels: dict[str, Level] = {
        "CAdES-B": "CAdES-BASELINE-B",
        "CAdES-T": "CAdES-BASELINE-T",
        "CAdES-LT": "CAdES-BASELINE-LT",
        "JAdES-B": "JAdES-BASELINE-B",
        "JAdES-T": "JAdES-BASELINE-T",
        "JAdES-LT": "JAdES-BASELINE-LT",
        "XAdES-B": "XAdES-BASELINE-B",
        "XAdES-T": "XAdES-BASELINE-T",
        "XAdES-LT": "XAdES-BASELINE-LT",
    }
    return levels[f"{opened.format}-{step}"]


def _against_algorithms(opened: OpenedSignature, policy: Policy, best_time: datetime) -> Finding | None:
    made_after = opened.signer.not_before if opened.signer else datetime.min.replace(tzinfo=UTC)
    until = digest_until(opened.digest_algorithm) if opened.digest_algorithm else None
    if opened.digest_algorithm and (until is None or best_time > until):
        return weak("digest-algorithm", until=until, made_after=made_after)
    if opened.signer is None:
        return None
    kind, bits = opened.signer.key_kind
    until = key_until(kind, bits)
    if until is None or best_time > until:
        return weak("key-size", until=until, made_after=made_after)
    if bits < {"rsa": policy.rsa_bits_min, "ec": policy.ec_bits_min}.get(kind, 0):
        return indeterminate("CRYPTO_CONSTRAINTS_FAILURE", "key-size")
    return None


def _against_level(level: Level, policy: Policy, *, proven: bool) -> Finding | None:
    minimum = policy.minimum_level
    if minimum is None or (reaches(level, minimum) and (minimum == "B" or proven)):
        return None
    return indeterminate("SIG_CONSTRAINTS_FAILURE", "level")


def unreadable_signature(name: str, format_: Format, reason: str = "signature-unreadable") -> OpenedSignature:
    return OpenedSignature(name=name, format=format_, findings=(failed("FORMAT_FAILURE", reason),))
