"""An authenticator in software: what a device with a fingerprint reader answers, and what a forger would."""

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

import httpx
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from webauthn.helpers import encode_cbor

from tests.people import submit
from tests.provider import ORIGIN

RP_ID = "id.test"
UP, UV, BE, BS, AT, ED = 1, 4, 8, 16, 64, 128

Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def new_key(alg: int) -> Key:
    if alg == -8:
        return ed25519.Ed25519PrivateKey.generate()
    if alg == -257:
        return rsa.generate_private_key(65_537, 2_048)
    return ec.generate_private_key(ec.SECP256R1())


@dataclass
class SoftPasskey:
    alg: int = -7
    counts: bool = True
    flags: int = UP | UV | BE | BS
    key: Key = field(default=None)  # type: ignore[assignment]
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    sign_count: int = 0
    handle: bytes = b""

    def __post_init__(self) -> None:
        self.key = self.key or new_key(self.alg)

    def public_key(self) -> bytes:
        """COSE_Key"""
        if isinstance(self.key, ec.EllipticCurvePrivateKey):
            numbers = self.key.public_key().public_numbers()
            return encode_cbor(
                {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
            )
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            return encode_cbor({1: 1, 3: -8, -1: 6, -2: self.key.public_key().public_bytes_raw()})
        rsa_numbers = self.key.public_key().public_numbers()
        return encode_cbor({1: 3, 3: -257, -1: rsa_numbers.n.to_bytes(256, "big"), -2: b"\x01\x00\x01"})

    def create(self, options: dict[str, Any], **changed: Any) -> str:
        """``RegistrationResponseJSON``"""
        self.handle = unb64(options["user"]["id"])
        length = len(self.credential_id).to_bytes(2, "big")
        attested = bytes(16) + length + self.credential_id + changed.pop("public_key", self.public_key())
        extensions = changed.pop("extensions", b"")
        data = self._authenticator_data(AT | (ED if extensions else 0), changed) + attested + extensions
        attestation = {"fmt": changed.pop("fmt", "none"), "attStmt": {}, "authData": data}
        return json.dumps(
            {
                "id": b64(self.credential_id),
                "rawId": b64(self.credential_id),
                "type": "public-key",
                "response": {
                    "clientDataJSON": b64(_client_data("webauthn.create", options, changed)),
                    "attestationObject": b64(encode_cbor(attestation)),
                    "transports": ["internal"],
                },
            }
        )

    def get(self, options: dict[str, Any], **changed: Any) -> str:
        """``AuthenticationResponseJSON``"""
        if self.counts and "sign_count" not in changed:
            self.sign_count += 1
        extensions = changed.pop("extensions", b"")
        data = self._authenticator_data(ED if extensions else 0, changed) + extensions
        client_data = _client_data("webauthn.get", options, changed)
        handle = changed.pop("handle", self.handle)
        return json.dumps(
            {
                "id": b64(self.credential_id),
                "rawId": b64(self.credential_id),
                "type": "public-key",
                "response": {
                    "clientDataJSON": b64(client_data),
                    "authenticatorData": b64(data),
                    "signature": b64(self._sign(data + hashlib.sha256(client_data).digest())),
                    "userHandle": b64(handle) if handle else None,
                },
            }
        )

    def _authenticator_data(self, more: int, changed: dict[str, Any]) -> bytes:
        flags = changed.pop("flags", self.flags) | more
        count = changed.pop("sign_count", self.sign_count)
        return hashlib.sha256(changed.pop("rp_id", RP_ID).encode()).digest() + bytes([flags]) + count.to_bytes(4, "big")

    def _sign(self, message: bytes) -> bytes:
        if isinstance(self.key, ec.EllipticCurvePrivateKey):
            return self.key.sign(message, ec.ECDSA(hashes.SHA256()))
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            return self.key.sign(message)
        return self.key.sign(message, padding.PKCS1v15(), hashes.SHA256())


def _client_data(ceremony: str, options: dict[str, Any], changed: dict[str, Any]) -> bytes:
    data = {
        "type": changed.pop("type", ceremony),
        "challenge": changed.pop("challenge", options["challenge"]),
        "origin": changed.pop("origin", ORIGIN),
        "crossOrigin": changed.pop("cross_origin", False),
    }
    return json.dumps(data).encode()


async def set_up(
    browser: httpx.AsyncClient, device: SoftPasskey, *, name: str = "my phone", **changed: Any
) -> httpx.Response:
    """On the account's page, in a browser that signed in just now."""
    page = await browser.get("/idp/account/passkeys")
    options = (await browser.get("/idp/account/passkeys/options")).json()
    return await submit(browser, "/idp/account/passkeys", page, name=name, passkey=device.create(options, **changed))


async def use(browser: httpx.AsyncClient, device: SoftPasskey, *, query: str = "", **changed: Any) -> httpx.Response:
    """On the sign-in page."""
    page = await browser.get(f"/idp/sign-in{query}")
    options = (await browser.get(f"/idp/sign-in/passkey{query}")).json()
    return await submit(browser, f"/idp/sign-in/passkey{query}", page, passkey=device.get(options, **changed))
