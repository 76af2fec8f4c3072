"""CAdES (ETSI EN 319 122-1): a CMS container beside the data, or around it."""

from typing import Any

from asn1crypto import cms, core, ocsp
from pyhanko.sign.general import find_cms_attribute_iter
from pyhanko.sign.validation.generic_cms import extract_tst_data_iter

from locker.signatures.cms_signature import Finding, SignedData, digest_of, failed
from locker.signatures.document import UNREADABLE
from locker.signatures.judge_opened import unreadable_signature
from locker.signatures.opened_signature import OpenedSignature

_REVOCATION_VALUES = "1.2.840.113549.1.9.16.2.24"


class _OcspResponses(core.SequenceOf):  # type: ignore[misc]
    _child_spec = ocsp.BasicOCSPResponse


class _Crls(core.SequenceOf):  # type: ignore[misc]
    _child_spec = core.Any


class _RevocationValues(core.Sequence):  # type: ignore[misc]
    """EN 319 122-1 §A.1.3.3, without other values."""

    _fields = [  # noqa: RUF012
        ("crl_vals", _Crls, {"explicit": 0, "optional": True}),
        ("ocsp_vals", _OcspResponses, {"explicit": 1, "optional": True}),
        ("other", core.Any, {"explicit": 2, "optional": True}),
    ]


def open_cades(container: bytes, data: bytes | None, *, name: str, certificates_max: int) -> OpenedSignature:
    """``data`` is None where the container must hold it. Never raises for a bad signature."""
    try:
        return _open(container, data, name=name, certificates_max=certificates_max)
    except UNREADABLE:
        return unreadable_signature(name, "CAdES")


def content_of(container: bytes) -> bytes | None:
    """The data inside the container, where there is some."""
    try:
        content = cms.ContentInfo.load(container)["content"]["encap_content_info"]["content"]
        return None if content is core.VOID else bytes(content.native)
    except UNREADABLE:
        return None


def _open(container: bytes, data: bytes | None, *, name: str, certificates_max: int) -> OpenedSignature:
    outer = cms.ContentInfo.load(container, strict=True)
    if outer["content_type"].native != "signed_data":
        return unreadable_signature(name, "CAdES")
    asn1 = outer["content"]
    if len(asn1["signer_infos"]) != 1:
        return unreadable_signature(name, "CAdES", "several-signers")
    held = content_of(container)
    signed = data if data is not None else held
    container_of = SignedData(asn1, certificates_max=certificates_max)
    signer, no_signer = container_of.signer()
    findings: list[Finding] = [no_signer] if no_signer else []
    if held is not None and data is not None and held != data:
        findings.append(failed("HASH_FAILURE", "document-altered"))
    if signed is None:
        findings.append(failed("FORMAT_FAILURE", "data-missing"))
    elif signer:
        against = container_of.against(signer, digest_of(container_of.digest_algorithm, signed), content_type="data")
        findings += [against] if against else []
    if not container_of.signer_info["signed_attrs"]:
        findings.append(failed("FORMAT_FAILURE", "signed-attributes"))
    stamps, broken = _stamps(container_of)
    crls, ocsps = _revocation(container_of)
    claimed = container_of.attribute("signing_time")
    return OpenedSignature(
        name=name,
        format="CAdES",
        signer=signer,
        brought=tuple(container_of.certificates),
        findings=tuple(findings),
        names_certificate=any(
            container_of.attribute(named) is not None for named in ("signing_certificate_v2", "signing_certificate")
        ),
        digest_algorithm=container_of.digest_algorithm,
        signature_algorithm=container_of.signature_algorithm,
        claimed_time=claimed.native if claimed is not None else None,
        stamps=stamps,
        broken_stamps=broken,
        crls=crls,
        ocsps=ocsps,
        remarks=("too-many-certificates",) if container_of.too_many_certificates else (),
    )


def _stamps(container: SignedData) -> tuple[tuple[Any, ...], int]:
    try:
        tokens = list(extract_tst_data_iter(container.signer_info, signed=False))
    except UNREADABLE:
        return (), 1
    return tuple((token, lambda algorithm: digest_of(algorithm, container.signature)) for token in tokens), 0


def _revocation(container: SignedData) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """From the container's own list (baseline LT) and from the older attribute with revocation values."""
    crls: list[bytes] = []
    ocsps: list[bytes] = []
    try:
        for choice in container.asn1["crls"] or ():
            if choice.name == "":
                continue
            chosen = choice.chosen
            if choice.name == "other":
                ocsps.append(chosen["other_rev_info"].parse(ocsp.OCSPResponse).dump())
            else:
                crls.append(chosen.dump())
    except UNREADABLE:
        pass
    try:
        for values in find_cms_attribute_iter(container.signer_info["unsigned_attrs"], _REVOCATION_VALUES):
            read = _RevocationValues.load(values.dump())
            crls += [crl.dump() for crl in read["crl_vals"] or ()]
            ocsps += [_as_response(basic) for basic in read["ocsp_vals"] or ()]
    except UNREADABLE:
        pass
    return tuple(crls), tuple(ocsps)


def _as_response(basic: ocsp.BasicOCSPResponse) -> bytes:
    response = ocsp.OCSPResponse(
        {
            "response_status": "successful",
            "response_bytes": {"response_type": "basic_ocsp_response", "response": basic.dump()},
        }
    )
    return bytes(response.dump())
