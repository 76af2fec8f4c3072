"""What the vault hands to its callers, and its rows."""

from datetime import datetime

import msgspec

from kit.db import Row


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is known about one sealed object. The caller keeps it in the document's row.

    To destroy one document's contents for good, forget ``wrapped_key``; the object is then noise.
    """

    object_key: str
    """``ab/<32 hex>``, random: says nothing about the document."""
    wrapped_key: bytes
    """Document key under the citizen key, 61 bytes. NULL it in the row to destroy the document."""
    epoch: str
    """``YYYY-MM`` under which the citizen key was wrapped at that time; informative, reading does not need it."""
    plaintext_sha256: bytes
    ciphertext_sha256: bytes
    length: int
    """Plaintext bytes."""
    format: str
    """``streaming.FORMAT``."""

    @classmethod
    def of(cls, row: Row) -> "Stored":
        """Of a row with columns of these names, the plaintext's digest in ``sha256``."""
        return cls(
            object_key=row["object_key"],
            wrapped_key=row["wrapped_key"],
            epoch=row["epoch"],
            plaintext_sha256=row["sha256"],
            ciphertext_sha256=row["ciphertext_sha256"],
            length=row["length"],
            format=row["format"],
        )


class CitizenKeyRow(msgspec.Struct, frozen=True, kw_only=True):
    owner: str
    epoch: str
    wrapped_key: bytes | None
    """None: destroyed."""


class EpochKeyRow(msgspec.Struct, frozen=True, kw_only=True):
    epoch: str
    master_id: str | None
    """Both None: this epoch has no row yet."""
    wrapped_key: bytes | None
    destroyed: bool


class BlobInfo(msgspec.Struct, frozen=True, kw_only=True):
    key: str
    length: int
    modified_at: datetime | None


class Blob(msgspec.Struct, frozen=True, kw_only=True):
    """A slice of an object."""

    data: bytes
    total: int
    """Length of the whole object as the store knows it."""


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What the engine did when it was asked at boot; nothing is assumed from its name."""

    reads_back: bool
    answers_206: bool
    lists: bool
    deletes: bool
    refuses_overwrite: bool
    """Honours ``If-None-Match: *`` on PUT."""
    refuses_wrong_signature: bool
    versions: bool
    locks_objects: bool

    @property
    def lacking(self) -> tuple[str, ...]:
        """Names of what is not there."""
        return tuple(name for name in self.__struct_fields__ if not getattr(self, name))

    @property
    def usable(self) -> bool:
        """Whether the vault can work on it at all."""
        return self.reads_back and self.lists and self.deletes and self.refuses_wrong_signature
