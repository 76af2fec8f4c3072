"""Was this certificate good for its purpose at the time that can be proven?"""

from datetime import datetime
from typing import Literal

import msgspec

from locker.signatures.algorithms import ALGORITHMS
from locker.signatures.certificate import Certificate
from locker.signatures.chain import Chain, find_chain
from locker.signatures.cms_signature import Finding, failed, indeterminate
from locker.signatures.revocation import Evidence, has_no_check
from locker.signatures.schema import RevocationSource, ServiceKind
from locker.signatures.trust_store import Standing, TrustStore
from locker.signatures.validation_data import ValidationData


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What the judgement of one document shares."""

    store: TrustStore
    evidence: Evidence
    candidates: tuple[Certificate, ...]
    at: datetime
    data: ValidationData = ValidationData()
    known_until: datetime | None = None
    """What was said of revocation later than this is not used; ``at`` where it is not given."""


class ChainJudgement(msgspec.Struct, frozen=True, kw_only=True):
    finding: Finding | None
    remarks: tuple[str, ...] = ()
    revocation: RevocationSource | None = None


def judge_chain(
    leaf: Certificate,
    context: Context,
    *,
    brought: list[Certificate],
    best_time: datetime,
    proven: bool,
    revocation: Literal["required", "if-present", "ignored"],
    for_time_stamps: bool = False,
) -> ChainJudgement:
    """``best_time`` is the earliest time at which the signature provably existed; ``proven``: not merely now."""
    chain = find_chain(
        leaf, store=context.store, candidates=[*brought, *context.candidates], for_time_stamps=for_time_stamps
    )
    if chain is None:
        return ChainJudgement(finding=indeterminate("NO_CERTIFICATE_CHAIN_FOUND", "no-chain"))
    if not chain.follows_rules:
        return ChainJudgement(finding=indeterminate("CERTIFICATE_CHAIN_GENERAL_FAILURE", "chain-rules"))
    anchor, kind = chain.certificates[-1], _kind(for_time_stamps)
    wrong = (
        _wrong_service(context.store.standing(anchor, kind, best_time))
        or _wrong_purpose(leaf, for_time_stamps=for_time_stamps)
        or _wrong_time(chain, best_time, proven=proven)
        or _weak_chain(chain, best_time)
    )
    if wrong:
        return ChainJudgement(finding=wrong)
    remarks = ("trust-list-expired",) if context.store.list_expired(anchor, kind, context.at) else ()
    if revocation == "ignored":
        return ChainJudgement(finding=None, remarks=remarks)
    judged = _revocation(chain, context, best_time, required=revocation == "required")
    return msgspec.structs.replace(judged, remarks=(*judged.remarks, *remarks))


def _kind(for_time_stamps: bool) -> ServiceKind:
    return "time-stamp" if for_time_stamps else "ca"


def _wrong_service(standing: Standing) -> Finding | None:
    """An anchor of a trust list is one while its service is granted; afterwards it is one past its sunset date, which
    an earlier proof of existence would repair (EN 319 102-1 §5.2.6.4)."""
    match standing:
        case "ended":
            return indeterminate("NO_CERTIFICATE_CHAIN_FOUND_NO_POE", "service-not-granted")
        case "never":
            return indeterminate("NO_CERTIFICATE_CHAIN_FOUND", "service-not-granted")
    return None


def has_revocation_data(
    leaf: Certificate, context: Context, brought: list[Certificate], *, for_time_stamps: bool = False
) -> bool:
    """Does the document say something about each certificate below the anchor? Without an anchor, about the leaf; a
    time-stamp authority's may then be missing, if the document says who issued it."""
    candidates = [*brought, *context.candidates]
    chain = find_chain(leaf, store=context.store, candidates=candidates, for_time_stamps=for_time_stamps)
    if chain is not None:
        return all(
            has_no_check(certificate) or context.evidence.has_from_document(certificate, issuer)
            for certificate, issuer in zip(chain.certificates, chain.certificates[1:], strict=False)
        )
    if leaf.self_issued:
        return True
    issuers = [c for c in candidates if c.subject == leaf.issuer and leaf.is_signed_by(c)]
    return any(context.evidence.has_from_document(leaf, issuer) for issuer in issuers) or (
        for_time_stamps and bool(issuers)
    )


