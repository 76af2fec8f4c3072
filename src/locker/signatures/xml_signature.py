"""A XAdES signature (ETSI EN 319 132-1), enveloped by a document or detached from files: who signed, and do the
mathematics hold.

Of an enveloped one counts afterwards ``EnvelopedSignature.signed``: the bytes that were digested, parsed again. Nothing
is read from the document as it came, so a signature over something else than what is read gains nothing (signature
wrapping).
"""

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.exceptions import SignXMLException
from signxml.xades.xades import XAdESSignatureConfiguration, XAdESVerifier

from locker.signatures.certificate import Certificate, certificate_of
from locker.signatures.xml_document import Element, xml_parser

DS = "{http://www.w3.org/2000/09/xmldsig#}"
XADES = "{http://uri.etsi.org/01903/v1.3.2#}"
_ENVELOPED = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
_CANONICAL = frozenset(
    {
        "http://www.w3.org/2001/10/xml-exc-c14n#",
        "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
        "http://www.w3.org/2006/12/xml-c14n11",
    }
)
_SIGNED_PROPERTIES = "http://uri.etsi.org/01903#SignedProperties"
_OF_SIGNATURES = (
    "http://www.w3.org/2000/09/xmldsig#",
    "http://www.w3.org/2001/04/xml",
    "http://www.w3.org/2001/10/xml-exc-c14n#",
    "http://www.w3.org/2007/05/xmldsig-more#",
    "http://www.w3.org/2009/xmldsig11#",
    "http://uri.etsi.org/01903/",
    "urn:ietf:params:xml:ns:ers",
)
"""Namespaces whose elements stand in a signature, and mean nothing to a browser."""
_REFERENCES_MAX = 256
_CERTIFICATES_MAX = 16

# Without SHA-1, SHA-224 and DSA, and without MACs, which need no certificate.
_METHODS = frozenset(
    {
        SignatureMethod.RSA_SHA256,
        SignatureMethod.RSA_SHA384,
        SignatureMethod.RSA_SHA512,
        SignatureMethod.SHA256_RSA_MGF1,
        SignatureMethod.SHA384_RSA_MGF1,
        SignatureMethod.SHA512_RSA_MGF1,
        SignatureMethod.ECDSA_SHA256,
        SignatureMethod.ECDSA_SHA384,
        SignatureMethod.ECDSA_SHA512,
    }
)
_DIGESTS = frozenset(
    {
        DigestAlgorithm.SHA256,
        DigestAlgorithm.SHA384,
        DigestAlgorithm.SHA512,
        DigestAlgorithm.SHA3_256,
        DigestAlgorithm.SHA3_384,
        DigestAlgorithm.SHA3_512,
    }
)

_DIGEST_NAMES = {
    "http://www.w3.org/2001/04/xmlenc#sha256": "sha256",
    "http://www.w3.org/2001/04/xmldsig-more#sha384": "sha384",
    "http://www.w3.org/2001/04/xmlenc#sha512": "sha512",
}

XML_UNREADABLE = (
    SignXMLException,
    etree.LxmlError,
    ValueError,
    TypeError,
    AttributeError,
    KeyError,
    IndexError,
    AssertionError,
    UnsupportedAlgorithm,
    RecursionError,
)
"""What signxml and lxml raise for a document that is not as it should be; a fault of ours is none of the first two."""


class SignatureRefused(ValueError):
    """``reason`` is a stable code of ``reasons.REASONS`` or of the trust lists."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class EnvelopedSignature(msgspec.Struct, frozen=True, kw_only=True):
    """``signed`` is the root as it was digested, without the signature; ``properties`` are the signed ones."""

    signed: Any
    properties: Any
    signature: Any
    value: bytes
    certificate: Certificate
    method: str
    claimed_time: datetime | None


def certificates_in(root: Element) -> list[Certificate]:
    """Those of the KeyInfo of the signature that is a child of ``root``: not trusted, only named."""
    signatures = root.findall(f"{DS}Signature")
    if len(signatures) != 1:
        raise SignatureRefused("signature-missing" if not signatures else "several-signers")
    found: list[Certificate] = []
    for index, node in enumerate(signatures[0].iterfind(f"{DS}KeyInfo/{DS}X509Data/{DS}X509Certificate")):
        if index >= _CERTIFICATES_MAX:
            break
        try:
            found.append(certificate_of(base64.b64decode("".join((node.text or "").split()), validate=True)))
        except (ValueError, TypeError, binascii.Error):
            continue
    return found


def named_signer(root: Element) -> Certificate | None:
    """Of the KeyInfo's certificates the one whose digest the signed properties give first (EN 319 132-1 §5.2.2)."""
    shown = certificates_in(root)
    properties = f"{DS}Object/{XADES}QualifyingProperties/{XADES}SignedProperties/{XADES}SignedSignatureProperties"
    signature = root.find(f"{DS}Signature")
    for named in ("SigningCertificateV2", "SigningCertificate"):
        digest = signature.find(f"{properties}/{XADES}{named}/{XADES}Cert/{XADES}CertDigest")
        if digest is None:
            continue
        algorithm = _DIGEST_NAMES.get(digest.find(f"{DS}DigestMethod").get("Algorithm", ""))
        value = base64.b64decode(digest.findtext(f"{DS}DigestValue") or "")
        return next((found for found in shown if algorithm and hash_of(algorithm, found.der) == value), None)
    return None


