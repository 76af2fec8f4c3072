"""An officer signs each request: method, address and body, once, within a minute. There is nothing to steal in between.

``Authorization: Officer <JWS>`` with ``typ`` officer+jwt and the claims iss (the officer), aud (the issuer), iat, exp,
jti, htm, htu and body_sha256. The shape is that of a DPoP proof (RFC 9449 §4.2) with the body in it.
"""

import base64
import hashlib
import hmac
import time
from collections.abc import Mapping

from idp.officers import store
from idp.officers.refusals import MayNot, ProofRefused
from idp.officers.schema import Ability, Officer
from kit.db import Tx
from kit.errors import NotFound
from kit.ids import new_public_id
from kit.jose import ASYMMETRIC, PublicKeys, SigningKey, TokenRefused, unverified_claims, verify
from kit.tokens import digest

LIFETIME_MAX_S = 60
_LEEWAY_S = 5
_TYP = "officer+jwt"
_NOBODY = Officer(
    officer_id="", abilities=frozenset(), keys=PublicKeys({"keys": [SigningKey.generate("ES256").public_jwk]})
)
"""In the place of an officer that there is not: the proof is checked to its end, by a key that signs nothing."""


async def authenticate(
    tx: Tx, headers: Mapping[str, str], body: bytes, *, issuer: str, method: str, path: str, ability: Ability
) -> Officer:
    """NotFound for whoever does not sign as an officer (A-01), ProofRefused for a wrong signature, MayNot. Who signs
    with a key of their own does not learn who is an officer.

    ``path`` is below the issuer.
    """
    scheme, _, proof = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "officer":
        raise NotFound
    officer = await _officer(tx, proof.strip())
    try:
        claims = verify(
            proof.strip(),
            officer.keys,
            algorithms=ASYMMETRIC,
            typ=[_TYP],
            issuer=officer.officer_id,
            audience=issuer,
            strict_audience=True,
            require=("iss", "aud", "iat", "exp", "jti", "htm", "htu", "body_sha256"),
            leeway_s=_LEEWAY_S,
        )
    except TokenRefused as fault:
        # Whether a key would fit says whether there is one, and of what kind.
        raise ProofRefused("signature" if fault.reason == "no key" else fault.reason) from None
    if claims["exp"] > time.time() + LIFETIME_MAX_S + _LEEWAY_S:
        raise ProofRefused("exp")
    for name, value in (("htm", method), ("htu", f"{issuer}{path}"), ("body_sha256", body_sha256(body))):
        if not hmac.compare_digest(str(claims[name]).encode(), value.encode()):
            raise ProofRefused(name)
    if not await store.spend_request(
        tx, officer.officer_id, digest(str(claims["jti"])), expires_at=int(claims["exp"]) + LIFETIME_MAX_S
    ):
        raise ProofRefused("jti")
    if ability not in officer.abilities:
        raise MayNot
    return officer


def sign(
    key: SigningKey, *, officer_id: str, issuer: str, method: str, path: str, body: bytes, lifetime_s: int = 30
) -> str:
    """The value of the Authorization header."""
    now = int(time.time())
    claims = {
        "iss": officer_id,
        "aud": issuer,
        "iat": now,
        "exp": now + lifetime_s,
        "jti": new_public_id(),
        "htm": method,
        "htu": f"{issuer}{path}",
        "body_sha256": body_sha256(body),
    }
    return f"Officer {key.sign(claims, typ=_TYP)}"


def body_sha256(body: bytes) -> str:
    """BASE64URL without padding, of an empty body too."""
    return base64.urlsafe_b64encode(hashlib.sha256(body).digest()).rstrip(b"=").decode()


async def _officer(tx: Tx, proof: str) -> Officer:
    try:
        officer_id = unverified_claims(proof).get("iss")
    except TokenRefused as fault:
        raise ProofRefused(fault.reason) from None
    row = (
        await store.select_officer(tx, officer_id) if isinstance(officer_id, str) and "\x00" not in officer_id else None
    )
    if row is None:
        return _NOBODY
    return Officer(
        officer_id=row["officer_id"],
        abilities=frozenset(row["abilities"]),
        keys=PublicKeys({"keys": [row["public_jwk"]]}),
    )
