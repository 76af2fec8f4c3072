"""What a consent would release, with the actual values, so that the citizen sees what is given."""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from idp.authorization.details import LockerDocument
from idp.authorization.schema import AuthorizationRequest
from idp.authorization.verified_claims import PREFIX, without_prefix
from idp.citizens.age import AGE_CLAIMS
from idp.citizens.claims import standard_claims
from idp.citizens.schema import Citizen
from idp.clients.scopes import CLAIMS_OF_SCOPE
from idp.consents.give import needed_claims, optional_claims
from kit.i18n import Locale, Message, _

Value = str | Message | dt.date

LABELS: Mapping[str, Message] = {
    "name": _("Full name"),
    "given_name": _("Given name"),
    "family_name": _("Family name"),
    "middle_name": _("Middle name"),
    "nickname": _("Nickname"),
    "preferred_username": _("Preferred user name"),
    "profile": _("Profile page"),
    "picture": _("Picture"),
    "website": _("Website"),
    "gender": _("Sex"),
    "birthdate": _("Date of birth"),
    "place_of_birth": _("Place of birth"),
    "nationalities": _("Nationalities"),
    "zoneinfo": _("Time zone"),
    "locale": _("Language"),
    "email": _("E-mail address"),
    "phone_number": _("Telephone number"),
    "address": _("Address"),
    "uid": _("Unique identifier"),
    **{
        name: _("That you are over %(age)s (yes or no), not your date of birth", age=age)
        for name, age in AGE_CLAIMS.items()
    },
}
_PLACES = {name: place for place, name in enumerate(LABELS)}
SCOPE_LABELS: Mapping[str, Message] = {
    "openid": _("Recognise you by a number that you have at this service and nowhere else"),
    "offline_access": _("Stay connected while you are away, until you end it"),
    "documents:read": _("See your documents in your locker"),
    "documents:share": _("Share your documents for you"),
    "documents:upload": _("Keep files of your own in your locker, and read and delete them"),
    "documents:export": _("Take a copy of your whole locker"),
    "documents:erase": _("Have your whole locker erased"),
}

DOCUMENT_LABELS: Mapping[str, Message] = {
    "BIRTHEXTRACT": _("Birth record extract"),
    "CNIECOPY": _("Copy of the national identity card"),
    "RESIDENCE": _("Residence certificate"),
    "FAMILYBOOK": _("Family booklet extract"),
    "LIFECERT": _("Life certificate"),
    "CRIMINAL3": _("Criminal record, extract no. 3"),
    "MARRIAGE": _("Marriage record"),
    "TAXSTATUS": _("Tax status certificate"),
    "BACCALAUREATE": _("Baccalaureate"),
    "DIPLOMA": _("University diploma"),
    "VEHICLEREG": _("Vehicle registration certificate"),
    "DRIVINGLICENCE": _("Driving licence"),
}
"""Types of documents that people know; of any other its code is shown, as it stands on the document."""
FIELD_LABELS: Mapping[str, Message] = {
    "full_name": LABELS["name"],
    "family_name": LABELS["family_name"],
    "given_name": LABELS["given_name"],
    "sex": LABELS["gender"],
    "birthdate": LABELS["birthdate"],
    "birth_place": LABELS["place_of_birth"],
    "address": LABELS["address"],
}


class DocumentsAsked(msgspec.Struct, frozen=True, kw_only=True):
    """One authorization detail, in words."""

    types: Sequence[Message | str]
    fields: Sequence[Message | str]
    """Empty for the whole document."""
    purpose: str
    """In the words that are registered."""
    until: dt.date | None
    """None for once."""


def documents_asked(details: Sequence[LockerDocument], purposes: Mapping[str, str]) -> list[DocumentsAsked]:
    """``purposes``: what each says in the language of the page."""
    return [
        DocumentsAsked(
            types=[DOCUMENT_LABELS.get(code, code) for code in detail.document_types],
            fields=[FIELD_LABELS.get(name, name) for name in detail.fields],
            purpose=purposes.get(detail.purpose, detail.purpose),
            until=detail.until,
        )
        for detail in details
    ]


def needed_values(request: AuthorizationRequest, citizen: Citizen, language: str) -> list[tuple[Message | str, Value]]:
    names = [name for scope in request.scopes for name in CLAIMS_OF_SCOPE.get(scope, ())]
    needed = [name for name in _as_labelled(needed_claims(request)) if not name.startswith(PREFIX)]
    return _values(dict.fromkeys([*names, *needed]), citizen, language)


def verified_values(
    request: AuthorizationRequest, citizen: Citizen, language: str
) -> list[tuple[Message | str, Value]]:
    """What is needed together with how it was verified."""
    return _values(
        dict.fromkeys(name for name in _as_labelled(needed_claims(request)) if name.startswith(PREFIX)),
        citizen,
        language,
    )


def optional_values(
    request: AuthorizationRequest, citizen: Citizen, language: str
) -> list[tuple[str, Message | str, Value]]:
    """Name of the claim, its label, its value."""
    found = []
    for name in _as_labelled(optional_claims(request)):
        found += [(name, label, value) for label, value in _values({name: None}, citizen, language)]
    return found


def claim_labels(scopes: Sequence[str], claims: Collection[str]) -> list[Message]:
    """By name, where values are not to be shown."""
    names = dict.fromkeys([name for scope in scopes for name in CLAIMS_OF_SCOPE.get(scope, ())] + _as_labelled(claims))
    return [LABELS[base] for base in dict.fromkeys(map(without_prefix, names)) if base in LABELS]


def _as_labelled(claims: Collection[str]) -> list[str]:
    """A person first, then how to reach it, as the scopes have it; what has no label last."""
    return sorted(claims, key=lambda name: (_PLACES.get(without_prefix(name), len(_PLACES)), name))


def asked_by_name(request: AuthorizationRequest) -> dict[str, Any]:
    """What ``idp/consents/asked.html`` shows, before anybody's values may be seen."""
    return {
        "claim_labels": claim_labels(request.scopes, request.claim_names()),
        "permissions": permissions(request),
        "documents": documents_asked(request.authorization_details, {}),
    }


def permissions(request: AuthorizationRequest) -> list[Message]:
    return [SCOPE_LABELS[scope] for scope in request.scopes if scope in SCOPE_LABELS]


def _values(names: Mapping[str, None], citizen: Citizen, language: str) -> list[tuple[Message | str, Value]]:
    plain = {name: None for name in names if not name.endswith("_verified") and name != "updated_at"}
    bases = {name: without_prefix(name) for name in plain}
    recorded = standard_claims(citizen, list(bases.values()), (language,))
    return [(LABELS.get(base, base), _text(base, recorded[base])) for base in bases.values() if base in recorded]


_GENDERS: Mapping[str, Message] = {"female": _("Female"), "male": _("Male")}


def _text(name: str, value: Any) -> Value:
    if name == "birthdate":
        return dt.date.fromisoformat(str(value))
    if name == "gender":
        return _GENDERS.get(str(value), str(value))
    if name == "locale":
        return Locale(str(value).split("-", 1)[0]).native_name
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    if isinstance(value, dict):
        return str(value.get("formatted") or ", ".join(str(part) for part in value.values()))
    if isinstance(value, list):
        return ", ".join(str(part) for part in value)
    return str(value)
