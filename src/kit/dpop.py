"""DPoP (RFC 9449): a client proves for each request that it holds the key to which its token is bound."""

import base64
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Collection, Iterable
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from kit.jose import Algorithm, SigningKey, TokenRefused, numeric_date, verify_by_own_key
from kit.tokens import digest

ALGORITHMS: tuple[Algorithm, ...] = ("ES256", "PS256", "EdDSA")
"""FAPI 2.0 Security Profile §5.4.1."""
PAST_MAX_S, FUTURE_MAX_S = 60, 15
_JTI_MAX = 512
_NONCE_STEP_S = 180
_DEFAULT_PORTS = {"https": 443, "http": 80}
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")
_PERCENT = re.compile(r"%[0-9A-Fa-f]{2}")


class ProofRefused(Exception):
    """``reason`` names the claim or header; it is for developers and repeats no value."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NonceRefused(ProofRefused):
    """The client shall repeat its request with the nonce that the answer carries (§8)."""


class Proof(msgspec.Struct, frozen=True):
    """A proof that was verified and must now be spent."""

    jkt: str
    sha256: bytes
    """Of the key and the proof's ``jti``."""
    expires_at: float
    """When a repetition would be too old anyway."""


class Nonces:
    """Nonces that need no memory: derived from ``key`` and a time step, good for this step and the next (§8.2)."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def current(self) -> str:
        return self._of(int(time.time()) // _NONCE_STEP_S)

    def knows(self, nonce: str) -> bool:
        step = int(time.time()) // _NONCE_STEP_S
        # The step to come too: another server's clock may be a little ahead.
        return any(hmac.compare_digest(nonce.encode(), self._of(step + k).encode()) for k in (0, -1, 1))

    def _of(self, step: int) -> str:
        """One block of HKDF-Expand (RFC 5869 §2.3) with the step as its info."""
        block = hmac.digest(self._key, b"dpop nonce %d\x01" % step, "sha256")
        return base64.urlsafe_b64encode(block[:18]).decode("ascii")


def header_in(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The one DPoP header of a request (§4.3, 1); ProofRefused for several."""
    found = [value for name, value in headers if name.lower() == b"dpop"]
    if len(found) > 1:
        raise ProofRefused("more than one DPoP header")
    return found[0].decode("latin-1").strip() if found else None


def check(
    proof: str,
    *,
    method: str,
    urls: Collection[str],
    access_token: str | None = None,
    nonces: Nonces | None = None,
    nonce_needed: bool = False,
) -> Proof:
    """§4.3, but for what only a store can say: that this ``jti`` was not seen before.

    ``urls`` are the addresses under which the endpoint is known, never what a Host header says. ``access_token`` is
    the one that the request carries beside the proof.
    """
    try:
        jkt, claims = verify_by_own_key(proof, algorithms=ALGORITHMS, typ="dpop+jwt")
    except TokenRefused as refused:
        raise ProofRefused(refused.reason) from None
    jti, now = claims.get("jti"), time.time()
    if not isinstance(jti, str) or not 0 < len(jti) <= _JTI_MAX:
        raise ProofRefused("jti")
    if claims.get("htm") != method:
        raise ProofRefused("htm")
    if not _names_one_of(claims.get("htu"), urls):
        raise ProofRefused("htu")
    if access_token is not None and claims.get("ath") != ath_of(access_token):
        raise ProofRefused("ath")
    _check_nonce(claims.get("nonce"), nonces, needed=nonce_needed)
    issued_at = _number(claims, "iat")
    if issued_at is None or not now - PAST_MAX_S <= issued_at <= now + FUTURE_MAX_S:
        raise ProofRefused("iat")
    expires_at, not_before = _number(claims, "exp"), _number(claims, "nbf")
    if expires_at is not None and expires_at <= now - FUTURE_MAX_S:
        raise ProofRefused("exp")
    if not_before is not None and not_before > now + FUTURE_MAX_S:
        raise ProofRefused("nbf")
    return Proof(jkt, digest(f"proof\n{jkt}\n{jti}"), issued_at + 2 * PAST_MAX_S)


def prove(key: SigningKey, *, method: str, url: str, access_token: str | None = None, nonce: str | None = None) -> str:
    """A proof as a client makes it (§4.2): for one request."""
    claims: dict[str, Any] = {"jti": secrets.token_urlsafe(16), "htm": method, "htu": url, "iat": int(time.time())}
    if access_token is not None:
        claims["ath"] = ath_of(access_token)
    if nonce is not None:
        claims["nonce"] = nonce
    return key.sign_with_own_key(claims, typ="dpop+jwt")


def ath_of(access_token: str) -> str:
    """BASE64URL(SHA256(ASCII(access token))) without padding (§4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(access_token.encode()).digest()).rstrip(b"=").decode("ascii")


def _check_nonce(nonce: Any, nonces: Nonces | None, *, needed: bool) -> None:
    if nonces is None:
        return
    if nonce is None and needed:
        raise NonceRefused("nonce")
    if nonce is not None and not (isinstance(nonce, str) and nonces.knows(nonce)):
        raise NonceRefused("nonce")


def _number(claims: dict[str, Any], name: str) -> float | None:
    """None if absent; ProofRefused for what is no NumericDate (RFC 7519 §2)."""
    value = claims.get(name)
    if value is None:
        return None
    found = numeric_date(value)
    if found is None:
        raise ProofRefused(name)
    return found


def _names_one_of(htu: Any, urls: Collection[str]) -> bool:
    if not isinstance(htu, str):
        return False
    return htu in urls or normalized(htu) in {normalized(url) for url in urls}


def normalized(url: str) -> str | None:
    """Without query and fragment, by syntax and scheme (RFC 3986 §6.2.2, §6.2.3); None for what is no URL."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if host is None or parts.username is not None or parts.scheme not in _DEFAULT_PORTS:
        return None
    authority = f"[{host}]" if ":" in host else host
    if port is not None and port != _DEFAULT_PORTS[parts.scheme]:
        authority = f"{authority}:{port}"
    return f"{parts.scheme}://{authority}{_without_dots(_PERCENT.sub(_octet, parts.path))}"


def _octet(found: re.Match[str]) -> str:
    character = unquote(found[0], encoding="latin-1")
    return character if _UNRESERVED.fullmatch(character) else found[0].upper()


def _without_dots(path: str) -> str:
    """RFC 3986 §5.2.4, for a path that begins with a slash."""
    kept: list[str] = []
    segments = path.split("/")[1:] or [""]
    for segment in segments:
        if segment == "..":
            kept = kept[:-1]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)
