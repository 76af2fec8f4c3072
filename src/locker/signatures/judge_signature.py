"""One signature of a document, judged: structure, mathematics, changes, then trust at the time that can be proven."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Literal

from pyhanko.sign.fields import MDPPerm

from locker.signatures.algorithms import ALGORITHMS
from locker.signatures.certificate import Certificate
from locker.signatures.changes import Changes, changes_since
from locker.signatures.cms_signature import Finding, digest_of, failed, indeterminate
from locker.signatures.document import UNREADABLE
from locker.signatures.judge_chain import ChainJudgement, Context, judge_chain, weak
from locker.signatures.judge_level import steps
from locker.signatures.judge_time_stamp import DocumentStamp, judge_time_stamp
from locker.signatures.level import Form, Step, form_of, holds_at, level_of
from locker.signatures.names import clean, issuer_name, party_name
from locker.signatures.schema import Change, Policy, SignatureVerdict, TimeStampVerdict
from locker.signatures.signed import Signed

_DIGEST_ENCLOSED = "/adbe.pkcs7.sha1"
_SUBFILTERS = {"/ETSI.CAdES.detached", "/adbe.pkcs7.detached", _DIGEST_ENCLOSED, "/PBAD.PAdES"}
_PERMITTED_BY_DOCMDP: dict[int, set[Change]] = {
    1: {"none", "archive"},
    2: {"none", "archive", "signatures", "form-filling"},
    3: {"none", "archive", "signatures", "form-filling", "annotations"},
}


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
    other_names: tuple[str, ...] = (),
) -> SignatureVerdict:
    cms = signed.cms
    signer, no_signer = cms.signer()
    structure = signed.against_structure() or _against_container(signed)
    digest = _signed_digest(signed)
    mathematics = cms.against(signer, digest, content_type="data") if signer and not structure else None
    intact = bool(signer) and structure is None and mathematics is None

    docmdp = _docmdp(signed)
    changes = None if structure else _changes(signed)
    change_finding = _against_changes(changes, docmdp, policy) if changes else None

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
    form = form_of(signed.object, signed.subfilter, cms, brings_certificate=signer is not None)
    found_step, holding_step = steps(signed, signer, context, stamps=stamps, covering=covering)
    registered = signer is not None and signer.sha256 in context.store.seals_sha256
    findings = [
        structure,
        no_signer,
        mathematics,
        change_finding if change_finding and change_finding.indication == "TOTAL-FAILED" else None,
        indeterminate("GENERIC", "subfilter") if signed.subfilter not in _SUBFILTERS else None,
        trust.finding if trust else None,
        change_finding,
        _against_form(signed),
        _against_algorithms(signed, signer, policy, best_time) if signer else None,
        _against_level(form, holding_step, policy, proven=proven_time is not None),
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
        level=level_of(form, found_step),
        revision=signed.revision,
        covers_whole_file=signed.covers_whole_file,
        intact=intact,
        changes=changes.kind if changes else None,
        changed=changes.places if changes else (),
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
    if signed.embedded.signed_data["encap_content_info"]["content_type"].native != "data":
        return failed("FORMAT_FAILURE", "content-not-detached")
    content = signed.content()
    if content is None:
        return failed("FORMAT_FAILURE", "content-not-detached") if signed.subfilter == _DIGEST_ENCLOSED else None
    if signed.subfilter == _DIGEST_ENCLOSED:
        return None if content == signed.digest("sha1") else failed("HASH_FAILURE", "document-altered")
    algorithm = signed.cms.digest_algorithm
    if digest_of(algorithm, content) != signed.digest(algorithm):
        return failed("FORMAT_FAILURE", "content-not-detached")
    return None


def _signed_digest(signed: Signed) -> bytes | None:
    if signed.subfilter == _DIGEST_ENCLOSED:
        return digest_of(signed.cms.digest_algorithm, signed.content() or b"")
    return signed.digest(signed.cms.digest_algorithm)


def _against_form(signed: Signed) -> Finding | None:
    """What the formats forbid, and what nevertheless is one signature over these bytes."""
    if signed.cms.several_signers:
        return indeterminate("SIG_CONSTRAINTS_FAILURE", "several-signers")
    if signed.content() is not None and signed.subfilter != _DIGEST_ENCLOSED:
        return indeterminate("SIG_CONSTRAINTS_FAILURE", "content-not-detached")
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


def _changes(signed: Signed) -> Changes:
    try:
        fieldmdp = signed.embedded.fieldmdp
    except UNREADABLE:
        return Changes(kind="none" if signed.covers_whole_file else "other")
    return changes_since(signed.document, signed.revision, fieldmdp=fieldmdp)


def _against_changes(changes: Changes, docmdp: MDPPerm | None, policy: Policy) -> Finding | None:
    if docmdp is not None and changes.kind not in _PERMITTED_BY_DOCMDP[docmdp.value]:
        return failed("FORMAT_FAILURE", "docmdp")
    if changes.locked:
        return failed("FORMAT_FAILURE", "fieldmdp")
    if changes.kind not in policy.permitted_changes:
        if changes.kind == "form-filling" and not changes.replaced:
            # The form was there to be filled, so the signature may hold; what the signer saw was a blank.
            return indeterminate("SIG_CONSTRAINTS_FAILURE", "form-filled")
        return failed("FORMAT_FAILURE", "changed-after-signing")
    if changes.covering:
        return indeterminate("SIG_CONSTRAINTS_FAILURE", "covered")
    return None


def _time_stamps(
    signed: Signed, context: Context, policy: Policy, control_time: datetime
) -> tuple[TimeStampVerdict, ...]:
    return tuple(
        judge_time_stamp(
            token,
            lambda algorithm: digest_of(algorithm, signed.cms.signature),
            context,
            policy,
            control_time=control_time,
            kind="signature",
        )
        for token in signed.tokens
    )


def _against_algorithms(signed: Signed, signer: Certificate, policy: Policy, best_time: datetime) -> Finding | None:
    for digest in (signed.cms.digest_algorithm, *(["sha1"] if signed.subfilter == _DIGEST_ENCLOSED else [])):
        until = ALGORITHMS.digest_until(digest)
        if until is None or best_time > until:
            return weak("digest-algorithm", until=until, made_after=signer.not_before)
    kind, bits = signer.key_kind
    scheme = "rsassa_pss" if signed.cms.signature_algorithm == "rsassa_pss" else kind
    until = ALGORITHMS.key_until(scheme, bits)
    if until is None or best_time > until:
        return weak("key-size", until=until, made_after=signer.not_before)
    if bits < {"rsa": policy.rsa_bits_min, "ec": policy.ec_bits_min}.get(kind, 0):
        return indeterminate("CRYPTO_CONSTRAINTS_FAILURE", "key-size")
    return None


def _against_level(form: Form, step: Step, policy: Policy, *, proven: bool) -> Finding | None:
    minimum = policy.minimum_level
    if minimum is None:
        return None
    # A time stamp that does not hold proves nothing, whatever the level looks like.
    if not holds_at(form, step, minimum) or (minimum != "B" and not proven):
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