def _wrong_purpose(leaf: Certificate, *, for_time_stamps: bool) -> Finding | None:
    if for_time_stamps:
        stamps = "time_stamping" in (leaf.extended_key_usage or ())
        return None if stamps else indeterminate("CHAIN_CONSTRAINTS_FAILURE", "key-usage")
    # Without this, a time-stamp authority or a web server could seal documents.
    if "non_repudiation" not in (leaf.key_usage or ()):
        return indeterminate("CHAIN_CONSTRAINTS_FAILURE", "key-usage")
    return None


def _wrong_time(chain: Chain, best_time: datetime, *, proven: bool) -> Finding | None:
    leaf, *authorities = chain.certificates
    if best_time > leaf.not_after:
        return indeterminate("OUT_OF_BOUNDS_NO_POE", "expired")
    if best_time < leaf.not_before:
        if proven:
            return failed("NOT_YET_VALID", "not-yet-valid")
        return indeterminate("OUT_OF_BOUNDS_NO_POE", "not-yet-valid")
    # An anchor is trusted by decision, not by its dates (RFC 5280 §6.1.1 d).
    for authority in authorities[:-1]:
        if not authority.not_before <= best_time <= authority.not_after:
            return indeterminate("OUT_OF_BOUNDS_NO_POE", "ca-expired")
    return None


def _weak_chain(chain: Chain, best_time: datetime) -> Finding | None:
    below_anchor = chain.certificates[:-1]
    for certificate in below_anchor:
        digest = certificate.signature_digest
        if digest is None:
            continue
        until = ALGORITHMS.digest_until(digest, of_certificate=True)
        if until is None or best_time > until:
            return weak("chain-algorithm", until=until, made_after=certificate.not_before)
    for authority in below_anchor[1:]:
        until = ALGORITHMS.key_until(*authority.key_kind)
        if until is None or best_time > until:
            return weak("chain-algorithm", until=until, made_after=authority.not_before)
    return None


def weak(reason: str, *, until: datetime | None, made_after: datetime) -> Finding:
    """``until``: the algorithm's end, None if it never counted; ``made_after``: nothing was signed before it."""
    if until is None or made_after > until:
        return indeterminate("CRYPTO_CONSTRAINTS_FAILURE", reason)
    # It may have been made in time; nothing proves that it was (EN 319 102-1 §5.2.8).
    return indeterminate("CRYPTO_CONSTRAINTS_FAILURE_NO_POE", reason)


def _revocation(chain: Chain, context: Context, best_time: datetime, *, required: bool) -> ChainJudgement:
    remarks: list[str] = []
    of_leaf: RevocationSource | None = None
    unknown: Finding | None = None
    for index, (certificate, issuer) in enumerate(zip(chain.certificates, chain.certificates[1:], strict=False)):
        is_leaf = index == 0
        status = context.evidence.status(
            certificate,
            issuer,
            best_time=best_time,
            at=context.known_until or context.at,
            responders=context.store.responders_at,
        )
        if is_leaf:
            of_leaf = status.source
        if status.revoked_at is not None:
            if status.revoked_at > best_time:
                remarks.append("revoked-later")
                continue
            if status.on_hold:
                finding = indeterminate("TRY_LATER", "on-hold")
            elif is_leaf:
                finding = indeterminate("REVOKED_NO_POE", "revoked")
            else:
                finding = indeterminate("REVOKED_CA_NO_POE", "ca-revoked")
            return ChainJudgement(finding=finding, revocation=of_leaf)
        if not status.good:
            if required and not has_no_check(certificate):
                unknown = unknown or indeterminate("TRY_LATER", "no-revocation-status")
            elif is_leaf:
                remarks.append("no-revocation-status")
        elif status.before_best_time:
            remarks.append("revocation-not-fresh")
    return ChainJudgement(finding=unknown, remarks=tuple(dict.fromkeys(remarks)), revocation=of_leaf)
