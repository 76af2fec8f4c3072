"""A trust list (ETSI TS 119 612, versions 5 and 6), verified and read.

Of its services those remain that a judge asks for: certification authorities, time stampers, OCSP responders.
"""

import base64
import binascii
from collections.abc import Iterable, Iterator
from datetime import datetime

from locker.signatures.certificate import Certificate, certificate_of
from locker.signatures.names import clean
from locker.signatures.schema import ServiceKind, ServicePeriod, TrustService
from locker.signatures.trust_list_schema import LIST_MAX_BYTES, Pointer, TrustList
from locker.signatures.xml_document import Element, XmlRefused, parse_xml
from locker.signatures.xml_signature import XML_UNREADABLE, SignatureRefused, verify_enveloped, xml_time

_TSL = "{http://uri.etsi.org/02231/v2#}"
_TSLX = "{http://uri.etsi.org/02231/v2/additionaltypes#}"
_SIE = "{http://uri.etsi.org/TrstSvc/SvcInfoExt/eSigDir-1999-93-EC-TrustedList/#}"
_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_TYPE = "http://uri.etsi.org/TrstSvc/Svctype/"
_STATUS = "http://uri.etsi.org/TrstSvc/"
_VERSIONS = {"5", "6"}
_LIST_OF_LISTS = "listofthelists"
_MIME_TYPE = "application/vnd.etsi.tsl+xml"

_SERVICES_MAX = 20_000
_PERIODS_MAX = 100
_CERTIFICATES_MAX = 16
_POINTERS_MAX = 200
_PIVOTS_MAX = 8
_SEQUENCE_MAX = 2**31 - 1

_KINDS: dict[str, ServiceKind] = {
    "CA/QC": "ca",
    "CA/PKC": "ca",
    "NationalRootCA-QC": "ca",
    "TSA": "time-stamp",
    "TSA/QTST": "time-stamp",
    "TSA/TSS-QC": "time-stamp",
    "TSA/TSS-AdESQCandQES": "time-stamp",
    "Certstatus/OCSP": "ocsp",
    "Certstatus/OCSP/QC": "ocsp",
}
# §5.5.4 and annex D.5, with those from before July 2016 that TS 119 615 counts as granted then.
_GRANTED = {
    "granted",
    "recognisedatnationallevel",
    "setbynationallaw",
    "inaccord",
    "undersupervision",
    "supervisionincessation",
    "accredited",
}
_FOR_DOCUMENTS = {"ForeSignatures", "ForeSeals"}
_FOR_OTHER_THINGS = {"ForWebSiteAuthentication"}
_KNOWN_EXTENSIONS = {
    f"{_TSL}ExpiredCertsRevocationInfo",
    f"{_TSL}AdditionalServiceInformation",
    f"{_SIE}Qualifications",
    f"{_TSLX}TakenOverBy",
}


