"""Signing keys as files, mode 0600, each whole or not there, so that a rotation is one new file and a node takes over
another's by a copy of all of them.

``signing-ES256-activates_at.pem`` is a key. ``….pub`` beside it, or in its place, is its public half, kept when the
private one is destroyed; ``….distrusted`` says in seconds since 1970 from when on it is not believed, whatever else is
there. The first key of a deployment has no moment in its names.
"""

import fcntl
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import cast

import msgspec
from cryptography.hazmat.primitives import serialization

from kit.jose import PublicKey, PublishedKey, SigningKey
from kit.whole_file import replace, write_once
from locker.signing.refusals import FolderTaken, TooManyKeys

KEYS_MAX = 200
"""Fifty years of a key each quarter."""
_FIRST = "signing-ES256"
_FILE = re.compile(rf"({_FIRST}(?:-([0-9]{{1,12}}))?)\.(pem|pub|distrusted)", re.ASCII)
_OURS = re.compile(r"signing-.*\.(pem|pub|distrusted)")


class Placed(msgspec.Struct, frozen=True):
    """A key in its place; ``name`` is that of its files without their ends."""

    name: str
    activates_at: int
    key: SigningKey | PublishedKey
    """PublishedKey once the private half was destroyed."""
    distrusted_from: int | None = None

    def signs_at(self, now: float) -> bool:
        return isinstance(self.key, SigningKey) and self.distrusted_from is None and self.activates_at <= now


def read(folder: Path, parsed: Mapping[str, Placed]) -> dict[str, Placed]:
    """By name, the newest first. What ``parsed`` has is not parsed again.

    A file of another name is refused: a key that nobody uses is a mistake somebody should see.
    """
    found: dict[str, set[str]] = {}
    for name in os.listdir(folder) if folder.is_dir() else []:
        if _OURS.fullmatch(name):
            matched = _FILE.fullmatch(name)
            if matched is None:
                raise ValueError(f"{name}: a signing key is named {_FIRST}-activates_at.pem")
            found.setdefault(matched[1], set()).add(matched[3])
    placed = [_placed(folder, name, ends, parsed.get(name)) for name, ends in found.items() if ends != {"distrusted"}]
    return {one.name: one for one in sorted(placed, key=lambda one: -one.activates_at)}


def _placed(folder: Path, name: str, ends: set[str], known: Placed | None) -> Placed:
    private = "pem" in ends
    key = known.key if known and isinstance(known.key, SigningKey) == private else _load(folder, name, private=private)
    matched = _FILE.fullmatch(f"{name}.pem")
    assert matched is not None
    distrusted = int((folder / f"{name}.distrusted").read_bytes()) if "distrusted" in ends else None
    return Placed(name, int(matched[2] or 0), key, distrusted)


def _load(folder: Path, name: str, *, private: bool) -> SigningKey | PublishedKey:
    # Between our look at the folder and now its private half may be destroyed.
    with suppress(FileNotFoundError):
        if private:
            return SigningKey.load(folder / f"{name}.pem", "ES256")
    public = serialization.load_pem_public_key((folder / f"{name}.pub").read_bytes())
    return PublishedKey(cast("PublicKey", public), "ES256")


def create_first(folder: Path) -> None:
    """Of a deployment; it signs at once. Where there is any other, that one is of a rotation."""
    if not read(folder, {}):
        SigningKey.load_or_create(folder / f"{_FIRST}.pem", "ES256")


def create(folder: Path, *, activates_at: int) -> str:
    if len(read(folder, {})) >= KEYS_MAX:
        raise TooManyKeys(f"at most {KEYS_MAX}")
    name = f"{_FIRST}-{activates_at}"
    SigningKey.load_or_create(folder / f"{name}.pem", "ES256")
    return name


def destroy_private(folder: Path, placed: Placed) -> None:
    """Killed anywhere, the public half is there: what the key signed goes on to verify. To be said again."""
    public = placed.key.public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    write_once(folder / f"{placed.name}.pub", public)
    (folder / f"{placed.name}.pem").unlink(missing_ok=True)


def distrust(folder: Path, placed: Placed, *, since: int) -> None:
    """The earliest moment that was ever said stays."""
    earliest = since if placed.distrusted_from is None else min(since, placed.distrusted_from)
    replace(folder / f"{placed.name}.distrusted", str(earliest).encode())
    destroy_private(folder, placed)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """One command at a time. Raises FolderTaken. What a killed one left half-written goes: it may be a private half."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    # A file, because a shared file system locks nothing that is open for reading only.
    descriptor = os.open(folder / ".signing.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FolderTaken from None
        # Not while servers that start make the first one, which take no turns.
        for stray in folder.glob(f".{_FIRST}*") if read(folder, {}) else ():
            stray.unlink(missing_ok=True)
        yield
    finally:
        os.close(descriptor)
