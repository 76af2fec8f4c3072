"""Two independent answers, never one boolean: is the signature sound, and does the issuer stand by the document."""

import datetime as dt
from typing import Any, Literal

import msgspec

from locker.documents.schema import Standing
from locker.signatures.schema import Indication, Verdict

CheckName = Literal["whole", "signature", "existed", "entitled", "not-revoked", "in-dates", "shared"]


class Check(msgspec.Struct, frozen=True, kw_only=True):
    name: CheckName
    passed: bool | None
    """None: not known."""


class SignatureAnswer(msgspec.Struct, frozen=True, kw_only=True):
    indication: Indication
    sub_indication: str | None
    reasons: list[str]
    signer: str | None
    level: str | None
    signed_at: dt.datetime | None
    """Proven by a time stamp where there is one, else claimed."""
    judged: Literal["now", "at-deposit", "archive"]
    """``archive``: by the archived copy, which holds the evidence that the file itself has no more."""
    policy: str
    trust_version: str

    @property
    def sound(self) -> bool:
        return self.indication == "TOTAL-PASSED"


class IssuedDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What its issuer deposited; says nothing of whose it is."""

    uri: str
    type: str
    type_names: dict[str, str]
    administration: str
    administration_names: dict[str, str]
    valid_from: dt.date | None
    valid_until: dt.date | None


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    signature: SignatureAnswer
    standing: Standing | Literal["unknown", "not-yet"]
    """``unknown``: these bytes were not deposited here, so nobody can be asked. ``not-yet``: they were later."""
    document: IssuedDocument | None
    signer_administration: dict[str, str] | None
    """Names of the administration for which the signer's certificate is registered."""
    checks: list[Check]
    sha256: str
    """Hexadecimal, of the bytes."""
    shared_until: dt.datetime | None
    checked_at: dt.datetime
    at: dt.datetime | None = None
    """The earlier moment that was asked about; None: now."""

    def passed(self, name: CheckName) -> bool | None:
        return next((check.passed for check in self.checks if check.name == name), None)


class Deposited(msgspec.Struct, frozen=True, kw_only=True):
    """A document of these bytes, as it stands at the moment that is asked about."""

    owner: str
    document_id: str
    uri: str
    type: str
    type_names: dict[str, str]
    administration: str
    administration_names: dict[str, str]
    standing: Standing | Literal["unknown", "not-yet"]
    valid_from: dt.date | None
    valid_until: dt.date | None
    entitled: bool | None
    """None: not known of the past."""
    today: dt.date
    as_data: bool = False
    """The bytes are data that was deposited with the document."""


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """For programs."""

    answer: Answer
    report: dict[str, Any]
    """Everything that the judge saw."""
    signed_answer: str
    """The answer as a compact JWS (ES256, ``typ`` khizana-verification+jwt), for the relying party's file."""


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """An answer with what it rests on."""

    answer: Answer
    report: Verdict | dict[str, Any]
