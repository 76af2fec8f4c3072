"""From what is recorded to the standard claims that a relying party was given."""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from idp.authorization.schema import ClaimRequest
from idp.citizens.age import AGE_CLAIMS, age_statements
from idp.citizens.schema import Citizen

# OpenID Connect Core §5.4.
SCOPE_CLAIMS: Mapping[str, tuple[str, ...]] = {
    "profile": (
        "name",
        "family_name",
        "given_name",
        "middle_name",
        "nickname",
        "preferred_username",
        "profile",
        "picture",
        "website",
        "gender",
        "birthdate",
        "zoneinfo",
        "locale",
        "updated_at",
    ),
    "email": ("email", "email_verified"),
    "address": ("address",),
    "phone": ("phone_number", "phone_number_verified"),
}
SUPPORTED_CLAIMS = tuple(
    dict.fromkeys(
        [name for names in SCOPE_CLAIMS.values() for name in names]
        + ["place_of_birth", "nationalities"]
        + list(AGE_CLAIMS)
    )
)
IN_VERIFIED_CLAIMS = (
    "given_name",
    "family_name",
    "middle_name",
    "gender",
    "birthdate",
    "place_of_birth",
    "nationalities",
    "address",
)
LANGUAGES = ("ar", "fr", "zgh", "en")
# Without a wish the Latin script is given, so that a relying party sees one value at every sign-in.
_BY_DEFAULT = ("fr", "en", "ar", "zgh")
_BCP47 = {"ar": "ar-MA", "fr": "fr-MA"}


def standard_claims(citizen: Citizen, wanted: Collection[str], locales: Sequence[str]) -> dict[str, Any]:
    """Those of ``wanted`` that are recorded; what is not recorded is left out, never null (Core §5.3.2).

    ``wanted`` may name a language (``given_name#ar``). ``locales`` are ``claims_locales`` in order of preference: the
    plain name then carries the first of them that is recorded, and each recorded one is given tagged as well (§5.2).
    """
    recorded = _with_composed(citizen)
    languages = [language for tag in locales if (language := _language(tag))]
    given: dict[str, Any] = {}
    for name in wanted:
        base, _, tag = name.partition("#")
        if tag:
            _take(given, recorded, name, f"{base}#{_language(tag)}")
            continue
        for language in languages:
            _take(given, recorded, f"{base}#{language}", f"{base}#{language}")
        sources = (*(f"{base}#{language}" for language in languages), base, *(f"{base}#{tag}" for tag in _BY_DEFAULT))
        for source in sources:
            if _take(given, recorded, base, source):
                break
    return given


def as_wanted(claims: Mapping[str, Any], asked: Mapping[str, ClaimRequest | None]) -> dict[str, Any]:
    """Without those of which another value was wanted, and that is no error (OpenID Connect Core §5.5.1). What is
    wanted of a claim holds for each language in which it is given."""
    return {name: value for name, value in claims.items() if _is_wanted(asked, name, value)}


def _is_wanted(asked: Mapping[str, ClaimRequest | None], name: str, value: Any) -> bool:
    wanted = asked.get(name) or asked.get(name.partition("#")[0])
    return wanted is None or not wanted.wanted or value in wanted.wanted


def name_of(claims: Mapping[str, Any], uid: str, language: str) -> str:
    """As ``full_name``, of somebody of whom only the claims are at hand."""
    for candidate in (language, *_BY_DEFAULT):
        parts = [claims.get(f"{part}#{candidate}") for part in ("given_name", "family_name")]
        if all(parts):
            return " ".join(str(part) for part in parts)
    return uid


def full_name(citizen: Citizen, language: str) -> str:
    """For pages and messages: the name in the reader's script, or in the nearest one that is recorded."""
    recorded = _with_composed(citizen)
    names = (recorded.get(f"name#{candidate}") for candidate in (language, *_BY_DEFAULT))
    return next((str(name) for name in names if name), citizen.uid)


def _with_composed(citizen: Citizen) -> dict[str, Any]:
    recorded = dict(citizen.claims)
    # A flag about a contact point that is not there says nothing.
    for contact in ("email", "phone_number"):
        if contact not in recorded:
            recorded.pop(f"{contact}_verified", None)
        else:
            recorded.setdefault(f"{contact}_verified", False)
    for language in LANGUAGES:
        parts = [recorded.get(f"{part}#{language}") for part in ("given_name", "middle_name", "family_name")]
        if parts[0] and parts[2]:
            recorded[f"name#{language}"] = " ".join(part for part in parts if part)
    recorded.update(age_statements(citizen.claims, dt.datetime.now(dt.UTC)))
    recorded["uid"] = citizen.uid
    recorded["locale"] = _BCP47.get(citizen.locale, citizen.locale)
    recorded["updated_at"] = int(citizen.updated_at.timestamp())
    return recorded


def _take(given: dict[str, Any], recorded: Mapping[str, Any], name: str, source: str) -> bool:
    if source not in recorded:
        return False
    given[name] = recorded[source]
    return True


def _language(tag: str) -> str:
    return tag.replace("_", "-").split("-", 1)[0].lower()
