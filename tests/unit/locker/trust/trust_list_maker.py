"""Trust lists (ETSI TS 119 612) of a small country, made and signed here."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from xml.sax.saxutils import escape

from cryptography.hazmat.primitives.asymmetric import ec
from lxml import etree
from signxml.algorithms import SignatureMethod
from signxml.xades.xades import XAdESSigner

from tests.unit.locker.signatures.signature_pki import NOW, YEAR, Holder, issue, name

SVC = "http://uri.etsi.org/TrstSvc/Svctype/"
STATUS = "http://uri.etsi.org/TrstSvc/TrustedList/Svcstatus/"
NATIONAL = "http://uri.etsi.org/TrstSvc/TrustedList/TSLType/EUgeneric"
LIST_OF_LISTS = "http://uri.etsi.org/TrstSvc/TrustedList/TSLType/EUlistofthelists"
FOR = "http://uri.etsi.org/TrstSvc/TrustedList/SvcInfoExt/"
LONG_AGO = NOW - 5 * YEAR


@dataclass(frozen=True)
class Service:
    """``periods``: status and since when, the newest first. ``extensions`` stand in the newest."""

    holder: Holder
    type: str = "CA/QC"
    periods: Sequence[tuple[str, datetime]] = (("granted", LONG_AGO),)
    name: str = "Seals of administrations"
    extensions: str = ""


@dataclass(frozen=True)
class Pointing:
    location: str
    signers: Sequence[Holder]
    territory: str = "MA"
    type: str = NATIONAL
    mime_type: str = "application/vnd.etsi.tsl+xml"


def operator(common_name: str = "Scheme Operator", *, not_after: datetime = NOW + 3 * YEAR) -> Holder:
    return issue(name(common_name), by=None, digital_signature=True, not_after=not_after)


def extension(uri: str, *, critical: bool = True) -> str:
    return (
        f'<Extension Critical="{"true" if critical else "false"}"><AdditionalServiceInformation>'
        f'<URI xml:lang="en">{uri}</URI></AdditionalServiceInformation></Extension>'
    )


def unsigned_list(
    *services: Service,
    sequence: int = 1,
    version: str = "5",
    territory: str = "MA",
    type_: str = NATIONAL,
    issued_at: datetime = NOW,
    next_update: datetime | None = NOW + timedelta(days=180),
    pointers: Sequence[Pointing] = (),
    uris: Sequence[str] = ("https://tl.example/about",),
) -> str:
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<TrustServiceStatusList xmlns="http://uri.etsi.org/02231/v2#"
    xmlns:tslx="http://uri.etsi.org/02231/v2/additionaltypes#"
    TSLTag="http://uri.etsi.org/19612/TSLTag">
  <SchemeInformation>
    <TSLVersionIdentifier>{version}</TSLVersionIdentifier>
    <TSLSequenceNumber>{sequence}</TSLSequenceNumber>
    <TSLType>{type_}</TSLType>
    <SchemeOperatorName><Name xml:lang="fr">Opérateur</Name><Name xml:lang="en">Operator</Name></SchemeOperatorName>
    <SchemeInformationURI>{"".join(f'<URI xml:lang="en">{escape(uri)}</URI>' for uri in uris)}</SchemeInformationURI>
    <SchemeTerritory>{territory}</SchemeTerritory>
    <PointersToOtherTSL>{"".join(map(_pointer, pointers))}</PointersToOtherTSL>
    <ListIssueDateTime>{_time(issued_at)}</ListIssueDateTime>
    <NextUpdate>{f"<dateTime>{_time(next_update)}</dateTime>" if next_update else ""}</NextUpdate>
  </SchemeInformation>
  <TrustServiceProviderList>
    <TrustServiceProvider>
      <TSPInformation><TSPName><Name xml:lang="en">Test Provider</Name></TSPName></TSPInformation>
      <TSPServices>{"".join(map(_service, services))}</TSPServices>
    </TrustServiceProvider>
  </TrustServiceProviderList>
</TrustServiceStatusList>"""


def sign(xml: str, by: Holder, *, reference_uri: str | None = None) -> bytes:
    """XAdES baseline B, enveloped (TS 119 612 annex B)."""
    elliptic = isinstance(by.key, ec.EllipticCurvePrivateKey)
    signer = XAdESSigner(
        signature_algorithm=SignatureMethod.ECDSA_SHA256 if elliptic else SignatureMethod.RSA_SHA256,
    )
    root = signer.sign(
        etree.fromstring(xml.encode()),
        key=by.key,
        cert=[by.certificate],
        reference_uri=reference_uri,
        always_add_key_value=False,
    )
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))


def trust_list(by: Holder, *services: Service, **changes: object) -> bytes:
    return sign(unsigned_list(*services, **changes), by)  # type: ignore[arg-type]


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _identity(holder: Holder) -> str:
    return f"<DigitalId><X509Certificate>{base64.b64encode(holder.der).decode()}</X509Certificate></DigitalId>"


def _service(service: Service) -> str:
    (status, since), *history = service.periods
    told = f"<ServiceName><Name xml:lang='en'>{escape(service.name)}</Name></ServiceName>"
    past = "".join(
        f"<ServiceHistoryInstance><ServiceTypeIdentifier>{SVC}{service.type}</ServiceTypeIdentifier>{told}"
        f"<ServiceStatus>{STATUS}{status}</ServiceStatus>"
        f"<StatusStartingTime>{_time(since)}</StatusStartingTime></ServiceHistoryInstance>"
        for status, since in history
    )
    return (
        f"<TSPService><ServiceInformation><ServiceTypeIdentifier>{SVC}{service.type}</ServiceTypeIdentifier>{told}"
        f"<ServiceDigitalIdentity>{_identity(service.holder)}</ServiceDigitalIdentity>"
        f"<ServiceStatus>{STATUS}{status}</ServiceStatus><StatusStartingTime>{_time(since)}</StatusStartingTime>"
        f"<ServiceInformationExtensions>{service.extensions}</ServiceInformationExtensions></ServiceInformation>"
        f"<ServiceHistory>{past}</ServiceHistory></TSPService>"
    )


def _pointer(pointer: Pointing) -> str:
    signers = "".join(
        f"<ServiceDigitalIdentity>{_identity(signer)}</ServiceDigitalIdentity>" for signer in pointer.signers
    )
    return (
        f"<OtherTSLPointer><ServiceDigitalIdentities>{signers}</ServiceDigitalIdentities>"
        f"<TSLLocation>{escape(pointer.location)}</TSLLocation><AdditionalInformation>"
        f"<OtherInformation><TSLType>{pointer.type}</TSLType></OtherInformation>"
        f"<OtherInformation><SchemeTerritory>{pointer.territory}</SchemeTerritory></OtherInformation>"
        f"<OtherInformation><tslx:MimeType>{pointer.mime_type}</tslx:MimeType></OtherInformation>"
        f"</AdditionalInformation></OtherTSLPointer>"
    )
