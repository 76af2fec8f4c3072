"""An independent relying party (Authlib) against the running product; python-jose reads what we signed."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from authlib.common.security import generate_token
from authlib.integrations.httpx_client import OAuth2Client
from jose import jwt as python_jose

from tests.product import Product


def test_code_with_pkce_id_token_userinfo_refresh_revocation(product: Product) -> None:
    bank = next(party for party in product.told["relying_parties"] if party["client_secret"])
    metadata: dict[str, Any] = httpx.get(f"{product.issuer}/.well-known/openid-configuration").json()
    assert metadata["issuer"] == product.issuer
    client = OAuth2Client(
        client_id=bank["client_id"],
        client_secret=bank["client_secret"],
        token_endpoint_auth_method="client_secret_basic",
        redirect_uri=bank["redirect_uri"],
        scope="openid profile email",
        code_challenge_method="S256",
        trust_env=False,
    )
    verifier, nonce = generate_token(48), generate_token(20)
    address, state = client.create_authorization_url(
        metadata["authorization_endpoint"], code_verifier=verifier, nonce=nonce
    )

    browser = product.browser()
    page = browser.follow(browser.get(address))
    back = browser.sign_in(page, product.citizens[6], until=bank["redirect_uri"])
    location = back.headers["location"]
    answer = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
    assert (answer["state"], answer["iss"]) == (state, product.issuer)

    token = client.fetch_token(
        metadata["token_endpoint"], authorization_response=location, code_verifier=verifier, state=state
    )
    jwks = httpx.get(metadata["jwks_uri"]).json()
    alg = python_jose.get_unverified_header(token["id_token"])["alg"]
    claims = python_jose.decode(
        token["id_token"],
        next(key for key in jwks["keys"] if key["alg"] == alg),
        algorithms=[alg],
        audience=bank["client_id"],
        issuer=product.issuer,
        access_token=token["access_token"],
    )
    assert (claims["nonce"], claims["acr"]) == (nonce, "substantial")
    assert "mfa" in claims["amr"]

    userinfo = client.get(metadata["userinfo_endpoint"]).json()
    assert userinfo["sub"] == claims["sub"]
    assert userinfo["name"]
    assert "uid" not in userinfo

    refreshed = client.refresh_token(metadata["token_endpoint"], refresh_token=token["refresh_token"])
    assert refreshed["access_token"] != token["access_token"]
    assert client.revoke_token(metadata["revocation_endpoint"], token=refreshed["refresh_token"]).status_code == 200
    again = httpx.post(
        metadata["token_endpoint"],
        data={"grant_type": "refresh_token", "refresh_token": refreshed["refresh_token"]},
        auth=(bank["client_id"], bank["client_secret"]),
    )
    assert again.json()["error"] == "invalid_grant"
    dead = httpx.get(metadata["userinfo_endpoint"], headers={"Authorization": f"Bearer {refreshed['access_token']}"})
    assert dead.status_code == 401
