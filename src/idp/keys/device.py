"""Signing keys in a PKCS#11 token: made there, used there, never seen by us.

A key pair is two objects with CKA_LABEL ``ALG-activates_at`` and one CKA_ID. One thread of a process does all calls.
"""

import asyncio
import logging
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar, cast

import msgspec
from cryptography.hazmat.primitives import serialization

from idp.keys.ring import Placed
from kit.device import DeviceFault, DeviceSession, Pair, Signing
from kit.errors import Unavailable
from kit.jose import ASYMMETRIC, Algorithm, DeviceKey, PublicKey
from kit.offload import Offload

ANSWER_MAX_S = 5.0
MAKE_MAX_S = 60.0
"""Some devices think long about an RSA key."""
WAITING_MAX = 256
_LABEL = re.compile(rf"({'|'.join(ASYMMETRIC)})-(\d{{1,12}})", re.ASCII)
_HOW: dict[Algorithm, tuple[Pair, Signing]] = {
    "ES256": ("P-256", "ECDSA with SHA-256"),
    "RS256": ("RSA-3072", "RSA PKCS#1 with SHA-256"),
    "PS256": ("RSA-3072", "RSA-PSS with SHA-256"),
    "EdDSA": ("Ed25519", "Ed25519"),
}

T = TypeVar("T")

log = logging.getLogger("khizana.keys")


class _Remembered(msgspec.Struct, frozen=True):
    """What a process that starts while the device is away still publishes."""

    name: str
    key_id: str
    spki: str


class KeyDevice:
    def __init__(self, module: Path, *, token: str, pin: str, remembered_in: Path) -> None:
        self.fresh = True
        self._device = DeviceSession(module, token=token, pin=pin, name="signing device")
        self._remembered = remembered_in / "published.json"
        self._offload = Offload("signing device", threads=1, waiting_max=WAITING_MAX)
        # Of the one thread:
        self._placed: dict[tuple[str, bytes], Placed] = {}

    async def read(self) -> Sequence[Placed]:
        """Also while the device is away: then what was read last, so that tokens are still verified."""
        try:
            placed = await self._run(self._read, max_s=ANSWER_MAX_S)
            self.fresh = True
            return placed
        except Unavailable:
            if self.fresh:
                log.warning("the signing device is away")
            self.fresh = False
            if self._placed:
                return list(self._placed.values())
            remembered = self._recalled()
            if not remembered:
                raise
            return remembered

    async def create(self, alg: Algorithm, *, activates_at: int) -> str:
        name = f"{alg}-{activates_at}"
        await self._run(lambda: self._device.make_pair(_HOW[alg][0], name), max_s=MAKE_MAX_S)
        return name

    async def remove(self, placed: Placed) -> None:
        await self._run(lambda: self._destroy(placed), max_s=ANSWER_MAX_S)

    async def check(self) -> None:
        """Unavailable where the device does not answer now, whatever was read before."""
        await self._run(self._read, max_s=ANSWER_MAX_S)

    def close(self) -> None:
        self._offload.close()

    async def _run(self, call: Callable[[], T], *, max_s: float) -> T:
        try:
            return await asyncio.wait_for(self._offload.run(self._device.tried_twice, call), max_s)
        except (DeviceFault, TimeoutError) as fault:
            raise Unavailable("signing device") from fault

    # Everything below runs in the one thread.

    def _read(self) -> Sequence[Placed]:
        found = {}
        for at, public_key in self._device.public_keys():
            if _LABEL.fullmatch(at.label):
                found[at] = self._placed.get(at) or self._placed_of(*at, public_key())
        changed = found.keys() != self._placed.keys()
        self._placed = dict(sorted(found.items()))
        if changed:
            self._remember()
        return list(self._placed.values())

    def _placed_of(self, name: str, key_id: bytes, public: PublicKey) -> Placed:
        alg, _, activates_at = name.partition("-")
        named = cast("Algorithm", alg)
        how = _HOW[named][1]

        async def sign_bytes(data: bytes) -> bytes:
            return await self._run(lambda: self._device.sign(how, data, key_id=key_id), max_s=ANSWER_MAX_S)

        return Placed(name, named, int(activates_at), DeviceKey(public, named, sign_bytes))

    def _destroy(self, placed: Placed) -> None:
        for (_, key_id), one in self._placed.items():
            if one.key.kid == placed.key.kid:
                self._device.destroy(key_id)

    def _remember(self) -> None:
        lines = [
            _Remembered(name, key_id.hex(), _spki(one.key.public).hex()) for (name, key_id), one in self._placed.items()
        ]
        self._remembered.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = self._remembered.with_suffix(f".{os.getpid()}.part")
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(msgspec.json.encode(lines))
        part.replace(self._remembered)

    def _recalled(self) -> list[Placed]:
        try:
            lines = msgspec.json.decode(self._remembered.read_bytes(), type=list[_Remembered])
        except FileNotFoundError:
            return []
        return [
            self._placed_of(
                line.name,
                bytes.fromhex(line.key_id),
                cast("PublicKey", serialization.load_der_public_key(bytes.fromhex(line.spki))),
            )
            for line in lines
        ]


def _spki(public: PublicKey) -> bytes:
    return public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
