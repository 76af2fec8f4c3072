"""Status of the certificates of a seal, asked for after its time stamp: what was known before it proves less."""

import asyncio
import logging
from collections.abc import Iterable

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp

from kit.outbound.ask import NoAnswer, ask
from locker.signatures.seal_request import Evidence, Link, ValidationData

_CRL_MAX_BYTES = 10_000_000
_OCSP_MAX_BYTES = 65_536
_LINKS_MAX = 16
_ANSWER_MAX_S = 10.0

log = logging.getLogger("khizana.seals")


class Collector:
    """Asks only hosts that the operator named; where none answers, what the trust register has must do."""

    def __init__(self, http: httpx.AsyncClient, hosts: Iterable[str]) -> None:
        self._http = http
        self._hosts = frozenset(hosts)

    async def collect(self, evidence: Evidence) -> ValidationData | None:
        """None where the status of some certificate is not known."""
        found = await self._asked(evidence)
        if len(evidence.links) > _LINKS_MAX or not all(one.crls or one.ocsps for one in found):
            return None
        return _together(evidence, found)

    async def collect_what_there_is(self, evidence: Evidence) -> ValidationData:
        """For a document that passed: what is not known of it is not needed now, and better than nothing later."""
        return _together(evidence, await self._asked(evidence))

    async def _asked(self, evidence: Evidence) -> list[ValidationData]:
        return await asyncio.gather(*(self._of(link) for link in evidence.links[:_LINKS_MAX]))

    async def _of(self, link: Link) -> ValidationData:
        for url in self._permitted(link.ocsp_urls):
            answer = await self._fetched(url, _OCSP_MAX_BYTES, _ocsp_request(link))
            if answer is not None and _is_good_ocsp(answer):
                return ValidationData(ocsps=(answer,))
        for url in self._permitted(link.crl_urls):
            answer = await self._fetched(url, _CRL_MAX_BYTES, None)
            if answer is not None and (crl := await asyncio.to_thread(_crl, answer, link)) is not None:
                return ValidationData(crls=(crl,))
        return link.known

    def _permitted(self, urls: Iterable[str]) -> list[str]:
        return [url for url in urls if _host(url) in self._hosts]

    async def _fetched(self, url: str, max_bytes: int, request: bytes | None) -> bytes | None:
        headers = {"Content-Type": "application/ocsp-request"} if request else {}
        try:
            return await ask(
                self._http,
                url,
                content=request,
                headers=headers,
                answer_max_bytes=max_bytes,
                overall_max_s=_ANSWER_MAX_S,
            )
        except NoAnswer as reason:
            log.warning("revocation status from %s: %s", _host(url), reason)
            return None


def _host(url: str) -> str | None:
    """None for what a certificate may say instead of an address."""
    try:
        return httpx.URL(url).host
    except (httpx.InvalidURL, UnicodeError):
        return None


def _together(evidence: Evidence, found: Iterable[ValidationData]) -> ValidationData:
    found = list(found)
    return ValidationData(
        certificates=evidence.certificates,
        crls=tuple(dict.fromkeys(crl for one in found for crl in one.crls)),
        ocsps=tuple(dict.fromkeys(response for one in found for response in one.ocsps)),
    )


def _ocsp_request(link: Link) -> bytes:
    certificate, issuer = (x509.load_der_x509_certificate(der) for der in (link.certificate, link.issuer))
    # SHA-1 names a certificate here and protects nothing; many responders know no other (RFC 5019 §2.1.1).
    request = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, hashes.SHA1()).build()  # noqa: S303
    return request.public_bytes(serialization.Encoding.DER)


def _is_good_ocsp(der: bytes) -> bool:
    """Its signature is the judge's matter, at the end."""
    try:
        return ocsp.load_der_ocsp_response(der).response_status is ocsp.OCSPResponseStatus.SUCCESSFUL
    except ValueError:
        return False


def _crl(body: bytes, link: Link) -> bytes | None:
    """DER of a list of this issuer, signed by it."""
    try:
        pem = body.lstrip().startswith(b"-----")
        crl = x509.load_pem_x509_crl(body) if pem else x509.load_der_x509_crl(body)
        issuer = x509.load_der_x509_certificate(link.issuer)
        if crl.issuer != issuer.subject or not crl.is_signature_valid(issuer.public_key()):  # type: ignore[arg-type]
            return None
    except (ValueError, TypeError):
        return None
    return crl.public_bytes(serialization.Encoding.DER)
