"""JAdES (ETSI TS 119 182-1): a JWS whose header names the signer's certificate; compact, flattened or general JSON.

The mathematics are cryptography's; what is ours is which header may mean what. A parameter that is critical and not
known here refuses the signature (RFC 7515 §4.1.11).
"""

import base64
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from asn1crypto import cms
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from kit.strict_json import once
from locker.signatures.certificate import Certificate, certificate_of, signature_holds
from locker.signatures.cms_signature import Finding, digest_of, failed, indeterminate
from locker.signatures.document import UNREADABLE
from locker.signatures.judge_opened import unreadable_signature
from locker.signatures.opened_signature import DataObject, OpenedSignature
from locker.signatures.xml_signature import xml_time

_SIGNATURES_MAX = 64
"""Of no policy more; one above it is handed on, so that the judge sees that there are too many."""
_BASE64URL = re.compile(rb"[A-Za-z0-9_-]*")
_HASHES: dict[str, tuple[str, type[hashes.HashAlgorithm]]] = {
    "256": ("sha256", hashes.SHA256),
    "384": ("sha384", hashes.SHA384),
    "512": ("sha512", hashes.SHA512),
}
_CURVES = {"ES256": "secp256r1", "ES384": "secp384r1", "ES512": "secp521r1"}
_ALGORITHMS = {f"{family}{bits}" for family in ("RS", "PS", "ES") for bits in _HASHES} | {"EdDSA", "Ed25519"}
_DIGESTS = {"S256": "sha256", "S384": "sha384", "S512": "sha512"}
_CRITICAL = {"sigT", "sigX5ts", "srCms", "sigPl", "srAts", "sigD", "x5t#o", "b64", "iat"}
_BY_URI = "http://uri.etsi.org/19182/ObjectIdByURI"
_BY_URI_HASH = "http://uri.etsi.org/19182/ObjectIdByURIHash"


class _Refused(ValueError):
    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.reason)
        self.finding = finding


def open_jades(jws: bytes, data: bytes | None, *, name: str, objects: DataObject) -> list[OpenedSignature]:
    """Each signature of a JWS. ``data``: the payload where it is detached; ``objects``: what ``sigD`` may name."""
    try:
        parts = list(_signatures(jws))
    except UNREADABLE:
        return [unreadable_signature(name, "JAdES")]
    return [_open(part, data, name=name, objects=objects) for part in parts]


def payload_of(jws: bytes) -> bytes | None:
    """The data inside, where there is some."""
    try:
        _, payload, _, _ = next(_signatures(jws))
        return _decoded(payload) if payload else None
    except (StopIteration, *UNREADABLE):
        return None


def _signatures(jws: bytes) -> Iterator[tuple[bytes, bytes | None, bytes, dict[str, Any]]]:
    """Protected header, payload, signature (all in base64url), and the unprotected header."""
    text = jws.strip()
    if not text.startswith(b"{"):
        protected, middle, signature = text.split(b".")
        yield protected, middle or None, signature, {}
        return
    whole = _json(text)
    payload = whole["payload"].encode() if "payload" in whole else None
    several = whole.get("signatures")
    # Both forms at once mean one thing to one reader and another to the next (RFC 7515 §7.2.2).
    if (several is None) == ("signature" not in whole):
        raise ValueError("neither flattened nor general")
    for part in (several or [whole])[: _SIGNATURES_MAX + 1]:
        yield part["protected"].encode(), payload, part["signature"].encode(), part.get("header") or {}


