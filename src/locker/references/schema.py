from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from locker.deposits.schema import DepositRequest


class ReferenceRequest(DepositRequest, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A deposit with an address in the place of bytes."""

    url: Annotated[str, Meta(min_length=10, max_length=1_024)]
    """https, under a domain that is registered for the administration."""
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")]
    """Of the PDF at that address, hexadecimal."""


class ReferenceRow(msgspec.Struct, frozen=True, kw_only=True):
    url_sealed: bytes
    confirmed_at: datetime
    cached: bool
    removed: bool
    """It was let go, and its object is the sweeper's."""
    copied_at: datetime | None
    failure: str | None
    age_s: int
    """Since it was last confirmed, by the database's clock."""
    failed_lately: bool
    object_key: str
    """Of its document, now: another one each time that it came back."""
    ciphertext_sha256: bytes


class LetGo(msgspec.Struct, frozen=True, kw_only=True):
    owner: str
    object_key: str
