import datetime as dt
from typing import Literal
from uuid import UUID

import msgspec

from locker.vault import Stored

VERSION = 1
"""Of the file, as the vault binds it: an export never changes."""

State = Literal["waiting", "ready", "failed"]
Stage = Literal["documents", "uploads", "shares", "openings", "history", "end"]


class Export(msgspec.Struct, frozen=True, kw_only=True):
    export_id: str
    state: State
    asked_at: dt.datetime
    length: int | None
    """Bytes of the ZIP, when it is ready."""
    sha256: bytes | None
    expires_at: dt.datetime | None
    """Until then it can be taken, then it is destroyed."""


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    owner: str
    export_id: str
    asked_at: dt.datetime
    attempt: UUID
    attempts: int


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Up to ``offset`` in the ZIP everything is whole; ``stage`` goes on after the one named ``after``."""

    offset: int = 0
    stage: Stage = "documents"
    after: str = ""
    documents: int = 0
    uploads: int = 0
    shares: int = 0


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One object of an export: ``zip_length`` bytes of the ZIP, behind them the index of the files that end in it."""

    number: int
    name: str
    """Under which the vault sealed it."""
    stored: Stored
    zip_length: int
    checkpoint: Checkpoint


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    export_id: str
    length: int
    sha256: bytes
    parts: list[Part]


class ManifestFile(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    sha256: str
    length: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What the ZIP holds besides itself, its signature and the keys; ``files`` are written one by one."""

    export_id: str
    made_at: dt.datetime
    locker: str
    owner: str
    """The locker's own identifier of the citizen."""
    documents: int
    uploads: int
    shares: int


def part_name(export_id: str, number: int, *, last: bool) -> str:
    """What the key and every segment of a part are bound to: one that was moved, or after which others were dropped,
    does not open. No document has such an id."""
    return f"export-{export_id}.{number}{'.last' if last else ''}"


def whole_name(export_id: str) -> str:
    """Of one that was made when an export was one object."""
    return f"export-{export_id}"
