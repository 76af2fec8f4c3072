"""``verified_claims`` in the ``claims`` parameter (OpenID Connect for Identity Assurance 1.0 §5.3, §5.4).

Each claim inside also becomes a claim of its own name, ``verified_claims:given_name``, so that the citizen agrees to it
as to any other.
"""

from typing import Any

import msgspec

from idp.authorization.schema import ClaimRequest, ClaimsRequest, VerifiedRequest
from kit import strict_json

PREFIX = "verified_claims:"
_REQUESTS_MAX = 5
_VERIFICATION_BYTES_MAX = 4_096


def read_claims(text: str) -> ClaimsRequest:
    """Raises msgspec.DecodeError for what the two standards do not allow."""
    outer = strict_json.decode(text, dict[str, Any])
    verified: dict[str, tuple[VerifiedRequest, ...]] = {}
    for target in ("userinfo", "id_token"):
        members = outer.get(target)
        if isinstance(members, dict):
            verified[target] = _verified(members.pop("verified_claims", None))
            for request in verified[target]:
                members.update({PREFIX + name: wanted for name, wanted in request.claims.items()})
    claims = msgspec.convert(outer, ClaimsRequest)
    return msgspec.structs.replace(
        claims,
        verified_userinfo=verified.get("userinfo", ()),
        verified_id_token=verified.get("id_token", ()),
    )


def _verified(found: Any) -> tuple[VerifiedRequest, ...]:
    """One, or several in an array, of which each is answered by itself (§5.6)."""
    if found is None:
        return ()
    requests = msgspec.convert(found if isinstance(found, list) else [found], tuple[VerifiedRequest, ...])
    if len(requests) > _REQUESTS_MAX:
        raise msgspec.ValidationError("too many")
    for request in requests:
        # A trust framework and at least one claim are always named.
        if "trust_framework" not in request.verification or not request.claims:
            raise msgspec.ValidationError("verified_claims")
        _check_evidence(request.verification.get("evidence"))
        if len(msgspec.json.encode(request.verification)) > _VERIFICATION_BYTES_MAX:
            raise msgspec.ValidationError("verification")
    return requests


def _check_evidence(found: Any) -> None:
    """Each entry is a filter over evidence of one type, which it names (§5.4)."""
    if found is None:
        return
    for entry in msgspec.convert(found, list[dict[str, Any]]):
        named = entry.get("type")
        if not isinstance(named, dict) or not isinstance(named.get("value"), str) or "values" in named:
            raise msgspec.ValidationError("evidence: type")


def without_prefix(name: str) -> str:
    return name.removeprefix(PREFIX)


def asked_verified(names: dict[str, ClaimRequest | None]) -> frozenset[str]:
    """Of the names that were agreed to, those inside ``verified_claims``."""
    return frozenset(without_prefix(name) for name in names if name.startswith(PREFIX))
