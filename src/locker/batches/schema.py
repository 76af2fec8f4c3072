from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from locker.deposits.schema import DepositRequest

ItemName = Annotated[str, Meta(pattern=r"^[\x21-\x7e]{1,64}\Z")]
FileName = Annotated[str, Meta(pattern=r"^[^/\\\x00-\x1f\x7f]{1,255}\Z")]
"""Of an entry: it is compared and never used as a path."""
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]

Kind = Literal["document", "data", "data_signature"]
"""Of a file of an item: what the parts of a single deposit are called."""
State = Literal["awaiting", "deposited", "quarantined", "checked", "refused"]


class ManifestLine(DepositRequest, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One document: what a deposit's JSON part says, and which file it is."""

    item: ItemName
    """As you call it: once in a batch, and no secret."""
    file: FileName
    """Name of the ZIP entry that holds the PDF: once in a batch."""
    sha256: Sha256
    """Of the PDF."""
    data_file: FileName | UnsetType = UNSET
    """Name of the entry that holds signed data. All files of an item stand in one part, side by side."""
    data_sha256: Sha256 | UnsetType = UNSET
    data_signature_file: FileName | UnsetType = UNSET
    """Of the signature over it, where the data does not hold its own."""
    data_signature_sha256: Sha256 | UnsetType = UNSET
    replaces_item: ItemName | UnsetType = UNSET
    """In the place of ``replaces``: an earlier line of this manifest, whose document this one takes the place of."""

    @property
    def is_new_version(self) -> bool:
        return self.replaces is not UNSET or self.replaces_item is not UNSET


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


class ItemMissing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    line: int
    item: str
    file: str
    data_file: str | None = None
    data_signature_file: str | None = None


class ItemDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One owner's document of an item with several."""

    document_id: str
    uri: str
    receipt: str | None = None
    """None while it waits to be judged."""


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
    data_sha256: str | None = None
    data_signature_sha256: str | None = None
    receipt: str | None = None
    documents: list[ItemDocument] = []
    """Of an item with several owners: one each, in the order of ``subjects``, the first being the one above."""


class ItemRow(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the results before its receipts are signed."""

    shown: ItemShown
    documents: list[str]
    """Of an item with several owners, each one's document_id."""


class PartLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of an item whose documents were in a part, or of an entry that belongs to none."""

    entry: int
    """From 1, in the order of the ZIP file: the first one of the item."""
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
    documents: list[ItemDocument] = []


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
    registered_by: str
    """Whose manifest it is: a ``sub`` in it means nothing without this client."""
    dry_run: bool
    salt: bytes
    created_at: datetime
    expires_at: datetime


class Item(msgspec.Struct, frozen=True, kw_only=True):
    line: int
    item: str
    type: str
    state: State
    file: str
    sha256: bytes
    data_file: str | None
    data_sha256: bytes | None
    data_signature_file: str | None
    data_signature_sha256: bytes | None
    sealed: bytes | None

    @property
    def files(self) -> dict[str, tuple[Kind, bytes]]:
        """What each of its files is, and the digest it must have."""
        named: list[tuple[str | None, Kind, bytes | None]] = [
            (self.file, "document", self.sha256),
            (self.data_file, "data", self.data_sha256),
            (self.data_signature_file, "data_signature", self.data_signature_sha256),
        ]
        return {name: (kind, sha256) for name, kind, sha256 in named if name is not None and sha256 is not None}
