"""A whole document, judged. Runs in a worker process: whatever it is given, it answers or it is killed."""

import hashlib
from datetime import datetime
from typing import Any

import msgspec
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.misc import PdfDecodeLimitError

from locker.signatures.algorithms import ALGORITHMS
from locker.signatures.certificate import certificate_of
from locker.signatures.changes import changes_since, is_time_stamp
from locker.signatures.cms_signature import Finding, failed
from locker.signatures.document import UNREADABLE, Document
from locker.signatures.judge_chain import Context
from locker.signatures.judge_signature import judge_signature, unreadable
from locker.signatures.judge_time_stamp import DocumentStamp, judge_time_stamp
from locker.signatures.names import clean
from locker.signatures.pre_gate import pre_gate
from locker.signatures.revocation import Evidence, RevocationList, StatusResponse
from locker.signatures.schema import (
    Indication,
    Policy,
    SignatureVerdict,
    SubIndication,
    Verdict,
)
from locker.signatures.signed import Signed
from locker.signatures.trust_store import TrustStore
from locker.signatures.validation_data import validation_data

_REVOCATION_DATA_MAX = 64
_NO_PDF = {"not-a-pdf", "no-end-of-file"}


def judge_document(
    pdf: bytes, store: TrustStore, policy: Policy, at: datetime, known_until: datetime | None = None
) -> Verdict:
    """``known_until`` is later than ``at`` where somebody asks for an earlier day with what is known since."""
    refused = pre_gate(pdf, policy)
    if refused:
        return _without_signatures(pdf, store, policy, at, reason=refused)
    try:
        document = Document(pdf)
        pages = 0 if document.locked else document.page_count()
    except PdfDecodeLimitError:
        return _without_signatures(pdf, store, policy, at, reason="too-costly")
    except UNREADABLE:
        return _without_signatures(pdf, store, policy, at, reason="unreadable")
    if document.locked:
        return _without_signatures(pdf, store, policy, at, reason="encrypted")
    if pages < 1:
        return _without_signatures(pdf, store, policy, at, reason="no-pages")
    return _judge(document, pages, store, policy, at, known_until)


def _judge(
    document: Document, pages: int, store: TrustStore, policy: Policy, at: datetime, known_until: datetime | None
) -> Verdict:
    fields, broken = _fields(document, policy)
    opened, verdicts = _open(document, fields, policy)
    context = _context(document, [signed for signed, _ in opened], store, at)
    context = msgspec.structs.replace(context, known_until=known_until)
    signatures = [(signed, names) for signed, names in opened if not is_time_stamp(signed.object)]
    stamps = [signed for signed, _ in opened if is_time_stamp(signed.object)]
    # EN 319 142-1 §5.4.3: the type may be missing; what is mistyped proves nothing, and is no signature either.
    typed = [signed for signed in stamps if signed.object.get("/Type", "/DocTimeStamp") == "/DocTimeStamp"]
    document_stamps = _judge_document_stamps(typed, context, policy)
    remarks = ["time-stamp-as-signature"] if len(typed) < len(stamps) else []
    for signed, other_names in signatures:
        try:
            verdict = judge_signature(
                signed,
                context,
                policy,
                document_stamps=document_stamps,
                other_names=other_names,
            )
        except UNREADABLE:
            verdict = unreadable(signed.name, other_names)
        verdicts.append(verdict)
    verdicts.sort(key=lambda v: (v.revision is None, v.revision or 0))
    values = [signed.cms.signature for signed, _ in signatures]
    if len(set(values)) < len(values):
        remarks.append("duplicate-signature-value")
    active, looked_at_all = _active_content(document)
    against: list[str] = []
    if active - policy.permitted_active_content:
        against.append("active-content")
    if document.encrypted and not policy.encrypted:
        against.append("encrypted")
    if broken:
        against.append("unreadable")
    if document.bytes_after_end:
        against.append("bytes-after-end")
    if not looked_at_all:
        remarks.append("active-content-unknown")
    indication, sub_indication, reasons = _combine(verdicts, against)
    return Verdict(
        indication=indication,
        sub_indication=sub_indication,
        reasons=reasons,
        signatures=tuple(verdicts),
        time_stamps=tuple(stamp.verdict for stamp in document_stamps),
        warnings=tuple(dict.fromkeys([*sorted(active), *(["encrypted"] if document.encrypted else []), *remarks])),
        pages=pages,
        revisions=document.revisions,
        **_frame(document.pdf, store, policy, at, sha256=document.whole_sha256()),
    )


def _fields(document: Document, policy: Policy) -> tuple[list[tuple[str, Any, Any]], bool]:
    """Filled signature fields, and whether the form broke before its end."""
    found: list[tuple[str, Any, Any]] = []
    try:
        for field in document.signature_fields():
            found.append(field)
            if len(found) > policy.signatures_max:
                return found[: policy.signatures_max], True
    except UNREADABLE:
        return found, True
    return found, False


def _open(
    document: Document, fields: list[tuple[str, Any, Any]], policy: Policy
) -> tuple[list[tuple[Signed, tuple[str, ...]]], list[SignatureVerdict]]:
    """Each signature once, with the other fields that show it; a broken one does not spoil the others."""
    by_value: dict[Any, list[tuple[str, Any]]] = {}
    for index, (name, value, field) in enumerate(fields):
        key = value.reference if isinstance(value, generic.IndirectObject) else index
        by_value.setdefault(key, []).append((name, field))
    opened: list[tuple[Signed, tuple[str, ...]]] = []
    verdicts: list[SignatureVerdict] = []
    for same in by_value.values():
        (name, field), *others = same
        other_names = tuple(other for other, _ in others)
        try:
            opened.append((Signed(document, name, field, certificates_max=policy.certificates_max), other_names))
        except UNREADABLE:
            verdicts.append(unreadable(name, other_names))
    return opened, verdicts