class ListRefused(ValueError):
    """``reason`` is a stable code: ``list-version``, ``list-unreadable``, ``list-signer-expired``."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def read_trust_list(xml: bytes, signers: Iterable[bytes], *, size_max_bytes: int = LIST_MAX_BYTES) -> TrustList:
    """Raises XmlRefused, SignatureRefused, ListRefused. ``signers``: certificates, one of which must have signed."""
    try:
        return _verified(xml, signers, size_max_bytes=size_max_bytes)
    except (XmlRefused, SignatureRefused, ListRefused):
        raise
    except XML_UNREADABLE:
        # A part that must be there is not.
        raise ListRefused("list-unreadable") from None


def _verified(xml: bytes, signers: Iterable[bytes], *, size_max_bytes: int) -> TrustList:
    root = parse_xml(xml, size_max_bytes=size_max_bytes)
    if root.tag != f"{_TSL}TrustServiceStatusList":
        raise ListRefused("list-unreadable")
    signature = verify_enveloped(xml, root, _certificates(signers))
    read = _read(signature.signed, signature.certificate)
    # The certificate is trusted by decision, but not beyond its own dates.
    if not signature.certificate.not_before <= read.issued_at <= signature.certificate.not_after:
        raise ListRefused("list-signer-expired")
    return read


def read_pivots(xml: bytes, *, size_max_bytes: int = LIST_MAX_BYTES) -> tuple[str, ...]:
    """Where a list whose signer is unknown says that its earlier signers announced later ones. Nothing of it is proven:
    each pivot is to be read with ``read_trust_list``."""
    root = parse_xml(xml, size_max_bytes=size_max_bytes)
    information = root.find(f"{_TSL}SchemeInformation")
    return () if information is None else _pivots(information)


def _read(root: Element, signer: Certificate) -> TrustList:
    information = root.find(f"{_TSL}SchemeInformation")
    if information is None:
        raise ListRefused("list-unreadable")
    if _text(information, "TSLVersionIdentifier") not in _VERSIONS:
        raise ListRefused("list-version")
    issued_at = xml_time(_text(information, "ListIssueDateTime"))
    sequence = _text(information, "TSLSequenceNumber")
    if issued_at is None or not sequence.isascii() or not sequence.isdigit() or len(sequence) > 10:
        raise ListRefused("list-unreadable")
    if not 1 <= int(sequence) <= _SEQUENCE_MAX:
        raise ListRefused("list-unreadable")
    next_update = information.find(f"{_TSL}NextUpdate/{_TSL}dateTime")
    until = None if next_update is None else xml_time(next_update.text)
    if next_update is not None and until is None:
        raise ListRefused("list-unreadable")
    territory = clean(_text(information, "SchemeTerritory"), length_max=16)
    services, others = _services(root, territory, until)
    return TrustList(
        sequence=int(sequence),
        territory=territory,
        operator=_name(information, "SchemeOperatorName"),
        is_list_of_lists=_text(information, "TSLType").endswith(_LIST_OF_LISTS),
        issued_at=issued_at,
        next_update=until,
        services=tuple(services),
        other_services=others,
        pointers=tuple(_pointers(information)),
        pivots=_pivots(information),
        signed_by=signer.der,
    )


def _services(root: Element, territory: str, next_update: datetime | None) -> tuple[list[TrustService], int]:
    found: list[TrustService] = []
    others = 0
    for provider in root.iterfind(f"{_TSL}TrustServiceProviderList/{_TSL}TrustServiceProvider"):
        provider_name = _name(provider, f"TSPInformation/{_TSL}TSPName")
        for element in provider.iterfind(f"{_TSL}TSPServices/{_TSL}TSPService"):
            if len(found) + others >= _SERVICES_MAX:
                raise ListRefused("list-unreadable")
            service = _service(element, provider_name, territory, next_update)
            if service is None:
                others += 1
            else:
                found.append(service)
    return found, others


def _service(element: Element, provider: str, territory: str, next_update: datetime | None) -> TrustService | None:
    now = element.find(f"{_TSL}ServiceInformation")
    if now is None:
        raise ListRefused("list-unreadable")
    type_ = _text(now, "ServiceTypeIdentifier").removeprefix(_TYPE)
    kind = _KINDS.get(type_)
    certificates = list(_certificates_under(now.iterfind(f"{_TSL}ServiceDigitalIdentity/{_TSL}DigitalId")))
    if kind is None or not certificates:
        return None
    history = element.findall(f"{_TSL}ServiceHistory/{_TSL}ServiceHistoryInstance")
    if len(history) >= _PERIODS_MAX:
        raise ListRefused("list-unreadable")
    periods = [period for part in (now, *history) if (period := _period(part, kind))]
    if not periods:
        return None
    return TrustService(
        certificates=tuple(certificate.der for certificate in certificates),
        subjects=tuple(certificate.subject for certificate in certificates),
        kind=kind,
        type=type_,
        name=_name(now, "ServiceName"),
        provider=provider,
        territory=territory,
        periods=tuple(sorted(periods, key=lambda period: period.since, reverse=True)),
        list_next_update=next_update,
    )


def _period(part: Element, kind: ServiceKind) -> ServicePeriod | None:
    since = xml_time(_text(part, "StatusStartingTime"))
    if since is None:
        return None
    uri = _text(part, "ServiceStatus")
    status = uri.rpartition("/")[2]
    same_kind = _KINDS.get(_text(part, "ServiceTypeIdentifier").removeprefix(_TYPE)) == kind
    granted = uri.startswith(_STATUS) and status in _GRANTED and same_kind and _is_for_documents(part)
    return ServicePeriod(since=since, status=clean(status, length_max=64), granted=granted)


def _is_for_documents(part: Element) -> bool:
    """False where an extension narrows the service to something else, or where a critical one is not understood."""
    uses: set[str] = set()
    for extension in part.iterfind(f"{_TSL}ServiceInformationExtensions/{_TSL}Extension"):
        critical = extension.get("Critical") in ("true", "1")
        for content in extension:
            if not isinstance(content.tag, str):
                continue
            # §5.5.9: whoever does not understand a critical extension does not rely on the service.
            if critical and content.tag not in _KNOWN_EXTENSIONS:
                return False
            if content.tag == f"{_TSL}AdditionalServiceInformation":
                uses.add(_text(content, "URI").rpartition("/")[2])
    return bool(uses & _FOR_DOCUMENTS) or not uses & _FOR_OTHER_THINGS


def _pointers(information: Element) -> Iterator[Pointer]:
    pointers = information.findall(f"{_TSL}PointersToOtherTSL/{_TSL}OtherTSLPointer")
    if len(pointers) > _POINTERS_MAX:
        raise ListRefused("list-unreadable")
    for pointer in pointers:
        told = pointer.findall(f"{_TSL}AdditionalInformation/{_TSL}OtherInformation")
        of = {child.tag: (child.text or "").strip() for other in told for child in other if isinstance(child.tag, str)}
        # The same list is also pointed at as a PDF for people.
        if of.get(f"{_TSLX}MimeType", _MIME_TYPE) != _MIME_TYPE:
            continue
        identities = pointer.iterfind(f"{_TSL}ServiceDigitalIdentities/{_TSL}ServiceDigitalIdentity/{_TSL}DigitalId")
        yield Pointer(
            location=_text(pointer, "TSLLocation"),
            territory=clean(of.get(f"{_TSL}SchemeTerritory", ""), length_max=16),
            signers=tuple(certificate.der for certificate in _certificates_under(identities)),
            is_list_of_lists=of.get(f"{_TSL}TSLType", "").endswith(_LIST_OF_LISTS),
        )


def _pivots(information: Element) -> tuple[str, ...]:
    """Those of the addresses about the scheme that lead to XML (Official Journal C 276, 2019, on the EU's list)."""
    addresses = [(uri.text or "").strip() for uri in information.iterfind(f"{_TSL}SchemeInformationURI/{_TSL}URI")]
    return tuple(dict.fromkeys(address for address in addresses if address.endswith(".xml")))[:_PIVOTS_MAX]


def _certificates_under(identities: Iterable[Element]) -> Iterator[Certificate]:
    texts = (node.text or "" for identity in identities for node in identity.iterfind(f"{_TSL}X509Certificate"))
    for _, text in zip(range(_CERTIFICATES_MAX), texts, strict=False):
        try:
            yield certificate_of(base64.b64decode("".join(text.split()), validate=True))
        except (ValueError, TypeError, binascii.Error):
            continue


def _certificates(ders: Iterable[bytes]) -> Iterator[Certificate]:
    for der in ders:
        try:
            yield certificate_of(der)
        except (ValueError, TypeError):
            continue


def _text(element: Element, path: str) -> str:
    return (element.findtext(f"{_TSL}{path}") or "").strip()


def _name(element: Element, path: str) -> str:
    """In English, which every list has (§5.1.4), else in whatever comes first."""
    names = element.findall(f"{_TSL}{path}/{_TSL}Name")
    english = next((name for name in names if (name.get(_XML_LANG) or "").lower().startswith("en")), None)
    chosen = english if english is not None else next(iter(names), None)
    return "" if chosen is None else clean(chosen.text or "")
