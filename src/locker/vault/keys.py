"""Master key → epoch key (a month) → citizen key (an owner) → document key. Each is wrapped by the one above it.

Wrapped form: 0x01 | nonce (12) | AES-256-GCM of the 32 bytes (48), so 61 bytes. Associated data says what the key is
for, so that no row can be put in the place of another.
"""

import contextlib
import hashlib
import hmac
import os
import secrets
import time
from collections import OrderedDict
from pathlib import Path
from typing import Protocol, runtime_checkable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kit.db import Database, Tx
from locker.vault import store
from locker.vault.refusals import Erased
from locker.vault.schema import EpochKeyRow

KEY_BYTES = 32
_VERSION = b"\x01"
_NONCE_BYTES = 12

REMEMBERED_S = 300.0
REMEMBERED_MAX = 10_000


class KeyNotAuthentic(Exception):
    """This wrapped key was not made by that wrapping key for that purpose, or was changed since."""


class MasterKeyWrong(Exception):
    """The database's epoch keys were wrapped by another master key. Bring back its file; a new one opens nothing."""


class MasterKeyFileRefused(Exception):
    """The file is not 32 bytes that only its owner may read. The message says what to change."""


def canonical(*fields: str) -> bytes:
    """Associated data: each field as its length in bytes (4, big-endian) and its UTF-8. No two lists read the same."""
    encoded = (field.encode() for field in fields)
    return b"".join(len(field).to_bytes(4, "big") + field for field in encoded)


def epoch_associated_data(epoch: str) -> bytes:
    return canonical("epoch", epoch)


def citizen_associated_data(owner: str, epoch: str) -> bytes:
    return canonical("kek", owner, epoch)


def document_associated_data(owner: str, document_id: str, version: int, sealed_as: str) -> bytes:
    return canonical("dek", owner, document_id, str(version), sealed_as)


def content_associated_data(document_id: str, version: int) -> bytes:
    """What an outside tool gives to Tink together with the document key, to open the object."""
    return canonical("content", document_id, str(version))


def part_associated_data(document_id: str, version: int, part: str) -> bytes:
    """The same for what is sealed under the document key and kept in a row."""
    return canonical("part", document_id, str(version), part)


def wrap(wrapping: AESGCM, key: bytes, associated_data: bytes) -> bytes:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return _VERSION + nonce + wrapping.encrypt(nonce, key, associated_data)


def unwrap(wrapping: AESGCM, wrapped: bytes, associated_data: bytes) -> bytes:
    if len(wrapped) != 1 + _NONCE_BYTES + KEY_BYTES + 16 or wrapped[:1] != _VERSION:
        raise KeyNotAuthentic("form")
    try:
        return wrapping.decrypt(wrapped[1 : 1 + _NONCE_BYTES], wrapped[1 + _NONCE_BYTES :], associated_data)
    except InvalidTag:
        raise KeyNotAuthentic from None


@runtime_checkable
class MasterKey(Protocol):
    """Wraps a dozen epoch keys a year and unwraps one each few minutes; may be slow and may be a machine elsewhere."""

    @property
    def id(self) -> str:
        """Which master key this is, without telling it."""

    async def wrap(self, key: bytes, associated_data: bytes) -> bytes: ...

    async def unwrap(self, wrapped: bytes, associated_data: bytes) -> bytes:
        """Raises KeyNotAuthentic, or kit.errors.Unavailable where the machine is away."""


class FileMasterKey:
    """32 random bytes in a file that only its owner may read."""

    def __init__(self, key: bytes) -> None:
        self._wrapping = AESGCM(key)
        self._id = hmac.digest(key, b"khizana master key id", hashlib.sha256).hex()[:16]

    @classmethod
    def load(cls, file: Path) -> "FileMasterKey":
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as opened:
            status = os.fstat(opened.fileno())
            if status.st_mode & 0o077:
                raise MasterKeyFileRefused(f"others may read it: chmod 600 {file}")
            key = opened.read(KEY_BYTES + 1)
        if len(key) != KEY_BYTES:
            raise MasterKeyFileRefused(f"it must hold 32 bytes and nothing else: {file}")
        return cls(key)

    @classmethod
    def load_or_create(cls, file: Path) -> "FileMasterKey":
        """Many processes may start at once: one makes it, complete and on disk before its name appears."""
        try:
            return cls.load(file)
        except FileNotFoundError:
            file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as opened:
                opened.write(secrets.token_bytes(KEY_BYTES))
                opened.flush()
                os.fsync(opened.fileno())
            with contextlib.suppress(FileExistsError):
                os.link(fresh, file)
        finally:
            fresh.unlink()
        folder = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return cls.load(file)

    @property
    def id(self) -> str:
        return self._id

    async def wrap(self, key: bytes, associated_data: bytes) -> bytes:
        return wrap(self._wrapping, key, associated_data)

    async def unwrap(self, wrapped: bytes, associated_data: bytes) -> bytes:
        return unwrap(self._wrapping, wrapped, associated_data)


