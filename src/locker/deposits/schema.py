from datetime import date, datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from locker.administrations.schema import TypeCode
from locker.documents.record_schema import CorrectionReason, Reference

Uid = Annotated[str, Meta(pattern=r"^[2-9][0-9]{9}$(?!\n)")]
Sub = Annotated[str, Meta(pattern=r"^[\x21-\x7e]{1,255}$(?!\n)")]


Part = Literal["document", "data"]
"""Of a deposit: what a verdict speaks of."""


class Subject(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Exactly one of the two."""

    uid: Uid | UnsetType = UNSET
    """The citizen's unique identifier."""
    sub: Sub | UnsetType = UNSET
    """The citizen as the provider names them to the depositor."""


class DepositRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The JSON part."""

    type: TypeCode
    subject: Subject | UnsetType = UNSET
    """Whose it is; this or ``subjects``."""
    subjects: Annotated[list[Subject], Meta(min_length=2, max_length=8)] | UnsetType = UNSET
    """Of a document with several owners. Each gets one of their own, with its own address; states are shared."""
    fields: dict[str, Any] = {}
    """As the type's JSON Schema says."""
    valid_from: date | UnsetType = UNSET
    valid_until: date | UnsetType = UNSET
    """The last day on which the document is valid (UTC)."""
    replaces: Annotated[str, Meta(min_length=1, max_length=128)] | UnsetType = UNSET
    """URI or document_id of the version that this one takes the place of."""
    correction: CorrectionReason | UnsetType = UNSET
    """With ``replaces``: that version was wrong, and why."""
    reference: Reference | UnsetType = UNSET
    """Your own name for this deposit, by which you may revoke it, even before it is here. Used once."""

    @property
    def is_new_version(self) -> bool:
        return self.replaces is not UNSET

    @property
    def owners(self) -> list[Subject]:
        if self.subjects is not UNSET:
            return self.subjects
        return [] if self.subject is UNSET else [self.subject]


class OwnDocument(msgspec.Struct, frozen=True, kw_only=True):
    """One owner's document of a deposit with several."""

    document_id: str
    uri: str
    version: int
    parked: bool
    receipt: str


class Deposited(msgspec.Struct, frozen=True, kw_only=True):
    document_id: str
    uri: str
    """``administration-TYPE-document_id``, for printing."""
    type: str
    version: int
    sha256: str
    """Of the original bytes, hexadecimal."""
    data_sha256: str | None = None
    """Of the data that was deposited with it."""
    data_signature_sha256: str | None = None
    """Of the signature that came beside the data."""
    deposited_at: datetime
    receipt: str
    """Compact JWS, ``typ: khizana-receipt+jwt``; our keys are at /.well-known/jwks.json."""
    parked: bool = False
    """The citizen is enrolled and will see it after activating the account. It is deposited all the same."""
    documents: list[OwnDocument] = []
    """Of a deposit with several owners: one each, in the order of ``subjects``, the first being the one above."""


class WaitingDocument(msgspec.Struct, frozen=True, kw_only=True):
    """One owner's of a deposit with several, while it waits."""

    document_id: str
    uri: str
    version: int


class Quarantined(msgspec.Struct, frozen=True, kw_only=True):
    """Received and kept, and no document yet: the seal cannot be judged before revocation data arrives, or no scanner
    could look at it."""

    document_id: str
    uri: str
    type: str
    version: int
    sha256: str
    data_sha256: str | None = None
    data_signature_sha256: str | None = None
    state: Literal["quarantined", "pending-scan"] = "quarantined"
    """``pending-scan``: only the scan for harmful software is missing."""
    indication: str
    sub_indication: str | None
    next_attempt_at: datetime
    documents: list[WaitingDocument] = []
    """Of a deposit with several owners, which wait together: one each, in the order of ``subjects``."""


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """Of a deposit that was quarantined: where its judging stands."""

    attempts: int
    """Judgements so far, that of the deposit included."""
    next_attempt_at: datetime | None
    """None: refused, and nothing will change it."""
    sub_indication: str | None
    reasons: list[str]
    """Of the last verdict, the deciding one first."""
    refusal: str | None
    """The code that a deposit would be refused with."""
    part: Part = "document"
    """What the last verdict speaks of."""


class DepositRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What the depositor may know later: nothing of the contents, the fields or the citizen."""

    document_id: str
    uri: str
    type: str
    version: int
    state: Literal["valid", "suspended", "revoked", "superseded", "expired", "quarantined", "pending-scan", "refused"]
    """``quarantined``, ``pending-scan`` and ``refused``: there is no document, and nothing is shown to the citizen."""
    state_reason: str | None
    state_changed_at: datetime
    valid_from: date | None
    valid_until: date | None
    deposited_at: datetime
    sha256: str
    length: int
    revision: int = 1
    """Of its state: what ``If-Match`` names."""
    data_sha256: str | None = None
    """Of the data that was deposited with it."""
    data_signature_sha256: str | None = None
    replaces: str | None
    replaced_by: str | None
    indication: str
    level: str
    receipt: str | None = None
    """As it was given at deposit; null where there is no document."""
    judgement: Judgement | None = None
    """Of what is quarantined or was refused after it."""


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    owner: str
    object_key: str
    created_at: datetime
