"""The signature validation report of ETSI TS 119 102-2 (v1.4.1), one element for each signature of the verdict."""

import base64
import datetime as dt
import re
from collections.abc import Iterable
from xml.etree import ElementTree

from locker.reports.make_detailed import document_checks, signature_checks
from locker.reports.make_simple import signature_id
from locker.reports.schema import CheckResult
from locker.signatures.reasons import REASONS
from locker.signatures.schema import SignatureVerdict, TimeStampVerdict, Verdict

VR = "http://uri.etsi.org/19102/v1.4.1#"
_XADES = "http://uri.etsi.org/01903/v1.3.2#"
_DS = "http://www.w3.org/2000/09/xmldsig#"
_SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
_URN = "urn:etsi:019102"
# EU DSS's, for what TS 119 102-2 has no name.
_NO_SIGNATURE = "urn:cef:dss:mainindication:noSignatureFound"
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_INDICATIONS = {
    "TOTAL-PASSED": f"{_URN}:mainindication:total-passed",
    "TOTAL-FAILED": f"{_URN}:mainindication:total-failed",
    "INDETERMINATE": f"{_URN}:mainindication:indeterminate",
    "NO_SIGNATURE_FOUND": _NO_SIGNATURE,
}
_MORE = "http://www.w3.org/2001/04/xmldsig-more"
_ALGORITHMS = {
    f"{digest}_{key}": f"{_MORE}#{key}-{digest}"
    for digest in ("sha256", "sha384", "sha512")
    for key in ("rsa", "ecdsa")
}

for _prefix, _namespace in (("vr", VR), ("xades", _XADES), ("ds", _DS)):
    ElementTree.register_namespace(_prefix, _namespace)

_Element = ElementTree.Element


def write_etsi(verdict: Verdict) -> bytes:
    """UTF-8. Not signed: the signed answer is."""
    root = _Element(f"{{{VR}}}ValidationReport")
    objects = _Objects()
    of_document = document_checks(verdict)
    file = objects.add("D", "signedData", sha256=bytes.fromhex(verdict.sha256))
    for number, signature in enumerate(verdict.signatures, 1):
        _signature(root, signature, verdict, of_document, objects, number=number, file=file)
    if not verdict.signatures:
        report = _add(root, "SignatureValidationReport")
        _constraints(report, verdict, of_document, verdict.indication)
        _times(report, verdict, None)
        _reference(_add(report, "SignersDocument"), "SignersDocumentRepresentation", file)
        _process(report, verdict)
        _status(_add(report, "SignatureValidationStatus"), verdict.indication, verdict.sub_indication, verdict.reasons)
    for stamp in verdict.time_stamps:
        objects.add_time_stamp(stamp)
    root.append(objects.element)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))


class _Objects:
    """SignatureValidationObjects, each with an id that the reports refer to."""

    def __init__(self) -> None:
        self.element = _Element(f"{{{VR}}}SignatureValidationObjects")
        self._known: dict[tuple[str, bytes], str] = {}

    def add(self, prefix: str, kind: str, *, sha256: bytes) -> str:
        known = self._known.get((kind, sha256))
        if known is None:
            known = self._known[kind, sha256] = f"{prefix}-{len(self.element) + 1}"
            represented = self._object(known, kind)
            digest = _add(represented, "DigestAlgAndValue")
            _add(digest, "DigestMethod", namespace=_DS).set("Algorithm", _SHA256)
            _add(digest, "DigestValue", _base64(sha256), namespace=_DS)
        return known

    def add_time_stamp(self, stamp: TimeStampVerdict) -> str:
        """Its token is in the document; here it is described, with a verdict of its own."""
        identifier = f"T-{len(self.element) + 1}"
        direct = _add(self._object(identifier, "timestamp"), "direct")
        direct.text = _text(f"{stamp.kind} {stamp.field_name or ''}".strip())
        described = self.element[-1]
        if stamp.passed and stamp.time:
            poe = _add(described, "POEProvisioning")
            _add(poe, "POETime", _time(stamp.time))
        report = _add(described, "ValidationReport")
        status = _add(report, "SignatureValidationStatus")
        _add(status, "MainIndication", f"{_URN}:mainindication:{'passed' if stamp.passed else 'indeterminate'}")
        if stamp.sub_indication:
            _add(status, "SubIndication", f"{_URN}:subindication:{stamp.sub_indication}")
        _explain(status, stamp.reasons)
        return identifier

    def _object(self, identifier: str, kind: str) -> _Element:
        described = _add(self.element, "ValidationObject")
        described.set("id", identifier)
        _add(described, "ObjectType", f"{_URN}:validationObject:{kind}")
        return _add(described, "ValidationObjectRepresentation")


def _signature(
    root: _Element,
    signature: SignatureVerdict,
    verdict: Verdict,
    of_document: list[CheckResult],
    objects: _Objects,
    *,
    number: int,
    file: str,
) -> None:
    report = _add(root, "SignatureValidationReport")
    identifier = _add(report, "SignatureIdentifier")
    identifier.set("id", signature_id(number))
    _add(identifier, "HashOnly", "false")
    _add(identifier, "DocHashOnly", "false")
    _add(identifier, "DAIdentifier", signature.field_name)
    indication, sub_indication, reasons = signature.indication, signature.sub_indication, signature.reasons
    if signature.passed and not verdict.passed and all(other.passed for other in verdict.signatures):
        # What the document itself adds speaks against each of its signatures.
        indication, sub_indication, reasons = verdict.indication, verdict.sub_indication, verdict.reasons
    _constraints(report, verdict, [*of_document, *signature_checks(signature, verdict)], indication)
    stamps = [objects.add_time_stamp(stamp) for stamp in signature.time_stamps]
    _times(report, verdict, signature)
    _reference(_add(report, "SignersDocument"), "SignersDocumentRepresentation", file)
    _attributes(report, signature, stamps)
    certificate = None
    if signature.certificate_sha256:
        certificate = objects.add("C", "certificate", sha256=bytes.fromhex(signature.certificate_sha256))
        information = _add(report, "SignerInformation")
        _reference(information, "SignerCertificate", certificate)
        if signature.signer:
            _add(information, "Signer", signature.signer.display)
    _process(report, verdict)
    status = _add(report, "SignatureValidationStatus")
    _status(status, indication, sub_indication, reasons, certificate=certificate, signature=signature)


