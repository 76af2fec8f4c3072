"""From a certificate to an anchor: one chain, found within a budget, then judged by the rules of RFC 5280 §6.1.

Libraries search all paths, and a few certificates of one name cost them minutes. Here each certificate is looked at
once: one from which no anchor was reached is not tried again, and signatures are checked before a step is taken.
"""

import asyncio
import functools
import threading
from collections import OrderedDict
from collections.abc import Iterable
from datetime import timedelta

import msgspec
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.authority import CertTrustAnchor
from pyhanko_certvalidator.errors import ValidationError
from pyhanko_certvalidator.path import ValidationPath
from pyhanko_certvalidator.policy_decl import NO_REVOCATION, AcceptAllAlgorithms, CertRevTrustPolicy
from pyhanko_certvalidator.validate import async_validate_path

from locker.signatures.certificate import Certificate
from locker.signatures.certificate_set import CertificateSet
from locker.signatures.trust_store import TrustStore

_LENGTH_MAX = 8
_CHECKS_MAX = 128
_KEPT = 512


class Chain(msgspec.Struct, frozen=True):
    """``certificates`` from the leaf to the anchor; ``follows_rules``: RFC 5280, times and revocation apart."""

    certificates: tuple[Certificate, ...]
    follows_rules: bool


class _Search:
    def __init__(self, store: TrustStore, anchors: CertificateSet, candidates: Iterable[Certificate]) -> None:
        self._store = store
        self._anchors = anchors
        self._candidates: dict[str, list[Certificate]] = {}
        for candidate in candidates:
            self._candidates.setdefault(candidate.subject, []).append(candidate)
        self._dead: set[bytes] = set()
        self._checks_left = _CHECKS_MAX

    def from_leaf(self, certificate: Certificate, depth: int = 0) -> tuple[Certificate, ...] | None:
        if certificate in self._anchors:
            return (certificate,)
        if depth >= _LENGTH_MAX or certificate.sha256 in self._dead:
            return None
        self._dead.add(certificate.sha256)
        for issuer in self._possible_issuers(certificate):
            if self._checks_left <= 0:
                return None
            if issuer.sha256 in self._dead:
                continue
            self._checks_left -= 1
            if certificate.is_signed_by(issuer):
                rest = self.from_leaf(issuer, depth + 1)
                if rest:
                    return (certificate, *rest)
        return None

    def _possible_issuers(self, certificate: Certificate) -> list[Certificate]:
        known = self._store.named(certificate.issuer)
        brought = self._candidates.get(certificate.issuer, [])
        wanted = certificate.asn1.authority_key_identifier
        unique = dict.fromkeys([*(c for c in known if c in self._anchors), *known, *brought])
        if wanted is None:
            return list(unique)
        return sorted(unique, key=lambda issuer: not _has_key_identifier(issuer, wanted))


def _has_key_identifier(certificate: Certificate, wanted: bytes) -> bool:
    try:
        return bool(certificate.asn1.key_identifier == wanted)
    except (ValueError, TypeError):
        # Whoever brought it broke it; it can still be nobody's issuer.
        return False


# (list of trust, leaf, purpose) → chain. Only what was found is kept: another document may bring what was missing.
# What is found is kept for all threads, and the loop that pyHanko wants is one: two at once would find it running, and
# take that for a fault of the certificate. It is work of the processor, so nobody loses by waiting.
_one_at_a_time = threading.Lock()
_found: OrderedDict[tuple[int, bytes, bool], tuple[TrustStore, Chain]] = OrderedDict()


def find_chain(
    leaf: Certificate, *, store: TrustStore, candidates: Iterable[Certificate], for_time_stamps: bool = False
) -> Chain | None:
    with _one_at_a_time:
        return _find_chain(leaf, store, candidates, for_time_stamps=for_time_stamps)


def _find_chain(
    leaf: Certificate, store: TrustStore, candidates: Iterable[Certificate], *, for_time_stamps: bool
) -> Chain | None:
    key = (id(store), leaf.sha256, for_time_stamps)
    kept = _found.get(key)
    if kept and kept[0] is store:
        _found.move_to_end(key)
        return kept[1]
    anchors = store.time_stamp_anchors if for_time_stamps else store.anchors
    path = _Search(store, anchors, candidates).from_leaf(leaf)
    if path is None:
        return None
    chain = Chain(path, follows_rules=_follows_rules(path))
    if chain.follows_rules:
        _found[key] = (store, chain)
        while len(_found) > _KEPT:
            _found.popitem(last=False)
    return chain


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


def _follows_rules(path: tuple[Certificate, ...]) -> bool:
    """Basic constraints, path length, key usage of authorities, name constraints, policies, critical extensions."""
    if len(path) == 1:
        return True
    leaf, *intermediates, anchor = path
    if not _may_issue(anchor):
        return False
    # At a moment at which all are valid, so that times are ours to judge (with what can be proven).
    moment = max(certificate.not_before for certificate in path[:-1])
    if moment > min(certificate.not_after for certificate in path[:-1]):
        return False
    context = ValidationContext(
        trust_roots=[anchor.asn1],
        allow_fetching=False,
        moment=moment + timedelta(seconds=1),
        revinfo_policy=CertRevTrustPolicy(NO_REVOCATION),
        algorithm_usage_policy=AcceptAllAlgorithms(),
    )
    made = ValidationPath(CertTrustAnchor(anchor.asn1), [c.asn1 for c in reversed(intermediates)], leaf.asn1)
    try:
        _loop().run_until_complete(async_validate_path(context, made))
    except (ValidationError, ValueError, TypeError, KeyError, NotImplementedError, AssertionError):
        return False
    return True


def _may_issue(anchor: Certificate) -> bool:
    """A trust list also names time stampers and responders: they are trusted, and issue nothing."""
    if anchor.asn1.basic_constraints_value is not None:
        return bool(anchor.asn1.ca)
    return anchor.key_usage is None or "key_cert_sign" in anchor.key_usage
