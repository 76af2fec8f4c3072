"""Keys in a PKCS#11 token: made there, used there, never seen by us. The one seat of the library beneath.

It initialises a module without locks of its own: whoever calls one waits for its turn. More processes work in parallel.
"""

import contextlib
import functools
import hashlib
import logging
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar, cast

import pkcs11
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from pkcs11 import MGF, Attribute, GCMParams, KeyType, Mechanism, ObjectClass
from pkcs11.util.ec import encode_ec_public_key, encode_named_curve_parameters
from pkcs11.util.rsa import encode_rsa_public_key

DeviceFault = pkcs11.PKCS11Error
KeyMissing = pkcs11.NoSuchKey
"""A DeviceFault: the device is there, and has no such key."""
DevicePublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey

Pair = Literal["P-256", "Ed25519", "RSA-3072"]
Signing = Literal["ECDSA with SHA-256", "RSA PKCS#1 with SHA-256", "RSA-PSS with SHA-256", "Ed25519"]
"""ECDSA gives R and S as two halves (RFC 7518 §3.4); the salt of PSS is as long as the digest (§3.5)."""

_RSA_BITS = 3_072
_AES_BITS = 256
_ED25519 = "1.3.101.112"
_STAYS_INSIDE = {Attribute.PRIVATE: True, Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False}
_SIGNS_ONLY = {**_STAYS_INSIDE, Attribute.SIGN: True, Attribute.DECRYPT: False, Attribute.UNWRAP: False}
_ENCRYPTS_ONLY = {
    **_STAYS_INSIDE,
    Attribute.ENCRYPT: True,
    Attribute.DECRYPT: True,
    Attribute.WRAP: False,
    Attribute.UNWRAP: False,
    Attribute.SIGN: False,
}

T = TypeVar("T")

log = logging.getLogger("khizana.device")


class DeviceObject(NamedTuple):
    """An object by its CKA_LABEL and CKA_ID."""

    label: str
    key_id: bytes


