"""Profile ``fapi2`` (FAPI 2.0 Security Profile) with httpx and joserfc.

Authlib's client knows neither pushed requests nor DPoP; they are a dozen lines each, and here one sees them.
"""

import base64
import hashlib
import json
import os
import secrets
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
from callback import Callback
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

ISSUER = os.environ.get("ISSUER", "http://localhost:8000/idp")
REDIRECT_URI = os.environ.get("REDIRECT_URI", "http://localhost:9105/callback")
KEY_FILE = Path(os.environ.get("KEY_FILE", "fapi2.key.json"))


def b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signing_key() -> ECKey:
    """Made at the first call. In production, keep it in a key store."""
    if not KEY_FILE.exists():
        fresh = ECKey.generate_key("P-256", auto_kid=True)
        KEY_FILE.touch(mode=0o600)
        KEY_FILE.write_text(json.dumps(fresh.as_dict(private=True)))
    return ECKey.import_key(json.loads(KEY_FILE.read_text()))


key = signing_key()
if sys.argv[1] == "register":
    registration = {
        "profile": "fapi2",
        "sector": "clinic.example",
        "client_name": "Example clinic",
        "purpose": "To open your file",
        "redirect_uris": [REDIRECT_URI],
        "token_endpoint_auth_method": "private_key_jwt",
        "scope": "openid profile",
        "jwks": {"keys": [{**key.as_dict(private=False), "use": "sig", "alg": "ES256"}]},
    }
    print(json.dumps(registration, indent=2))
    sys.exit()

client_id = json.loads(Path(sys.argv[1]).read_text())["client_id"]
provider = httpx.get(f"{ISSUER}/.well-known/openid-configuration").raise_for_status().json()
assert provider["issuer"] == ISSUER
# The tokens are bound to this key; it may live as short as they do.
dpop_key = ECKey.generate_key("P-256")


def authenticated(parameters: dict[str, str]) -> dict[str, str]:
    """private_key_jwt (RFC 7523 §2.2): the audience is the issuer, as one string; each assertion is good once."""
    now = int(time.time())
    claims = {"iss": client_id, "sub": client_id, "aud": ISSUER, "jti": secrets.token_urlsafe(16)}
    return {
        **parameters,
        "client_id": client_id,
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": jwt.encode({"alg": "ES256", "kid": key.kid}, {**claims, "iat": now, "exp": now + 60}, key),
    }


def proof(method: str, url: str, *, nonce: str | None, access_token: str | None = None) -> str:
    """A DPoP proof (RFC 9449 §4.2): for one request."""
    claims: dict[str, Any] = {"jti": secrets.token_urlsafe(16), "htm": method, "htu": url, "iat": int(time.time())}
    if nonce:
        claims["nonce"] = nonce
    if access_token:
        claims["ath"] = b64url(hashlib.sha256(access_token.encode()).digest())
    header = {"alg": "ES256", "typ": "dpop+jwt", "jwk": dpop_key.as_dict(private=False)}
    return jwt.encode(header, claims, dpop_key)


def post(url: str, parameters: dict[str, str]) -> httpx.Response:
    """With a proof; once more with the nonce that the provider asks for (RFC 9449 §8)."""
    answer = httpx.post(url, data=authenticated(parameters), headers={"DPoP": proof("POST", url, nonce=None)})
    if answer.is_error and answer.json()["error"] == "use_dpop_nonce":
        again = proof("POST", url, nonce=answer.headers["DPoP-Nonce"])
        answer = httpx.post(url, data=authenticated(parameters), headers={"DPoP": again})
    return answer.raise_for_status()


verifier, state, nonce = secrets.token_urlsafe(48), secrets.token_urlsafe(16), secrets.token_urlsafe(16)
pushed = post(
    provider["pushed_authorization_request_endpoint"],
    {
        "response_type": "code",
        "redirect_uri": REDIRECT_URI,
        "scope": "openid profile",
        "state": state,
        "nonce": nonce,
        "code_challenge": b64url(hashlib.sha256(verifier.encode()).digest()),
        "code_challenge_method": "S256",
    },
).json()
query = urlencode({"client_id": client_id, "request_uri": pushed["request_uri"]})
callback = Callback(REDIRECT_URI)
print(f"Open this address in a browser:\n\n  {provider['authorization_endpoint']}?{query}\n", flush=True)
answer = {name: values[0] for name, values in parse_qs(urlsplit(callback.wait()).query).items()}

# The answer is ours, and the provider's (RFC 9207).
assert (answer.get("state"), answer.get("iss")) == (state, ISSUER), answer
assert "code" in answer, answer
tokens = post(
    provider["token_endpoint"],
    {
        "grant_type": "authorization_code",
        "code": answer["code"],
        "redirect_uri": REDIRECT_URI,
        "code_verifier": verifier,
    },
).json()
assert tokens["token_type"] == "DPoP"

keys = KeySet.import_key_set(httpx.get(provider["jwks_uri"]).raise_for_status().json())
claims = jwt.decode(tokens["id_token"], keys, algorithms=["ES256"]).claims
jwt.JWTClaimsRegistry(
    iss={"essential": True, "value": ISSUER},
    aud={"essential": True, "value": client_id},
    nonce={"essential": True, "value": nonce},
    exp={"essential": True},
    sub={"essential": True},
).validate(claims)

url, access_token = provider["userinfo_endpoint"], tokens["access_token"]
asked = httpx.get(
    url,
    headers={
        "Authorization": f"DPoP {access_token}",
        "DPoP": proof("GET", url, nonce=None, access_token=access_token),
    },
)
if asked.status_code == 401 and "use_dpop_nonce" in asked.headers.get("WWW-Authenticate", ""):
    again = proof("GET", url, nonce=asked.headers["DPoP-Nonce"], access_token=access_token)
    asked = httpx.get(url, headers={"Authorization": f"DPoP {access_token}", "DPoP": again})
userinfo = asked.raise_for_status().json()
assert userinfo["sub"] == claims["sub"]
print(json.dumps({"token_type": tokens["token_type"], "claims": claims, "userinfo": userinfo}, indent=2))
