"""A trust list as it was read. Apart from the reader, so that who asks for one loads no parser of XML."""

from datetime import datetime

import msgspec

from locker.signatures.schema import TrustService

LIST_MAX_BYTES = 25_000_000
"""The largest national list has about ten million."""


class Pointer(msgspec.Struct, frozen=True, kw_only=True):
    """Where another list is, and which certificates it must be signed with (§5.3.13)."""

    location: str
    territory: str
    signers: tuple[bytes, ...]
    is_list_of_lists: bool


class TrustList(msgspec.Struct, frozen=True, kw_only=True):
    """``next_update`` is None for a list that says it is the last one (§5.3.15)."""

    sequence: int
    territory: str
    operator: str
    is_list_of_lists: bool
    issued_at: datetime
    next_update: datetime | None
    services: tuple[TrustService, ...]
    other_services: int
    """Those of kinds that no judge here asks for, and those without a certificate."""
    pointers: tuple[Pointer, ...]
    pivots: tuple[str, ...]
    """Of a list of lists: where the editions are in which its signers changed, the newest first."""
    signed_by: bytes
    """The signer's certificate."""
