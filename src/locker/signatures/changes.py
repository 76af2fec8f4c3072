"""What changed after a signature, and whether that may be."""

from typing import Any

from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import (
    DEFAULT_DIFF_POLICY,
    CatalogModificationRule,
    DocInfoRule,
    FormUpdatingRule,
    MetadataUpdateRule,
    ModificationLevel,
    ObjectStreamRule,
    SigFieldCreationRule,
    SigFieldModificationRule,
    StandardDiffPolicy,
    XrefStreamRule,
)
from pyhanko.sign.diff_analysis.policy_api import DiffResult
from pyhanko.sign.fields import FieldMDPSpec, MDPPerm, enumerate_sig_fields

from locker.signatures.archive_rules import ReusedStreamNumberRule, SecurityStoreRule
from locker.signatures.document import UNREADABLE
from locker.signatures.schema import Change

# pyHanko's default also accepts new values of other fields: the shadow attack "replace" is that.
_SIGNATURES_ONLY = StandardDiffPolicy(
    global_rules=[
        CatalogModificationRule(),  # type: ignore[no-untyped-call]
        DocInfoRule().as_qualified(ModificationLevel.LTA_UPDATES),
        XrefStreamRule().as_qualified(ModificationLevel.LTA_UPDATES),
        ObjectStreamRule().as_qualified(ModificationLevel.LTA_UPDATES),
        SecurityStoreRule().as_qualified(ModificationLevel.LTA_UPDATES),
        ReusedStreamNumberRule().as_qualified(ModificationLevel.LTA_UPDATES),
        MetadataUpdateRule().as_qualified(ModificationLevel.LTA_UPDATES),  # type: ignore[no-untyped-call]
    ],
    form_rule=FormUpdatingRule(
        field_rules=[
            SigFieldCreationRule(),  # type: ignore[no-untyped-call]
            SigFieldModificationRule(),
        ]
    ),
)

_SEVERITY: list[Change] = ["none", "archive", "signatures", "form-filling", "annotations", "other"]


def changes_since(
    reader: PdfFileReader, revision: int, *, docmdp: MDPPerm | None, fieldmdp: FieldMDPSpec | None
) -> Change:
    """The worst kind of change in the revisions after ``revision``. What cannot be compared is ``other``."""
    if revision >= reader.xrefs.total_revisions - 1:
        return "none"
    level = _review(_SIGNATURES_ONLY, reader, revision, docmdp, fieldmdp)
    if level is None:
        level = _review(DEFAULT_DIFF_POLICY, reader, revision, docmdp, fieldmdp)
        if level is ModificationLevel.FORM_FILLING:
            return "form-filling"
        return "annotations" if level is ModificationLevel.ANNOTATIONS else "other"
    if level is ModificationLevel.NONE:
        return "none"
    if _adds_empty_signature_field(reader, revision):
        # A field to sign later has an appearance of its own, and no one answers for it.
        return "form-filling"
    if level is ModificationLevel.LTA_UPDATES:
        return "signatures" if _adds_signature(reader, revision) else "archive"
    return "signatures" if level is ModificationLevel.FORM_FILLING else "other"


def worse(one: Change, other: Change) -> Change:
    return max(one, other, key=_SEVERITY.index)


def _review(
    policy: StandardDiffPolicy,
    reader: PdfFileReader,
    revision: int,
    docmdp: MDPPerm | None,
    fieldmdp: FieldMDPSpec | None,
) -> ModificationLevel | None:
    try:
        result = policy.review_file(reader, revision, field_mdp_spec=fieldmdp, doc_mdp=docmdp)
    except UNREADABLE:
        return None
    return result.modification_level if isinstance(result, DiffResult) else None


def is_time_stamp(signature: Any) -> bool:
    """A document time stamp, also one that is mistyped as a signature."""
    return bool(signature.get("/Type", "/Sig") == "/DocTimeStamp" or signature.get("/SubFilter") == "/ETSI.RFC3161")


def _names(handler: Any, *, filled: bool) -> set[str]:
    return {name for name, _, _ in enumerate_sig_fields(handler, filled_status=filled)}


def _adds_empty_signature_field(reader: PdfFileReader, revision: int) -> bool:
    try:
        before = reader.get_historical_resolver(revision)
        return bool(_names(reader, filled=False) - _names(before, filled=False))
    except UNREADABLE:
        return True


def _adds_signature(reader: PdfFileReader, revision: int) -> bool:
    """Document time stamps are archive data, all else that is signed is a signature."""
    try:
        before = reader.get_historical_resolver(revision)
        old = _names(before, filled=True)
        return any(
            not is_time_stamp(value.get_object())
            for name, value, _ in enumerate_sig_fields(reader, filled_status=True)
            if name not in old
        )
    except UNREADABLE:
        return True
