"""A list of trust, parsed once a worker."""

import functools
import hashlib
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Literal

import msgspec

from locker.signatures.certificate import Certificate, certificate_of
from locker.signatures.revocation import RevocationList, StatusResponse
from locker.signatures.schema import ServiceKind, ServicePeriod, Trust, TrustService

Standing = Literal["granted", "ended", "never"]


class TrustStore:
    """A certificate of a trust list that does not parse is left out: it can vouch for nothing."""

    def __init__(self, trust: Trust) -> None:
        self.version = trust.version
        self._services: dict[Certificate, list[TrustService]] = defaultdict(list)
        for service in trust.services:
            for certificate in _certificates(service.certificates):
                self._services[certificate].append(service)
        own = frozenset(_certificates(trust.anchors))
        self._own: dict[ServiceKind, frozenset[Certificate]] = {
            "ca": own,
            "time-stamp": own | frozenset(_certificates(trust.time_stamp_anchors)),
            "ocsp": own | frozenset(_certificates(trust.responders)),
        }
        self._listed_responders = self._listed("ocsp")
        self.anchors = own | self._listed("ca")
        self.time_stamp_anchors = self._own["time-stamp"] | self._listed("time-stamp")
        self.intermediates = tuple(_certificates(trust.intermediates))
        self.seals_sha256 = frozenset(hashlib.sha256(der).digest() for der in trust.seals)
        self.crls = [crl for der in trust.crls if (crl := RevocationList.parse(der, origin="trust"))]
        self.ocsps = [ocsp for der in trust.ocsps for ocsp in StatusResponse.parse(der, origin="trust")]
        self._known: dict[str, list[Certificate]] = defaultdict(list)
        for certificate in {*self.anchors, *self.time_stamp_anchors, *self.intermediates}:
            self._known[certificate.subject].append(certificate)

    def named(self, subject: str) -> list[Certificate]:
        """Anchors and known intermediates with this subject."""
        return self._known.get(subject, [])

    def standing(self, anchor: Certificate, kind: ServiceKind, moment: datetime) -> Standing:
        """May this anchor be relied on for ``kind`` at ``moment``? ``ended``: before ``moment`` it could be."""
        if anchor in self._own[kind]:
            return "granted"
        services = self._of_kind(anchor, kind)
        if any(_granted_at(service.periods, moment) for service in services):
            return "granted"
        ended = any(period.granted and period.since <= moment for service in services for period in service.periods)
        return "ended" if ended else "never"

    def list_expired(self, anchor: Certificate, kind: ServiceKind, at: datetime) -> bool:
        """Every list that makes this an anchor should have been replaced by ``at``."""
        if anchor in self._own[kind]:
            return False
        dates = [service.list_next_update for service in self._of_kind(anchor, kind)]
        return all(date is None or date < at for date in dates)

    def responders_at(self, moment: datetime) -> frozenset[Certificate]:
        """Who may sign answers about revocation that are produced at ``moment``, anchors among them."""
        listed = frozenset(c for c in self._listed_responders if self.standing(c, "ocsp", moment) == "granted")
        return self._own["ocsp"] | listed

    def _listed(self, kind: ServiceKind) -> frozenset[Certificate]:
        return frozenset(c for c in self._services if self._of_kind(c, kind))

    def _of_kind(self, certificate: Certificate, kind: ServiceKind) -> list[TrustService]:
        return [service for service in self._services.get(certificate, ()) if service.kind == kind]


def _granted_at(periods: tuple[ServicePeriod, ...], moment: datetime) -> bool:
    """A status counts from its first moment until the next one begins (TS 119 612 §5.5.5)."""
    current = next((period for period in periods if period.since <= moment), None)
    return current is not None and current.granted


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
