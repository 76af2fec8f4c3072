"""A registration request as its sender wrote it, read within what the invitation allows."""

import re
from typing import Any
from urllib.parse import urlsplit

import msgspec

from idp.clients.profiles import with_defaults
from idp.clients.schema import ClientMetadata, ClientRegistration
from idp.refusals import InvalidClientMetadata
from idp.registration.schema import Invitation
from idp.sessions.levels import at_least
from kit import strict_json

_MEMBERS = frozenset(field.encode_name for field in msgspec.structs.fields(ClientMetadata))
# Only an operator says whose resource server a client is, and who may ask for documents one by one. Every sub here is
# pairwise, whatever was asked for. The answer says what is in force (RFC 7591 §3.2.1).
_NOT_THEIRS = frozenset({"resource", "authorization_details_types", "subject_type"})
_PATH = re.compile(r" - at `\$\.?([^`]*)`")


def members_of(body: bytes) -> dict[str, Any]:
    """RFC 7591 §3.1"""
    try:
        members = strict_json.decode(body)
    except strict_json.MemberTwice as twice:
        raise InvalidClientMetadata(str(twice)) from None
    except msgspec.DecodeError:
        raise InvalidClientMetadata("the body is no JSON") from None
    if not isinstance(members, dict):
        raise InvalidClientMetadata("the body is no JSON object")
    return members


def registration_of(members: dict[str, Any], invitation: Invitation) -> ClientRegistration:
    """Unknown members are ignored (RFC 7591 §2); the defaults are the standard's, not ours.

    The sector is not yet known; it follows from what is in force.
    """
    known = {
        name: value
        for name, value in members.items()
        if name in _MEMBERS and name not in _NOT_THEIRS and value is not None
    }
    known.setdefault("client_name", _name_of(known.get("redirect_uris")))
    known["scope"] = _scope(known.get("scope"), invitation)
    known.setdefault("default_acr_values", [invitation.acr])
    try:
        registration = msgspec.convert(
            with_defaults({**known, "profile": invitation.profile, "sector": invitation.sector or "self"}),
            ClientRegistration,
        )
    except msgspec.ValidationError as fault:
        # Its message repeats what was sent; the name of the member is enough.
        found = _PATH.search(str(fault))
        raise InvalidClientMetadata(f"{found[1] if found else 'a member'}: not accepted here") from None
    if not all(at_least(acr, invitation.acr) for acr in registration.default_acr_values):
        raise InvalidClientMetadata("default_acr_values: lower than what was agreed")
    return registration


def _scope(asked: Any, invitation: Invitation) -> str:
    """What is asked for and allowed; all that is allowed where nothing is asked for (RFC 7591 §2)."""
    if asked is None:
        return " ".join(invitation.scopes)
    if not isinstance(asked, str):
        raise InvalidClientMetadata("scope: not accepted here")
    allowed = [scope for scope in invitation.scopes if scope in asked.split()]
    if not allowed:
        raise InvalidClientMetadata("scope: none of it was agreed")
    return " ".join(allowed)


def _name_of(redirect_uris: Any) -> str:
    """A citizen must read something: the host, where the client says no name."""
    try:
        return urlsplit(redirect_uris[0]).hostname or "-"
    except (TypeError, IndexError, KeyError, ValueError, AttributeError):
        return "-"
