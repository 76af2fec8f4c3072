"""Signing keys in a PKCS#11 token: made there, used there, never seen by us.

A key pair is two objects with CKA_LABEL ``ALG-activates_at`` and one CKA_ID. The library underneath initialises a
module without locks, so one thread of a process does all its calls, with one session; more processes sign in parallel.
"""

import asyncio
import contextlib
import hashlib
import logging
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec
import pkcs11
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from pkcs11 import MGF, Attribute, KeyType, Mechanism, ObjectClass
from pkcs11.util.ec import encode_ec_public_key, encode_named_curve_parameters
from pkcs11.util.rsa import encode_rsa_public_key

from idp.keys.ring import Placed
from kit.device import turn
from kit.errors import Unavailable
from kit.jose import ASYMMETRIC, Algorithm, DeviceKey, PublicKey
from kit.offload import Offload

ANSWER_MAX_S = 5.0
MAKE_MAX_S = 60.0
"""Some devices think long about an RSA key."""
WAITING_MAX = 256
_RSA_BITS = 3_072
_ED25519 = "1.3.101.112"
_LABEL = re.compile(rf"({'|'.join(ASYMMETRIC)})-(\d{{1,12}})", re.ASCII)
_PRIVATE = {
    Attribute.PRIVATE: True,
    Attribute.SENSITIVE: True,
    Attribute.EXTRACTABLE: False,
    Attribute.SIGN: True,
    Attribute.DECRYPT: False,
    Attribute.UNWRAP: False,
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
        self._module = str(module)
        self._token = token
        self._pin = pin
        self._remembered = remembered_in / "published.json"
        self._offload = Offload("signing device", threads=1, waiting_max=WAITING_MAX)
        # Of the one thread:
        self._session: Any = None
        self._pin_refused = False
        self._handles: dict[bytes, Any] = {}
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
        await self._run(lambda: self._make(alg, name), max_s=MAKE_MAX_S)
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
            return await asyncio.wait_for(self._offload.run(self._tried_twice, call), max_s)
        except (pkcs11.PKCS11Error, TimeoutError) as fault:
            raise Unavailable("signing device") from fault

    # Everything below runs in the one thread.

    def _tried_twice(self, call: Callable[[], T]) -> T:
        """A session that died (a device that restarted) is opened anew, once."""
        with turn(self._module):
            if self._session is not None:
                try:
                    return call()
                except pkcs11.PKCS11Error:
                    self._forget()
            return call()

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
                # Signing in is for all sessions of a process.
                self._session = token.open()
            except (pkcs11.PinIncorrect, pkcs11.PinLocked):
                self._pin_refused = True
                log.error("the signing device refuses the PIN; it is not tried again before a restart")
                raise
        return self._session

    def _forget(self) -> None:
        session, self._session = self._session, None
        self._handles.clear()
        with contextlib.suppress(pkcs11.PKCS11Error):
            session.close()

    def _read(self) -> Sequence[Placed]:
        found = {}
        for public in self._opened().get_objects({Attribute.CLASS: ObjectClass.PUBLIC_KEY}):
            if not _LABEL.fullmatch(public.label or ""):
                continue
            at = public.label, bytes(public.id)
            found[at] = self._placed.get(at) or self._placed_of(*at, _public_key(public))
        changed = found.keys() != self._placed.keys()
        self._placed = dict(sorted(found.items()))
        if changed:
            self._remember()
        return list(self._placed.values())

    def _placed_of(self, name: str, key_id: bytes, public: PublicKey) -> Placed:
        alg, _, activates_at = name.partition("-")
        named = cast("Algorithm", alg)

        async def sign_bytes(data: bytes) -> bytes:
            return await self._run(lambda: self._sign(named, key_id, data), max_s=ANSWER_MAX_S)

        return Placed(name, named, int(activates_at), DeviceKey(public, named, sign_bytes))

    def _sign(self, alg: Algorithm, key_id: bytes, data: bytes) -> bytes:
        session = self._opened()
        if key_id not in self._handles:
            self._handles[key_id] = session.get_key(object_class=ObjectClass.PRIVATE_KEY, id=key_id)
        key = self._handles[key_id]
        match alg:
            case "ES256":
                # R and S, as RFC 7518 §3.4 wants them too.
                signature = key.sign(hashlib.sha256(data).digest(), mechanism=Mechanism.ECDSA)
            case "RS256":
                signature = key.sign(data, mechanism=Mechanism.SHA256_RSA_PKCS)
            case "PS256":
                # RFC 7518 §3.5: MGF1 with SHA-256, a salt as long as the digest.
                pss = (Mechanism.SHA256, MGF.SHA256, 32)
                signature = key.sign(data, mechanism=Mechanism.SHA256_RSA_PKCS_PSS, mechanism_param=pss)
            case "EdDSA":
                signature = key.sign(data, mechanism=Mechanism.EDDSA)
        return bytes(signature)

    def _make(self, alg: Algorithm, name: str) -> None:
        stored = {"store": True, "label": name, "id": os.urandom(16), "private_template": _PRIVATE}
        self._opened()
        with self._writing() as session:
            match alg:
                case "ES256":
                    _curve(session, KeyType.EC, "secp256r1").generate_keypair(**stored)
                case "EdDSA":
                    _curve(session, KeyType.EC_EDWARDS, _ED25519).generate_keypair(
                        mechanism=Mechanism.EC_EDWARDS_KEY_PAIR_GEN, **stored
                    )
                case _:
                    session.generate_keypair(KeyType.RSA, _RSA_BITS, **stored)

    def _destroy(self, placed: Placed) -> None:
        ids = [key_id for (name, key_id), one in self._placed.items() if one.key.kid == placed.key.kid]
        self._opened()
        with self._writing() as session:
            for key_id in ids:
                for each in list(session.get_objects({Attribute.ID: key_id})):
                    each.destroy()
                self._handles.pop(key_id, None)

    def _writing(self) -> Any:
        # A second session of this process is signed in already.
        return pkcs11.lib(self._module).get_token(token_label=self._token).open(rw=True)

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


def _curve(session: Any, key_type: KeyType, name: str) -> Any:
    return session.create_domain_parameters(
        key_type, {Attribute.EC_PARAMS: encode_named_curve_parameters(name)}, local=True
    )


def _public_key(public: Any) -> PublicKey:
    if public.key_type == KeyType.RSA:
        return cast("PublicKey", serialization.load_der_public_key(encode_rsa_public_key(public)))
    if public.key_type == KeyType.EC_EDWARDS:
        # A DER OCTET STRING around 32 octets; some devices leave it out.
        return ed25519.Ed25519PublicKey.from_public_bytes(bytes(public[Attribute.EC_POINT])[-32:])
    key = serialization.load_der_public_key(encode_ec_public_key(public))
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return key


def _spki(public: PublicKey) -> bytes:
    return public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