def _open(
    part: tuple[bytes, bytes | None, bytes, dict[str, Any]], data: bytes | None, *, name: str, objects: DataObject
) -> OpenedSignature:
    protected, payload, signature, unprotected = part
    try:
        header = _json(_decoded(protected))
        if set(header) & set(unprotected):
            raise ValueError("a parameter in both headers")
        _check_critical(header, unprotected)
        value = _decoded(signature)
        brought = _brought(header, unprotected)
        signer = _signer(header, brought)
        algorithm = header["alg"]
        if algorithm not in _ALGORITHMS:
            raise _Refused(indeterminate("CRYPTO_CONSTRAINTS_FAILURE", "signature-algorithm"))
        signed = protected + b"." + _signed_payload(header, payload, data, objects)
        findings: tuple[Finding, ...] = ()
        if signer and not _holds(algorithm, signer, value, signed):
            findings = (failed("SIG_CRYPTO_FAILURE", "signature-value"),)
        stamps, broken, crls, ocsps, more = _unsigned(unprotected, signature)
    except _Refused as refused:
        return OpenedSignature(name=name, format="JAdES", findings=(refused.finding,))
    except UNREADABLE:
        return unreadable_signature(name, "JAdES")
    return OpenedSignature(
        name=name,
        format="JAdES",
        signer=signer,
        brought=(*brought, *more),
        findings=findings,
        names_certificate=any(named in header for named in ("x5t#S256", "x5t#o", "sigX5ts", "x5c")),
        digest_algorithm=_HASHES[algorithm[2:]][0] if algorithm[2:] in _HASHES else None,
        signature_algorithm=algorithm,
        claimed_time=_claimed_time(header),
        stamps=stamps,
        broken_stamps=broken,
        crls=crls,
        ocsps=ocsps,
    )


def _check_critical(header: dict[str, Any], unprotected: dict[str, Any]) -> None:
    critical = header.get("crit", [])
    understood = isinstance(critical, list) and ("crit" not in header or critical) and "crit" not in unprotected
    if not understood or not set(critical) <= _CRITICAL or not set(critical) <= set(header):
        raise _Refused(indeterminate("SIG_CONSTRAINTS_FAILURE", "critical-header"))
    if not isinstance(header.get("b64", True), bool):
        raise ValueError("b64")
    # A payload that is not encoded is one only for who knows the parameter (RFC 7797 §6).
    if header.get("b64", True) is not True and "b64" not in critical:
        raise _Refused(failed("FORMAT_FAILURE", "critical-header"))
    if "sigD" in header and "sigD" not in critical:
        raise _Refused(failed("FORMAT_FAILURE", "critical-header"))


def _signed_payload(header: dict[str, Any], payload: bytes | None, data: bytes | None, objects: DataObject) -> bytes:
    encode = header.get("b64", True) is True
    if "sigD" in header:
        if payload:
            raise _Refused(failed("FORMAT_FAILURE", "content-not-detached"))
        return _referenced(header["sigD"], data, objects, encode=encode)
    if payload is not None:
        if data is not None and (_decoded(payload) if encode else payload) != data:
            raise _Refused(failed("HASH_FAILURE", "document-altered"))
        return payload
    if data is None:
        raise _Refused(failed("FORMAT_FAILURE", "data-missing"))
    return _encoded(data) if encode else data


def _referenced(detached: dict[str, Any], data: bytes | None, objects: DataObject, *, encode: bool) -> bytes:
    """TS 119 182-1 §5.2.8: every object that is named must be here, and nothing else may be."""
    names = detached["pars"]
    if not isinstance(names, list) or not 1 <= len(names) <= 1_000 or len(set(names)) != len(names):
        raise ValueError("pars")
    found = [objects(address) for address in names]
    if len(names) == 1 and found == [None]:
        # One object and one file: they can only be each other.
        found = [data]
    if None in found:
        raise _Refused(failed("FORMAT_FAILURE", "data-missing"))
    if data is not None and data not in found:
        raise _Refused(indeterminate("SIG_CONSTRAINTS_FAILURE", "not-all-covered"))
    octets = [_encoded(one) if encode else one for one in found if one is not None]
    if detached["mId"] == _BY_URI:
        return b"".join(octets)
    if detached["mId"] != _BY_URI_HASH:
        raise _Refused(indeterminate("SIG_CONSTRAINTS_FAILURE", "critical-header"))
    algorithm = _DIGESTS.get(detached["hashM"])
    if algorithm is None:
        raise _Refused(indeterminate("CRYPTO_CONSTRAINTS_FAILURE", "digest-algorithm"))
    stated = [_decoded(value.encode()) for value in detached["hashV"]]
    if stated != [digest_of(algorithm, one) for one in octets]:
        raise _Refused(failed("HASH_FAILURE", "document-altered"))
    return b""


def _brought(header: dict[str, Any], unprotected: dict[str, Any]) -> list[Certificate]:
    chain = header.get("x5c") or unprotected.get("x5c") or []
    return [certificate_of(base64.b64decode(text, validate=True)) for text in chain[:16]]


