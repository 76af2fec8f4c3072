"""The level of a signature by what it has (ETSI EN 319 142-1 §6 and -2 §5, ISO 32000-2 §12.8.3), intact or not."""

from typing import Any

import msgspec
from asn1crypto import core

from locker.signatures.cms_signature import SignedData
from locker.signatures.document import UNREADABLE
from locker.signatures.schema import Level

Step = int
"""0: nothing more; 1: time-stamped; 2: with all revocation data; 3: archived, a time stamp over that data too."""

_NEEDED: dict[str, Step] = {"B": 0, "T": 1, "LT": 2, "LTA": 3}

_SIGNING_TIME = "1.2.840.113549.1.9.5"
_CONTENT_TYPE = "1.2.840.113549.1.9.3"
_MESSAGE_DIGEST = "1.2.840.113549.1.9.4"
_SIGNING_CERTIFICATE = "1.2.840.113549.1.9.16.2.12"
_SIGNING_CERTIFICATE_V2 = "1.2.840.113549.1.9.16.2.47"
_POLICY = "1.2.840.113549.1.9.16.2.15"
_COMMITMENT = "1.2.840.113549.1.9.16.2.16"
_SIGNER_ATTRIBUTES = {"1.2.840.113549.1.9.16.2.18", "0.4.0.19122.1.1"}


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """Which requirements of form a signature meets. ``bes``: its container binds the signer's certificate."""

    bes: bool = False
    baseline: bool = False
    policy: bool = False
    pkcs7: bool = False


def form_of(dictionary: Any, subfilter: str, cms: SignedData, *, brings_certificate: bool) -> Form:
    """``dictionary`` is the signature dictionary."""
    try:
        return _form_of(dictionary, subfilter, cms, brings_certificate)
    except UNREADABLE:
        return Form()


def _form_of(dictionary: Any, subfilter: str, cms: SignedData, brings_certificate: bool) -> Form:
    count = _attributes(cms)
    content = cms.asn1["encap_content_info"]["content"]
    if subfilter in {"/adbe.pkcs7.detached", "/adbe.pkcs7.sha1"}:
        detached = subfilter == "/adbe.pkcs7.sha1" or (content is core.VOID and count.get(_MESSAGE_DIGEST, 0) == 1)
        return Form(pkcs7=detached and brings_certificate)
    named = count.get(_SIGNING_CERTIFICATE, 0) + count.get(_SIGNING_CERTIFICATE_V2, 0)
    reason = bool(dictionary.get("/Reason"))
    bes = (
        subfilter == "/ETSI.CAdES.detached"
        and "/Filter" in dictionary
        and not cms.several_signers
        and content is core.VOID
        and count.get(_CONTENT_TYPE) == 1
        and count.get(_MESSAGE_DIGEST) == 1
        and named == 1
        and sum(count.get(kind, 0) for kind in _SIGNER_ATTRIBUTES) <= 1
        and not (reason and count.get(_COMMITMENT))
    )
    baseline = (
        bes
        and brings_certificate
        and "/M" in dictionary
        and not count.get(_SIGNING_TIME)
        and count.get(_POLICY, 0) <= 1
        and not (reason and count.get(_POLICY))
        and not _sha1_in_v2(cms)
    )
    return Form(bes=bes, baseline=baseline, policy=bool(count.get(_POLICY)) and not reason)


def _attributes(cms: SignedData) -> dict[str, int]:
    attributes = cms.signer_info["signed_attrs"]
    count: dict[str, int] = {}
    if attributes is not core.VOID:
        for attribute in attributes:
            kind = attribute["type"].dotted
            count[kind] = count.get(kind, 0) + 1
    return count


def _sha1_in_v2(cms: SignedData) -> bool:
    """For SHA-1 there is signing-certificate (EN 319 122-1 §5.2.2)."""
    value = cms.attribute("signing_certificate_v2")
    return value is not None and value["certs"][0]["hash_algorithm"]["algorithm"].native == "sha1"


def level_of(form: Form, step: Step) -> Level:
    if form.pkcs7:
        pkcs7: tuple[Level, ...] = ("PKCS7-B", "PKCS7-T", "PKCS7-LT", "PKCS7-LTA")
        return pkcs7[step]
    if form.baseline:
        baseline: tuple[Level, ...] = (
            "PAdES-BASELINE-B",
            "PAdES-BASELINE-T",
            "PAdES-BASELINE-LT",
            "PAdES-BASELINE-LTA",
        )
        return baseline[step]
    if not form.bes:
        return "NOT-ETSI"
    if step == _NEEDED["LTA"]:
        return "PAdES-LTV"
    return "PAdES-EPES" if form.policy else "PAdES-BES"


def reaches(level: Level, minimum: str) -> bool:
    """Only baseline signatures reach a level: PKCS #7 does not bind the signer's certificate."""
    prefix, _, step = level.rpartition("-")
    return prefix.endswith("-BASELINE") and _NEEDED[step] >= _NEEDED[minimum]


def holds_at(form: Form, step: Step, minimum: str) -> bool:
    """PKCS #7 does not bind the signer's certificate, so it reaches nothing. ``step``: of what holds."""
    return form.bes and step >= _NEEDED[minimum]
