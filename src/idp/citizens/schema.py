"""Wire messages and rows of citizens."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType, field

from kit.db import Row

State = Literal["registered", "active", "frozen", "suspended", "deceased", "erased"]
Proofing = Literal["none", "remote", "desk"]
LocaleName = Literal["ar", "zgh", "fr", "en"]

NameText = Annotated[str, Meta(min_length=1, max_length=200)]
ShortText = Annotated[str, Meta(min_length=1, max_length=200)]
EmailAddress = Annotated[
    str, Meta(min_length=3, max_length=254, pattern=r"^[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+\.[^@\s\x00-\x1f]+$")
]
PhoneNumber = Annotated[str, Meta(pattern=r"^\+[1-9][0-9]{6,14}$")]
"""E.164, as OpenID Connect Core §5.1 recommends."""
Date = Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
WebAddress = Annotated[str, Meta(max_length=500, pattern=r"^https://[^\s\x00-\x1f]+$")]
Country = Annotated[str, Meta(pattern=r"^[A-Z]{2,3}$")]


class Address(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """OpenID Connect Core §5.1.1; every member is optional there."""

    formatted: ShortText | UnsetType = UNSET
    street_address: ShortText | UnsetType = UNSET
    locality: ShortText | UnsetType = UNSET
    region: ShortText | UnsetType = UNSET
    postal_code: ShortText | UnsetType = UNSET
    country: ShortText | UnsetType = UNSET


class PlaceOfBirth(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """OpenID Connect for Identity Assurance Claims Registration 1.0."""

    locality: ShortText | UnsetType = UNSET
    region: ShortText | UnsetType = UNSET
    country: Country | UnsetType = UNSET


class Claims(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is recorded of a citizen, by the names of OpenID Connect Core §5.1 with language tags (§5.2).

    Names are kept as recorded in each script and never transliterated.
    """

    given_name_ar: NameText = field(name="given_name#ar")
    family_name_ar: NameText = field(name="family_name#ar")
    given_name_fr: NameText = field(name="given_name#fr")
    family_name_fr: NameText = field(name="family_name#fr")
    given_name_zgh: NameText | UnsetType = field(name="given_name#zgh", default=UNSET)
    family_name_zgh: NameText | UnsetType = field(name="family_name#zgh", default=UNSET)
    given_name_en: NameText | UnsetType = field(name="given_name#en", default=UNSET)
    family_name_en: NameText | UnsetType = field(name="family_name#en", default=UNSET)
    middle_name: NameText | UnsetType = UNSET
    middle_name_ar: NameText | UnsetType = field(name="middle_name#ar", default=UNSET)
    middle_name_fr: NameText | UnsetType = field(name="middle_name#fr", default=UNSET)
    nickname: NameText | UnsetType = UNSET
    preferred_username: ShortText | UnsetType = UNSET
    profile: WebAddress | UnsetType = UNSET
    picture: WebAddress | UnsetType = UNSET
    website: WebAddress | UnsetType = UNSET
    gender: Literal["female", "male"] | UnsetType = UNSET
    birthdate: Date
    zoneinfo: Annotated[str, Meta(max_length=64, pattern=r"^[A-Za-z0-9_+/-]+$")] | UnsetType = UNSET
    place_of_birth_ar: PlaceOfBirth | UnsetType = field(name="place_of_birth#ar", default=UNSET)
    place_of_birth_fr: PlaceOfBirth | UnsetType = field(name="place_of_birth#fr", default=UNSET)
    nationalities: Annotated[list[Country], Meta(min_length=1, max_length=5)] | UnsetType = UNSET
    email: EmailAddress | UnsetType = UNSET
    email_verified: bool = False
    phone_number: PhoneNumber | UnsetType = UNSET
    phone_number_verified: bool = False
    address: Address | UnsetType = UNSET
    address_ar: Address | UnsetType = field(name="address#ar", default=UNSET)
    address_fr: Address | UnsetType = field(name="address#fr", default=UNSET)


