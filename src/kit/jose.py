"""All JOSE passes here: PyJWT for JWS, joserfc for importing keys and for thumbprints.

Algorithms are named at every verification. Signatures are checked by PyJWT's algorithms, ``typ`` and claims by us.
"""

import base64
import binascii
import hashlib
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast

import jwt
import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from jose import jwe as python_jose
from joserfc import jwe, jwk

from kit import strict_json
from kit.errors import Unavailable
from kit.whole_file import write_once

Algorithm = Literal["ES256", "RS256", "PS256", "EdDSA"]
ASYMMETRIC: tuple[Algorithm, ...] = ("ES256", "RS256", "PS256", "EdDSA")
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey

_TOKEN_MAX = 16_384
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)
_KEYS_MAX = 20
_ECDSA = ec.ECDSA(hashes.SHA256())
_TOKENS_REMEMBERED = 8_192
_RSA_BITS_MAX = 8_192
_DATE_MAX = 2**53
_PROOF = b"signed to see whether the key is whole"


class TokenRefused(Exception):
    """The token is not what it should be. ``reason`` is for logs and developers, never a claim's value."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class KeyRefused(Exception):
    """A JWK or JWK Set that cannot be used here."""


class PublishedKey:
    """The public half of a signing key, and the header that its tokens carry; where the private half lives, a
    subclass knows."""

    def __init__(self, public: PublicKey, alg: Algorithm) -> None:
        _fits(public, alg)
        self.alg = alg
        self.public = public
        imported = jwk.import_key(_spki(public), _kty(alg))
        self.kid = imported.thumbprint()
        self.public_jwk: dict[str, Any] = {
            **imported.as_dict(private=False),
            "kid": self.kid,
            "use": "sig",
            "alg": alg,
        }
        self._headers: dict[str, bytes] = {}

    def signing_input(self, claims: Mapping[str, Any], *, typ: str) -> bytes:
        """RFC 7515 §5.1: header and payload, with ``kid`` and ``typ`` in the header."""
        header = self._headers.get(typ)
        if header is None:
            header = _encoded(msgspec.json.encode({"alg": self.alg, "kid": self.kid, "typ": typ})) + b"."
            self._headers[typ] = header
        return header + _encoded(msgspec.json.encode(claims))


class SigningKey(PublishedKey):
    """A private key, parsed once: parsing an RSA key costs more than signing with it."""

    def __init__(self, private: PrivateKey, alg: Algorithm) -> None:
        super().__init__(private.public_key(), alg)
        self.private = private
        self._algorithm = jwt.get_algorithm_by_name(alg)

    def signature(self, signed: bytes) -> bytes:
        """As RFC 7518 §3 wants it."""
        if isinstance(self.private, ec.EllipticCurvePrivateKey):
            r, s = decode_dss_signature(self.private.sign(signed, _ECDSA))
            return r.to_bytes(32) + s.to_bytes(32)
        made: bytes = self._algorithm.sign(signed, self.private)
        return made

    @classmethod
    def generate(cls, alg: Algorithm) -> "SigningKey":
        private: PrivateKey
        if alg == "ES256":
            private = ec.generate_private_key(ec.SECP256R1())
        elif alg == "EdDSA":
            private = ed25519.Ed25519PrivateKey.generate()
        else:
            private = rsa.generate_private_key(public_exponent=65537, key_size=3072)
        return cls(private, alg)

    @classmethod
    def load(cls, path: Path, alg: Algorithm) -> "SigningKey":
        """ValueError for a key that signs what its public half does not verify."""
        # Whether p and q are prime was settled where they were chosen, and costs a start a tenth of a second each time.
        private = serialization.load_pem_private_key(path.read_bytes(), None, unsafe_skip_rsa_key_validation=True)
        loaded = cls(cast("PrivateKey", private), alg)
        if not loaded._algorithm.verify(_PROOF, loaded.public, loaded.signature(_PROOF)):
            raise ValueError(f"{path.name}: a damaged key")
        return loaded

    @classmethod
    def load_or_create(cls, path: Path, alg: Algorithm) -> "SigningKey":
        """Two starters at once end with one key: the file appears whole, and only if none was there."""
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_once(path, cls.generate(alg).pem())
        return cls.load(path, alg)

    def pem(self) -> bytes:
        return self.private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def sign(self, claims: Mapping[str, Any], *, typ: str) -> str:
        """A compact JWS with ``kid`` and ``typ`` in its header."""
        signed = self.signing_input(claims, typ=typ)
        return _compact(signed, self.signature(signed))

    def sign_with_own_key(self, claims: Mapping[str, Any], *, typ: str) -> str:
        """A compact JWS that carries its public key in the header (RFC 7515 §4.1.3): a proof of possession."""
        bare = {name: value for name, value in self.public_jwk.items() if name not in ("kid", "use", "alg")}
        header = _encoded(msgspec.json.encode({"alg": self.alg, "typ": typ, "jwk": bare}))
        signed = header + b"." + _encoded(msgspec.json.encode(claims))
        return _compact(signed, self.signature(signed))


SignBytes = Callable[[bytes], Awaitable[bytes]]
"""Octets → the signature as RFC 7518 §3 wants it (for ES256: R and S, 64 octets)."""


class DeviceKey(PublishedKey):
    """A key that never leaves its device: only ``sign_bytes`` reaches it, elsewhere than on the event loop."""

    def __init__(self, public: PublicKey, alg: Algorithm, sign_bytes: SignBytes) -> None:
        super().__init__(public, alg)
        self._sign_bytes = sign_bytes

    async def sign(self, claims: Mapping[str, Any], *, typ: str) -> str:
        signed = self.signing_input(claims, typ=typ)
        return _compact(signed, await self._sign_bytes(signed))


class LocalKeySet:
    """Signing keys of ours in this process. The first key of an algorithm signs; all are published."""

    def __init__(self, keys: Sequence[SigningKey]) -> None:
        self.keys = tuple(keys)
        self._signers: dict[str, SigningKey] = {}
        for key in keys:
            self._signers.setdefault(key.alg, key)
        self.public = PublicKeys({"keys": [key.public_jwk for key in keys]})

    def sign(self, claims: Mapping[str, Any], *, typ: str, alg: str = "ES256") -> str:
        return self._signers[alg].sign(claims, typ=typ)

    def algorithms(self) -> list[str]:
        return list(self._signers)

    def jwks(self) -> dict[str, Any]:
        return {"keys": [key.public_jwk for key in self.keys]}


class KeySet:
    """An issuer's signing keys, wherever the private halves live. ``active`` are in the order in which they sign: the
    first of an algorithm does; ``announced`` are only published."""

    def __init__(
        self, active: Sequence[SigningKey | DeviceKey], announced: Sequence[SigningKey | DeviceKey] = ()
    ) -> None:
        self.keys = (*active, *announced)
        self._signers: dict[str, SigningKey | DeviceKey] = {}
        for key in active:
            self._signers.setdefault(key.alg, key)
        self.public = PublicKeys({"keys": [key.public_jwk for key in self.keys]}, remembered_max=_TOKENS_REMEMBERED)
        self.published = msgspec.json.encode(self.jwks())
        """The JWK Set as it is served (RFC 7517 §5)."""

    async def sign(self, claims: Mapping[str, Any], *, typ: str, alg: str = "ES256") -> str:
        """A compact JWS. Unavailable where no key of this algorithm signs, or its device is away."""
        key = self._signers.get(alg)
        if key is None:
            raise Unavailable(f"signing key for {alg}")
        if isinstance(key, SigningKey):
            return key.sign(claims, typ=typ)
        return await key.sign(claims, typ=typ)

    def algorithms(self) -> list[Algorithm]:
        """Those that sign now, in the order of ASYMMETRIC."""
        return [alg for alg in ASYMMETRIC if alg in self._signers]

    def jwks(self) -> dict[str, Any]:
        return {"keys": [key.public_jwk for key in self.keys]}


_KEY_TYPES = ("EC", "RSA", "OKP", "oct")


class PublicKeys:
    """A JWK Set (RFC 7517) of somebody, imported once. Private and symmetric keys in it are refused.

    ``use`` parts those for signatures from those to encrypt to; a key without it serves both (§4.2). Keys of a type
    that is not known here are passed over (§5). ``remembered_max`` tokens whose signature was right are remembered by
    their digest, so that it is checked once: for keys of our own, whose tokens come back again and again.
    """

    def __init__(self, jwks: Any, *, remembered_max: int = 0) -> None:
        self._remembered: OrderedDict[bytes, tuple[dict[str, Any], dict[str, Any]]] = OrderedDict()
        self._remembered_max = remembered_max
        try:
            listed = jwks["keys"]
            if not isinstance(listed, list) or not 0 < len(listed) <= _KEYS_MAX:
                raise KeyRefused(f"a key set has 1 to {_KEYS_MAX} keys")
            known = [member for member in listed if member["kty"] in _KEY_TYPES]
            imported = [(member.get("use"), _PublicKey(member)) for member in known]
        except (KeyError, TypeError, AttributeError) as fault:
            raise KeyRefused("this is not a JWK Set") from fault
        self._keys = [key for use, key in imported if use in (None, "sig")]
        self._encryption_keys = [key for use, key in imported if use in (None, "enc")]
        if not self._keys and not self._encryption_keys:
            raise KeyRefused("no key for signatures or encryption in this key set")

    def remembered(self, token: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Header and claims of a token whose signature was right before."""
        return self._remembered.get(_remembered_as(token)) if self._remembered else None

    def signed(self, token: str, header: dict[str, Any], alg: str) -> dict[str, Any]:
        """The claims of a compact JWS with this header, if one of these keys made it; TokenRefused else."""
        signed, _, signature = token.rpartition(".")
        message, made = signed.encode("ascii"), _decoded_or_refused(signature)
        algorithm = jwt.get_algorithm_by_name(alg)
        reason = "no key"
        for key in self.candidates(header.get("kid"), alg):
            if algorithm.verify(message, key.public, made):
                break
            reason = "signature"
        else:
            raise TokenRefused(reason)
        claims = _object_in(signed.partition(".")[2])
        if self._remembered_max:
            self._remembered[_remembered_as(token)] = (header, claims)
            if len(self._remembered) > self._remembered_max:
                self._remembered.popitem(last=False)
        return claims

    def candidates(self, kid: str | None, alg: str) -> "Iterable[_PublicKey]":
        return (key for key in self._keys if key.serves(alg) and (kid is None or key.kid is None or key.kid == kid))

    def sign(self) -> bool:
        """Is there a key for signatures?"""
        return bool(self._keys)

    def encryption(self, alg: str, enc: str) -> "Encryption":
        """KeyRefused where no key here serves. One that is for encryption alone goes before one that serves both."""
        serving = [key for key in self._encryption_keys if key.encrypts(alg)]
        serving.sort(key=lambda key: key in self._keys)
        if not serving:
            raise KeyRefused(f"no key for {alg}")
        return Encryption(serving[0], alg, enc)

    def holds(self, certificate: x509.Certificate) -> bool:
        """Is this the certificate of one of the keys? Where a key names its certificate (``x5c``, RFC 7517 §4.7), it
        must be that one."""
        try:
            spki, der = _der(certificate.public_key()), certificate.public_bytes(serialization.Encoding.DER)
        except (ValueError, UnsupportedAlgorithm):
            # Any client can show any certificate; one with a key that nobody knows is nobody's.
            return False
        return any(
            key.certificate == der if key.certificate is not None else _der(key.public) == spki
            for key in (*self._keys, *self._encryption_keys)
        )

    def knows(self, kid: str | None) -> bool:
        return kid is None or any(key.kid == kid for key in self._keys)


