"""Copies in the vault: under names of their own, so that none can stand for an original or another generation."""

from collections.abc import AsyncIterator
from pathlib import Path

from locker.vault import Stored, Vault


def copy_name(document_id: str) -> str:
    return f"archive.{document_id}"


def read_copy(
    vault: Vault, copy: Stored, *, owner: str, document_id: str, generation: int, end: int | None = None
) -> AsyncIterator[bytes]:
    """The first ``end`` bytes, or all."""
    return vault.read(copy, owner=owner, document_id=copy_name(document_id), version=generation, end=end)


async def save(frames: AsyncIterator[bytes], path: Path) -> None:
    # Frames go to the page cache: less than a hop to a thread.
    with path.open("wb") as file:
        async for frame in frames:
            file.write(frame)