class CheckDetail(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Who checked a piece of evidence, how and when (Identity Assurance schema definition 1.0)."""

    check_method: ShortText
    """Of the registered ones: ``vpip`` (seen at a desk), ``vri``, ``vdig``, ``data``, ``auth`` …"""
    organization: ShortText | UnsetType = UNSET
    time: dt.datetime | UnsetType = UNSET


class Issuer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    name: ShortText
    country_code: Country | UnsetType = UNSET


DocumentType = Literal["idcard", "passport", "residence_permit", "driving_permit"]
RecordType = Literal["birth_register", "population_register"]


class DocumentDetails(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Never its number: that is an attribute of its own."""

    type: DocumentType
    issuer: Issuer | UnsetType = UNSET
    date_of_issuance: dt.date | UnsetType = UNSET
    date_of_expiry: dt.date | UnsetType = UNSET


class RecordDetails(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    type: RecordType
    source: Issuer | UnsetType = UNSET


class Attestation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    type: ShortText
    voucher: Issuer | UnsetType = UNSET


Checks = Annotated[tuple[CheckDetail, ...], Meta(min_length=1, max_length=5)]


class DocumentEvidence(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="document"
):
    check_details: Checks | UnsetType = UNSET
    document_details: DocumentDetails


class RecordEvidence(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="electronic_record"
):
    check_details: Checks | UnsetType = UNSET
    record: RecordDetails


class VouchEvidence(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="vouch"
):
    check_details: Checks | UnsetType = UNSET
    attestation: Attestation


class EnrolledVerification(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How some of the claims were verified."""

    claims: Annotated[tuple[ShortText, ...], Meta(min_length=1, max_length=30)]
    trust_framework: ShortText | UnsetType = UNSET
    """One of the settings' ``trust_frameworks``; the first one where it is not named."""
    assurance_level: ShortText | UnsetType = UNSET
    time: dt.datetime
    evidence: Annotated[tuple[DocumentEvidence | RecordEvidence | VouchEvidence, ...], Meta(min_length=1, max_length=5)]


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """The same as it is kept."""

    trust_framework: str
    assurance_level: str | None
    verified_at: dt.datetime
    claims: frozenset[str]
    evidence: Sequence[Mapping[str, Any]]

    def as_element(self) -> dict[str, Any]:
        """Everything that a ``verification`` element could say."""
        return {
            "trust_framework": self.trust_framework,
            **({"assurance_level": self.assurance_level} if self.assurance_level else {}),
            "time": self.verified_at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "evidence": [dict(one) for one in self.evidence],
        }


class Enrolment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of a registration officer's file."""

    claims: Claims
    cnie: Annotated[str, Meta(pattern=r"^[A-Za-z]{1,2}[0-9]{1,7}$")] | UnsetType = UNSET
    """The number of the national identity card; whoever has none yet (a child) is enrolled without."""
    proofing: Proofing = "desk"
    locale: LocaleName = "ar"
    external_reference: Annotated[str, Meta(min_length=1, max_length=100)] | UnsetType = UNSET
    """The registrar's own number: the same line sent twice enrols once."""
    verifications: Annotated[tuple[EnrolledVerification, ...], Meta(max_length=5)] = ()


class Enrolled(msgspec.Struct, frozen=True, kw_only=True):
    uid: str
    citizen_id: UUID
    created: bool
    """False: this external reference was enrolled before, and nothing changed."""
    activation_code: str | None
    """Shown this once; None if it was enrolled before."""


class Citizen(msgspec.Struct, frozen=True, kw_only=True):
    citizen_id: UUID
    uid: str
    state: State
    claims: Mapping[str, Any]
    locale: LocaleName
    proofing: Proofing
    updated_at: dt.datetime
    tokens_valid_from: dt.datetime

    @classmethod
    def of(cls, row: Row) -> "Citizen":
        return cls(
            citizen_id=row["citizen_id"],
            uid=row["uid"],
            state=row["state"],
            claims=row["claims"],
            locale=row["locale"],
            proofing=row["proofing"],
            updated_at=row["updated_at"],
            tokens_valid_from=row["tokens_valid_from"],
        )
