import datetime as dt
from typing import Literal
from uuid import UUID

import msgspec

from locker.vault import Stored

MediaType = Literal["application/pdf", "image/jpeg", "image/png"]
Scan = Literal["none", "clean", "pending", "infected"]
"""``none``: no scanner was configured."""
State = Literal["held", "pending-scan", "quarantined", "binned"]
"""``pending-scan`` and ``quarantined`` are served to nobody; ``binned`` can be restored until it is gone."""

VERSION = 1
"""Of the bytes, as the vault binds them: an upload never changes."""
EXTENSIONS: dict[MediaType, str] = {"application/pdf": "pdf", "image/jpeg": "jpg", "image/png": "png"}


class NewUpload(msgspec.Struct, frozen=True, kw_only=True):
    owner: str
    upload_id: str
    uploaded_by: str
    media_type: MediaType
    pages: int
    idempotency_key: str
    request_sha256: bytes
    stored: Stored
    name_sealed: bytes
    scan: Scan
    scan_signature: str | None


class HeldUpload(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about one upload but its bytes and its name."""

    owner: str
    upload_id: str
    uploaded_at: dt.datetime
    uploaded_by: str
    media_type: MediaType
    pages: int
    stored: Stored
    name_sealed: bytes
    scan: Scan
    binned_at: dt.datetime | None
    purge_at: dt.datetime | None
    request_sha256: bytes = b""

    @property
    def state(self) -> State:
        if self.binned_at is not None:
            return "binned"
        return "pending-scan" if self.scan == "pending" else "quarantined" if self.scan == "infected" else "held"

    @property
    def served(self) -> bool:
        return self.state == "held"


class GivenUpload(msgspec.Struct, frozen=True, kw_only=True):
    """As much of one as whoever opens a share is told."""

    upload_id: str
    media_type: MediaType
    pages: int


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """As the API says it."""

    upload_id: str
    name: str
    media_type: MediaType
    pages: int
    length: int
    sha256: str
    """Hexadecimal, of the bytes that were uploaded."""
    state: State
    assurance: Literal["self-declared"] = "self-declared"
    """Always: no administration issued it, and no check of ours says that it is true."""
    uploaded_at: dt.datetime
    gone_after: dt.datetime | None
    """Of what is in the bin or quarantined: until then it is kept, then destroyed."""


class Quota(msgspec.Struct, frozen=True, kw_only=True):
    uploads: int
    uploads_max: int
    bytes: int
    bytes_max: int


class UploadPage(msgspec.Struct, frozen=True, kw_only=True):
    uploads: list[Upload]
    next: str | None
    """Cursor of the following page."""
    quota: Quota


class SharedUpload(msgspec.Struct, frozen=True, kw_only=True):
    """For programs: a file of the citizen's own that a share link gave."""

    upload_id: str
    media_type: MediaType
    pages: int
    assurance: Literal["self-declared"] = "self-declared"
    """Always: the citizen says so, and nobody else."""
    pictures: list[str]
    file: str | None
    """Address of a copy without what the file told beside what is seen; None where it may be looked at only."""


class PendingScan(msgspec.Struct, frozen=True, kw_only=True):
    """One that was taken to be scanned."""

    upload: HeldUpload
    attempt: UUID
    attempts: int


class Inspect(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """To the worker: what is this file?"""

    path: str


class Clean(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """To the worker: write the same picture or document without what it tells of its maker to ``cleaned``."""

    path: str
    cleaned: str
    media_type: MediaType


class Preview(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """To the worker: a small picture of a picture."""

    path: str
    media_type: MediaType
    watermark: tuple[str, ...] = ()


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """From the worker."""

    refused: str = ""
    """The code of a refusal, or empty."""
    media_type: MediaType | None = None
    pages: int = 0
    png: bytes = b""
