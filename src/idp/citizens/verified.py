"""What can be said of how claims were verified, as far as it was asked for and meets what was asked (Identity Assurance
1.0 §5.7): a verification that does not meet a requirement is left out, and that is no error."""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from idp.authorization.schema import VerifiedRequest
from idp.citizens import store
from idp.citizens.claims import as_wanted, standard_claims
from idp.citizens.schema import Citizen, Verification
from kit.db import Tx

_REQUIREMENTS = frozenset({"value", "values", "max_age"})
"""Not ``essential``: what is not there is left out all the same (§5.7.1)."""
_ALWAYS_SAID = ("type", "check_method")
"""Of an element that is asked for: without them it is no element of the schema (§5.7.5)."""


class Unmet(Exception):
    """A requirement on the verification is not met: the whole element is left out (§5.7.4)."""


async def verifications_of(tx: Tx, citizen_id: UUID) -> Sequence[Verification]:
    """The latest first."""
    return await store.verifications(tx, citizen_id)


def verified_claims(
    citizen: Citizen,
    verifications: Sequence[Verification],
    requests: Sequence[VerifiedRequest],
    *,
    given: Collection[str],
    locales: Sequence[str],
    now: dt.datetime,
) -> dict[str, Any]:
    """``{"verified_claims": …}``, an array for several answers; empty where nothing can be said. ``given`` are the
    names that the citizen agreed to."""
    found = [
        element
        for request in requests
        if (element := _first(citizen, verifications, request, given=given, locales=locales, now=now))
    ]
    if not found:
        return {}
    return {"verified_claims": found[0] if len(found) == 1 else found}


def released_names(claims: Mapping[str, Any]) -> list[str]:
    """For the history: those inside ``verified_claims`` by their prefixed names."""
    found = claims.get("verified_claims")
    elements = found if isinstance(found, list) else [found] if found else []
    inside = [f"verified_claims:{name}" for element in elements for name in element["claims"]]
    return [name for name in claims if name != "verified_claims"] + inside


def _first(
    citizen: Citizen,
    verifications: Sequence[Verification],
    request: VerifiedRequest,
    *,
    given: Collection[str],
    locales: Sequence[str],
    now: dt.datetime,
) -> dict[str, Any] | None:
    for verification in verifications:
        try:
            said = _answered(request.verification, verification.as_element(), now)
        except Unmet:
            continue
        names = [name for name in request.claims if name in given and name.partition("#")[0] in verification.claims]
        met = as_wanted(standard_claims(citizen, names, locales), request.claims)
        if met:
            return {"verification": {**said, "trust_framework": verification.trust_framework}, "claims": met}
    return None


def _answered(wanted: Any, data: Any, now: dt.datetime) -> Any:
    """``data`` as far as ``wanted`` names it. Raises Unmet."""
    if wanted is None:
        return data
    if isinstance(wanted, list):
        return _any_of(wanted, data, now)
    if not isinstance(wanted, dict):
        raise Unmet
    if not isinstance(data, dict):
        return _required(wanted, data, now)
    answer = {}
    for name, inner in wanted.items():
        if name in data:
            said = _answered(inner, data[name], now)
            if said != {}:
                answer[name] = said
        elif _is_requirement(inner):
            raise Unmet
    return {name: data[name] for name in _ALWAYS_SAID if name in data} | answer


def _any_of(wanted: list[Any], data: Any, now: dt.datetime) -> list[Any]:
    """Entries of an array are filters, linked by OR: what any of them lets through."""
    if not isinstance(data, list):
        raise Unmet
    answer: list[Any] = []
    for one in wanted:
        for item in data:
            try:
                found = _answered(one, item, now)
            except Unmet:
                continue
            if found not in answer:
                answer.append(found)
    if not answer:
        raise Unmet
    return answer


def _required(wanted: Mapping[str, Any], data: Any, now: dt.datetime) -> Any:
    if "value" in wanted and data != wanted["value"]:
        raise Unmet
    if "values" in wanted and (not isinstance(wanted["values"], list) or data not in wanted["values"]):
        raise Unmet
    if "max_age" in wanted and not _is_younger(data, wanted["max_age"], now):
        raise Unmet
    return data


def _is_requirement(wanted: Any) -> bool:
    """Does it ask for something that cannot be when the data are not there?"""
    if isinstance(wanted, list):
        return any(map(_is_requirement, wanted))
    if not isinstance(wanted, dict):
        return False
    return bool(_REQUIREMENTS & wanted.keys()) or any(map(_is_requirement, wanted.values()))


def _is_younger(data: Any, max_age_s: Any, now: dt.datetime) -> bool:
    """A day counts from its last second (§5.5.2)."""
    if not isinstance(data, str) or not isinstance(max_age_s, int | float):
        return False
    try:
        at = dt.datetime.fromisoformat(data if "T" in data else f"{data}T23:59:59")
    except ValueError:
        return False
    at = at if at.tzinfo else at.replace(tzinfo=dt.UTC)
    return (now - at).total_seconds() <= max_age_s
