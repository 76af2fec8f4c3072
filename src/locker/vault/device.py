"""Master keys in a PKCS#11 token: AES-256 keys that were made there and never leave it. They encrypt 32 bytes with
AES-GCM inside the device, in the same wrapped form as a key in a file.

CKA_LABEL is ``khizana-master-`` and the millisecond in which it was made; its id is the CKA_ID. The newest one wraps.
"""

import asyncio
import re
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

from kit.device import DeviceFault, DeviceSession, KeyMissing, NotDecrypted
from kit.errors import Unavailable
from kit.offload import Offload
from locker.vault.keys import KeyNotAuthentic, MasterKey, former_of

ANSWER_MAX_S = 5.0
WAITING_MAX = 64
_LABEL = re.compile(r"khizana-master-(\d{1,15})", re.ASCII)
_ID = re.compile(r"[0-9a-f]{32}")
_VERSION = b"\x01"
_NONCE_BYTES = 12

T = TypeVar("T")


class MasterKeyDevice:
    """Opens nothing before it is asked: a process starts while the device is away."""

    def __init__(self, module: Path, *, token: str, pin: str, former_file: Path) -> None:
        """``former_file``: where the master key was before there was a device; its epochs open until they are moved."""
        self._device = DeviceSession(module, token=token, pin=pin, name="master key device")
        self._former_file = former_file
        self._offload = Offload("master key device", threads=1, waiting_max=WAITING_MAX)

    async def newest(self) -> MasterKey:
        placed = await self.placed()
        if not placed:
            raise Unavailable("no master key is in the device yet: khizana keys rotate-master")
        return DeviceMasterKey(self, placed[-1][1])

    async def named(self, id_: str) -> MasterKey | None:
        return DeviceMasterKey(self, id_) if _ID.fullmatch(id_) else former_of(self._former_file, id_)

    async def placed(self) -> list[tuple[datetime, str]]:
        """When each was made, and its id; the oldest first."""
        found = await self.run(self._device.secret_keys)
        labelled = [(_LABEL.fullmatch(each.label), each.key_id.hex()) for each in found]
        return sorted((datetime.fromtimestamp(int(label[1]) / 1_000, UTC), id_) for label, id_ in labelled if label)

    async def make(self) -> str:
        """The next one; it is the newest from now on."""
        label = f"khizana-master-{time.time_ns() // 1_000_000}"
        return (await self.run(lambda: self._device.make_secret(label))).hex()

    async def retire(self, *, needed: set[str], kept: timedelta) -> list[str]:
        """Destroy those that nothing needs and whose successor is older than ``kept``."""
        placed = await self.placed()
        gone = []
        for (_, id_), (succeeded_at, _successor) in pairwise(placed):
            if id_ not in needed and succeeded_at <= datetime.now(UTC) - kept:
                await self.run(partial(self._device.destroy, bytes.fromhex(id_)))
                gone.append(id_)
        return gone

    def encrypt(self, key_id: bytes, key: bytes, nonce: bytes, associated_data: bytes) -> bytes:
        return self._device.encrypt(key, key_id=key_id, nonce=nonce, associated_data=associated_data)

    def decrypt(self, key_id: bytes, sealed: bytes, nonce: bytes, associated_data: bytes) -> bytes:
        return self._device.decrypt(sealed, key_id=key_id, nonce=nonce, associated_data=associated_data)

    async def run(self, call: Callable[[], T]) -> T:
        try:
            return await asyncio.wait_for(self._offload.run(self._device.tried_twice, call), ANSWER_MAX_S)
        except KeyMissing:
            raise KeyNotAuthentic("another master key") from None
        except (DeviceFault, TimeoutError) as fault:
            raise Unavailable("master key device") from fault

    def close(self) -> None:
        self._offload.close()


class DeviceMasterKey:
    def __init__(self, device: MasterKeyDevice, id_: str) -> None:
        self._device = device
        self._id = id_

    @property
    def id(self) -> str:
        return self._id

    async def wrap(self, key: bytes, associated_data: bytes) -> bytes:
        nonce, key_id = secrets.token_bytes(_NONCE_BYTES), bytes.fromhex(self._id)
        sealed = await self._device.run(lambda: self._device.encrypt(key_id, key, nonce, associated_data))
        return _VERSION + nonce + sealed

    async def unwrap(self, wrapped: bytes, associated_data: bytes) -> bytes:
        if wrapped[:1] != _VERSION:
            raise KeyNotAuthentic("form")
        nonce, sealed = wrapped[1 : 1 + _NONCE_BYTES], wrapped[1 + _NONCE_BYTES :]
        key_id = bytes.fromhex(self._id)
        try:
            return await self._device.run(lambda: self._device.decrypt(key_id, sealed, nonce, associated_data))
        except NotDecrypted:
            raise KeyNotAuthentic from None
