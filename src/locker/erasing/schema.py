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


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    owner: str
    asked_by: Literal["citizen", "officer"]
    reference: str | None
    key_destroyed: bool


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
    rows: int
    objects: int
