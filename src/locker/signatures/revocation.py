"""Was a certificate revoked? From lists and responses at hand (RFC 5280 §6.3, RFC 6960); nothing is fetched."""

import functools
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp

from locker.signatures.algorithms import ALGORITHMS
from locker.signatures.certificate import Certificate, signature_holds
from locker.signatures.certificate_set import CertificateSet
from locker.signatures.schema import RevocationSource

Origin = Literal["trust", "document"]
Responders = Callable[[datetime], CertificateSet]
"""When a response was produced → who was trusted to, beside the issuer."""

_SKEW = timedelta(minutes=5)
# Who states no next update has newer information at all times (RFC 6960 §4.2.2.1); this is for what was asked just
# before signing.
_UNSTATED_WINDOW = timedelta(minutes=15)
_RESPONSES_MAX = 16
_FAILURES = (ValueError, TypeError, UnsupportedAlgorithm, x509.UnsupportedGeneralNameType)


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """``revoked_at`` wins over everything; ``good`` without it means known good for the time that was asked."""

    good: bool
    source: RevocationSource
    revoked_at: datetime | None = None
    on_hold: bool = False
    before_best_time: bool = False
    """The information is older than the signature (and still within its own period)."""


def _counts(digest: hashes.HashAlgorithm | None, this_update: datetime) -> bool:
    if digest is None:
        return True
    until = ALGORITHMS.digest_until(digest.name.replace("-", "_"), of_certificate=True)
    return until is not None and this_update <= until


class RevocationList:
    def __init__(self, crl: x509.CertificateRevocationList, der: bytes, origin: Origin) -> None:
        self.crl = crl
        self.der = der
        self.origin: Origin = origin
        self.issuer = crl.issuer.public_bytes()
        self.this_update = crl.last_update_utc
        self.next_update = crl.next_update_utc
        self._signed_by: dict[bytes, bool] = {}
        points: x509.IssuingDistributionPoint | None = None
        self.complete = True
        for extension in crl.extensions:
            if isinstance(extension.value, x509.IssuingDistributionPoint):
                points = extension.value
            elif isinstance(extension.value, x509.DeltaCRLIndicator) or (
                extension.critical and isinstance(extension.value, x509.UnrecognizedExtension)
            ):
                # Names some revoked certificates, never all: it can condemn, not acquit.
                self.complete = False
        self.points = points
        if points and (points.only_some_reasons or points.indirect_crl or points.only_contains_attribute_certs):
            self.complete = False
        self.covers_expired = any(e.oid.dotted_string == "2.5.29.60" for e in crl.extensions)

    @classmethod
    def parse(cls, der: bytes, *, origin: Origin) -> "RevocationList | None":
        try:
            return cls(x509.load_der_x509_crl(der), der, origin)
        except _FAILURES:
            return None

    def is_signed_by(self, issuer: Certificate) -> bool:
        known = self._signed_by.get(issuer.sha256)
        if known is None:
            try:
                known = _counts(self.crl.signature_hash_algorithm, self.this_update) and signature_holds(
                    issuer.public_key,
                    self.crl.signature,
                    self.crl.tbs_certlist_bytes,
                    self.crl.signature_hash_algorithm,
                    self.crl.signature_algorithm_parameters,
                )
            except _FAILURES:
                known = False
            self._signed_by[issuer.sha256] = known
        return known

    def covers(self, certificate: Certificate) -> bool:
        if not self.complete:
            return False
        points = self.points
        if points is None:
            return True
        is_ca = bool(certificate.asn1.ca)
        if (points.only_contains_ca_certs and not is_ca) or (points.only_contains_user_certs and is_ca):
            return False
        return points.full_name is None or bool(set(points.full_name) & _distribution_points(certificate))


def _distribution_points(certificate: Certificate) -> set[Any]:
    try:
        extension = certificate.pyca.extensions.get_extension_for_class(x509.CRLDistributionPoints)
    except (x509.ExtensionNotFound, *_FAILURES):
        return set()
    return {name for point in extension.value for name in point.full_name or ()}