def _constraints(report: _Element, verdict: Verdict, checks: Iterable[CheckResult], indication: str) -> None:
    evaluated = _add(report, "ValidationConstraintsEvaluationReport")
    policy = _add(evaluated, "SignatureValidationPolicy")
    implied = _add(policy, "SignaturePolicyIdentifier")
    _add(implied, "SignaturePolicyImplied", namespace=_XADES)
    _add(policy, "PolicyName", f"{verdict.policy}/{verdict.policy_version}, trust {verdict.trust_version}")
    _add(policy, "FormalPolicyURI", f"urn:khizana:policy:{verdict.policy}:{verdict.policy_version}")
    failed = "failed" if indication == "TOTAL-FAILED" else "indeterminate"
    for check in checks:
        constraint = _add(evaluated, "ValidationConstraint")
        _add(constraint, "ValidationConstraintIdentifier", f"urn:khizana:check:{check.name}")
        applied = "disabled" if check.status == "ignored" else "applied"
        _add(_add(constraint, "ConstraintStatus"), "Status", f"{_URN}:constraintStatus:{applied}")
        if check.status != "ignored":
            status = _add(constraint, "ValidationStatus")
            said = "passed" if check.status == "passed" else failed
            _add(status, "MainIndication", f"{_URN}:mainindication:{said}")
            _explain(status, (*check.reasons, *check.remarks))


def _times(report: _Element, verdict: Verdict, signature: SignatureVerdict | None) -> None:
    times = _add(report, "ValidationTimeInfo")
    _add(times, "ValidationTime", _time(verdict.judged_for))
    best = _add(times, "BestSignatureTime")
    proven = signature.proven_time if signature else None
    _add(best, "POETime", _time(proven or verdict.judged_for))
    _add(best, "TypeOfProof", f"{_URN}:poetype:{'provided' if proven else 'validation'}")


def _attributes(report: _Element, signature: SignatureVerdict, stamps: list[str]) -> None:
    attributes = _Element(f"{{{VR}}}SignatureAttributes")
    if signature.claimed_time:
        _add(_add(attributes, "SigningTime"), "Time", _time(signature.claimed_time))
    if signature.stated_location:
        _add(_add(attributes, "SignatureProductionPlace"), "AddressString", signature.stated_location)
    for identifier, stamp in zip(stamps, signature.time_stamps, strict=True):
        if stamp.time:
            stamped = _add(attributes, "SignatureTimeStamp")
            _reference(stamped, "AttributeObject", identifier)
            _add(stamped, "TimeStampValue", _time(stamp.time))
    if signature.stated_reason:
        _add(_add(attributes, "Reason"), "ReasonElement", signature.stated_reason)
    if len(attributes):
        report.append(attributes)


def _process(report: _Element, verdict: Verdict) -> None:
    process = _add(report, "SignatureValidationProcess")
    _add(process, "SignatureValidationProcessID", f"{_URN}:validationprocess:LTA")
    _add(process, "SignatureValidationServicePolicy", f"urn:khizana:policy:{verdict.policy}:{verdict.policy_version}")


def _status(
    status: _Element,
    indication: str,
    sub_indication: str | None,
    reasons: Iterable[str],
    *,
    certificate: str | None = None,
    signature: SignatureVerdict | None = None,
) -> None:
    _add(status, "MainIndication", _INDICATIONS[indication])
    if sub_indication:
        _add(status, "SubIndication", f"{_URN}:subindication:{sub_indication}")
    codes = list(reasons)
    if certificate is None and not codes:
        return
    data = _add(status, "AssociatedValidationReportData")
    if certificate and signature:
        _reference(_add(data, "CertificateChain"), "SigningCertificate", certificate)
        crypto = _add(data, "CryptoInformation")
        _reference(crypto, "ValidationObjectId", certificate)
        algorithm = _ALGORITHMS.get(signature.signature_algorithm or "", f"{_URN}:algorithm:unidentified")
        _add(crypto, "Algorithm", algorithm)
        weak = {"digest-algorithm", "signature-algorithm", "key-size"} & set(codes)
        _add(crypto, "SecureAlgorithm", "false" if weak else "true")
    _add_reasons(data, codes)


def _explain(status: _Element, codes: Iterable[str]) -> None:
    listed = list(codes)
    if listed:
        _add_reasons(_add(status, "AssociatedValidationReportData"), listed)


def _add_reasons(data: _Element, codes: list[str]) -> None:
    if not codes:
        return
    more = _add(data, "AdditionalValidationReportData")
    for code in codes:
        entry = _add(more, "ReportData")
        _add(entry, "Type", f"urn:khizana:reason:{code}")
        _add(entry, "Value", REASONS[code].msgid if code in REASONS else code)


def _reference(parent: _Element, name: str, identifier: str) -> None:
    _add(parent, name).set("VOReference", identifier)


def _add(parent: _Element, name: str, text: str | None = None, *, namespace: str = VR) -> _Element:
    element = ElementTree.SubElement(parent, f"{{{namespace}}}{name}")
    if text is not None:
        element.text = _text(text)
    return element


def _text(text: str) -> str:
    return _NOT_XML.sub("", text)


def _time(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
