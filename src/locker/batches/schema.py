from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from locker.deposits.schema import DepositRequest

ItemName = Annotated[str, Meta(pattern=r"^[\x21-\x7e]{1,64}\Z")]
FileName = Annotated[str, Meta(pattern=r"^[^/\\\x00-\x1f\x7f]{1,255}\Z")]
"""Of an entry: it is compared and never used as a path."""
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]

State = Literal["awaiting", "deposited", "quarantined", "checked", "refused"]


class ManifestLine(DepositRequest, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One document: what a deposit's JSON part says, and which file it is."""

    item: ItemName
    """As you call it: once in a batch, and no secret."""
    file: FileName
    """Name of the ZIP entry that holds the PDF: once in a batch."""
    sha256: Sha256
    """Of the PDF."""


class LineProblem(msgspec.Struct, frozen=True, kw_only=True):
    line: int
    """Of the manifest, from 1."""
    item: str | None
    code: str
    detail: str | None
    members: dict[str, Any]


class BatchRegistered(msgspec.Struct, frozen=True, kw_only=True):
    batch_id: str
    dry_run: bool
    items: int
    """Lines that wait for their document now."""
    refused: int
    """Lines that cannot be used. The others go on without them."""
    problems: list[LineProblem]
    """The first hundred of these; all stand in the results."""
    expires_at: datetime


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    awaiting: int = 0
    deposited: int = 0
    quarantined: int = 0
    """Kept, and judged again when revocation data has arrived; in a dry run: would be."""
    checked: int = 0
    """In a dry run: would be deposited."""
    refused: int = 0


class BatchShown(msgspec.Struct, frozen=True, kw_only=True):
    batch_id: str
    dry_run: bool
    created_at: datetime
    expires_at: datetime
    """After this no part is accepted and no result is kept."""
    items: int
    states: Counts


class ItemMissing(msgspec.Struct, frozen=True, kw_only=True):
    line: int
    item: str
    file: str


class ItemShown(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the results."""

    line: int
    item: str | None
    state: State
    file: str | None = None
    type: str | None = None
    sha256: str | None = None
    code: str | None = None
    """Why it was refused."""
    detail: str | None = None
    members: dict[str, Any] = {}
    document_id: str | None = None
    uri: str | None = None
    version: int | None = None
    deposited_at: datetime | None = None
    receipt: str | None = None


class PartLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one entry of a part."""

    entry: int
    """From 1, in the order of the ZIP file."""
    item: str | None = None
    """None: it belongs to no line of the manifest."""
    state: State | UnsetType = UNSET
    """``awaiting``: send it again."""
    code: str | None = None
    detail: str | None = None
    members: dict[str, Any] = {}
    document_id: str | None = None
    uri: str | None = None
    receipt: str | None = None


class PartEnd(msgspec.Struct, frozen=True, kw_only=True):
    """The last line of a part's answer."""

    entries: int
    complete: bool
    """False: it was not read to its end, and what stood behind was not looked at."""
    code: str | None
    """Why it was not."""


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    batch_id: str
    administration: str
    dry_run: bool
    salt: bytes
    created_at: datetime
    expires_at: datetime


class Item(msgspec.Struct, frozen=True, kw_only=True):
    line: int
    item: str
    type: str
    state: State
    sha256: bytes
    sealed: bytes | None
