from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType


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


class ResolveSeveralRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    subjects: Annotated[list[ResolveRequest], Meta(min_length=1, max_length=100)]


class OneOfSeveral(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two."""

    sub: str | UnsetType = UNSET
    error: str | UnsetType = UNSET
    """The code that a request for this one alone would be refused with."""
    dormant: bool | UnsetType = UNSET
    """True, or not said: enrolled, and the account was not activated yet. Of every other state nothing is said."""


class ResolveSeveralResponse(msgspec.Struct, frozen=True):
    subjects: list[OneOfSeveral]
    """In the order of the request."""
