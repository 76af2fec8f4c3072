"""Wire messages and rows of citizens."""

import datetime as dt
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType, field

from kit.db import Row

State = Literal["registered", "active", "frozen", "suspended", "deceased"]
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
    """OpenID Connect for Identity Assurance 1.0 §4."""

    locality: ShortText | UnsetType = UNSET
    region: ShortText | UnsetType = UNSET
    country: ShortText | UnsetType = UNSET


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
    nationalities: Annotated[list[Country], Meta(max_length=5)] | UnsetType = UNSET
    email: EmailAddress | UnsetType = UNSET
    email_verified: bool = False
    phone_number: PhoneNumber | UnsetType = UNSET
    phone_number_verified: bool = False
    address: Address | UnsetType = UNSET
    address_ar: Address | UnsetType = field(name="address#ar", default=UNSET)
    address_fr: Address | UnsetType = field(name="address#fr", default=UNSET)


class Enrolment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of a registration officer's file."""

    claims: Claims
    cnie: Annotated[str, Meta(pattern=r"^[A-Za-z]{1,2}[0-9]{1,7}$")] | UnsetType = UNSET
    """The number of the national identity card; whoever has none yet (a child) is enrolled without."""
    proofing: Proofing = "desk"
    locale: LocaleName = "ar"
    external_reference: Annotated[str, Meta(min_length=1, max_length=100)] | UnsetType = UNSET
    """The registrar's own number: the same line sent twice enrols once."""


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
