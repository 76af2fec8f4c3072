"""Whose status must be known so that a document can be judged without anybody's help later (EN 319 142-1 §5.4.2)."""

from collections.abc import Iterable, Iterator
from typing import Any

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID
from pyhanko.sign.validation.generic_cms import extract_tst_data_iter
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature

from locker.signatures.certificate import Certificate
from locker.signatures.chain import find_chain
from locker.signatures.changes import is_time_stamp
from locker.signatures.cms_signature import SignedData
from locker.signatures.document import Document
from locker.signatures.revocation import has_no_check
from locker.signatures.seal_request import Evidence, Link, ValidationData
from locker.signatures.trust_store import TrustStore

_CERTIFICATES_MAX = 64
_ADDRESSES_MAX = 4


def evidence_of(document: Document, store: TrustStore) -> Evidence:
    """One link for each certificate of a chain that is no anchor. Raises what parsing raises."""
    certificates: dict[Certificate, None] = {}
    links: dict[Certificate, Link] = {}
    for signed, for_time_stamps in _containers(document):
        signer, _ = signed.signer()
        if signer is None:
            continue
        chain = find_chain(signer, store=store, candidates=signed.certificates, for_time_stamps=for_time_stamps)
        certificates.update((one, None) for one in (chain.certificates if chain else [signer, *signed.certificates]))
        steps = zip(chain.certificates, chain.certificates[1:], strict=False) if chain else ()
        for certificate, issuer in steps:
            if not has_no_check(certificate):
                links[certificate] = _link(certificate, issuer, store)
    return Evidence(links=tuple(links.values()), certificates=tuple(one.der for one in certificates))


def _containers(document: Document) -> Iterator[tuple[SignedData, bool]]:
    for name, _, field in document.signature_fields():
        embedded = EmbeddedPdfSignature(document.reader, field, name)
        signed = SignedData(embedded.signed_data, certificates_max=_CERTIFICATES_MAX)
        yield signed, is_time_stamp(embedded.sig_object)
        for token in extract_tst_data_iter(signed.signer_info, signed=False):
            yield SignedData(token, certificates_max=_CERTIFICATES_MAX), True


def _link(certificate: Certificate, issuer: Certificate, store: TrustStore) -> Link:
    name = issuer.pyca.subject.public_bytes()
    crls = [crl for crl in store.crls if crl.issuer == name and crl.is_signed_by(issuer) and crl.covers(certificate)]
    newest = max(crls, key=lambda crl: crl.this_update, default=None)
    ocsps = [
        response
        for response in store.ocsps
        if response.is_about(certificate, issuer) and response.is_authentic(issuer, store.responders_at)
    ]
    latest = max(ocsps, key=lambda response: response.this_update, default=None)
    return Link(
        certificate=certificate.der,
        issuer=issuer.der,
        known=ValidationData(
            crls=(newest.der,) if newest else (),
            ocsps=(latest.der,) if latest else (),
        ),
        ocsp_urls=tuple(_ocsp_urls(certificate.pyca))[:_ADDRESSES_MAX],
        crl_urls=tuple(_crl_urls(certificate.pyca))[:_ADDRESSES_MAX],
    )


def _ocsp_urls(certificate: x509.Certificate) -> Iterator[str]:
    for extension in certificate.extensions:
        if isinstance(extension.value, x509.AuthorityInformationAccess):
            for access in extension.value:
                if access.access_method == AuthorityInformationAccessOID.OCSP:
                    yield from _addresses([access.access_location])


def _crl_urls(certificate: x509.Certificate) -> Iterator[str]:
    for extension in certificate.extensions:
        if isinstance(extension.value, x509.CRLDistributionPoints):
            for point in extension.value:
                yield from _addresses(point.full_name or ())


def _addresses(names: Iterable[Any]) -> Iterator[str]:
    for name in names:
        if isinstance(name, x509.UniformResourceIdentifier) and name.value.startswith(("http://", "https://")):
            yield name.value
