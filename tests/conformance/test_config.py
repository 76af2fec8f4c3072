"""Plan ``oidcc-config``: the discovery document and the key set, as its one module reads them."""

from typing import Any

import pytest

from tests.provider import ISSUER, Provider

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def document(idp: Provider) -> dict[str, Any]:
    answer = await idp.http.get("/idp/.well-known/openid-configuration")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/json")
    found: dict[str, Any] = answer.json()
    return found


async def test_oidcc_discovery_endpoint_verification(idp: Provider) -> None:
    found = await document(idp)
    assert found["issuer"] == ISSUER
    for member in (
        "authorization_endpoint",
        "token_endpoint",
        "userinfo_endpoint",
        "jwks_uri",
        "end_session_endpoint",
        "introspection_endpoint",
        "revocation_endpoint",
        "pushed_authorization_request_endpoint",
        "device_authorization_endpoint",
        "backchannel_authentication_endpoint",
        "registration_endpoint",
    ):
        assert found[member].startswith(f"{ISSUER}/"), member
    assert "code" in found["response_types_supported"]
    assert {"query", "form_post"} <= set(found["response_modes_supported"])
    assert found["subject_types_supported"] == ["pairwise"]
    assert "RS256" in found["id_token_signing_alg_values_supported"]
    assert "none" not in found["id_token_signing_alg_values_supported"]
    assert "openid" in found["scopes_supported"]
    assert {"client_secret_basic", "client_secret_post", "private_key_jwt"} <= set(
        found["token_endpoint_auth_methods_supported"]
    )
    assert "client_secret_jwt" not in found["token_endpoint_auth_methods_supported"]
    assert found["claims_parameter_supported"] is True
    assert "sub" in found["claims_supported"]


async def test_no_member_is_null_or_an_empty_list(idp: Provider) -> None:
    """RFC 8414 §3.2: claims with zero elements are omitted."""
    assert [name for name, value in (await document(idp)).items() if value in (None, [], "")] == []


async def test_the_key_set_has_public_keys_with_distinct_kids(idp: Provider) -> None:
    keys = (await idp.http.get("/idp/jwks")).json()["keys"]
    assert not {"d", "p", "q", "dp", "dq", "qi", "k"} & {member for key in keys for member in key}
    assert len({key["kid"] for key in keys}) == len(keys)
    assert {key["use"] for key in keys} == {"sig"}
    assert {"ES256", "RS256", "PS256"} <= {key["alg"] for key in keys}


async def test_every_endpoint_that_is_named_answers(idp: Provider) -> None:
    """What is advertised is served: no endpoint of the document is a 404."""
    found = await document(idp)
    for member, url in found.items():
        if member.endswith("_endpoint") and isinstance(url, str):
            answer = await idp.http.get(url.removeprefix("https://id.test"))
            assert answer.status_code != 404, member