class _Remembered:
    """Unwrapped keys for a few minutes, the least used forgotten first. A barred name is not remembered again."""

    def __init__(self, *, lifetime_s: float, entries_max: int) -> None:
        self._lifetime_s = lifetime_s
        self._entries_max = entries_max
        self._entries: OrderedDict[str, tuple[float, AESGCM | None]] = OrderedDict()

    def get(self, name: str) -> AESGCM | None:
        entry = self._entries.get(name)
        if entry is None:
            return None
        until, key = entry
        if until <= time.monotonic():
            del self._entries[name]
            return None
        self._entries.move_to_end(name)
        return key

    def keep(self, name: str, key: AESGCM) -> None:
        if self.get(name) is None and name in self._entries:
            return
        self._put(name, key)

    def bar(self, name: str) -> None:
        """A reader that saw the row before it was destroyed must not bring it back to mind."""
        self._put(name, None)

    def _put(self, name: str, key: AESGCM | None) -> None:
        self._entries[name] = (time.monotonic() + self._lifetime_s, key)
        self._entries.move_to_end(name)
        while len(self._entries) > self._entries_max:
            self._entries.popitem(last=False)


class Keys:
    """The hierarchy of one database. A citizen key is made when its owner first needs one."""

    def __init__(
        self,
        db: Database,
        master: MasterKey,
        *,
        remembered_s: float = REMEMBERED_S,
        remembered_max: int = REMEMBERED_MAX,
    ) -> None:
        if not 0 <= remembered_s <= REMEMBERED_S:
            raise ValueError("an unwrapped key lives for five minutes at most")
        self._db = db
        self._master = master
        self._citizens = _Remembered(lifetime_s=remembered_s, entries_max=remembered_max)
        self._epochs = _Remembered(lifetime_s=remembered_s, entries_max=100)

    async def check(self) -> None:
        """The master key opens the newest epoch key, if there is one. Raises MasterKeyWrong."""
        newest = await store.newest_epoch(self._db)
        if newest is not None:
            try:
                await self._unwrap_epoch(newest)
            except KeyNotAuthentic:
                raise MasterKeyWrong(f"epoch {newest.epoch} needs master key {newest.master_id}") from None

    async def new_document_key(
        self, *, owner: str, document_id: str, version: int, sealed_as: str
    ) -> tuple[bytes, bytes, str]:
        """A fresh document key, the same wrapped, and the epoch of the citizen key. Raises Erased.

        Looks at the row each time: what is sealed under a key that was destroyed elsewhere would be lost.
        """
        citizen, epoch = await self._citizen_key_to_write(owner)
        key = secrets.token_bytes(KEY_BYTES)
        wrapped = wrap(citizen, key, document_associated_data(owner, document_id, version, sealed_as))
        return key, wrapped, epoch

    async def document_key(
        self, wrapped: bytes, *, owner: str, document_id: str, version: int, sealed_as: str
    ) -> bytes:
        """Raises Erased, and KeyNotAuthentic where the row was changed or is another's."""
        citizen = self._citizens.get(owner) or await self._citizen_key_to_read(owner)
        return unwrap(citizen, wrapped, document_associated_data(owner, document_id, version, sealed_as))

    async def hold(self, tx: Tx, owner: str) -> None:
        """In the transaction that records what was sealed: the key stands until it commits. Raises Erased."""
        if not await store.hold_citizen_key(tx, owner):
            raise Erased

    async def destroy(self, tx: Tx, owner: str) -> bool:
        """For ever: nothing of this owner can be read again, nor anything added. False: it was so before.

        This process forgets at once; another may remember the unwrapped key for ``remembered_s``.
        """
        destroyed = await store.destroy_citizen_key(tx, owner)
        self._citizens.bar(owner)
        return destroyed

    async def rewrap(self, *, batch_max: int = 500) -> int:
        """Move at most ``batch_max`` citizen keys of older epochs under this month's; how many. 0: all stand there.

        Resumable and safe beside itself, reads and erasures: a key that changed meanwhile is left for the next call.
        """
        epoch, wrapping = await self._current_epoch()
        rows = await store.citizen_keys_behind(self._db, epoch, limit=batch_max)
        before, after = [], []
        for row in rows:
            assert row.wrapped_key is not None
            key = unwrap(await self._epoch(row.epoch), row.wrapped_key, citizen_associated_data(row.owner, row.epoch))
            before.append(row.wrapped_key)
            after.append(wrap(wrapping, key, citizen_associated_data(row.owner, epoch)))
        if not rows:
            return 0
        return await store.move_citizen_keys(
            self._db, epoch=epoch, owners=[row.owner for row in rows], before=before, after=after
        )

    async def destroy_epoch(self, epoch: str) -> bool:
        """Backups older than the last rewrap then hold citizen keys that nothing opens.

        Refused (False) for an epoch of the last four weeks and for one that a citizen key still needs.
        """
        destroyed = await store.destroy_epoch_key(self._db, epoch)
        if destroyed:
            self._epochs.bar(epoch)
        return destroyed

    async def _citizen_key_to_read(self, owner: str) -> AESGCM:
        row = await store.citizen_key(self._db, owner)
        if row is None:
            raise KeyNotAuthentic("the owner has no key")
        if row.wrapped_key is None:
            raise Erased
        return await self._unwrap_citizen(owner, row.epoch, row.wrapped_key)

    async def _citizen_key_to_write(self, owner: str) -> tuple[AESGCM, str]:
        row = await store.citizen_key(self._db, owner)
        if row is None:
            epoch, wrapping = await self._current_epoch()
            fresh = secrets.token_bytes(KEY_BYTES)
            wrapped = wrap(wrapping, fresh, citizen_associated_data(owner, epoch))
            if await store.add_citizen_key(self._db, owner=owner, epoch=epoch, wrapped_key=wrapped):
                citizen = AESGCM(fresh)
                self._citizens.keep(owner, citizen)
                return citizen, epoch
            row = await store.citizen_key(self._db, owner)
            assert row is not None
        if row.wrapped_key is None:
            raise Erased
        citizen = self._citizens.get(owner) or await self._unwrap_citizen(owner, row.epoch, row.wrapped_key)
        return citizen, row.epoch

    async def _unwrap_citizen(self, owner: str, epoch: str, wrapped: bytes) -> AESGCM:
        key = AESGCM(unwrap(await self._epoch(epoch), wrapped, citizen_associated_data(owner, epoch)))
        self._citizens.keep(owner, key)
        return key

    async def _epoch(self, epoch: str) -> AESGCM:
        remembered = self._epochs.get(epoch)
        if remembered is not None:
            return remembered
        row = await store.epoch_key(self._db, epoch)
        if row is None:
            raise KeyNotAuthentic("no such epoch")
        return await self._unwrap_epoch(row)

    async def _current_epoch(self) -> tuple[str, AESGCM]:
        row = await store.current_epoch(self._db)
        if row.master_id is None:
            fresh = await self._master.wrap(secrets.token_bytes(KEY_BYTES), epoch_associated_data(row.epoch))
            await store.add_epoch_key(self._db, epoch=row.epoch, master_id=self._master.id, wrapped_key=fresh)
            made = await store.epoch_key(self._db, row.epoch)
            assert made is not None
            row = made
        return row.epoch, self._epochs.get(row.epoch) or await self._unwrap_epoch(row)

    async def _unwrap_epoch(self, row: EpochKeyRow) -> AESGCM:
        if row.wrapped_key is None:
            raise KeyNotAuthentic("this epoch was destroyed")
        if row.master_id != self._master.id:
            raise KeyNotAuthentic("another master key")
        key = AESGCM(await self._master.unwrap(row.wrapped_key, epoch_associated_data(row.epoch)))
        self._epochs.keep(row.epoch, key)
        return key
