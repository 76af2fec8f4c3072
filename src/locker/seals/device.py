"""Seal keys in a PKCS#11 token: made there, used there, never seen by us.

A key pair is two objects whose CKA_LABEL is ``seal:`` and the administration.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from kit.device import DeviceFault, DeviceSession
from locker.seals.refusals import SealKeyExists, SealKeyMissing
from locker.signatures.signing_key import PublicKey

T = TypeVar("T")

log = logging.getLogger("khizana.seals")


class SealDevice:
    """Every method blocks, and is called from one thread."""

    def __init__(self, module: Path, *, token: str, pin: str) -> None:
        self._device = DeviceSession(module, token=token, pin=pin, name="seal device")

    def key(self, administration: str) -> "DeviceKey":
        """SealKeyMissing where there is none, or the device is away."""
        return DeviceKey(self, administration, self._tried(lambda: self._public(administration)))

    def make(self, administration: str) -> "DeviceKey":
        """A new P-256 pair. SealKeyExists where there is one."""

        def make() -> PublicKey:
            if self._device.holds(_label(administration)):
                raise SealKeyExists
            self._device.make_pair("P-256", _label(administration))
            return self._public(administration)

        return DeviceKey(self, administration, self._tried(make))

    def sign(self, administration: str, public: PublicKey, data: bytes) -> bytes:
        return self._tried(lambda: self._sign(administration, public, data))

    def _tried(self, call: Callable[[], T]) -> T:
        try:
            return self._device.tried_twice(call)
        except DeviceFault as fault:
            log.warning("the seal device: %s", type(fault).__name__)
            raise SealKeyMissing from fault

    def _public(self, administration: str) -> PublicKey:
        return cast("PublicKey", self._device.public_key(_label(administration)))

    def _sign(self, administration: str, public: PublicKey, data: bytes) -> bytes:
        if not hasattr(public, "curve"):
            return self._device.sign("RSA PKCS#1 with SHA-256", data, label=_label(administration))
        pair = self._device.sign("ECDSA with SHA-256", data, label=_label(administration))
        half = len(pair) // 2
        return encode_dss_signature(int.from_bytes(pair[:half]), int.from_bytes(pair[half:]))


class DeviceKey:
    """One administration's key in the device. ``sign`` is called from the device's thread."""

    def __init__(self, device: SealDevice, administration: str, public: PublicKey) -> None:
        self._device = device
        self._administration = administration
        self.public = public

    def sign(self, data: bytes, digest_algorithm: str) -> bytes:
        assert digest_algorithm == "sha256"
        return self._device.sign(self._administration, self.public, data)


def _label(administration: str) -> str:
    return f"seal:{administration}"
