"""Seal keys in a PKCS#11 token: made there, used there, never seen by us.

A key pair is two objects whose CKA_LABEL is ``seal:`` and the administration. One thread of a process does all calls,
with one session that is never carried across a fork; more processes seal in parallel.
"""

import contextlib
import hashlib
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import pkcs11
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass
from pkcs11.util.ec import encode_ec_public_key, encode_named_curve_parameters
from pkcs11.util.rsa import encode_rsa_public_key

from kit.device import turn
from locker.seals.refusals import SealKeyExists, SealKeyMissing
from locker.signatures.signing_key import PublicKey

_PRIVATE = {
    Attribute.PRIVATE: True,
    Attribute.SENSITIVE: True,
    Attribute.EXTRACTABLE: False,
    Attribute.SIGN: True,
    Attribute.DECRYPT: False,
    Attribute.UNWRAP: False,
}

T = TypeVar("T")

log = logging.getLogger("khizana.seals")


class SealDevice:
    """Every method blocks, and is called from one thread."""

    def __init__(self, module: Path, *, token: str, pin: str) -> None:
        self._module = str(module)
        self._token = token
        self._pin = pin
        self._process = os.getpid()
        self._session: Any = None
        self._pin_refused = False
        self._handles: dict[str, Any] = {}

    def key(self, administration: str) -> "DeviceKey":
        """SealKeyMissing where there is none, or the device is away."""
        return DeviceKey(self, administration, self._tried_twice(lambda: self._public(administration)))

    def make(self, administration: str) -> "DeviceKey":
        """A new P-256 pair. SealKeyExists where there is one."""

        def make() -> PublicKey:
            self._opened()
            with pkcs11.lib(self._module).get_token(token_label=self._token).open(rw=True) as session:
                if list(session.get_objects({Attribute.LABEL: _label(administration)})):
                    raise SealKeyExists
                curve = session.create_domain_parameters(
                    KeyType.EC, {Attribute.EC_PARAMS: encode_named_curve_parameters("secp256r1")}, local=True
                )
                curve.generate_keypair(
                    store=True, label=_label(administration), id=os.urandom(16), private_template=_PRIVATE
                )
            return self._public(administration)

        return DeviceKey(self, administration, self._tried_twice(make))

    def sign(self, administration: str, public: PublicKey, data: bytes) -> bytes:
        return self._tried_twice(lambda: self._sign(administration, public, data))

    def _tried_twice(self, call: Callable[[], T]) -> T:
        """A session that died (a device that restarted) is opened anew, once."""
        assert os.getpid() == self._process, "a PKCS#11 session does not outlive a fork"
        with turn(self._module):
            try:
                if self._session is not None:
                    try:
                        return call()
                    except pkcs11.PKCS11Error:
                        self._forget()
                return call()
            except pkcs11.PKCS11Error as fault:
                log.warning("the seal device: %s", type(fault).__name__)
                raise SealKeyMissing from fault

    def _opened(self) -> Any:
        if self._session is None:
            library = pkcs11.lib(self._module)
            try:
                token = library.get_token(token_label=self._token)
            except pkcs11.PKCS11Error:
                # A module lists the tokens that were there when it was initialised.
                library.reinitialize()
                token = library.get_token(token_label=self._token)
            if self._pin_refused:
                # A device locks itself after a few wrong ones.
                raise pkcs11.PinIncorrect
            try:
                self._session = token.open(user_pin=self._pin)
            except pkcs11.UserAlreadyLoggedIn:
                self._session = token.open()
            except (pkcs11.PinIncorrect, pkcs11.PinLocked):
                self._pin_refused = True
                log.error("the seal device refuses the PIN; it is not tried again before a restart")
                raise
        return self._session

    def _forget(self) -> None:
        session, self._session = self._session, None
        self._handles.clear()
        with contextlib.suppress(pkcs11.PKCS11Error):
            session.close()

    def _public(self, administration: str) -> PublicKey:
        public = self._opened().get_key(object_class=ObjectClass.PUBLIC_KEY, label=_label(administration))
        encode = encode_rsa_public_key if public.key_type == KeyType.RSA else encode_ec_public_key
        return cast("PublicKey", serialization.load_der_public_key(encode(public)))

    def _sign(self, administration: str, public: PublicKey, data: bytes) -> bytes:
        session = self._opened()
        if administration not in self._handles:
            self._handles[administration] = session.get_key(
                object_class=ObjectClass.PRIVATE_KEY, label=_label(administration)
            )
        key = self._handles[administration]
        if hasattr(public, "curve"):
            # The raw mechanism: not every device hashes for ECDSA. R and S come as two halves.
            pair = bytes(key.sign(hashlib.sha256(data).digest(), mechanism=Mechanism.ECDSA))
            half = len(pair) // 2
            return encode_dss_signature(int.from_bytes(pair[:half]), int.from_bytes(pair[half:]))
        return bytes(key.sign(data, mechanism=Mechanism.SHA256_RSA_PKCS))


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