def _context(document: Document, opened: list[Signed], store: TrustStore, at: datetime) -> Context:
    """Trust, and what the document brings: certificates and revocation data, each to be checked by its signature."""
    data = validation_data(document)
    crls, ocsps = list(data.crls), list(data.ocsps)
    for signed in opened:
        attribute = signed.cms.attribute("adobe_revocation_info_archival")
        if attribute is None:
            continue
        try:
            crls += [crl.dump() for crl in attribute["crl"] or ()][:_REVOCATION_DATA_MAX]
            ocsps += [ocsp.dump() for ocsp in attribute["ocsp"] or ()][:_REVOCATION_DATA_MAX]
        except UNREADABLE:
            continue
    evidence = Evidence(
        [
            *store.crls,
            *(c for der in crls[:_REVOCATION_DATA_MAX] if (c := RevocationList.parse(der, origin="document"))),
        ],
        [
            *store.ocsps,
            *(o for der in ocsps[:_REVOCATION_DATA_MAX] for o in StatusResponse.parse(der, origin="document")),
        ],
    )
    candidates = []
    for der in data.certificates:
        try:
            candidates.append(certificate_of(der))
        except UNREADABLE:
            continue
    return Context(store=store, evidence=evidence, candidates=tuple(candidates), at=at, data=data)


def _judge_document_stamps(stamps: list[Signed], context: Context, policy: Policy) -> list[DocumentStamp]:
    """Newest first: each proves when the ones before it existed, so theirs is an earlier control time."""
    judged: list[DocumentStamp] = []
    control_time = context.at
    for signed in sorted(stamps, key=lambda s: s.range.end if s.range else 0, reverse=True):
        structure = None
        try:
            structure = signed.against_structure()
            if not structure and signed.revision < signed.document.revisions - 1:
                structure = _against_stamp_changes(signed, policy)
        except UNREADABLE:
            structure = failed("FORMAT_FAILURE", "time-stamp-invalid")
        verdict = judge_time_stamp(
            signed.embedded.signed_data,
            signed.digest,
            context,
            policy,
            control_time=control_time,
            kind="document",
            field_name=clean(signed.name),
            structure=structure,
        )
        if verdict.passed and verdict.time:
            control_time = min(control_time, verdict.time)
        end = signed.range.end if signed.range else 0
        judged.append(DocumentStamp(end, signed.revision, verdict, signed.cms))
    return judged


def _against_stamp_changes(signed: Signed, policy: Policy) -> Finding | None:
    changes = changes_since(signed.document, signed.revision, fieldmdp=None)
    return None if changes.kind in policy.permitted_changes else failed("FORMAT_FAILURE", "changed-after-signing")


def _active_content(document: Document) -> tuple[frozenset[str], bool]:
    try:
        return document.active_content()
    except UNREADABLE:
        return frozenset(), False


_WORST: dict[str, int] = {"TOTAL-PASSED": 0, "INDETERMINATE": 1, "TOTAL-FAILED": 2}


def _combine(
    verdicts: list[SignatureVerdict], against: list[str]
) -> tuple[Indication, SubIndication | None, tuple[str, ...]]:
    own: tuple[Indication, SubIndication] | None = None
    if "bytes-after-end" in against:
        own = ("TOTAL-FAILED", "FORMAT_FAILURE")
    elif against:
        own = ("INDETERMINATE", "SIG_CONSTRAINTS_FAILURE")
    if not verdicts:
        if "unreadable" in against:
            return "TOTAL-FAILED", "FORMAT_FAILURE", tuple(against)
        return "NO_SIGNATURE_FOUND", None, tuple(against)
    worst = max(verdicts, key=lambda v: _WORST[v.indication])
    reasons = tuple(dict.fromkeys([*(r for v in verdicts if not v.passed for r in v.reasons), *against]))
    if own and _WORST[own[0]] > _WORST[worst.indication]:
        return own[0], own[1], tuple(dict.fromkeys([*against, *reasons]))
    return worst.indication, worst.sub_indication, reasons


def _frame(pdf: bytes, store: TrustStore, policy: Policy, at: datetime, *, sha256: str | None = None) -> dict[str, Any]:
    return {
        "policy": policy.name,
        "policy_version": policy.version,
        "trust_version": store.version,
        "algorithm_policy": ALGORITHMS.name,
        "algorithm_policy_version": ALGORITHMS.version,
        "judged_for": at,
        "size_bytes": len(pdf),
        "sha256": sha256 or hashlib.sha256(pdf).hexdigest(),
    }


def _without_signatures(pdf: bytes, store: TrustStore, policy: Policy, at: datetime, *, reason: str) -> Verdict:
    broken = reason in _NO_PDF or reason in {"unreadable", "no-pages"}
    return Verdict(
        indication="TOTAL-FAILED" if broken else "INDETERMINATE",
        sub_indication="FORMAT_FAILURE" if broken else "GENERIC",
        reasons=(reason,),
        warnings=("encrypted",) if reason == "encrypted" else (),
        **_frame(pdf, store, policy, at),
    )