def hash_of(algorithm: str, data: bytes) -> bytes:
    return hashlib.new(algorithm, data).digest()


def check_shown(root: Element) -> None:
    """Nothing that a browser would follow or show stands where an enveloped signature does not reach: a processing
    instruction beside the root (xml-stylesheet), or what is no part of a signature inside of it. SignatureRefused.
    """
    if any(isinstance(node, etree._ProcessingInstruction) for node in _beside(root)):
        raise SignatureRefused("signed-content")
    for signature in root.findall(f"{DS}Signature"):
        covered = {reference.get("URI") for reference in signature.iterfind(f"{DS}SignedInfo/{DS}Reference")}
        for child in signature.iterchildren(etree.Element):
            if child.tag == f"{DS}Object" and f"#{child.get('Id')}" in covered:
                continue
            held = [node.tag for node in child.iterchildren(etree.Element)]
            if child.tag == f"{DS}Object" and held != [f"{XADES}QualifyingProperties"]:
                raise SignatureRefused("signed-content")
            if any(
                not etree.QName(node).namespace or not _is_of_signatures(node) for node in child.iter(etree.Element)
            ):
                raise SignatureRefused("signed-content")


def _beside(root: Element) -> Iterator[Element]:
    yield from root.itersiblings(preceding=True)
    yield from root.itersiblings()


def _is_of_signatures(node: Element) -> bool:
    return str(etree.QName(node).namespace).startswith(_OF_SIGNATURES)


def verify_enveloped(xml: bytes, root: Element, signers: Iterable[Certificate]) -> EnvelopedSignature:
    """The signature of ``xml``, whose parsed root is ``root``, made with one of ``signers``. Raises SignatureRefused.

    Certificates are not judged: neither their dates nor who issued them.
    """
    signer = _one_of(root, signers)
    signature = root.find(f"{DS}Signature")
    references = _references(signature)
    whole = _reference_to_the_whole(references)
    if any((r.get("URI") or "")[:1] not in ("", "#") for r in references):
        raise SignatureRefused("signed-content")
    results = _verified(xml, signer, lambda _: None)
    signed = results[whole].signed_xml
    if signed is None or signed.tag != root.tag or signed.find(f"{DS}Signature") is not None:
        raise SignatureRefused("signed-content")
    properties = _properties(signature, references, results)
    return EnvelopedSignature(
        signed=signed,
        properties=properties,
        signature=signature,
        value=_value(signature),
        certificate=signer,
        method=_method(signature),
        claimed_time=_claimed_time(properties),
    )


class DetachedSignature(msgspec.Struct, frozen=True, kw_only=True):
    """``covered``: the addresses of files that it covers, as the signature writes them."""

    covered: frozenset[str]
    properties: Any
    signature: Any
    value: bytes
    certificate: Certificate
    method: str
    claimed_time: datetime | None


def verify_detached(
    xml: bytes, root: Element, signers: Iterable[Certificate], objects: Callable[[str], bytes | None]
) -> DetachedSignature:
    """The signature that is a child of ``root``, over files that ``objects`` knows. Raises SignatureRefused."""
    signer = _one_of(root, signers)
    signature = root.find(f"{DS}Signature")
    references = _references(signature)
    covered = [uri for r in references if (uri := r.get("URI") or "")[:1] != "#"]
    # Without an address it would be the file of signatures itself.
    if "" in covered or not covered or len(set(covered)) < len(covered):
        raise SignatureRefused("signed-content")
    for reference in references:
        if reference.get("URI") in covered and reference.find(f"{DS}Transforms") is not None:
            raise SignatureRefused("signed-content")
    if any(objects(uri) is None for uri in covered):
        raise SignatureRefused("data-missing")
    results = _verified(xml, signer, objects)
    properties = _properties(signature, references, results)
    return DetachedSignature(
        covered=frozenset(covered),
        properties=properties,
        signature=signature,
        value=_value(signature),
        certificate=signer,
        method=_method(signature),
        claimed_time=_claimed_time(properties),
    )