class DeviceSession:
    """One process's session with a token, signed in. Blocks: all calls come from one thread, within ``tried_twice``."""

    def __init__(self, module: Path, *, token: str, pin: str, name: str) -> None:
        self._module = str(module)
        self._token = token
        self._pin = pin
        self._name = name
        self._process = os.getpid()
        self._session: Any = None
        self._pin_refused = False
        self._handles: dict[tuple[ObjectClass, str | None, bytes | None], Any] = {}

    def tried_twice(self, call: Callable[[], T]) -> T:
        """A session that died (a device that restarted) is opened anew, once. Raises DeviceFault."""
        assert os.getpid() == self._process, "a PKCS#11 session does not outlive a fork"
        with _turn(self._module):
            if self._session is not None:
                try:
                    return call()
                except DeviceFault:
                    self._forget()
            return call()

    def public_keys(self) -> Iterator[tuple[DeviceObject, Callable[[], DevicePublicKey]]]:
        """Each with what reads it: parsing is for those that are wanted."""
        for public in self._opened().get_objects({Attribute.CLASS: ObjectClass.PUBLIC_KEY}):
            yield DeviceObject(public.label or "", bytes(public.id)), functools.partial(_public_key, public)

    def public_key(self, label: str) -> DevicePublicKey:
        return _public_key(self._opened().get_key(object_class=ObjectClass.PUBLIC_KEY, label=label))

    def secret_keys(self) -> list[DeviceObject]:
        found = self._opened().get_objects({Attribute.CLASS: ObjectClass.SECRET_KEY})
        return [DeviceObject(key.label or "", bytes(key.id)) for key in found]

    def holds(self, label: str) -> bool:
        return bool(list(self._opened().get_objects({Attribute.LABEL: label})))

    def make_pair(self, pair: Pair, label: str) -> None:
        stored = {"store": True, "label": label, "id": os.urandom(16), "private_template": _SIGNS_ONLY}
        with self._writing() as session:
            match pair:
                case "P-256":
                    _curve(session, KeyType.EC, "secp256r1").generate_keypair(**stored)
                case "Ed25519":
                    _curve(session, KeyType.EC_EDWARDS, _ED25519).generate_keypair(
                        mechanism=Mechanism.EC_EDWARDS_KEY_PAIR_GEN, **stored
                    )
                case "RSA-3072":
                    session.generate_keypair(KeyType.RSA, _RSA_BITS, **stored)

    def make_secret(self, label: str) -> bytes:
        """An AES-256 key that encrypts and decrypts and does nothing else; its CKA_ID."""
        key_id = os.urandom(16)
        with self._writing() as session:
            session.generate_key(KeyType.AES, _AES_BITS, store=True, label=label, id=key_id, template=_ENCRYPTS_ONLY)
        return key_id

    def destroy(self, key_id: bytes) -> None:
        with self._writing() as session:
            for each in list(session.get_objects({Attribute.ID: key_id})):
                each.destroy()
        self._handles.clear()

    def sign(self, signing: Signing, data: bytes, *, label: str | None = None, key_id: bytes | None = None) -> bytes:
        key = self._key(ObjectClass.PRIVATE_KEY, label, key_id)
        match signing:
            case "ECDSA with SHA-256":
                # The raw mechanism: not every device hashes for ECDSA.
                signature = key.sign(hashlib.sha256(data).digest(), mechanism=Mechanism.ECDSA)
            case "RSA PKCS#1 with SHA-256":
                signature = key.sign(data, mechanism=Mechanism.SHA256_RSA_PKCS)
            case "RSA-PSS with SHA-256":
                pss = (Mechanism.SHA256, MGF.SHA256, 32)
                signature = key.sign(data, mechanism=Mechanism.SHA256_RSA_PKCS_PSS, mechanism_param=pss)
            case "Ed25519":
                signature = key.sign(data, mechanism=Mechanism.EDDSA)
        return bytes(signature)

    def encrypt(self, data: bytes, *, key_id: bytes, nonce: bytes, associated_data: bytes) -> bytes:
        """AES-256-GCM inside the token: ciphertext and a tag of 16 bytes."""
        key = self._key(ObjectClass.SECRET_KEY, None, key_id)
        params = GCMParams(nonce, associated_data, 128)
        return bytes(key.encrypt(data, mechanism=Mechanism.AES_GCM, mechanism_param=params))

    def decrypt(self, sealed: bytes, *, key_id: bytes, nonce: bytes, associated_data: bytes) -> bytes:
        """Raises NotDecrypted where the key, the nonce, the data or what it is bound to is another."""
        key = self._key(ObjectClass.SECRET_KEY, None, key_id)
        params = GCMParams(nonce, associated_data, 128)
        try:
            return bytes(key.decrypt(sealed, mechanism=Mechanism.AES_GCM, mechanism_param=params))
        except (pkcs11.EncryptedDataInvalid, pkcs11.EncryptedDataLenRange):
            raise NotDecrypted from None
        except (pkcs11.GeneralError, pkcs11.FunctionFailed) as fault:
            # Some devices have no better word for it. One that still encrypts is not away.
            self.encrypt(b"", key_id=key_id, nonce=os.urandom(len(nonce)), associated_data=b"")
            raise NotDecrypted from fault

    def _key(self, kind: ObjectClass, label: str | None, key_id: bytes | None) -> Any:
        session = self._opened()
        at = kind, label, key_id
        if at not in self._handles:
            named = {"label": label} if key_id is None else {"id": key_id}
            self._handles[at] = session.get_key(object_class=kind, **named)
        return self._handles[at]

    def _opened(self) -> Any:
        if self._session is None:
            library = pkcs11.lib(self._module)
            try:
                token = library.get_token(token_label=self._token)
            except DeviceFault:
                # A module lists the tokens that were there when it was initialised.
                library.reinitialize()
                token = library.get_token(token_label=self._token)
            if self._pin_refused:
                # A device locks itself after a few wrong ones.
                raise pkcs11.PinIncorrect
            try:
                self._session = token.open(user_pin=self._pin)
            except pkcs11.UserAlreadyLoggedIn:
                # Signing in is for all sessions of a process.
                self._session = token.open()
            except (pkcs11.PinIncorrect, pkcs11.PinLocked):
                self._pin_refused = True
                log.error("the %s refuses the PIN; it is not tried again before a restart", self._name)
                raise
        return self._session

    def _writing(self) -> Any:
        # A second session of this process is signed in already.
        self._opened()
        return pkcs11.lib(self._module).get_token(token_label=self._token).open(rw=True)

    def _forget(self) -> None:
        session, self._session = self._session, None
        self._handles.clear()
        with contextlib.suppress(DeviceFault):
            session.close()


class NotDecrypted(Exception):
    """It was not encrypted by this key for this purpose, or was changed since."""


@functools.cache
def _turn(module: str) -> threading.Lock:
    """The lock of one module in this process, whichever part of the program calls it."""
    return threading.Lock()


def _curve(session: Any, key_type: KeyType, name: str) -> Any:
    return session.create_domain_parameters(
        key_type, {Attribute.EC_PARAMS: encode_named_curve_parameters(name)}, local=True
    )


def _public_key(public: Any) -> DevicePublicKey:
    if public.key_type == KeyType.EC_EDWARDS:
        # A DER OCTET STRING around 32 octets; some devices leave it out.
        return ed25519.Ed25519PublicKey.from_public_bytes(bytes(public[Attribute.EC_POINT])[-32:])
    encode = encode_rsa_public_key if public.key_type == KeyType.RSA else encode_ec_public_key
    return cast("DevicePublicKey", serialization.load_der_public_key(encode(public)))
