"""Does a time-stamp token prove a time (RFC 3161, ETSI EN 319 102-1 §5.4)?"""

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec
from asn1crypto import cms, tsp

from locker.signatures.algorithms import ALGORITHMS
from locker.signatures.cms_signature import Finding, Imprint, SignedData, digest_of, failed, indeterminate
from locker.signatures.document import UNREADABLE
from locker.signatures.judge_chain import Context, judge_chain, weak
from locker.signatures.names import party_name
from locker.signatures.schema import Policy, TimeStampVerdict

_SKEW = timedelta(minutes=5)


class DocumentStamp(msgspec.Struct, frozen=True):
    """A document time stamp: what it covers, and what it proves."""

    end: int
    revision: int
    verdict: TimeStampVerdict
    token: SignedData


def judge_time_stamp(
    token: cms.SignedData,
    imprint: Imprint,
    context: Context,
    policy: Policy,
    *,
    control_time: datetime,
    kind: Literal["signature", "document"],
    field_name: str | None = None,
    structure: Finding | None = None,
) -> TimeStampVerdict:
    """``control_time``: when the token itself provably existed (now, or the time of an archive time stamp over it).

    ``structure`` is what already speaks against it, such as the byte range of a document time stamp.
    """
    moment: datetime | None = None
    authority = None
    try:
        signed = SignedData(token, certificates_max=policy.certificates_max)
        content = token["encap_content_info"]["content"]
        info = content.parsed
        if not isinstance(info, tsp.TSTInfo):
            raise ValueError("no TSTInfo")
        moment = info["gen_time"].native.astimezone(UTC)
        signer, finding = signed.signer()
        if signer:
            authority = party_name(signer)
            finding = (
                structure
                or _wrong_imprint(info, imprint)
                or signed.against(signer, digest_of(signed.digest_algorithm, bytes(content)), content_type="tst_info")
                or _untrusted(signed, context, policy, moment=moment, control_time=control_time)
            )
    except UNREADABLE:
        finding = failed("FORMAT_FAILURE", "time-stamp-invalid")
    return TimeStampVerdict(
        kind=kind,
        time=moment,
        passed=finding is None,
        sub_indication=finding.sub_indication if finding else None,
        authority=authority,
        field_name=field_name,
        reasons=(finding.reason,) if finding else (),
    )


def is_intact(verdict: TimeStampVerdict) -> bool:
    """Mathematically right, trusted or not."""
    return verdict.passed or verdict.sub_indication not in {
        "FORMAT_FAILURE",
        "HASH_FAILURE",
        "SIG_CRYPTO_FAILURE",
        "NO_SIGNING_CERTIFICATE_FOUND",
    }


def _wrong_imprint(info: Any, imprint: Imprint) -> Finding | None:
    stated = info["message_imprint"]
    expected = imprint(stated["hash_algorithm"]["algorithm"].native)
    if expected is None or expected != stated["hashed_message"].native:
        return failed("HASH_FAILURE", "time-stamp-imprint")
    return None


def _untrusted(
    signed: SignedData, context: Context, policy: Policy, *, moment: datetime, control_time: datetime
) -> Finding | None:
    signer, _ = signed.signer()
    assert signer is not None
    if moment > context.at + _SKEW:
        return indeterminate("GENERIC", "not-yet-valid")
    # The token must be verifiable at its control time, and its certificate valid when it was made.
    in_list = signer in context.store.time_stamp_anchors
    judged = judge_chain(
        signer,
        context,
        brought=signed.certificates,
        best_time=moment if in_list else max(moment, control_time),
        proven=control_time < context.at,
        revocation="ignored" if in_list else policy.time_stamp_revocation,
        for_time_stamps=True,
    )
    if judged.finding:
        return judged.finding
    if moment < signer.not_before:
        return indeterminate("CHAIN_CONSTRAINTS_FAILURE", "not-yet-valid")
    until = ALGORITHMS.digest_until(signed.digest_algorithm)
    if until is None or control_time > until:
        return weak("digest-algorithm", until=until, made_after=moment)
    until = ALGORITHMS.key_until(*signer.key_kind)
    if until is None or control_time > until:
        return weak("key-size", until=until, made_after=moment)
    return None
