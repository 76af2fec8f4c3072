"""What goes into the room that was left in a document. Apart from what parses it."""

from pathlib import Path

from locker.signatures.seal_request import Room


class RoomTooSmall(Exception):
    """The container is larger than what was reserved: a time stamp of an authority with a long chain."""


def fill(pdf: bytes, room: Room, container: bytes) -> bytes:
    """``pdf`` with the DER ``container`` in its room, the rest of which stays zeros."""
    _check(room, container)
    filled = bytearray(pdf)
    filled[room.start + 1 : room.start + 1 + 2 * len(container)] = _hex(container)
    return bytes(filled)


def fill_file(path: Path, room: Room, container: bytes) -> None:
    """The same in place."""
    _check(room, container)
    with path.open("r+b") as file:
        file.seek(room.start + 1)
        file.write(_hex(container))


def _check(room: Room, container: bytes) -> None:
    if 2 * len(container) > room.end - room.start - 2:
        raise RoomTooSmall


def _hex(container: bytes) -> bytes:
    return container.hex().encode("ascii")
