"""Profile ``basic``: an existing relying party with a client secret (OpenID Connect Basic), with Authlib."""

import json
import os
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
from authlib.common.security import generate_token
from authlib.integrations.httpx_client import OAuth2Client
from callback import Callback
from joserfc import jwt
from joserfc.jwk import KeySet

ISSUER = os.environ.get("ISSUER", "http://localhost:8000/idp")
REDIRECT_URI = os.environ.get("REDIRECT_URI", "http://localhost:9104/callback")

if sys.argv[1] == "register":
    registration = {
        "profile": "basic",
        "sector": "library.example",
        "client_name": "Example library",
        "purpose": "To make your reader's card",
        "redirect_uris": [REDIRECT_URI],
        "token_endpoint_auth_method": "client_secret_basic",
        "grant_types": ["authorization_code", "refresh_token"],
        "id_token_signed_response_alg": "RS256",
        "scope": "openid profile email",
    }
    print(json.dumps(registration, indent=2))
    sys.exit()

registered = json.loads(Path(sys.argv[1]).read_text())
provider = httpx.get(f"{ISSUER}/.well-known/openid-configuration").raise_for_status().json()
assert provider["issuer"] == ISSUER

client = OAuth2Client(
    registered["client_id"],
    registered["client_secret"],
    scope="openid profile email",
    redirect_uri=REDIRECT_URI,
    code_challenge_method="S256",
)
verifier, nonce = generate_token(48), generate_token(24)
address, state = client.create_authorization_url(
    provider["authorization_endpoint"], code_verifier=verifier, nonce=nonce, claims_locales="fr ar"
)
callback = Callback(REDIRECT_URI)
print(f"Open this address in a browser:\n\n  {address}\n", flush=True)
answer = callback.wait()

# Who answered (RFC 9207), before its code goes anywhere; Authlib checks state.
assert parse_qs(urlsplit(answer).query)["iss"] == [ISSUER]
token = client.fetch_token(
    provider["token_endpoint"], authorization_response=answer, code_verifier=verifier, state=state
)

# OpenID Connect Core §3.1.3.7: signature under the algorithm that was registered, then the claims.
keys = KeySet.import_key_set(httpx.get(provider["jwks_uri"]).raise_for_status().json())
claims = jwt.decode(token["id_token"], keys, algorithms=["RS256"]).claims
jwt.JWTClaimsRegistry(
    iss={"essential": True, "value": ISSUER},
    aud={"essential": True, "value": registered["client_id"]},
    nonce={"essential": True, "value": nonce},
    exp={"essential": True},
    sub={"essential": True},
).validate(claims)

userinfo = client.get(provider["userinfo_endpoint"]).raise_for_status().json()
assert userinfo["sub"] == claims["sub"]
print(json.dumps({"token_type": token["token_type"], "claims": claims, "userinfo": userinfo}, indent=2))