class _PublicKey:
    def __init__(self, member: Mapping[str, Any]) -> None:
        if member.get("kty") not in ("EC", "RSA", "OKP") or "d" in member:
            raise KeyRefused("only public EC, RSA and OKP keys are accepted")
        try:
            imported = cast("jwk.ECKey | jwk.RSAKey | jwk.OKPKey", jwk.import_key(dict(member)))
            public = serialization.load_der_public_key(imported.as_bytes(encoding="DER", private=False))
        except Exception as fault:  # the library raises many kinds for a bad key
            raise KeyRefused("a key cannot be imported") from fault
        self.public = cast("PublicKey", public)
        if isinstance(public, rsa.RSAPublicKey) and not 2048 <= public.key_size <= _RSA_BITS_MAX:
            raise KeyRefused(f"an RSA key has 2048 to {_RSA_BITS_MAX} bits")
        self.imported = imported
        self.kid: str | None = member.get("kid")
        self.certificate = _first_of(member.get("x5c"))
        self.alg: str | None = member.get("alg")

    def encrypts(self, alg: str) -> bool:
        if self.alg is not None and self.alg != alg:
            return False
        if alg == "RSA-OAEP-256":
            return isinstance(self.public, rsa.RSAPublicKey)
        # RFC 7518 §4.6, RFC 8037 §3.2
        if isinstance(self.public, ec.EllipticCurvePublicKey):
            return isinstance(self.public.curve, ec.SECP256R1 | ec.SECP384R1 | ec.SECP521R1)
        return isinstance(self.public, x25519.X25519PublicKey)

    def serves(self, alg: str) -> bool:
        if self.alg is not None and self.alg != alg:
            return False
        try:
            _fits(self.public, alg)
        except KeyRefused:
            return False
        return True


