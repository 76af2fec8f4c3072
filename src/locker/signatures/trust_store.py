"""A list of trust, parsed once a worker."""

import functools
import hashlib
from collections import defaultdict
from collections.abc import Iterable

import msgspec

from locker.signatures.certificate import Certificate, certificate_of
from locker.signatures.revocation import RevocationList, StatusResponse
from locker.signatures.schema import Trust


class TrustStore:
    """A certificate of a trust list that does not parse is left out: it can vouch for nothing."""

    def __init__(self, trust: Trust) -> None:
        self.version = trust.version
        self.anchors = frozenset(_certificates(trust.anchors))
        self.time_stamp_anchors = self.anchors | frozenset(_certificates(trust.time_stamp_anchors))
        self.responders = self.anchors | frozenset(_certificates(trust.responders))
        self.intermediates = tuple(_certificates(trust.intermediates))
        self.seals_sha256 = frozenset(hashlib.sha256(der).digest() for der in trust.seals)
        self.crls = [crl for der in trust.crls if (crl := RevocationList.parse(der, origin="trust"))]
        self.ocsps = [ocsp for der in trust.ocsps for ocsp in StatusResponse.parse(der, origin="trust")]
        self._known: dict[str, list[Certificate]] = defaultdict(list)
        for certificate in {*self.time_stamp_anchors, *self.intermediates}:
            self._known[certificate.subject].append(certificate)

    def named(self, subject: str) -> list[Certificate]:
        """Anchors and known intermediates with this subject."""
        return self._known.get(subject, [])


def _certificates(ders: Iterable[bytes]) -> Iterable[Certificate]:
    for der in ders:
        try:
            yield certificate_of(der)
        except (ValueError, TypeError):
            continue


@functools.lru_cache(maxsize=32)
def trust_store(encoded: bytes) -> TrustStore:
    """The store of a MessagePack-encoded ``Trust``: the bytes are the key, so a worker parses each list once."""
    return TrustStore(msgspec.msgpack.decode(encoded, type=Trust))