def _signer(header: dict[str, Any], brought: list[Certificate]) -> Certificate | None:
    """The first of x5c, which must be the one that the protected header names, where it names one by digest."""
    if not brought:
        return None
    signer = brought[0]
    named: list[tuple[str, str]] = []
    if "x5t#S256" in header:
        named.append(("sha256", header["x5t#S256"]))
    for reference in (header.get("x5t#o"), *(header.get("sigX5ts") or [])[:1]):
        if reference:
            named.append((_DIGESTS[reference["digAlg"]], reference["digVal"]))
    if not named and "x5c" not in header:
        raise _Refused(indeterminate("NO_SIGNING_CERTIFICATE_FOUND", "signing-certificate-mismatch"))
    for algorithm, value in named:
        if digest_of(algorithm, signer.der) != _decoded(value.encode()):
            raise _Refused(indeterminate("NO_SIGNING_CERTIFICATE_FOUND", "signing-certificate-mismatch"))
    return signer


def _holds(algorithm: str, signer: Certificate, value: bytes, signed: bytes) -> bool:
    key = signer.public_key
    kind = signer.key_kind[0]
    if algorithm in ("EdDSA", "Ed25519"):
        return kind == "ed25519" and signature_holds(key, value, signed, None)
    digest = _HASHES[algorithm[2:]][1]()
    match algorithm[:2]:
        case "RS":
            return kind == "rsa" and signature_holds(key, value, signed, digest)
        case "PS":
            scheme = padding.PSS(mgf=padding.MGF1(digest), salt_length=digest.digest_size)
            return kind == "rsa" and signature_holds(key, value, signed, digest, scheme)
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != _CURVES[algorithm]:
        return False
    half = (key.curve.key_size + 7) // 8
    if len(value) != 2 * half:
        return False
    pair = encode_dss_signature(int.from_bytes(value[:half]), int.from_bytes(value[half:]))
    return signature_holds(key, pair, signed, digest)


def _unsigned(
    unprotected: dict[str, Any], signature: bytes
) -> tuple[tuple[Any, ...], int, tuple[bytes, ...], tuple[bytes, ...], list[Certificate]]:
    """Of ``etsiU``: signature time stamps, about the signature as it is written (§5.3.4), and validation data."""
    stamps: list[Any] = []
    broken = 0
    crls: list[bytes] = []
    ocsps: list[bytes] = []
    certificates: list[Certificate] = []
    for entry in (unprotected.get("etsiU") or [])[:64]:
        try:
            # Each entry is an object, or one in base64url so that it can be time-stamped.
            component = _json(_decoded(entry.encode())) if isinstance(entry, str) else entry
            for token in component.get("sigTst", {}).get("tstTokens", []):
                read = cms.ContentInfo.load(base64.b64decode(token["val"], validate=True))["content"]
                stamps.append((read, lambda algorithm: digest_of(algorithm, signature)))
            values = component.get("rVals", {})
            crls += [base64.b64decode(value["val"], validate=True) for value in values.get("crlVals", [])]
            ocsps += [base64.b64decode(value["val"], validate=True) for value in values.get("ocspVals", [])]
            for value in component.get("xVals", [])[:64]:
                certificates.append(certificate_of(base64.b64decode(value["x509Cert"]["val"], validate=True)))
        except UNREADABLE:
            broken += 1
    return tuple(stamps), broken, tuple(crls), tuple(ocsps), certificates


def _claimed_time(header: dict[str, Any]) -> datetime | None:
    if isinstance(header.get("iat"), int):
        try:
            return datetime.fromtimestamp(header["iat"], UTC)
        except (ValueError, OverflowError, OSError):
            return None
    return xml_time(header["sigT"]) if isinstance(header.get("sigT"), str) else None


def _json(text: bytes) -> dict[str, Any]:
    """An object; a name that stands twice in one is refused (RFC 7515 §4)."""
    read = json.loads(text, object_pairs_hook=once)
    if not isinstance(read, dict):
        raise ValueError("not an object")
    return read


def _decoded(text: bytes) -> bytes:
    if not _BASE64URL.fullmatch(text):
        raise ValueError("not base64url")
    decoded = base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    # One text for one value: spare bits must be zero.
    if _encoded(decoded) != text:
        raise ValueError("not base64url")
    return decoded


def _encoded(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