def _one_of(root: Element, signers: Iterable[Certificate]) -> Certificate:
    allowed = set(signers)
    signer = next((certificate for certificate in certificates_in(root) if certificate in allowed), None)
    if signer is None:
        raise SignatureRefused("other-signer")
    return signer


def _verified(xml: bytes, signer: Certificate, objects: Callable[[str], bytes | None]) -> list[Any]:
    """signxml's result for each reference, in their order."""
    configuration = XAdESSignatureConfiguration(
        require_x509=True,
        location="./",
        expect_references=True,
        signature_methods=_METHODS,
        digest_algorithms=_DIGESTS,
        # The certificate's dates are ours to judge, at the time that counts.
        verification_time=signer.not_before,
    )
    try:
        results: list[Any] = XAdESVerifier().verify(
            xml,
            x509_cert=signer.pyca,
            parser=xml_parser(),
            uri_resolver=objects,
            expect_config=configuration,
            validate_schema=True,
        )
    except XML_UNREADABLE as refused:
        raise SignatureRefused(_reason_of(refused)) from None
    return results


def _properties(signature: Element, references: list[Element], results: list[Any]) -> Element:
    properties = results[_reference_to_the_properties(signature, references)].signed_xml
    if properties is None or properties.tag != f"{XADES}SignedProperties":
        raise SignatureRefused("signed-attributes")
    return properties


def _value(signature: Element) -> bytes:
    try:
        return base64.b64decode(signature.findtext(f"{DS}SignatureValue") or "")
    except (ValueError, binascii.Error):
        raise SignatureRefused("signature-unreadable") from None


def _method(signature: Element) -> str:
    return str(signature.find(f"{DS}SignedInfo/{DS}SignatureMethod").get("Algorithm", ""))


def _claimed_time(properties: Element) -> datetime | None:
    return xml_time(properties.findtext(f"{XADES}SignedSignatureProperties/{XADES}SigningTime"))


def xml_time(text: str | None) -> datetime | None:
    """xs:dateTime; one without a zone is none that can be compared."""
    try:
        moment = datetime.fromisoformat((text or "").strip().replace("Z", "+00:00"))
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _references(signature: Element) -> list[Element]:
    # signxml reads the first SignedInfo; there must not be another one for somebody else to read.
    if len(signature.findall(f"{DS}SignedInfo")) != 1:
        raise SignatureRefused("signature-unreadable")
    references: list[Element] = signature.findall(f"{DS}SignedInfo/{DS}Reference")
    if not 2 <= len(references) <= _REFERENCES_MAX:
        raise SignatureRefused("signed-attributes")
    if _method(signature) not in {method.value for method in _METHODS}:
        raise SignatureRefused("signature-algorithm")
    for reference in references:
        for digest in reference.iterfind(f"{DS}DigestMethod"):
            if digest.get("Algorithm") not in {one.value for one in _DIGESTS}:
                raise SignatureRefused("digest-algorithm")
        for transform in reference.iterfind(f"{DS}Transforms/{DS}Transform"):
            # XPath and XSLT choose what is digested, so what is digested need not be what is read.
            if transform.get("Algorithm") not in {_ENVELOPED, *_CANONICAL}:
                raise SignatureRefused("signed-content")
    return references


def _reference_to_the_whole(references: list[Element]) -> int:
    whole = [index for index, reference in enumerate(references) if reference.get("URI") == ""]
    if len(whole) != 1:
        raise SignatureRefused("signed-content")
    return whole[0]


def _reference_to_the_properties(signature: Element, references: list[Element]) -> int:
    """The signed properties must be those of this very signature."""
    own = signature.findall(f"{DS}Object/{XADES}QualifyingProperties/{XADES}SignedProperties")
    if len(own) != 1:
        raise SignatureRefused("signed-attributes")
    target = f"#{own[0].get('Id')}"
    found = [
        index
        for index, reference in enumerate(references)
        if reference.get("Type") == _SIGNED_PROPERTIES and reference.get("URI") == target
    ]
    if len(found) != 1:
        raise SignatureRefused("signed-attributes")
    return found[0]


def _reason_of(refused: BaseException) -> str:
    words = type(refused).__name__
    if words == "InvalidDigest":
        return "document-altered"
    if words == "InvalidSignature":
        return "signature-value"
    return "signature-unreadable"
