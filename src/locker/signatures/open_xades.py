"""XAdES (ETSI EN 319 132-1): a signature enveloped by the document that it signs, or detached inside a container."""

import base64
import re
from typing import Any

from asn1crypto import cms
from lxml import etree

from locker.signatures.certificate import certificate_of
from locker.signatures.cms_signature import Finding, digest_of, failed, indeterminate
from locker.signatures.document import UNREADABLE
from locker.signatures.opened_signature import DataObject, OpenedSignature
from locker.signatures.xml_document import Element, XmlRefused, parse_xml
from locker.signatures.xml_signature import (
    DS,
    XADES,
    XML_UNREADABLE,
    DetachedSignature,
    EnvelopedSignature,
    SignatureRefused,
    certificates_in,
    check_shown,
    named_signer,
    verify_detached,
    verify_enveloped,
)

_TOKENS_MAX = 4
_VALUES_MAX = 64
_DIGEST = re.compile(r"sha(?:3-)?(256|384|512)")


def open_enveloped(xml: bytes, *, name: str, size_max_bytes: int) -> OpenedSignature:
    """The signature that is a child of the root, over the whole document. Never raises for a bad one."""
    try:
        root = parse_xml(xml, size_max_bytes=size_max_bytes)
        signer = named_signer(root)
        if signer is None:
            raise SignatureRefused("other-signer")
        check_shown(root)
        return _opened(verify_enveloped(xml, root, [signer]), root, name=name)
    except (XmlRefused, SignatureRefused, *XML_UNREADABLE) as refused:
        return refused_xades(name, refused)


def open_detached(
    xml: bytes, objects: DataObject, *, name: str, size_max_bytes: int
) -> tuple[OpenedSignature, frozenset[str]]:
    """The one signature of a file of signatures (ETSI EN 319 162-1 §A.5), and the addresses that it covers."""
    try:
        root = parse_xml(xml, size_max_bytes=size_max_bytes)
        signer = named_signer(root)
        if signer is None:
            raise SignatureRefused("other-signer")
        verified = verify_detached(xml, root, [signer], objects)
        return _opened(verified, root, name=name), verified.covered
    except (XmlRefused, SignatureRefused, *XML_UNREADABLE) as refused:
        return refused_xades(name, refused), frozenset()


def has_signature(xml: bytes, *, size_max_bytes: int) -> bool:
    """Is there a signature anywhere in this document?"""
    try:
        return next(parse_xml(xml, size_max_bytes=size_max_bytes).iter(f"{DS}Signature"), None) is not None
    except XmlRefused:
        return True


def refused_xades(name: str, refused: BaseException) -> OpenedSignature:
    return OpenedSignature(name=name, format="XAdES", findings=(_finding(refused),))


def _finding(refused: BaseException) -> Finding:
    reason = refused.reason if isinstance(refused, XmlRefused | SignatureRefused) else "signature-unreadable"
    match reason:
        case "other-signer":
            return indeterminate("NO_SIGNING_CERTIFICATE_FOUND", "signing-certificate-missing")
        case "signature-algorithm" | "digest-algorithm":
            return indeterminate("CRYPTO_CONSTRAINTS_FAILURE", reason)
        case "document-altered":
            return failed("HASH_FAILURE", reason)
        case "signature-value":
            return failed("SIG_CRYPTO_FAILURE", reason)
        case "too-large":
            return indeterminate("GENERIC", reason)
        case _ if isinstance(refused, XmlRefused):
            return failed("FORMAT_FAILURE", "unreadable")
    return failed("FORMAT_FAILURE", reason)


def _opened(verified: EnvelopedSignature | DetachedSignature, root: Element, *, name: str) -> OpenedSignature:
    unsigned = verified.signature.find(
        f"{DS}Object/{XADES}QualifyingProperties/{XADES}UnsignedProperties/{XADES}UnsignedSignatureProperties"
    )
    stamps, broken = _stamps(verified.signature, unsigned)
    digest = _DIGEST.search(verified.method.lower())
    more = []
    for der in _encapsulated(unsigned, f"{XADES}CertificateValues/{XADES}EncapsulatedX509Certificate"):
        try:
            more.append(certificate_of(der))
        except UNREADABLE:
            continue
    return OpenedSignature(
        name=name,
        format="XAdES",
        signer=verified.certificate,
        brought=(*certificates_in(root), *more),
        names_certificate=True,
        digest_algorithm=f"sha{digest[1]}" if digest else None,
        signature_algorithm=verified.method.rpartition("#")[2],
        claimed_time=verified.claimed_time,
        stamps=stamps,
        broken_stamps=broken,
        crls=_encapsulated(unsigned, f"{XADES}RevocationValues/{XADES}CRLValues/{XADES}EncapsulatedCRLValue"),
        ocsps=_encapsulated(unsigned, f"{XADES}RevocationValues/{XADES}OCSPValues/{XADES}EncapsulatedOCSPValue"),
    )


def _stamps(signature: Element, unsigned: Element | None) -> tuple[tuple[Any, ...], int]:
    """About the canonical form of the element SignatureValue (EN 319 132-1 §5.3)."""
    found: list[Any] = []
    broken = 0
    value = signature.find(f"{DS}SignatureValue")
    elements = [] if unsigned is None else unsigned.findall(f"{XADES}SignatureTimeStamp")
    for element in elements[:_TOKENS_MAX]:
        try:
            method = element.find(f"{DS}CanonicalizationMethod")
            algorithm = (
                "http://www.w3.org/TR/2001/REC-xml-c14n-20010315" if method is None else method.get("Algorithm", "")
            )
            canonical = etree.tostring(
                value, method="c14n", exclusive="xml-exc-c14n" in algorithm, with_comments=False, with_tail=False
            )
            token = base64.b64decode(element.findtext(f"{XADES}EncapsulatedTimeStamp") or "")
            read = cms.ContentInfo.load(token)["content"]
            found.append((read, lambda digest, canonical=canonical: digest_of(digest, canonical)))
        except (*UNREADABLE, *XML_UNREADABLE):
            broken += 1
    return tuple(found), broken


def _encapsulated(unsigned: Element | None, path: str) -> tuple[bytes, ...]:
    found: list[bytes] = []
    for element in [] if unsigned is None else unsigned.findall(path)[:_VALUES_MAX]:
        try:
            found.append(base64.b64decode(element.text or ""))
        except ValueError:
            continue
    return tuple(found)
