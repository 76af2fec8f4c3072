"""Signatures over data, made here as other software makes them: CAdES, JAdES, XAdES and ASiC containers."""

import base64
import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from asn1crypto import cms, core, x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from lxml import etree
from pyhanko.sign.general import as_signing_certificate_v2
from signxml.algorithms import SignatureConstructionMethod, SignatureMethod
from signxml.xades.xades import XAdESSigner

from locker.signatures.judge_data import judge_data
from locker.signatures.policies import VERIFY
from locker.signatures.schema import Policy, Verdict
from locker.signatures.trust_store import TrustStore
from locker.signatures.xml_signature import DS, XADES
from tests.unit.locker.signatures.signature_pki import NOW, Holder, pki, trust

DATA = b'{"family_name": "Alaoui", "born": "1990-02-03"}'
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
ECDSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
XML = '<act xmlns="urn:act"><name>Alaoui</name><born>1990-02-03</born></act>'


def judged(
    signature: bytes, data: bytes | None = None, *, policy: Policy = VERIFY, names: tuple[str, ...] = (), **changes: Any
) -> Verdict:
    return judge_data(signature, data, TrustStore(trust(**changes)), policy, NOW, names=names)


def time_stamp(imprinted: bytes) -> bytes:
    """A token over ``imprinted``, as DER."""
    return bytes(pki().tsa.time_stamper().token(hashlib.sha256(imprinted).digest(), "sha256").dump())


def _algorithm(by: Holder) -> str:
    return "sha256_ecdsa" if isinstance(by.key, ec.EllipticCurvePrivateKey) else "sha256_rsa"


def raw_value(by: Holder, data: bytes) -> bytes:
    if isinstance(by.key, ec.EllipticCurvePrivateKey):
        return by.key.sign(data, ec.ECDSA(hashes.SHA256()))
    return by.key.sign(data, padding.PKCS1v15(), hashes.SHA256())


def cades(
    data: bytes = DATA,
    by: Holder | None = None,
    *,
    stamped: bool = False,
    held: bool = False,
    named: bool = True,
    brought: Sequence[bytes] = (),
) -> bytes:
    by = by or pki().seal
    certificate = x509.Certificate.load(by.der)
    attributes = [
        {"type": "content_type", "values": ["data"]},
        {"type": "message_digest", "values": [hashlib.sha256(data).digest()]},
    ]
    if named:
        attributes.append({"type": "signing_certificate_v2", "values": [as_signing_certificate_v2(certificate)]})
    signed = cms.CMSAttributes(attributes)
    value = raw_value(by, signed.dump())
    unsigned = []
    if stamped:
        token = cms.ContentInfo.load(time_stamp(value))
        unsigned.append({"type": "signature_time_stamp_token", "values": [token]})
    content: dict[str, Any] = {"content_type": "data"}
    if held:
        content["content"] = core.OctetString(data)
    container = cms.SignedData(
        {
            "version": "v1",
            "digest_algorithms": [{"algorithm": "sha256"}],
            "encap_content_info": content,
            "certificates": [certificate, *(x509.Certificate.load(der) for der in (*brought, *by.chain_der))],
            "signer_infos": [
                {
                    "version": "v1",
                    "sid": cms.SignerIdentifier(
                        {
                            "issuer_and_serial_number": cms.IssuerAndSerialNumber(
                                {"issuer": certificate.issuer, "serial_number": certificate.serial_number}
                            )
                        }
                    ),
                    "digest_algorithm": {"algorithm": "sha256"},
                    "signature_algorithm": {"algorithm": _algorithm(by)},
                    "signed_attrs": signed,
                    "signature": value,
                    **({"unsigned_attrs": unsigned} if unsigned else {}),
                }
            ],
        }
    )
    return bytes(cms.ContentInfo({"content_type": "signed_data", "content": container}).dump())


