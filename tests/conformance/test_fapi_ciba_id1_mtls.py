"""FAPI-CIBA ID1 with client_auth_type mtls, and private_key_jwt with tokens bound to a certificate: the modules that
differ from those of tests/conformance/test_fapi_ciba_id1.py."""

import dataclasses
from typing import Any

import httpx
import jwt
import pytest
from cryptography import x509

from idp.backchannel.answer_for import allow_for
from idp.backchannel.waiting import find_by_digest
from kit.client_certificate import x5t_of
from kit.jose import SigningKey
from kit.tokens import digest
from tests.attacks.test_o_certificates import MTLS, certificate, header, idp
from tests.provider import Provider, RelyingParty
from tests.waiting import CIBA, service, signed, uid_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

__all__ = ["idp"]


@dataclasses.dataclass
class Bank:
    """A client, its key for signing requests, and its certificate."""

    idp: Provider
    party: RelyingParty
    key: SigningKey
    shown: x509.Certificate

    async def ask(
        self, *, shown: x509.Certificate | None, client_id: str | None = None, **claims: Any
    ) -> httpx.Response:
        request = signed(self.party, key=self.key, **claims)
        return await self._post("/idp/bc-authorize", shown, client_id, request=request)

    async def poll(
        self, auth_req_id: str, *, shown: x509.Certificate | None, client_id: str | None = None
    ) -> httpx.Response:
        return await self._post("/idp/token", shown, client_id, grant_type=CIBA, auth_req_id=auth_req_id)

    async def _post(
        self, path: str, shown: x509.Certificate | None, client_id: str | None, **form: str
    ) -> httpx.Response:
        by_key = self.party.key is not None
        proven = self.party.authentication() if by_key else {"client_id": client_id or self.party.client_id}
        return await self.idp.http.post(path, data={**proven, **form}, headers=header(shown))


async def bank(idp: Provider, method: str) -> Bank:
    key = SigningKey.generate("ES256")
    party = await service(
        idp,
        token_endpoint_auth_method=method,
        jwks={"keys": [key.public_jwk]},
        dpop_bound_access_tokens=False,
        tls_client_certificate_bound_access_tokens=True,
    )
    party.key = key if method == "private_key_jwt" else None
    # For private_key_jwt any certificate will do: it proves nothing but that the token's user is who asked for it.
    return Bank(idp, party, key, certificate("CN=bank.test", key=key))


async def allowed(idp: Provider, auth_req_id: str) -> None:
    waiting = await find_by_digest(idp.wiring.db, digest(auth_req_id))
    assert waiting is not None
    await allow_for(idp.wiring, waiting)


@pytest.mark.parametrize("method", ["self_signed_tls_client_auth", "private_key_jwt"])
async def test_fapi_ciba_id1(idp: Provider, method: str) -> None:
    one, citizen_id = await bank(idp, method), await idp.citizen()
    begun = await one.ask(shown=one.shown, login_hint=await uid_of(idp, citizen_id))
    assert begun.status_code == 200, begun.text
    auth_req_id = begun.json()["auth_req_id"]
    await allowed(idp, auth_req_id)
    tokens = await one.poll(auth_req_id, shown=one.shown)
    assert tokens.status_code == 200, tokens.text
    claims = jwt.decode(tokens.json()["access_token"], options={"verify_signature": False})
    assert claims["cnf"] == {"x5t#S256": x5t_of(one.shown)}
    bearer = {"Authorization": f"Bearer {tokens.json()['access_token']}"}
    for shown, status in ((one.shown, 200), (None, 401), (certificate("CN=other.test"), 401)):
        answer = await idp.http.get("/idp/userinfo", headers={**bearer, **header(shown)})
        assert answer.status_code == status


@pytest.mark.parametrize("method", ["self_signed_tls_client_auth", "private_key_jwt"])
async def test_fapi_ciba_id1_ensure_mtls_holder_of_key_required(idp: Provider, method: str) -> None:
    one, citizen_id = await bank(idp, method), await idp.citizen()
    auth_req_id = (await one.ask(shown=one.shown, login_hint=await uid_of(idp, citizen_id))).json()["auth_req_id"]
    await allowed(idp, auth_req_id)
    answer = await one.poll(auth_req_id, shown=None)
    assert answer.status_code in (400, 401)
    assert answer.json()["error"] in ("invalid_client", "invalid_request")
    # It was not burnt.
    assert (await one.poll(auth_req_id, shown=one.shown)).status_code == 200


async def test_fapi_ciba_id1_ensure_wrong_client_id_is_refused_at_both_endpoints(idp: Provider) -> None:
    """…-wrong-client-id-in-token-endpoint-request, …-in-backchannel-authorization-request and
    …-different-client-id-and-issuer-in-backchannel-authorization-request."""
    one, other = [await bank(idp, "self_signed_tls_client_auth") for _ in range(2)]
    uid = await uid_of(idp, await idp.citizen())
    auth_req_id = (await one.ask(shown=one.shown, login_hint=uid)).json()["auth_req_id"]
    for answer in (
        await one.poll(auth_req_id, shown=one.shown, client_id=other.party.client_id),
        await one.ask(shown=one.shown, client_id=other.party.client_id, login_hint=uid),
        await one.ask(shown=None, login_hint=uid),
        await one.ask(shown=other.shown, login_hint=uid),
    ):
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


async def test_both_endpoints_have_their_alias(idp: Provider) -> None:
    found = (await idp.http.get("/idp/.well-known/openid-configuration")).json()["mtls_endpoint_aliases"]
    assert found["backchannel_authentication_endpoint"] == f"{MTLS}/bc-authorize"
    assert found["device_authorization_endpoint"] == f"{MTLS}/device-authorization"
    assert found["token_endpoint"] == f"{MTLS}/token"
