"""A list of trust, parsed once a worker."""

import functools
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec

from locker.signatures.certificate import Certificate
from locker.signatures.certificate_set import CertificateSet, parsed
from locker.signatures.revocation import RevocationList, StatusResponse
from locker.signatures.schema import ServiceKind, ServicePeriod, Trust, TrustService

Standing = Literal["granted", "ended", "never"]


class TrustStore:
    """A certificate of a trust list that does not parse is left out: it can vouch for nothing."""

    def __init__(self, trust: Trust) -> None:
        self.version = trust.version
        self._services: dict[bytes, list[TrustService]] = defaultdict(list)
        listed: dict[ServiceKind, dict[bytes, bytes]] = {"ca": {}, "time-stamp": {}, "ocsp": {}}
        self._known: dict[str, dict[bytes, bytes]] = defaultdict(dict)
        for service in trust.services:
            for der, subject in zip(service.certificates, _subjects(service), strict=True):
                sha256 = hashlib.sha256(der).digest()
                self._services[sha256].append(service)
                listed[service.kind][sha256] = der
                if service.kind != "ocsp":
                    self._known[subject][sha256] = der
        own = _by_digest(trust.anchors)
        self._own: dict[ServiceKind, dict[bytes, bytes]] = {
            "ca": own,
            "time-stamp": own | _by_digest(trust.time_stamp_anchors),
            "ocsp": own | _by_digest(trust.responders),
        }
        self._listed_responders = listed["ocsp"]
        self.anchors = CertificateSet(own | listed["ca"])
        self.time_stamp_anchors = CertificateSet(self._own["time-stamp"] | listed["time-stamp"])
        self.intermediates = tuple(parsed(trust.intermediates))
        self.seals_sha256 = frozenset(hashlib.sha256(der).digest() for der in trust.seals)
        self.crls = [crl for der in trust.crls if (crl := RevocationList.parse(der, origin="trust"))]
        self.ocsps = [ocsp for der in trust.ocsps for ocsp in StatusResponse.parse(der, origin="trust")]
        for certificate in parsed((*self._own["time-stamp"].values(), *trust.intermediates)):
            self._known[certificate.subject][certificate.sha256] = certificate.der

    def named(self, subject: str) -> list[Certificate]:
        """Anchors and known intermediates with this subject."""
        return list(parsed(self._known.get(subject, {}).values()))

    def standing(self, anchor: Certificate, kind: ServiceKind, moment: datetime) -> Standing:
        """May this anchor be relied on for ``kind`` at ``moment``? ``ended``: before ``moment`` it could be."""
        if anchor.sha256 in self._own[kind]:
            return "granted"
        services = self._of_kind(anchor, kind)
        if any(_granted_at(service.periods, moment) for service in services):
            return "granted"
        ended = any(period.granted and period.since <= moment for service in services for period in service.periods)
        return "ended" if ended else "never"

    def list_expired(self, anchor: Certificate, kind: ServiceKind, at: datetime) -> bool:
        """Every list that makes this an anchor should have been replaced by ``at``."""
        if anchor.sha256 in self._own[kind]:
            return False
        dates = [service.list_next_update for service in self._of_kind(anchor, kind)]
        return all(date is None or date < at for date in dates)

    def responders_at(self, moment: datetime) -> CertificateSet:
        """Who may sign answers about revocation that are produced at ``moment``, anchors among them."""
        listed = {
            sha256: der
            for sha256, der in self._listed_responders.items()
            if any(s.kind == "ocsp" and _granted_at(s.periods, moment) for s in self._services[sha256])
        }
        return CertificateSet(self._own["ocsp"] | listed)

    def _of_kind(self, certificate: Certificate, kind: ServiceKind) -> list[TrustService]:
        return [service for service in self._services.get(certificate.sha256, ()) if service.kind == kind]


def _granted_at(periods: tuple[ServicePeriod, ...], moment: datetime) -> bool:
    """A status counts from its first moment until the next one begins (TS 119 612 §5.5.5)."""
    current = next((period for period in periods if period.since <= moment), None)
    return current is not None and current.granted


def _by_digest(ders: Iterable[bytes]) -> dict[bytes, bytes]:
    return {hashlib.sha256(der).digest(): der for der in ders}


def _subjects(service: TrustService) -> Sequence[str]:
    """As the reader of the list prepared them."""
    if len(service.subjects) == len(service.certificates):
        return service.subjects
    return [next((c.subject for c in parsed([der])), "") for der in service.certificates]


@functools.lru_cache(maxsize=32)
def trust_store(encoded: bytes) -> TrustStore:
    """The store of a MessagePack-encoded ``Trust``: the bytes are the key, so a worker parses each list once."""
    return TrustStore(msgspec.msgpack.decode(encoded, type=Trust))


@functools.lru_cache(maxsize=8)
def trust_store_at(path: str) -> TrustStore:
    """Of a file whose name says its content, so that it need not be read to be known."""
    return trust_store(Path(path).read_bytes())
