"""Is a fresh time-stamp token one that others will believe? What it answers was checked by who asked for it."""

from datetime import datetime, timedelta

import msgspec
from asn1crypto import cms, tsp

from locker.signatures.document import UNREADABLE
from locker.signatures.judge_chain import Context
from locker.signatures.judge_time_stamp import judge_time_stamp
from locker.signatures.policies import VERIFY
from locker.signatures.revocation import Evidence
from locker.signatures.trust_store import TrustStore

_SKEW = timedelta(minutes=5)
_POLICY = msgspec.structs.replace(VERIFY, time_stamp_revocation="if-present")


def against_time_stamp(token: bytes, imprint_sha256: bytes, *, store: TrustStore, at: datetime) -> str | None:
    """The reason why not: ``time-stamp-time``, or a code of ``reasons.REASONS``."""
    try:
        signed = cms.ContentInfo.load(token, strict=True)["content"]
        info = signed["encap_content_info"]["content"].parsed
        if not isinstance(info, tsp.TSTInfo) or abs(info["gen_time"].native - at) > _SKEW:
            return "time-stamp-time"
    except UNREADABLE:
        return "time-stamp-invalid"
    verdict = judge_time_stamp(
        signed,
        lambda name: imprint_sha256 if name == "sha256" else None,
        Context(store=store, evidence=Evidence(store.crls, store.ocsps), candidates=store.intermediates, at=at),
        _POLICY,
        control_time=at,
        kind="signature",
    )
    return None if verdict.passed else verdict.reasons[0]
