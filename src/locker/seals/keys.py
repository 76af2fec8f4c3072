"""Where seal keys live: a folder of ours, ``<administration>.pem`` (mode 0600), or a device that keeps them."""

import asyncio
import logging
import os
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from kit.offload import Offload
from locker.seals.device import SealDevice
from locker.seals.refusals import SealKeyExists, SealKeyMissing
from locker.seals.schema import SealingRow
from locker.signatures.sealer import DIGEST, Sealer
from locker.signatures.signing_key import MemoryKey, SealKey

ANSWER_MAX_S = 5.0
_KEPT_MAX = 1_000

log = logging.getLogger("khizana.seals")


class SealKeys:
    """Keeps what it has parsed. All waits are bounded: Unavailable when too many calls wait."""

    def __init__(self, folder: Path, device: SealDevice | None, *, threads: int = 2, waiting_max: int = 256) -> None:
        self._folder = folder
        self._device = device
        # Signing lets go of the interpreter's lock; one thread for a device, because its library knows no two.
        self._threads = Offload("seal keys", threads=1 if device else threads, waiting_max=waiting_max)
        self._kept: dict[str, tuple[Any, Sealer]] = {}

    async def sealer(self, row: SealingRow) -> Sealer:
        """SealKeyMissing where the key is not in its place; SealingRefused where it is not the certificate's."""
        sealer: Sealer = await self._run(self._sealer, row)
        return sealer

    async def sign(self, sealer: Sealer, attributes: bytes) -> bytes:
        return await self.sign_with(sealer.key, attributes)

    async def sign_with(self, key: SealKey, data: bytes) -> bytes:
        signature: bytes = await self._run(key.sign, data, DIGEST)
        return signature

    async def make(self, administration: str) -> SealKey:
        """A new P-256 key in its place. SealKeyExists where there is one."""
        key: SealKey = await self._run(self._make, administration)
        return key

    async def key(self, administration: str) -> SealKey:
        key: SealKey = await self._run(self._device.key if self._device else self._file, administration)
        return key

    def close(self) -> None:
        self._threads.close()

    async def _run(self, call: Any, *arguments: Any) -> Any:
        try:
            return await asyncio.wait_for(self._threads.run(call, *arguments), ANSWER_MAX_S)
        except TimeoutError:
            raise SealKeyMissing from None

    def _sealer(self, row: SealingRow) -> Sealer:
        stamp = None if self._device else self._stamp(row.administration)
        sign = (stamp, row.certificate, row.chain)
        kept = self._kept.get(row.administration)
        if kept is None or kept[0] != sign:
            key = self._device.key(row.administration) if self._device else self._file(row.administration)
            if len(self._kept) >= _KEPT_MAX:
                self._kept.clear()
            kept = self._kept[row.administration] = sign, Sealer(key, row.certificate, row.chain)
        return kept[1]

    def _path(self, administration: str) -> Path:
        return self._folder / f"{administration}.pem"

    def _stamp(self, administration: str) -> tuple[int, int]:
        """Moves when the file is another one."""
        try:
            found = os.stat(self._path(administration))
        except OSError as fault:
            log.error("the seal key of %s is not there", administration)
            raise SealKeyMissing from fault
        return found.st_ino, found.st_mtime_ns

    def _file(self, administration: str) -> MemoryKey:
        try:
            key = serialization.load_pem_private_key(self._path(administration).read_bytes(), None)
        except OSError as fault:
            raise SealKeyMissing from fault
        if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
            raise SealKeyMissing("neither P-256, P-384 nor RSA")
        return MemoryKey(key)

    def _make(self, administration: str) -> SealKey:
        if self._device:
            return self._device.make(administration)
        key = ec.generate_private_key(ec.SECP256R1())
        encoded = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            place = os.open(self._path(administration), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise SealKeyExists from None
        with os.fdopen(place, "wb") as file:
            file.write(encoded)
            file.flush()
            os.fsync(file.fileno())
        return MemoryKey(key)
