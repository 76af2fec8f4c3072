import msgspec
from msgspec import UNSET, UnsetType


class ResolveRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Either ``uid``; or ``sub`` as ``client_id`` knows it, for a client that may translate between sectors."""

    uid: str | UnsetType = UNSET
    sub: str | UnsetType = UNSET
    client_id: str | UnsetType = UNSET
    purpose: str = ""
    """Why, in a few words: the citizen reads it."""


class ResolveResponse(msgspec.Struct, frozen=True):
    sub: str
    """The caller's own."""
