import datetime as dt
from typing import Literal
from uuid import UUID

import msgspec

from locker.vault import Stored

VERSION = 1
"""Of the file, as the vault binds it: an export never changes."""

State = Literal["waiting", "ready", "failed"]


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


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    export_id: str
    stored: Stored


class ManifestFile(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    sha256: str
    length: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What the ZIP holds besides itself, its signature and the keys."""

    export_id: str
    made_at: dt.datetime
    locker: str
    owner: str
    """The locker's own identifier of the citizen."""
    documents: int
    uploads: int
    shares: int
    files: list[ManifestFile]
