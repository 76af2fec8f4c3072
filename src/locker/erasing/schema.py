import datetime as dt
from typing import Literal

import msgspec


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """One that was asked for."""

    asked_by: Literal["citizen", "officer"]
    asked_at: dt.datetime
    due_at: dt.datetime
    """Until then it can be undone."""
    begun: bool
    parted_at: dt.datetime | None
    """Since when nothing is left but what the law holds; that goes when the hold ends."""


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    owner: str
    asked_by: Literal["citizen", "officer"]
    reference: str | None
    key_destroyed: bool
    parted: bool
    until: dt.datetime
    """The end of the lease."""


class Held(msgspec.Struct, frozen=True, kw_only=True):
    document_id: str
    reference: str


class Erased(msgspec.Struct, frozen=True, kw_only=True):
    """A round of the worker, or of an officer."""

    begun: int
    """Keys that were destroyed."""
    finished: int
    """Citizens of whom nothing is left."""
    held: int
    """Citizens of whom a legal hold keeps documents, and nothing else is left."""
    rows: int
    objects: int
