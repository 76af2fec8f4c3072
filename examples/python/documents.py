"""Sign in and ask for documents of the citizen's locker with the same consent (``locker_document``), with Authlib."""

import datetime as dt
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
LOCKER = os.environ.get("LOCKER", "http://localhost:8000")
REDIRECT_URI = os.environ.get("REDIRECT_URI", "http://localhost:9106/callback")
PURPOSE = "school-place"
ASKED = {"type": "RESIDENCE", "fields": ["full_name", "address", "commune"]}

if sys.argv[1] == "register":
    registration = {
        "profile": "basic",
        "sector": "school.example",
        "client_name": "Example school",
        "purpose": "To enrol your child",
        "redirect_uris": [REDIRECT_URI],
        "token_endpoint_auth_method": "client_secret_basic",
        "grant_types": ["authorization_code", "refresh_token"],
        "id_token_signed_response_alg": "RS256",
        "scope": "openid profile",
        "authorization_details_types": ["locker_document"],
    }
    print(json.dumps(registration, indent=2))
    sys.exit()
if sys.argv[1] == "purpose":
    # What an officer registers for this client: nobody may ask for more than this.
    purpose = {
        "client_id": json.loads(Path(sys.argv[2]).read_text())["client_id"],
        "purpose_id": PURPOSE,
        "names": {"ar": "مدرسة المثال", "fr": "L’école exemple", "zgh": "ⵜⵉⵏⵎⵍ", "en": "Example school"},
        "purpose": {
            "ar": "تسجيل طفلكم",
            "fr": "Inscrire votre enfant",
            "zgh": "ⴰⵣⵎⵎⴻⵎ ⵏ ⵡⴰⵔⵔⴰⵡ ⵏⵏⵓⵏ",
            "en": "To enrol your child",
        },
        "documents": [ASKED],
    }
    print(json.dumps(purpose, indent=2, ensure_ascii=False))
    sys.exit()

registered = json.loads(Path(sys.argv[1]).read_text())
provider = httpx.get(f"{ISSUER}/.well-known/openid-configuration").raise_for_status().json()
assert provider["issuer"] == ISSUER

# RFC 9396: what is asked for, said exactly. The citizen reads it on the page of consent.
detail = {
    "type": "locker_document",
    "document_types": [ASKED["type"]],
    "fields": ASKED["fields"],
    "purpose": PURPOSE,
    "until": (dt.datetime.now(dt.UTC).date() + dt.timedelta(days=60)).isoformat(),
}
client = OAuth2Client(
    registered["client_id"],
    registered["client_secret"],
    scope="openid profile",
    redirect_uri=REDIRECT_URI,
    code_challenge_method="S256",
)
verifier, nonce = generate_token(48), generate_token(24)
address, state = client.create_authorization_url(
    provider["authorization_endpoint"],
    code_verifier=verifier,
    nonce=nonce,
    authorization_details=json.dumps([detail]),
)
callback = Callback(REDIRECT_URI)
print(f"Open this address in a browser:\n\n  {address}\n", flush=True)
answer = callback.wait()
assert parse_qs(urlsplit(answer).query)["iss"] == [ISSUER]

# A token for the locker (RFC 8707): it carries what the citizen allowed. Bound tokens (DPoP, mTLS) work the same.
token = client.fetch_token(
    provider["token_endpoint"],
    authorization_response=answer,
    code_verifier=verifier,
    state=state,
    resource=LOCKER,
)
granted = token["authorization_details"]
assert granted == [detail]
keys = KeySet.import_key_set(httpx.get(provider["jwks_uri"]).raise_for_status().json())
claims = jwt.decode(token["id_token"], keys, algorithms=["RS256"]).claims
jwt.JWTClaimsRegistry(
    iss={"essential": True, "value": ISSUER},
    aud={"essential": True, "value": registered["client_id"]},
    nonce={"essential": True, "value": nonce},
    exp={"essential": True},
    sub={"essential": True},
).validate(claims)

# The detail, word by word, becomes a share that only this client opens. Asked again it is the same share.
in_words = {"Accept-Language": "fr"}  # the citizen's, who reads of the share in it
taken = client.post(f"{LOCKER}/v1/requests/authorized", json=granted[0], headers=in_words).raise_for_status().json()
again = client.post(f"{LOCKER}/v1/requests/authorized", json=granted[0], headers=in_words).raise_for_status().json()
assert again == taken
opened = client.post(taken["share"]).raise_for_status().json()

# One token, one audience: for userinfo, another one.
client.refresh_token(provider["token_endpoint"], refresh_token=token["refresh_token"], resource=ISSUER)
userinfo = client.get(provider["userinfo_endpoint"]).raise_for_status().json()
assert userinfo["sub"] == claims["sub"]

documents = [
    {"type": document["answer"]["document"]["type"], "credential": document["credential"]}
    for document in opened["documents"]
]
print(
    json.dumps(
        {
            "token_type": token["token_type"],
            "claims": claims,
            "userinfo": userinfo,
            "share": taken["share"],
            "documents": documents,
            "receipt": opened["receipt"],
        },
        indent=2,
    )
)
