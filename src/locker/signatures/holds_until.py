"""Until when a time-stamp token can be verified by itself; before that, another one must be put over it."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec
from asn1crypto import cms

from locker.signatures.algorithms import ALGORITHMS, digest_until, key_until
from locker.signatures.certificate import Certificate, certificate_of
from locker.signatures.cms_signature import SignedData
from locker.signatures.evidence_record import imprint_of
from locker.signatures.schema import Trust

_KEYS = [
    *(("rsa", bits) for bits in (1024, 1536, 2048, 3072, 4096, 6144, 8192)),
    *(("ec", bits) for bits in (192, 224, 256, 320, 384, 512, 521)),
    ("ed25519", 256),
    ("ed448", 456),
    ("dsa", 2048),
    ("dsa", 3072),
]


class Holds(msgspec.Struct, frozen=True, kw_only=True):
    """``until``: the first end of a certificate that the token needs. ``algorithms``: what it is made with, as
    ``sha256`` and ``rsa-2048``; the dated policy says for how long."""

    time: datetime
    until: datetime
    algorithms: tuple[str, ...]


def holds(token: bytes, trust: Trust) -> Holds:
    """Of a token that was judged; raises what parsing raises."""
    container = cms.ContentInfo.load(token)["content"]
    signed = SignedData(container, certificates_max=64)
    signer, finding = signed.signer()
    if signer is None:
        raise ValueError(finding.reason if finding else "no signer")
    info = container["encap_content_info"]["content"].parsed
    known = [*signed.certificates, *(certificate_of(der) for der in trust.intermediates)]
    listed = (der for service in trust.services for der in service.certificates)
    anchors = {hashlib.sha256(der).digest() for der in (*trust.anchors, *trust.time_stamp_anchors, *listed)}
    # An anchor is trusted by decision, not by its dates.
    authorities = [issuer for issuer in _above(signer, known) if issuer.sha256 not in anchors]
    chain = [signer, *authorities]
    digests = [imprint_of(token)[0], signed.digest_algorithm]
    keys = [_key(certificate) for certificate in chain]
    return Holds(
        time=info["gen_time"].native,
        until=min(certificate.not_after for certificate in chain),
        algorithms=tuple(dict.fromkeys([*digests, *keys])),
    )


def weak_by(moment: datetime) -> list[str]:
    """Every algorithm whose time ends before ``moment``, as ``Holds`` names them."""
    digests = [name for name, until in ALGORITHMS.digests.items() if until < moment]
    keys = [f"{kind}-{bits}" for kind, bits in _KEYS if (until := key_until(kind, bits)) is None or until < moment]
    return digests + keys


def is_weak_by(algorithm: str, moment: datetime) -> bool:
    until = digest_until(algorithm)
    return until is None or until < moment


def strong_digest(wanted: Sequence[str], moment: datetime) -> str:
    """The first of ``wanted`` that still counts at ``moment``; the last one where none does."""
    return next((algorithm for algorithm in wanted if not is_weak_by(algorithm, moment)), wanted[-1])


def _above(leaf: Certificate, brought: Iterable[Certificate]) -> list[Certificate]:
    by_subject = {certificate.subject: certificate for certificate in brought}
    chain: list[Certificate] = []
    current = leaf
    while not current.self_issued and len(chain) < 8:
        issuer = by_subject.get(current.issuer)
        if issuer is None:
            break
        chain.append(issuer)
        current = issuer
    return chain


def _key(certificate: Certificate) -> str:
    kind, bits = certificate.key_kind
    return f"{kind}-{bits}"