class StatusResponse:
    """One answer of an OCSP response."""

    def __init__(self, response: ocsp.OCSPResponse, single: Any, origin: Origin) -> None:
        self.response = response
        self.single = single
        self.origin: Origin = origin
        self.serial: int = single.serial_number
        self.this_update: datetime = single.this_update_utc
        self.next_update: datetime | None = single.next_update_utc
        self._authentic: dict[bytes, bool] = {}

    @classmethod
    def parse(cls, der: bytes, *, origin: Origin) -> Iterator["StatusResponse"]:
        try:
            response = ocsp.load_der_ocsp_response(der)
            if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
                return
            for _, single in zip(range(_RESPONSES_MAX), response.responses, strict=False):
                yield cls(response, single, origin)
        except _FAILURES:
            return

    @property
    def der(self) -> bytes:
        """Of the whole response."""
        return self.response.public_bytes(serialization.Encoding.DER)

    @property
    def _hash_algorithm(self) -> type[hashes.HashAlgorithm]:
        return type(self.single.hash_algorithm)

    def is_about(self, certificate: Certificate, issuer: Certificate) -> bool:
        if self.serial != certificate.asn1.serial_number:
            return False
        try:
            name_hash, key_hash = _issuer_hashes(issuer, self._hash_algorithm)
            return bool(self.single.issuer_name_hash == name_hash and self.single.issuer_key_hash == key_hash)
        except _FAILURES:
            return False

    def is_authentic(self, issuer: Certificate, responders: Responders) -> bool:
        """Signed by the issuer, by a responder it delegated to (RFC 6960 §4.2.2.2), or one a trust list names."""
        known = self._authentic.get(issuer.sha256)
        if known is None:
            known = self._authentic[issuer.sha256] = any(
                self._signed_by(candidate)
                for candidate in self._responders(issuer, responders(self.response.produced_at_utc))
            )
        return known

    def _responders(self, issuer: Certificate, responders: CertificateSet) -> Iterator[Certificate]:
        yield issuer
        for pyca in list(self.response.certificates)[:8]:
            try:
                candidate = Certificate(pyca.public_bytes(serialization.Encoding.DER))
            except _FAILURES:
                continue
            named_by_trust = candidate in responders
            delegated = candidate.issuer == issuer.subject and (
                "ocsp_signing" in (candidate.extended_key_usage or ())
                and candidate.not_before <= self.response.produced_at_utc <= candidate.not_after
                and candidate.is_signed_by(issuer)
            )
            if named_by_trust or delegated:
                yield candidate
        yield from (r for r in responders if "ocsp_signing" in (r.extended_key_usage or ()))

    def _signed_by(self, responder: Certificate) -> bool:
        name = self.response.responder_name
        key_hash = self.response.responder_key_hash
        try:
            if name is not None and name.public_bytes() != responder.pyca.subject.public_bytes():
                return False
            if key_hash is not None and key_hash != _issuer_hashes(responder, hashes.SHA1)[1]:
                return False
            return _counts(self.response.signature_hash_algorithm, self.this_update) and signature_holds(
                responder.public_key,
                self.response.signature,
                self.response.tbs_response_bytes,
                self.response.signature_hash_algorithm,
            )
        except _FAILURES:
            return False


@functools.lru_cache(maxsize=512)
def _issuer_hashes(issuer: Certificate, algorithm: type[hashes.HashAlgorithm]) -> tuple[bytes, bytes]:
    def digest(data: bytes) -> bytes:
        value = hashes.Hash(algorithm())
        value.update(data)
        return value.finalize()

    key = issuer.asn1["tbs_certificate"]["subject_public_key_info"]["public_key"]
    return digest(issuer.asn1.subject.dump()), digest(bytes(key))


