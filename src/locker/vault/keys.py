"""Master key → epoch key (a month) → citizen key (an owner) → document key. Each is wrapped by the one above it.

Wrapped form: 0x01 | nonce (12) | AES-256-GCM of the 32 bytes (48), so 61 bytes. Associated data says what the key is
for, so that no row can be put in the place of another.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import hmac
import logging
import math
import os
import re
import secrets
import time
from collections import OrderedDict
from pathlib import Path
from typing import NamedTuple, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kit.db import Database, Tx
from kit.whole_file import replace, write_once
from locker.vault import store
from locker.vault.refusals import Erased
from locker.vault.schema import CitizenKeyRow, EpochKeyRow

KEY_BYTES = 32
_VERSION = b"\x01"
_NONCE_BYTES = 12
_FILE_ID = re.compile(r"[0-9a-f]{16}")

log = logging.getLogger("locker.vault")

REMEMBERED_S = 300.0
REMEMBERED_MAX = 10_000


class KeyNotAuthentic(Exception):
    """This wrapped key was not made by that wrapping key for that purpose, or was changed since."""


class EpochDestroyed(KeyNotAuthentic):
    """What it wrapped is noise."""


class MasterKeyMissing(KeyNotAuthentic):
    """It is where this process does not look, or gone. The message says which one."""


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


class MasterKey(Protocol):
    """Wraps a dozen epoch keys a year and unwraps one each few minutes; may be slow and may be a machine elsewhere."""

    @property
    def id(self) -> str:
        """Which master key this is, without telling it."""

    async def wrap(self, key: bytes, associated_data: bytes) -> bytes: ...

    async def unwrap(self, wrapped: bytes, associated_data: bytes) -> bytes:
        """Raises KeyNotAuthentic, or kit.errors.Unavailable where the machine is away."""


class MasterKeys(Protocol):
    """Where master keys live: the newest, and former ones that something still needs."""

    async def newest(self) -> MasterKey:
        """Under which epoch keys are wrapped now. Unavailable where it cannot be asked."""

    async def named(self, id_: str) -> MasterKey | None: ...

    def close(self) -> None: ...


class FileMasterKey:
    """32 random bytes in a file that only its owner may read. A former one stands beside it as ``master-<id>.key``."""

    def __init__(self, key: bytes, file: Path | None = None) -> None:
        self._file = file
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
        return cls(key, file)

    @classmethod
    def load_or_create(cls, file: Path) -> "FileMasterKey":
        """Many processes may start at once: one makes it, complete and on disk before its name appears."""
        try:
            return cls.load(file)
        except FileNotFoundError:
            file.parent.mkdir(parents=True, exist_ok=True)
        write_once(file, secrets.token_bytes(KEY_BYTES))
        return cls.load(file)

    @property
    def id(self) -> str:
        return self._id

    async def wrap(self, key: bytes, associated_data: bytes) -> bytes:
        return wrap(self._wrapping, key, associated_data)

    async def unwrap(self, wrapped: bytes, associated_data: bytes) -> bytes:
        return unwrap(self._wrapping, wrapped, associated_data)

    async def newest(self) -> "FileMasterKey":
        """Another process may have put a new one in its place."""
        if self._file is not None:
            with contextlib.suppress(FileNotFoundError):
                return self.load(self._file)
        return self

    async def named(self, id_: str) -> "FileMasterKey | None":
        if id_ == self.id:
            return self
        newest = await self.newest()
        if id_ == newest.id:
            return newest
        return former_of(self._file, id_) if self._file else None

    def close(self) -> None: ...


def former_of(file: Path, id_: str) -> FileMasterKey | None:
    if not _FILE_ID.fullmatch(id_):
        return None
    try:
        return FileMasterKey.load(file.with_name(f"master-{id_}.key"))
    except FileNotFoundError:
        return None


def replace_file(file: Path) -> FileMasterKey:
    """A new key in the place of ``file``, which stays as a former one. Killed at any point, no key is lost."""
    descriptor = os.open(file.parent, os.O_RDONLY)
    try:
        # Of two at once each replaces what the other made, never the same one.
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        former = FileMasterKey.load(file)
        write_once(file.with_name(f"master-{former.id}.key"), file.read_bytes())
        replace(file, secrets.token_bytes(KEY_BYTES))
        return FileMasterKey.load(file)
    finally:
        os.close(descriptor)


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

    def until(self, name: str) -> float:
        """When ``name`` is forgotten; now, where it is not known."""
        return self._entries[name][0] if self.get(name) else time.monotonic()

    def keep(self, name: str, key: AESGCM, *, until: float = math.inf) -> None:
        if self.get(name) is None and name in self._entries:
            return
        self._put(name, key, until=until)

    def bar(self, name: str) -> None:
        """A reader that saw the row before it was destroyed must not bring it back to mind."""
        self._put(name, None)

    def _put(self, name: str, key: AESGCM | None, *, until: float = math.inf) -> None:
        self._entries[name] = (min(until, time.monotonic() + self._lifetime_s), key)
        self._entries.move_to_end(name)
        while len(self._entries) > self._entries_max:
            self._entries.popitem(last=False)


class Rewrapped(NamedTuple):
    moved: int
    """Others were moved or destroyed by somebody else meanwhile."""
    unreadable: int
    """That are not what their epoch wrapped. They stay as they are, and their epoch with them."""
    last: tuple[str, str] | None
    """From where to go on: an epoch and an owner. None: no key stood under an older one."""


class Keys:
    """The hierarchy of one database. A citizen key is made when its owner first needs one."""

    def __init__(
        self,
        db: Database,
        masters: MasterKeys,
        *,
        remembered_s: float = REMEMBERED_S,
        remembered_max: int = REMEMBERED_MAX,
    ) -> None:
        if not 0 <= remembered_s <= REMEMBERED_S:
            raise ValueError("an unwrapped key lives for five minutes at most")
        self._db = db
        self._masters = masters
        self._citizens = _Remembered(lifetime_s=remembered_s, entries_max=remembered_max)
        self._epochs = _Remembered(lifetime_s=remembered_s, entries_max=100)
        self._opening: dict[str, asyncio.Task[AESGCM]] = {}

    async def check(self) -> None:
        """The master key opens the newest epoch key, if there is one. Raises MasterKeyWrong."""
        newest = await store.newest_epoch(self._db)
        if newest is not None:
            try:
                await self._unwrap_epoch(newest)
            except KeyNotAuthentic:
                raise MasterKeyWrong(f"epoch {newest.epoch} needs master key {newest.master_id}") from None

    def close(self) -> None:
        self._masters.close()

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

    async def hold(self, tx: Tx, owner: str, *, parted_too: bool = False) -> None:
        """In the transaction that records what was sealed: the key stands until it commits. Raises Erased."""
        if not await store.hold_citizen_key(tx, owner, parted_too=parted_too):
            raise Erased

    async def is_erased(self, owner: str) -> bool:
        return await store.is_destroyed(self._db, owner)

    async def destroy(self, tx: Tx, owner: str) -> bool:
        """For ever: nothing of this owner can be read again, nor anything added. False: it was so before.

        This process forgets at once; another may remember the unwrapped key for ``remembered_s``.
        """
        destroyed = await store.destroy_citizen_key(tx, owner)
        self._citizens.bar(owner)
        return destroyed

    async def count_behind(self) -> int:
        """Citizen keys under an older epoch than this month's."""
        return await store.count_citizen_keys_behind(self._db, (await store.current_epoch(self._db)).epoch)

    async def rewrap(self, *, after: tuple[str, str] = ("", ""), batch_max: int = 500) -> Rewrapped:
        """Move at most ``batch_max`` citizen keys of older epochs, those that follow ``after``, under this month's in
        one statement.

        Resumable and safe beside itself, reads, deposits and erasures: a key that changed meanwhile is left. One that
        is damaged keeps nobody else's from moving. Raises MasterKeyMissing.
        """
        current = (await store.current_epoch(self._db)).epoch
        rows = await store.citizen_keys_behind(self._db, current, after=after, limit=batch_max)
        if not rows:
            return Rewrapped(0, 0, None)
        epoch, wrapping = await self._current_epoch()
        moves = []
        for row in rows:
            key = await self._rewrapped(row)
            if key is not None:
                moves.append(
                    (row.owner, row.wrapped_key, wrap(wrapping, key, citizen_associated_data(row.owner, epoch)))
                )
        moved = await store.move_citizen_keys(
            self._db,
            epoch=epoch,
            owners=[owner for owner, _, _ in moves],
            before=[before for _, before, _ in moves if before],
            after=[wrapped for _, _, wrapped in moves],
        )
        return Rewrapped(moved, len(rows) - len(moves), (rows[-1].epoch, rows[-1].owner))

    async def _rewrapped(self, row: CitizenKeyRow) -> bytes | None:
        assert row.wrapped_key is not None
        try:
            return unwrap(await self._epoch(row.epoch), row.wrapped_key, citizen_associated_data(row.owner, row.epoch))
        except MasterKeyMissing:
            raise
        except KeyNotAuthentic:
            log.critical("integrity alarm: the citizen key of %s is not what epoch %s wrapped", row.owner, row.epoch)
            return None

    async def rewrap_epochs(self) -> list[str]:
        """Epoch keys that a former master key wraps go under the newest one; which were moved."""
        newest = await self._masters.newest()
        moved = []
        for row in await store.epochs_of_other_masters(self._db, newest.id):
            assert row.wrapped_key is not None
            key = await self._unwrapped(row)
            after = await newest.wrap(key, epoch_associated_data(row.epoch))
            if await store.move_epoch_key(
                self._db, epoch=row.epoch, master_id=newest.id, before=row.wrapped_key, after=after
            ):
                moved.append(row.epoch)
        return moved

    async def masters_needed(self) -> set[str]:
        return await store.master_ids(self._db)

    async def destroy_unneeded_epochs(self) -> list[str]:
        """Every epoch key that is old enough and wraps nothing any more; which were destroyed."""
        return [epoch for epoch in await store.epochs(self._db) if await self.destroy_epoch(epoch)]

    async def destroy_epoch(self, epoch: str) -> bool:
        """Refused (False) for an epoch of the last four weeks and for one that a citizen key still needs."""
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
                self._citizens.keep(owner, citizen, until=self._epochs.until(epoch))
                return citizen, epoch
            row = await store.citizen_key(self._db, owner)
            assert row is not None
        if row.wrapped_key is None:
            raise Erased
        citizen = self._citizens.get(owner) or await self._unwrap_citizen(owner, row.epoch, row.wrapped_key)
        return citizen, row.epoch

    async def _unwrap_citizen(self, owner: str, epoch: str, wrapped: bytes) -> AESGCM:
        try:
            wrapping = await self._epoch(epoch)
        except EpochDestroyed:
            # A rewrap moved the key between our two reads, and the epoch went with its last one.
            row = await store.citizen_key(self._db, owner)
            if row is None or row.wrapped_key is None or row.epoch == epoch:
                raise
            epoch, wrapped = row.epoch, row.wrapped_key
            wrapping = await self._epoch(epoch)
        key = AESGCM(unwrap(wrapping, wrapped, citizen_associated_data(owner, epoch)))
        # Not longer than its epoch's: five minutes after the master key went away, nothing opens (F-29).
        self._citizens.keep(owner, key, until=self._epochs.until(epoch))
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
            master = await self._masters.newest()
            fresh = await master.wrap(secrets.token_bytes(KEY_BYTES), epoch_associated_data(row.epoch))
            await store.add_epoch_key(self._db, epoch=row.epoch, master_id=master.id, wrapped_key=fresh)
            made = await store.epoch_key(self._db, row.epoch)
            assert made is not None
            row = made
        return row.epoch, self._epochs.get(row.epoch) or await self._unwrap_epoch(row)

    async def _unwrap_epoch(self, row: EpochKeyRow) -> AESGCM:
        """Many that need it at once ask the master key once, and share also its silence."""
        opening = self._opening.get(row.epoch)
        if opening is None:
            opening = self._opening[row.epoch] = asyncio.create_task(self._opened_epoch(row))
            opening.add_done_callback(lambda _: self._opening.pop(row.epoch, None))
        return await asyncio.shield(opening)

    async def _opened_epoch(self, row: EpochKeyRow) -> AESGCM:
        key = AESGCM(await self._unwrapped(row))
        self._epochs.keep(row.epoch, key)
        return key

    async def _unwrapped(self, row: EpochKeyRow) -> bytes:
        if row.wrapped_key is None:
            raise EpochDestroyed
        assert row.master_id is not None
        master = await self._masters.named(row.master_id)
        if master is None:
            raise MasterKeyMissing(f"epoch {row.epoch} is under master key {row.master_id}, which is not here")
        return await master.unwrap(row.wrapped_key, epoch_associated_data(row.epoch))