ENCRYPTION_ALGS = ("RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A256KW")
ENCRYPTION_ENCS = ("A128CBC-HS256", "A128GCM", "A256GCM")


class Encryption:
    """To one key of somebody (RFC 7516). Nothing is ever decrypted here."""

    def __init__(self, key: _PublicKey, alg: str, enc: str) -> None:
        if alg not in ENCRYPTION_ALGS or enc not in ENCRYPTION_ENCS:
            raise KeyRefused("this algorithm is not offered")
        self._key, self._alg, self._enc = key, alg, enc

    def of(self, text: str, *, cty: str | None) -> str:
        """A compact JWE; ``cty`` is ``JWT`` where ``text`` is one (RFC 7519 §5.2)."""
        if self._alg == "RSA-OAEP-256":
            sealed: bytes = python_jose.encrypt(
                text, _spki(self._key.public).decode(), self._enc, self._alg, cty=cty, kid=self._key.kid
            )
            return sealed.decode("ascii")
        header = {"alg": self._alg, "enc": self._enc, "cty": cty, "kid": self._key.kid}
        protected = {name: value for name, value in header.items() if value is not None}
        return jwe.encrypt_compact(protected, text, self._key.imported, algorithms=[self._alg, self._enc])


def hash_of(text: str, *, alg: str) -> str:
    """Left half of the digest that belongs to a signature algorithm, for ``at_hash`` and ``c_hash`` (OpenID Connect
    Core §3.1.3.6): SHA-256 for all of ours but Ed25519, which hashes with SHA-512 (RFC 8032 §5.1)."""
    made = hashlib.sha512(text.encode()) if alg == "EdDSA" else hashlib.sha256(text.encode())
    return _encoded(made.digest()[: made.digest_size // 2]).decode("ascii")


def verify(
    token: str,
    keys: PublicKeys,
    *,
    algorithms: Sequence[str],
    typ: Sequence[str] | None,
    issuer: str | None = None,
    audience: str | Sequence[str] | None = None,
    strict_audience: bool = False,
    require: Sequence[str] = ("exp", "iat"),
    leeway_s: int = 5,
) -> dict[str, Any]:
    """The claims of a JWS that one of ``keys`` made; TokenRefused for anything else.

    ``typ`` lists the accepted header values in lower case, without ``application/``; None accepts any, where the
    standard asks for none (client assertions, ID token hints). Unknown ``crit`` is refused (RFC 7515 §4.1.11).
    """
    known = keys.remembered(token)
    header = known[0] if known else header_of(token)
    # RFC 7797: what is signed would not be what stands there.
    if "crit" in header or header.get("b64", True) is not True:
        raise TokenRefused("crit")
    if typ is not None and str(header.get("typ", "")).lower().removeprefix("application/") not in typ:
        raise TokenRefused("typ")
    alg = header.get("alg")
    if not isinstance(alg, str) or alg not in algorithms or alg not in ASYMMETRIC:
        raise TokenRefused("alg")
    claims = dict(known[1]) if known else keys.signed(token, header, alg)
    _check_claims(
        claims,
        issuer=issuer,
        audience=audience,
        strict_audience=strict_audience,
        require=require,
        leeway_s=leeway_s,
    )
    return claims


def _check_claims(
    claims: Mapping[str, Any],
    *,
    issuer: str | None,
    audience: str | Sequence[str] | None,
    strict_audience: bool,
    require: Sequence[str],
    leeway_s: int,
) -> None:
    """RFC 7519 §4.1. PyJWT's own checks take longer than the signature's, and let ``"exp": "1"`` pass."""
    for name in require:
        if claims.get(name) is None:
            raise TokenRefused(f"{name} is missing")
    for name in ("sub", "jti"):
        if name in claims and not isinstance(claims[name], str):
            raise TokenRefused(name)
    now = time.time()
    if "exp" in claims and _date(claims, "exp") <= now - leeway_s:
        raise TokenRefused("exp")
    for name in ("iat", "nbf"):
        if name in claims and _date(claims, name) > now + leeway_s:
            raise TokenRefused(name)
    if issuer is not None and claims.get("iss") != issuer:
        raise TokenRefused("iss")
    if audience is not None and not _for(claims.get("aud"), audience, strict=strict_audience):
        raise TokenRefused("aud")


def _for(aud: Any, audience: str | Sequence[str], *, strict: bool) -> bool:
    """``strict``: one string, and that one (FAPI 2.0 Security Profile §5.3.2.1, RFC 9068 §3)."""
    if strict:
        return isinstance(aud, str) and isinstance(audience, str) and aud == audience
    named = [aud] if isinstance(aud, str) else aud
    if not isinstance(named, list) or not all(isinstance(one, str) for one in named):
        return False
    accepted = [audience] if isinstance(audience, str) else audience
    return any(one in accepted for one in named)


def _date(claims: Mapping[str, Any], name: str) -> float:
    found = numeric_date(claims[name])
    if found is None:
        raise TokenRefused(name)
    return found


def numeric_date(value: Any) -> float | None:
    """A NumericDate (RFC 7519 §2); None for what only looks like one, and for a number that no double says exactly:
    JSON has integers of four thousand digits."""
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > _DATE_MAX:
        return None
    return float(value)


def _decoded_or_refused(segment: str) -> bytes:
    try:
        return _decoded(segment)
    except ValueError:
        raise TokenRefused("not a JWS") from None


def _object_in(segment: str) -> dict[str, Any]:
    try:
        found = strict_json.decode(_decoded_or_refused(segment))
    except msgspec.DecodeError:
        raise TokenRefused("not a JWT") from None
    if not isinstance(found, dict):
        raise TokenRefused("not a JWT")
    return found


_OWN_KEY_MEMBERS = {"EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x"), "RSA": ("e", "kty", "n")}
_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_own_keys: OrderedDict[str, PublicKey] = OrderedDict()
_OWN_KEYS_MAX = 4_096


def verify_by_own_key(token: str, *, algorithms: Sequence[Algorithm], typ: str) -> tuple[str, dict[str, Any]]:
    """The SHA-256 thumbprint (RFC 7638) of the public key in the header, and the claims that it signed.

    It says who holds the key, and nothing of who that is; no claim is checked here.
    """
    header = header_of(token)
    alg, member = str(header.get("alg")), header.get("jwk")
    if "crit" in header or str(header.get("typ", "")).lower().removeprefix("application/") != typ:
        raise TokenRefused("crit" if "crit" in header else "typ")
    if alg not in algorithms:
        raise TokenRefused("alg")
    if not isinstance(member, dict) or _PRIVATE_MEMBERS & set(member):
        raise TokenRefused("jwk")
    jkt = thumbprint(member)
    public = _own_key(jkt, member)
    signed, _, signature = token.rpartition(".")
    try:
        _fits(public, alg)
    except KeyRefused:
        raise TokenRefused("jwk") from None
    if not jwt.get_algorithm_by_name(alg).verify(signed.encode("ascii"), public, _decoded_or_refused(signature)):
        raise TokenRefused("signature")
    return jkt, _object_in(signed.partition(".")[2])


def thumbprint(member: Mapping[str, Any]) -> str:
    """RFC 7638 §3: the required members alone, in their order, without white space."""
    names = _OWN_KEY_MEMBERS.get(str(member.get("kty")))
    if names is None:
        raise TokenRefused("jwk")
    values = {name: member.get(name) for name in names}
    if not all(isinstance(value, str) and _BASE64URL.fullmatch(value) for value in values.values()):
        raise TokenRefused("jwk")
    return _encoded(hashlib.sha256(msgspec.json.encode(values)).digest()).decode("ascii")


def _own_key(jkt: str, member: Mapping[str, Any]) -> PublicKey:
    """A client shows one key again and again; importing one costs as much as verifying with it."""
    known = _own_keys.get(jkt)
    if known is None:
        try:
            known = _imported(member)
        except (ValueError, binascii.Error):
            raise TokenRefused("jwk") from None
        _own_keys[jkt] = known
        if len(_own_keys) > _OWN_KEYS_MAX:
            _own_keys.popitem(last=False)
    return known


def _imported(member: Mapping[str, Any]) -> PublicKey:
    match member["kty"], member.get("crv"):
        case "EC", "P-256":
            x, y = (int.from_bytes(_decoded(member[name])) for name in ("x", "y"))
            return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
        case "OKP", "Ed25519":
            return ed25519.Ed25519PublicKey.from_public_bytes(_decoded(member["x"]))
        case "RSA", _:
            e, n = (int.from_bytes(_decoded(member[name])) for name in ("e", "n"))
            if not 2048 <= n.bit_length() <= _RSA_BITS_MAX or e.bit_length() > 32:
                raise ValueError("RSA")
            return rsa.RSAPublicNumbers(e, n).public_key()
        case _:
            raise ValueError("kty")


def _decoded(segment: str) -> bytes:
    """BASE64URL without padding, and in the one way to write it."""
    raw = segment.encode("ascii")
    decoded = base64.b64decode(raw + b"=" * (-len(raw) % 4), b"-_", validate=True)
    if _encoded(decoded) != raw:
        raise ValueError("base64url")
    return decoded


def header_of(token: str) -> dict[str, Any]:
    """The unverified header: only to find the key or to refuse."""
    if len(token) > _TOKEN_MAX or not _COMPACT.fullmatch(token):
        raise TokenRefused("not a JWS")
    header = _object_in(token.partition(".")[0])
    if not isinstance(header.get("kid", ""), str):
        raise TokenRefused("not a JWS")
    return header


def unverified_claims(token: str) -> dict[str, Any]:
    """What the token says of itself, to find whose key must have made it. Never a basis for a decision."""
    try:
        encoded = token.split(".")[1]
        claims = strict_json.decode(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    except (IndexError, ValueError):
        raise TokenRefused("not a JWS") from None
    if not isinstance(claims, dict):
        raise TokenRefused("not a JWT")
    return claims


def client_assertion(key: SigningKey, *, client_id: str, audience: str, jti: str, lifetime_s: int = 60) -> str:
    """private_key_jwt for the token endpoint (RFC 7523 §3): ``audience`` is the issuer, as one string."""
    now = int(time.time())
    claims = {"iss": client_id, "sub": client_id, "aud": audience, "jti": jti, "iat": now, "exp": now + lifetime_s}
    return key.sign(claims, typ="JWT")


def _remembered_as(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _compact(signed: bytes, signature: bytes) -> str:
    return (signed + b"." + _encoded(signature)).decode("ascii")


def _encoded(data: bytes) -> bytes:
    """BASE64URL without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _kty(alg: str) -> Literal["EC", "RSA", "OKP"]:
    return "EC" if alg == "ES256" else "OKP" if alg == "EdDSA" else "RSA"


def _first_of(x5c: Any) -> bytes | None:
    if x5c is None:
        return None
    try:
        return base64.b64decode(x5c[0], validate=True)
    except (TypeError, IndexError, KeyError, ValueError, binascii.Error) as fault:
        raise KeyRefused("x5c cannot be read") from fault


def _der(public: Any) -> bytes:
    der: bytes = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return der


def _spki(public: PublicKey) -> bytes:
    return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _fits(public: Any, alg: str) -> None:
    if alg == "ES256":
        fits = isinstance(public, ec.EllipticCurvePublicKey) and isinstance(public.curve, ec.SECP256R1)
    elif alg == "EdDSA":
        fits = isinstance(public, ed25519.Ed25519PublicKey)
    else:
        fits = isinstance(public, rsa.RSAPublicKey)
    if not fits:
        raise KeyRefused(f"this key does not serve {alg}")
