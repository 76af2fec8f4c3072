"""A part, whatever its form: one entry after the other, as they arrive."""

from collections.abc import AsyncIterator
from typing import Protocol, TypeVar

import msgspec

from locker.batches.refusals import EntryRefused

E = TypeVar("E", bound="Entry")


class CutShort(Exception):
    """The part ended, or cannot be followed any further; ``code`` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    number: int
    """From 1."""
    name: str | None
    """To compare and never to open; None where it is no text."""
    refusal: EntryRefused | None = None
    """It cannot be read; ``skip`` it."""

    @property
    def is_folder(self) -> bool:
        return False


class Archive(Protocol[E]):
    """``next_entry``, then ``content`` or ``skip``, again and again. Raises CutShort; PartMalformed if it is none."""

    async def next_entry(self) -> E | None: ...

    def content(self, entry: E) -> AsyncIterator[bytes]:
        """EntryRefused where it lies; then the next entry can still be read."""

    async def skip(self, entry: E) -> None: ...

    async def drain(self) -> None:
        """What stands behind the last entry, so that the caller's connection stays usable."""
