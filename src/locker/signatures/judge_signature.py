"""One signature of a document, judged: structure, mathematics, changes, then trust at the time that can be proven."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
from asn1crypto import core
from pyhanko.sign.fields import MDPPerm
from pyhanko.sign.validation.generic_cms import extract_tst_data_iter
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature
from pyhanko.sign.validation.status import SignatureCoverageLevel

from locker.signatures.algorithms import digest_until, key_until
from locker.signatures.byte_range import SignedBytes, signed_bytes
from locker.signatures.certificate import Certificate
from locker.signatures.changes import changes_since
from locker.signatures.cms_signature import Finding, SignedData, digest_of, failed, indeterminate
from locker.signatures.document import UNREADABLE, Document
from locker.signatures.judge_chain import ChainJudgement, Context, judge_chain, weak
from locker.signatures.judge_time_stamp import is_intact, judge_time_stamp
from locker.signatures.level import level_of, reaches
from locker.signatures.names import clean, issuer_name, party_name
from locker.signatures.schema import Change, Level, Policy, SignatureVerdict, TimeStampVerdict

_WHITE_SPACE = b" \t\r\n\f\x00"
_TIME_STAMPS_MAX = 4
_SUBFILTERS = {"/ETSI.CAdES.detached", "/adbe.pkcs7.detached", "/PBAD.PAdES"}
_PERMITTED_BY_DOCMDP: dict[int, set[Change]] = {
    1: {"none", "archive"},
    2: {"none", "archive", "signatures", "form-filling"},
    3: {"none", "archive", "signatures", "form-filling", "annotations"},
}


class DocumentStamp(msgspec.Struct, frozen=True):
    """A document time stamp: what it covers, and what it proves."""

    end: int
    revision: int
    verdict: TimeStampVerdict


class Signed:
    """A filled signature field, opened. Raises what parsing raises."""

    def __init__(self, document: Document, name: str, field: Any, *, certificates_max: int) -> None:
        self.document = document
        self.name = name
        self.embedded = EmbeddedPdfSignature(document.reader, field, name)
        self.object = self.embedded.sig_object
        self.subfilter = str(self.object.get("/SubFilter", ""))
        self.cms = SignedData(self.embedded.signed_data, certificates_max=certificates_max)
        self.range: SignedBytes | None = signed_bytes(
            document.pdf, self.embedded.byte_range, self.embedded.pkcs7_content
        )
        if self.range:
            # A linearized file is two cross-reference sections, which pyHanko counts as revisions.
            self.embedded.signed_revision = _last_revision_within(document, self.embedded, self.range.end)
        self.revision: int = self.embedded.signed_revision

    def digest(self, algorithm: str) -> bytes | None:
        if self.range is None:
            return None
        view = memoryview(self.document.pdf)
        return digest_of(algorithm, view[: self.range.first_end], view[self.range.second_start : self.range.end])

    def against_structure(self) -> Finding | None:
        """Byte range, coverage, and bytes that no revision explains."""
        if self.range is None:
            return failed("FORMAT_FAILURE", "byte-range")
        coverage = self.embedded.evaluate_signature_coverage()
        if coverage not in (SignatureCoverageLevel.ENTIRE_FILE, SignatureCoverageLevel.ENTIRE_REVISION):
            return failed("FORMAT_FAILURE", "not-whole-revision")
        if self.document.bytes_after_end:
            return failed("FORMAT_FAILURE", "bytes-after-end")
        # Each later revision has one startxref. More: an update that our reader, and not every reader, passes over.
        later = self.document.revisions - 1 - self.revision
        if self.document.pdf.count(b"startxref", self.range.end) != later:
            return failed("FORMAT_FAILURE", "unreferenced-update")
        if later == 0 and not self.covers_whole_file:
            return failed("FORMAT_FAILURE", "unreferenced-update")
        return None

    @property
    def covers_whole_file(self) -> bool:
        return self.range is not None and not self.document.pdf[self.range.end :].strip(_WHITE_SPACE)


def _last_revision_within(document: Document, embedded: EmbeddedPdfSignature, end: int) -> int:
    revision: int = embedded.signed_revision
    xrefs = document.reader.xrefs
    while revision + 1 < document.revisions and xrefs.get_xref_container_info(revision + 1).end_location <= end:
        revision += 1
    return revision


def unreadable(name: str, others: Iterable[str] = ()) -> SignatureVerdict:
    return SignatureVerdict(
        field_name=clean(name),
        other_field_names=tuple(clean(other) for other in others),
        indication="TOTAL-FAILED",
        sub_indication="FORMAT_FAILURE",
        reasons=("signature-unreadable",),
    )


def judge_signature(
    signed: Signed,
    context: Context,
    policy: Policy,
    *,
    document_stamps: list[DocumentStamp],
    data_revisions: tuple[int, ...],
    other_names: tuple[str, ...] = (),
) -> SignatureVerdict:
    """``data_revisions``: those that brought or changed revocation data in the DSS dictionary."""
    cms = signed.cms
    signer, no_signer = cms.signer()
    digest = signed.digest(cms.digest_algorithm)
    structure = signed.against_structure() or _against_container(signed)
    mathematics = cms.against(signer, digest, content_type="data") if signer and not structure else None
    intact = bool(signer) and structure is None and mathematics is None

    docmdp = _docmdp(signed)
    changes = None if structure else _changes(signed, docmdp)
    change_finding = _against_changes(changes, docmdp, policy)

    covering = [stamp for stamp in document_stamps if signed.range and stamp.end > signed.range.end]
    proven_by_document = [s.verdict.time for s in covering if s.verdict.passed and s.verdict.time]
    control_time = min([context.at, *proven_by_document])
    stamps = _time_stamps(signed, context, policy, control_time) if intact else ()
    proven_times = [*proven_by_document, *(s.time for s in stamps if s.passed and s.time)]
    proven_time = min(proven_times, default=None)
    best_time = min([context.at, *proven_times])

    trust: ChainJudgement | None = None
    if signer:
        trust = judge_chain(
            signer,
            context,
            brought=cms.certificates,
            best_time=best_time,
            proven=proven_time is not None,
            revocation=policy.revocation,
        )
    level = _level(signed, signer, stamps, covering, data_revisions)
    registered = signer is not None and signer.sha256 in context.store.seals_sha256
    findings = [
        structure,
        no_signer,
        mathematics,
        change_finding,
        indeterminate("GENERIC", "subfilter") if signed.subfilter not in _SUBFILTERS else None,
        trust.finding if trust else None,
        _against_algorithms(cms, signer, policy, best_time, proven=proven_time is not None) if signer else None,
        _against_level(level, policy, proven=proven_time is not None),
        indeterminate("CHAIN_CONSTRAINTS_FAILURE", "seal-not-registered")
        if policy.registered_seal and signer and not registered
        else None,
    ]
    against = [finding for finding in findings if finding]
    deciding = next((f for f in against if f.indication == "TOTAL-FAILED"), against[0] if against else None)
    remarks = list(trust.remarks) if trust else []
    if cms.too_many_certificates:
        remarks.append("too-many-certificates")
    if other_names:
        remarks.append("several-fields")
    return SignatureVerdict(
        field_name=clean(signed.name),
        other_field_names=tuple(clean(name) for name in other_names),
        indication=deciding.indication if deciding else "TOTAL-PASSED",
        sub_indication=deciding.sub_indication if deciding else None,
        reasons=tuple(dict.fromkeys([*([deciding.reason] if deciding else []), *(f.reason for f in against)])),
        remarks=tuple(dict.fromkeys(remarks)),
        level=level,
        revision=signed.revision,
        covers_whole_file=signed.covers_whole_file,
        intact=intact,
        changes=changes,
        docmdp=_docmdp_number(docmdp),
        signer=party_name(signer) if signer else None,
        issuer=issuer_name(signer) if signer else None,
        certificate_sha256=signer.sha256.hex() if signer else None,
        certificate_not_before=signer.not_before if signer else None,
        certificate_not_after=signer.not_after if signer else None,
        claimed_time=_claimed_time(signed),
        proven_time=proven_time,
        stated_reason=_stated(signed, "/Reason"),
        stated_location=_stated(signed, "/Location"),
        digest_algorithm=cms.digest_algorithm,
        signature_algorithm=cms.signature_algorithm,
        key_bits=signer.key_kind[1] if signer else None,
        registered_seal=registered,
        revocation=trust.revocation if trust else None,
        time_stamps=stamps,
    )


def _against_container(signed: Signed) -> Finding | None:
    content = signed.embedded.signed_data["encap_content_info"]
    if content["content_type"].native != "data" or content["content"] is not core.VOID:
        return failed("FORMAT_FAILURE", "content-not-detached")
    return None


def _docmdp(signed: Signed) -> MDPPerm | None:
    try:
        return signed.embedded.docmdp_level
    except UNREADABLE:
        # A permission that cannot be read permits nothing.
        return MDPPerm.NO_CHANGES


def _docmdp_number(docmdp: MDPPerm | None) -> Literal[1, 2, 3] | None:
    match docmdp:
        case MDPPerm.NO_CHANGES:
            return 1
        case MDPPerm.FILL_FORMS:
            return 2
        case MDPPerm.ANNOTATE:
            return 3
    return None


def _changes(signed: Signed, docmdp: MDPPerm | None) -> Change:
    try:
        fieldmdp = signed.embedded.fieldmdp
    except UNREADABLE:
        return "none" if signed.covers_whole_file else "other"
    return changes_since(signed.document.reader, signed.revision, docmdp=docmdp, fieldmdp=fieldmdp)


def _against_changes(changes: Change | None, docmdp: MDPPerm | None, policy: Policy) -> Finding | None:
    if changes is None:
        return None
    if docmdp is not None and changes not in _PERMITTED_BY_DOCMDP[docmdp.value]:
        return failed("FORMAT_FAILURE", "docmdp")
    if changes not in policy.permitted_changes:
        return failed("FORMAT_FAILURE", "changed-after-signing")
    return None


def _time_stamps(
    signed: Signed, context: Context, policy: Policy, control_time: datetime
) -> tuple[TimeStampVerdict, ...]:
    found = []
    try:
        for token in extract_tst_data_iter(signed.cms.signer_info, signed=False):
            found.append(
                judge_time_stamp(
                    token,
                    lambda algorithm: digest_of(algorithm, signed.cms.signature),
                    context,
                    policy,
                    control_time=control_time,
                    kind="signature",
                )
            )
            if len(found) >= _TIME_STAMPS_MAX:
                break
    except UNREADABLE:
        found.append(
            TimeStampVerdict(
                kind="signature",
                time=None,
                passed=False,
                sub_indication="FORMAT_FAILURE",
                reasons=("time-stamp-invalid",),
            )
        )
    return tuple(found)


def _against_algorithms(
    cms: SignedData, signer: Certificate, policy: Policy, best_time: datetime, *, proven: bool
) -> Finding | None:
    until = digest_until(cms.digest_algorithm)
    if until is None or best_time > until:
        return weak("digest-algorithm", proven=proven or until is None)
    kind, bits = signer.key_kind
    until = key_until(kind, bits)
    if until is None or best_time > until:
        return weak("key-size", proven=proven or until is None)
    if kind == "rsa" and bits < policy.rsa_bits_min:
        return indeterminate("CRYPTO_CONSTRAINTS_FAILURE", "key-size")
    return None


def _level(
    signed: Signed,
    signer: Certificate | None,
    stamps: tuple[TimeStampVerdict, ...],
    covering: list[DocumentStamp],
    data_revisions: tuple[int, ...],
) -> Level:
    cms = signed.cms
    # Data collected for an earlier signature says nothing about this one.
    data_revision = min((r for r in data_revisions if r >= signed.revision), default=None)
    intact_covering = [stamp for stamp in covering if is_intact(stamp.verdict)]
    return level_of(
        subfilter=signed.subfilter,
        brings_certificate=signer is not None,
        names_certificate=cms.attribute("signing_certificate_v2") is not None
        or cms.attribute("signing_certificate") is not None,
        has_signing_time="/M" in signed.object,
        detached=signed.embedded.signed_data["encap_content_info"]["content"] is core.VOID,
        time_stamped=any(is_intact(stamp) for stamp in stamps) or bool(intact_covering),
        archive_stamped=data_revision is not None and any(s.revision >= data_revision for s in intact_covering),
        has_revocation_data=data_revision is not None or cms.attribute("adobe_revocation_info_archival") is not None,
    )


def _against_level(level: Level, policy: Policy, *, proven: bool) -> Finding | None:
    minimum = policy.minimum_level
    if minimum is None:
        return None
    # A time stamp that does not hold proves nothing, whatever the level looks like.
    if not reaches(level, minimum) or (minimum != "B" and not proven):
        return indeterminate("SIG_CONSTRAINTS_FAILURE", "level")
    return None


def _claimed_time(signed: Signed) -> datetime | None:
    try:
        claimed = signed.embedded.self_reported_timestamp
    except UNREADABLE:
        return None
    if claimed is None:
        return None
    try:
        return claimed.astimezone(UTC) if claimed.tzinfo else claimed.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _stated(signed: Signed, key: str) -> str | None:
    try:
        value = signed.object.get(key)
    except UNREADABLE:
        return None
    return clean(value) if isinstance(value, str) and value else None
