"""What is written of a document; what is read of it stands in ``schema.py``."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from locker.signatures.schema import Verdict
from locker.signed_data.schema import NewSignedData
from locker.vault import Stored

State = Literal["valid", "suspended", "revoked", "superseded"]

RevocationReason = Literal[
    "issued-in-error",
    "contents-wrong",
    "obtained-by-fraud",
    "withdrawn-by-decision",
    "holder-deceased",
    "reported-lost",
]
SuspensionReason = Literal["under-review", "court-order", "reported-lost", "reported-stolen"]
CorrectionReason = Literal["clerical-error", "facts-wrong", "fields-wrong", "court-order"]
"""What was wrong in the version before. ``fields-wrong``: the PDF was right and may come again as it is."""
Reference = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,63}$(?!\n)")]
"""What an administration calls its own deposit; unique to it."""


class Revocation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    reason: RevocationReason


class ReferenceRevocation(Revocation, frozen=True, kw_only=True, forbid_unknown_fields=True):
    reference: Reference


class Suspension(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    reason: SuspensionReason


class NewDocument(msgspec.Struct, frozen=True, kw_only=True):
    owner: str
    document_id: str
    uri: str
    administration: str
    type: str
    type_version: int
    valid_from: date | None
    valid_until: date | None
    deposited_by: str
    chain_id: str
    version: int
    replaces: str | None
    correction: str | None = None
    """Why it takes the place of ``replaces``, where that one was wrong."""
    reference: str | None = None
    group_id: str | None = None
    """Of a deposit with several owners: what joins their documents."""
    stored: Stored
    fields_sealed: bytes
    url_sealed: bytes | None = None
    """Where its issuer keeps it, for one that was deposited by reference."""
    data: NewSignedData | None = None
    # What the judge said, by ``judged``.
    pages: int = 1
    indication: str = ""
    level: str = ""
    signer: str = ""
    signed_at: datetime | None = None
    verdict: dict[str, Any] = {}
    trust_version: str = ""

    @property
    def data_sha256(self) -> str | None:
        return self.data.sha256.hex() if self.data else None

    @property
    def data_signature_sha256(self) -> str | None:
        return self.data.signature_sha256.hex() if self.data and self.data.signature_sha256 else None


def judged(new: NewDocument, verdict: Verdict) -> NewDocument:
    """``new`` with what a verdict says of it; the last seal is the one that is shown."""
    seal = verdict.signatures[-1]
    return msgspec.structs.replace(
        new,
        pages=verdict.pages or 1,
        indication=verdict.indication,
        level=seal.level,
        signer=seal.signer.display if seal.signer else "",
        signed_at=seal.proven_time or seal.claimed_time,
        verdict=msgspec.to_builtins(verdict),
        trust_version=verdict.trust_version,
    )


class Predecessor(msgspec.Struct, frozen=True, kw_only=True):
    """The version that a deposit takes the place of."""

    document_id: str
    chain_id: str
    version: int


class DocumentState(msgspec.Struct, frozen=True, kw_only=True):
    document_id: str
    uri: str
    owner: str
    type: str
    state: State
    state_reason: str | None
    state_changed_at: datetime
    revision: int
    """Moves with every change."""


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A document of a deposit; of one with several owners, each has one."""

    owner: str
    document_id: str


class Awaited(msgspec.Struct, frozen=True, kw_only=True):
    """A revocation that came before its document: what is deposited under this reference is revoked at once."""

    reference: str
    state: Literal["awaited"] = "awaited"
    reason: str


class Acting(msgspec.Struct, frozen=True, kw_only=True):
    """Who changes a state, and on what conditions."""

    administration: str
    client_id: str
    idempotency_key: str | None = None
    if_match: str | None = None