class Evidence:
    """What is known locally: from the list of trust, and from the document (never trusted by itself)."""

    def __init__(self, crls: Iterable[RevocationList], ocsps: Iterable[StatusResponse]) -> None:
        self._crls = list(crls)
        self._ocsps = list(ocsps)

    def has_from_document(self, certificate: Certificate, issuer: Certificate) -> bool:
        """Does the document bring anything about ``certificate``? Whether it is good is not asked."""
        name = issuer.asn1.subject.dump()
        return any(o.origin == "document" and o.is_about(certificate, issuer) for o in self._ocsps) or any(
            crl.origin == "document" and crl.issuer == name and crl.is_signed_by(issuer) for crl in self._crls
        )

    def status(
        self,
        certificate: Certificate,
        issuer: Certificate,
        *,
        best_time: datetime,
        at: datetime,
        responders: Responders,
    ) -> Status:
        """Whether ``certificate`` was good at ``best_time``, by what was known ``at`` (later knowledge is not used).

        Good needs information issued after ``best_time``, or whose own period holds it. Revoked needs nothing but
        authenticity: a certificate does not come back, except from hold.
        """
        good: Status | None = None
        revoked: Status | None = None
        for found in self._about(certificate, issuer, at=at, responders=responders):
            this_update, next_update, source, revoked_at, on_hold, answers = found
            if revoked_at is not None:
                if revoked is None or (revoked.revoked_at or at) > revoked_at:
                    revoked = Status(good=False, source=source, revoked_at=revoked_at, on_hold=on_hold)
                continue
            if not answers:
                continue
            after = this_update >= best_time
            until = next_update or this_update + _UNSTATED_WINDOW
            if not after and not this_update - _SKEW <= best_time <= until:
                continue
            if good is None or (good.source.this_update or at) < this_update:
                good = Status(good=True, source=source, before_best_time=not after)
        if revoked and not (revoked.on_hold and good and _later(good, revoked)):
            return revoked
        return good or Status(good=False, source=RevocationSource(kind="none", origin="none"))

    def _about(
        self, certificate: Certificate, issuer: Certificate, *, at: datetime, responders: Responders
    ) -> Iterator[tuple[datetime, datetime | None, RevocationSource, datetime | None, bool, bool]]:
        known_until = at + _SKEW
        for answer in self._ocsps:
            if answer.this_update > known_until or not answer.is_about(certificate, issuer):
                continue
            if not answer.is_authentic(issuer, responders):
                continue
            status = answer.single.certificate_status
            source = RevocationSource(kind="ocsp", origin=answer.origin, this_update=answer.this_update)
            revoked_at = answer.single.revocation_time_utc if status is ocsp.OCSPCertStatus.REVOKED else None
            on_hold = answer.single.revocation_reason is x509.ReasonFlags.certificate_hold
            yield (
                answer.this_update,
                answer.next_update,
                source,
                revoked_at,
                on_hold,
                status is ocsp.OCSPCertStatus.GOOD,
            )
        issuer_name = issuer.asn1.subject.dump()
        may_sign_lists = issuer.key_usage is None or "crl_sign" in issuer.key_usage
        for crl in self._crls:
            if crl.issuer != issuer_name or crl.this_update > known_until or not may_sign_lists:
                continue
            if not crl.is_signed_by(issuer):
                continue
            source = RevocationSource(kind="crl", origin=crl.origin, this_update=crl.this_update)
            entry = crl.crl.get_revoked_certificate_by_serial_number(certificate.asn1.serial_number)
            reason = _reason(entry) if entry else None
            if entry and reason is not x509.ReasonFlags.remove_from_crl:
                on_hold = reason is x509.ReasonFlags.certificate_hold
                yield crl.this_update, crl.next_update, source, entry.revocation_date_utc, on_hold, False
                continue
            # A list may drop a certificate once it has expired, so silence after that says nothing.
            answers = crl.covers(certificate) and (crl.this_update <= certificate.not_after or crl.covers_expired)
            yield crl.this_update, crl.next_update, source, None, False, answers


def _later(good: Status, revoked: Status) -> bool:
    return bool(
        good.source.this_update and revoked.source.this_update and good.source.this_update > revoked.source.this_update
    )


def _reason(entry: x509.RevokedCertificate) -> x509.ReasonFlags | None:
    try:
        return entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
    except (x509.ExtensionNotFound, *_FAILURES):
        return None


def has_no_check(certificate: Certificate) -> bool:
    """An OCSP responder (RFC 6960 §4.2.2.2.1) or a certificate too short-lived to be revoked (EN 319 412-1 §5.2)."""
    try:
        extensions = certificate.pyca.extensions
    except _FAILURES:
        return False
    return any(e.oid.dotted_string in {"1.3.6.1.5.5.7.48.1.5", "0.4.0.194121.2.1"} for e in extensions)