def b64u(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def jws_header(by: Holder, **changes: Any) -> dict[str, Any]:
    return {
        "alg": "ES256" if isinstance(by.key, ec.EllipticCurvePrivateKey) else "PS256",
        "x5t#S256": b64u(hashlib.sha256(by.der).digest()),
        "x5c": [base64.b64encode(der).decode() for der in (by.der, *by.chain_der)],
        "sigT": "2026-11-01T12:00:00Z",
        "crit": ["sigT"],
        **changes,
    }


def jws_value(by: Holder, signed: bytes) -> bytes:
    if isinstance(by.key, ec.EllipticCurvePrivateKey):
        r, s = decode_dss_signature(by.key.sign(signed, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32) + s.to_bytes(32)
    return by.key.sign(signed, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())


def jades(
    data: bytes = DATA, by: Holder | None = None, *, form: str = "compact", detached: bool = False, **header: Any
) -> bytes:
    """``form``: compact, flattened, general; with ``stamped`` in its name with a signature time stamp."""
    by = by or pki().seal
    protected = b64u(json.dumps(jws_header(by, **header)).encode())
    encode = header.get("b64", True)
    payload = "" if "sigD" in header else (b64u(data) if encode else data.decode())
    value = b64u(jws_value(by, f"{protected}.{_signed(payload, data, header)}".encode()))
    shown = "" if detached or "sigD" in header else payload
    if form == "compact":
        return f"{protected}.{shown}.{value}".encode()
    one: dict[str, Any] = {"protected": protected, "signature": value}
    if "stamped" in form:
        token = base64.b64encode(time_stamp(value.encode())).decode()
        one["header"] = {"etsiU": [b64u(json.dumps({"sigTst": {"tstTokens": [{"val": token}]}}).encode())]}
    body: dict[str, Any] = {"payload": shown} if shown else {}
    return json.dumps({**body, **({"signatures": [one]} if form.startswith("general") else one)}).encode()


def _signed(payload: str, data: bytes, header: Mapping[str, Any]) -> str:
    if header.get("sigD", {}).get("mId", "").endswith("ObjectIdByURI"):
        return b64u(data)
    return payload


def by_hash(data: bytes = DATA, name: str = "data.json") -> dict[str, Any]:
    return {
        "crit": ["sigT", "sigD"],
        "sigD": {
            "mId": "http://uri.etsi.org/19182/ObjectIdByURIHash",
            "pars": [name],
            "hashM": "S256",
            "hashV": [b64u(hashlib.sha256(b64u(data).encode()).digest())],
        },
    }


def _signer(by: Holder, method: SignatureConstructionMethod) -> XAdESSigner:
    elliptic = isinstance(by.key, ec.EllipticCurvePrivateKey)
    return XAdESSigner(
        method=method,
        signature_algorithm=SignatureMethod.ECDSA_SHA256 if elliptic else SignatureMethod.RSA_SHA256,
    )


def xades(xml: str = XML, by: Holder | None = None, *, stamped: bool = False) -> bytes:
    by = by or pki().seal
    root = _signer(by, SignatureConstructionMethod.enveloped).sign(
        etree.fromstring(xml), key=by.key, cert=_chain(by), always_add_key_value=False
    )
    return bytes(etree.tostring(with_stamp(root) if stamped else root))


def xades_detached(objects: Mapping[str, bytes], by: Holder | None = None) -> bytes:
    """A file of signatures as a container has it (ETSI EN 319 162-1), by hand and time-stamped."""
    by = by or pki().seal
    references = "".join(_reference(quote(name), hashlib.sha256(content)) for name, content in objects.items())
    shown = "".join(
        f"<ds:X509Certificate>{base64.b64encode(der).decode()}</ds:X509Certificate>" for der in (by.der, *by.chain_der)
    )
    root = etree.fromstring(
        '<asic:XAdESSignatures xmlns:asic="http://uri.etsi.org/02918/v1.2.1#" xmlns:ds="http://www.w3.org/2000/09/xmldsig#"'
        ' xmlns:xades="http://uri.etsi.org/01903/v1.3.2#"><ds:Signature Id="S0"><ds:SignedInfo>'
        f'<ds:CanonicalizationMethod Algorithm="{EXCLUSIVE}"/><ds:SignatureMethod Algorithm="{ECDSA_SHA256}"/>'
        f"{references}</ds:SignedInfo><ds:SignatureValue/><ds:KeyInfo><ds:X509Data>"
        f"{shown}</ds:X509Data></ds:KeyInfo>"
        '<ds:Object><xades:QualifyingProperties Target="#S0"><xades:SignedProperties Id="P0">'
        "<xades:SignedSignatureProperties><xades:SigningTime>2026-11-01T12:00:00Z</xades:SigningTime>"
        f'<xades:SigningCertificateV2><xades:Cert><xades:CertDigest><ds:DigestMethod Algorithm="{SHA256}"/>'
        f"<ds:DigestValue>{base64.b64encode(hashlib.sha256(by.der).digest()).decode()}</ds:DigestValue>"
        "</xades:CertDigest></xades:Cert></xades:SigningCertificateV2></xades:SignedSignatureProperties>"
        "</xades:SignedProperties></xades:QualifyingProperties></ds:Object></ds:Signature></asic:XAdESSignatures>"
    )
    signed_info = next(root.iter(f"{DS}SignedInfo"))
    properties = hashlib.sha256(_canonical(next(root.iter(f"{XADES}SignedProperties"))))
    transform = f'<ds:Transforms><ds:Transform Algorithm="{EXCLUSIVE}"/></ds:Transforms>'
    kind = 'Type="http://uri.etsi.org/01903#SignedProperties" '
    reference = _reference("#P0", properties, kind=kind, transforms=transform)
    wrapper = etree.fromstring(f'<x xmlns:ds="http://www.w3.org/2000/09/xmldsig#">{reference}</x>')
    signed_info.append(wrapper[0])
    assert isinstance(by.key, ec.EllipticCurvePrivateKey)
    value = base64.b64encode(jws_value(by, _canonical(signed_info))).decode()
    next(root.iter(f"{DS}SignatureValue")).text = value
    return bytes(etree.tostring(with_stamp(root)))


def _reference(uri: str, digest: Any, *, kind: str = "", transforms: str = "") -> str:
    return (
        f'<ds:Reference {kind}URI="{uri}">{transforms}<ds:DigestMethod Algorithm="{SHA256}"/>'
        f"<ds:DigestValue>{base64.b64encode(digest.digest()).decode()}</ds:DigestValue></ds:Reference>"
    )


def _canonical(element: Any) -> bytes:
    return bytes(etree.tostring(element, method="c14n", exclusive=True, with_comments=False, with_tail=False))


def _chain(by: Holder) -> list[Any]:
    return [by.certificate, *(holder.certificate for holder in by.chain)]


def with_stamp(root: Any) -> Any:
    """A signature time stamp as an unsigned property."""
    signature = next(root.iter(f"{DS}Signature"))
    value = signature.find(f"{DS}SignatureValue")
    canonical = etree.tostring(value, method="c14n", exclusive=True, with_comments=False, with_tail=False)
    properties = next(signature.iter(f"{XADES}QualifyingProperties"))
    unsigned = etree.SubElement(properties, f"{XADES}UnsignedProperties")
    unsigned = etree.SubElement(unsigned, f"{XADES}UnsignedSignatureProperties")
    stamp = etree.SubElement(unsigned, f"{XADES}SignatureTimeStamp")
    method = etree.SubElement(stamp, f"{DS}CanonicalizationMethod")
    method.set("Algorithm", "http://www.w3.org/2001/10/xml-exc-c14n#")
    etree.SubElement(stamp, f"{XADES}EncapsulatedTimeStamp").text = base64.b64encode(time_stamp(canonical)).decode()
    return root


def manifest(objects: Mapping[str, bytes], *, signature: str = "META-INF/signature001.p7s") -> bytes:
    references = "".join(
        f'<asic:DataObjectReference URI="{name}"><ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/>'
        f"<ds:DigestValue>{base64.b64encode(hashlib.sha256(content).digest()).decode()}</ds:DigestValue>"
        f"</asic:DataObjectReference>"
        for name, content in objects.items()
    )
    return (
        '<asic:ASiCManifest xmlns:asic="http://uri.etsi.org/02918/v1.2.1#" '
        f'xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><asic:SigReference URI="{signature}"/>{references}'
        "</asic:ASiCManifest>"
    ).encode()


def container(entries: Mapping[str, bytes], *, mimetype: bytes = b"application/vnd.etsi.asic-e+zip") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", mimetype, zipfile.ZIP_STORED)
        for name, content in entries.items():
            archive.writestr(name, content)
    return file.getvalue()


def asic_cades(objects: Mapping[str, bytes], *, covered: Mapping[str, bytes] | None = None, **more: bytes) -> bytes:
    stated = manifest(covered if covered is not None else objects)
    meta = {"META-INF/ASiCManifest001.xml": stated, "META-INF/signature001.p7s": cades(stated, stamped=True)}
    return container({**objects, **meta, **more})
