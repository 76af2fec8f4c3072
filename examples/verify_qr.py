"""Check the QR code of a printed copy without any network: the standard library and ``cryptography`` (pip install it).

    curl https://locker.example/v1/printed/keys > keys.json        # now and then, where there is a network
    python verify_qr.py keys.json 'https://locker.example/p#0oRN…'  # anywhere, with what a scanner reads

Prints what the code says, to be compared with the paper, and exits with 0; with 1 for a code that is not authentic.
Whether the issuer still stands by the document, this cannot know: the short address on the paper says it.
"""

import base64
import binascii
import hashlib
import json
import sys
from datetime import UTC, datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256


class NotAuthentic(Exception):
    pass


def check(trusted: dict, text: str) -> dict:
    """The claims of a code (its address, or what stands after #), if one of ``trusted["keys"]`` signed them."""
    message = unpadded_base64url(text.strip().rpartition("#")[2])
    tag, protected, unprotected, payload, signature = cose_sign1(message)
    if not all(isinstance(part, bytes) for part in (protected, payload, signature)):
        raise NotAuthentic("not a code of a printed copy")
    header, claims = cbor(protected), cbor(payload)
    # RFC 9052 §4.2, §3.1: ES256 (-7) and a key identifier, and nothing that is not signed.
    if tag != 18 or unprotected != {} or not isinstance(header, dict) or set(header) != {1, 4} or header[1] != -7:
        raise NotAuthentic("not a code of a printed copy")
    if not isinstance(claims, dict) or len(signature) != 64:
        raise NotAuthentic("not a code of a printed copy")
    signed = b"\x84\x6aSignature1" + head(2, len(protected)) + protected + b"\x40" + head(2, len(payload)) + payload
    der = encode_dss_signature(int.from_bytes(signature[:32]), int.from_bytes(signature[32:]))
    for jwk in trusted["keys"]:
        if jwk["kty"] == "EC" and thumbprint(jwk)[:8] == header[4]:
            x, y = (int.from_bytes(unpadded_base64url(jwk[name])) for name in ("x", "y"))
            key = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
            try:
                key.verify(der, signed, ec.ECDSA(SHA256()))
            except InvalidSignature:
                break
            if claims.get(1) != trusted["issuer"]:
                raise NotAuthentic("of another issuer")
            return claims
    raise NotAuthentic("no trusted key signed this")


def cose_sign1(message: bytes) -> tuple:
    value, end = item(message, 0)
    if end != len(message) or not isinstance(value, tuple) or not isinstance(value[1], list) or len(value[1]) != 4:
        raise NotAuthentic("not a COSE_Sign1 message")
    return value[0], *value[1]


def cbor(data: bytes):
    value, end = item(data, 0)
    if end != len(data):
        raise NotAuthentic("more than one value")
    return value


def item(data: bytes, at: int, depth: int = 0) -> tuple:
    """One value of deterministic CBOR (RFC 8949 §4.2.1) and where it ends; every other encoding is refused."""
    if depth > 16 or at >= len(data):
        raise NotAuthentic("not CBOR")
    kind, short = data[at] >> 5, data[at] & 31
    extra = {24: 1, 25: 2, 26: 4, 27: 8}.get(short, 0)
    number = int.from_bytes(data[at + 1 : at + 1 + extra]) if extra else short
    start, at = at, at + 1 + extra
    if kind == 7:
        simple = {0xF4: False, 0xF5: True, 0xF6: None}
        if data[start] not in simple:
            raise NotAuthentic("a value that no copy holds")
        return simple[data[start]], at
    if at > len(data) or short > 27 or data[start:at] != head(kind, number):
        raise NotAuthentic("not the shortest encoding")
    if kind == 0:
        return number, at
    if kind == 1:
        return -1 - number, at
    if kind in (2, 3):
        if at + number > len(data):
            raise NotAuthentic("cut off")
        octets = data[at : at + number]
        try:
            return (octets if kind == 2 else octets.decode()), at + number
        except UnicodeDecodeError:
            raise NotAuthentic("not UTF-8") from None
    if kind == 6:
        value, at = item(data, at, depth + 1)
        return (number, value), at
    values, keys = [], []
    for _ in range(min(number, len(data))):
        if kind == 5:
            before = at
            key, at = item(data, at, depth + 1)
            if not isinstance(key, int | str):
                raise NotAuthentic("a name that no copy has")
            keys.append(data[before:at])
            value, at = item(data, at, depth + 1)
            values.append((key, value))
        else:
            value, at = item(data, at, depth + 1)
            values.append(value)
    if kind == 5 and (keys != sorted(keys) or len(set(keys)) != len(keys)):
        raise NotAuthentic("a map that is not in order")
    return (dict(values) if kind == 5 else values), at


def head(kind: int, number: int) -> bytes:
    if number < 24:
        return bytes([kind << 5 | number])
    size = next(size for size in (1, 2, 4, 8) if number < 1 << 8 * size)
    return bytes([kind << 5 | {1: 24, 2: 25, 4: 26, 8: 27}[size]]) + number.to_bytes(size)


def unpadded_base64url(text: str) -> bytes:
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        raise NotAuthentic("not base64url") from None
    if base64.urlsafe_b64encode(data).rstrip(b"=") != text.encode():
        raise NotAuthentic("not the one form of base64url")
    return data


def thumbprint(jwk: dict) -> bytes:
    """RFC 7638."""
    members = {name: jwk[name] for name in ("crv", "kty", "x", "y")}
    return hashlib.sha256(json.dumps(members, separators=(",", ":"), sort_keys=True).encode()).digest()


def main() -> int:
    with open(sys.argv[1], encoding="utf-8") as file:
        trusted = json.load(file)
    try:
        claims = check(trusted, sys.argv[2])
    except NotAuthentic as reason:
        print(f"NOT AUTHENTIC: {reason}")
        return 1
    print(f"authentic; status unknown since {trusted['updated_at']}")
    printed_at = datetime.fromtimestamp(claims[6], UTC)
    print(f"{claims['t']}, issued by {claims['a']}, printed {printed_at:%Y-%m-%d %H:%M} UTC")
    if "u" in claims:
        print(f"valid until {claims['u']}")
    for name, value in claims["f"].items():
        print(f"  {name}: {value}")
    print(f"how it is today: {claims[1]}/p/{claims[7].decode()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
