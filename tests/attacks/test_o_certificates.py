"""Group O of the attack catalogue: clients that show a certificate, and tokens that are bound to one (RFC 8705)."""

import base64
from collections.abc import AsyncIterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import jwt
import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from kit.client_certificate import x5t_of
from kit.dpop import prove
from kit.jose import SigningKey
from tests.client_certificates import certificate, header
from tests.conftest import Dsns
from tests.provider import ISSUER, Provider, RelyingParty, running_provider

pytestmark = pytest.mark.asyncio(loop_scope="module")

MTLS = "https://mtls.id.test/idp"
SUBJECT = "CN=back.rp.test,O=A relying party,C=MA"
CA_KEY = ec.generate_private_key(ec.SECP256R1())


def issued(subject: str = SUBJECT, **changed: Any) -> x509.Certificate:
    return certificate(subject, **{"issuer": "CN=Test CA", "signer": CA_KEY, **changed})


CA = certificate(
    "CN=Test CA", key=SigningKey(CA_KEY, "ES256"), extensions=[x509.BasicConstraints(ca=True, path_length=0)]
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def idp(dsns: Dsns, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Provider]:
    """Behind an edge that asks for certificates: 192.0.2.1 is trusted."""
    ca_file: Path = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca_file.write_bytes(CA.public_bytes(Encoding.PEM))
    settings: dict[str, Any] = {"trusted_proxies": ("192.0.2.1/32",), "mtls_issuer": MTLS, "mtls_ca_file": ca_file}
    async with running_provider(dsns.idp, dsns.owner, **settings) as provider:
        yield provider


async def by_authority(idp: Provider, **metadata: Any) -> RelyingParty:
    return await idp.client(
        **{
            "profile": "machine",
            "token_endpoint_auth_method": "tls_client_auth",
            "tls_client_certificate_bound_access_tokens": True,
            "redirect_uris": [],
            "grant_types": ["client_credentials"],
            "scope": "documents:deposit",
            **metadata,
        }
    )


async def asked(idp: Provider, party: RelyingParty, shown: x509.Certificate | None, **form: str) -> httpx.Response:
    body = {"grant_type": "client_credentials", "client_id": party.client_id, **form}
    return await idp.http.post("/idp/token", data=body, headers=header(shown))


def outcome(response: httpx.Response) -> tuple[int, str | None]:
    return response.status_code, response.json().get("error")


REFUSED = (401, "invalid_client")


@pytest.mark.parametrize(
    "registered",
    [SUBJECT, "cn=BACK.rp.test, o=a  relying party, c=ma", "2.5.4.3=back.rp.test,O=A relying party,C=MA"],
)
async def test_o_mtls_a_certificate_names_the_client_rfc8705_2_1(idp: Provider, registered: str) -> None:
    party = await by_authority(idp, tls_client_auth_subject_dn=registered)
    good = issued()
    answer = await asked(idp, party, good)
    assert answer.status_code == 200, answer.text
    claims = jwt.decode(answer.json()["access_token"], options={"verify_signature": False})
    assert (claims["cnf"], answer.json()["token_type"]) == ({"x5t#S256": x5t_of(good)}, "Bearer")

    other = SigningKey.generate("ES256")
    for wrong in (
        None,
        issued("CN=back.rp.test,O=A relying party"),
        issued("O=A relying party,CN=back.rp.test,C=MA"),
        issued("CN=back.rp.test.evil.com,O=A relying party,C=MA"),
        issued("CN=back.rp.test\\,O\\=A relying party\\,C\\=MA"),
        issued(signer=other.private),
        issued(days=-1),
        issued(extensions=[x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])]),
        certificate(SUBJECT),
    ):
        assert outcome(await asked(idp, party, wrong)) == REFUSED, wrong


@pytest.mark.parametrize(
    ("member", "registered", "name"),
    [
        ("tls_client_auth_san_dns", "Back.rp.test", x509.DNSName("back.rp.test")),
        ("tls_client_auth_san_uri", "urn:rp:1", x509.UniformResourceIdentifier("urn:rp:1")),
        ("tls_client_auth_san_email", "it@rp.test", x509.RFC822Name("it@rp.test")),
        ("tls_client_auth_san_ip", "2001:db8:0::1", x509.IPAddress(ip_address("2001:db8::1"))),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_o_mtls_a_subject_alternative_name_names_the_client(
    idp: Provider, member: str, registered: str, name: x509.GeneralName
) -> None:
    party = await by_authority(idp, **{member: registered})
    good = issued("CN=x", extensions=[x509.SubjectAlternativeName([x509.DNSName("first.test"), name])])
    assert (await asked(idp, party, good)).status_code == 200
    other = issued("CN=x", extensions=[x509.SubjectAlternativeName([x509.DNSName("first.test")])])
    for wrong in (other, issued(f"CN={registered.replace(':', '.')}")):
        assert outcome(await asked(idp, party, wrong)) == REFUSED


@pytest.mark.parametrize("subject", ["no name", "", "CN"])
async def test_o_mtls_a_subject_that_nobody_can_have_is_not_registered(idp: Provider, subject: str) -> None:
    with pytest.raises(Exception, match="tls_client_auth"):
        await by_authority(idp, tls_client_auth_subject_dn=subject)


async def test_o_mtls_exactly_one_subject_is_registered(idp: Provider) -> None:
    for subjects in ({}, {"tls_client_auth_subject_dn": SUBJECT, "tls_client_auth_san_dns": "a.test"}):
        with pytest.raises(Exception, match="exactly one subject"):
            await by_authority(idp, **subjects)


async def test_o_mtls_a_self_signed_certificate_is_of_a_registered_key_rfc8705_2_2(idp: Provider) -> None:
    key, pinned = SigningKey.generate("ES256"), SigningKey.generate("ES256")
    good, fixed = certificate("CN=self", key=key), certificate("CN=fixed", key=pinned)
    x5c = [base64.b64encode(fixed.public_bytes(Encoding.DER)).decode()]
    party = await by_authority(
        idp,
        token_endpoint_auth_method="self_signed_tls_client_auth",
        jwks={"keys": [key.public_jwk, {**pinned.public_jwk, "x5c": x5c}]},
    )
    for right in (good, fixed):
        assert (await asked(idp, party, right)).status_code == 200
    for wrong in (
        None,
        certificate("CN=self"),
        issued(),
        certificate("CN=self", key=key, days=-1),
        certificate("CN=another of the same key", key=pinned),
    ):
        assert outcome(await asked(idp, party, wrong)) == REFUSED


async def test_o_mtls_nobody_but_the_edge_hands_a_certificate_over(idp: Provider) -> None:
    party = await by_authority(idp, tls_client_auth_subject_dn=SUBJECT)
    stranger = httpx.ASGITransport(app=idp.transport.app, client=("198.51.100.7", 1))
    body = {"grant_type": "client_credentials", "client_id": party.client_id}
    async with httpx.AsyncClient(transport=stranger, base_url="https://id.test") as http:
        assert outcome(await http.post("/idp/token", data=body, headers=header(issued()))) == REFUSED
    # A client that sends the header through an edge that adds its own.
    mine, theirs = header(certificate("CN=evil"))["Client-Cert"], header(issued())["Client-Cert"]
    twice = [("Client-Cert", mine), ("Client-Cert", theirs)]
    assert outcome(await idp.http.post("/idp/token", data=body, headers=twice)) == REFUSED


async def test_o_mtls_the_edge_may_hand_over_pem_as_nginx_escapes_it(idp: Provider) -> None:
    party = await by_authority(idp, tls_client_auth_subject_dn=SUBJECT)
    body = {"grant_type": "client_credentials", "client_id": party.client_id}
    escaped = {"Client-Cert": quote(issued().public_bytes(Encoding.PEM).decode(), safe="")}
    assert (await idp.http.post("/idp/token", data=body, headers=escaped)).status_code == 200
    for junk in ("::", ":AAAA:", "x", "-----BEGIN CERTIFICATE-----", ":%:"):
        answer = await idp.http.post("/idp/token", data=body, headers={"Client-Cert": junk})
        assert outcome(answer) == (400, "invalid_request")


async def test_o_mtls_a_certificate_stands_for_no_other_method(idp: Provider) -> None:
    party = await by_authority(idp, tls_client_auth_subject_dn=SUBJECT)
    assert outcome(await asked(idp, party, issued(), client_secret="x")) == REFUSED
    secret = await idp.client()
    assert outcome(await asked(idp, secret, issued())) == REFUSED


async def bound(idp: Provider, shown: x509.Certificate, **metadata: Any) -> tuple[RelyingParty, dict[str, Any]]:
    party = await idp.client(
        token_endpoint_auth_method="private_key_jwt", tls_client_certificate_bound_access_tokens=True, **metadata
    )
    code = await idp.code(await idp.signed_in(await idp.citizen()), party)
    missing = await idp.http.post("/idp/token", data=party.exchange(code))
    assert outcome(missing) == (400, "invalid_request")
    answer = await idp.http.post("/idp/token", data=party.exchange(code), headers=header(shown))
    assert answer.status_code == 200, answer.text
    return party, answer.json()


async def test_o_mtls_a_stolen_token_is_nothing_without_its_certificate_rfc8705_3(idp: Provider) -> None:
    mine, other = certificate("CN=mine"), certificate("CN=other")
    _, tokens = await bound(idp, mine)
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    for shown, status in ((mine, 200), (other, 401), (None, 401)):
        answer = await idp.http.get("/idp/userinfo", headers={**bearer, **header(shown)})
        assert answer.status_code == status


async def test_o_mtls_the_refresh_token_of_a_public_client_is_bound_to_its_certificate_rfc8705_4(idp: Provider) -> None:
    mine, other = certificate("CN=mine"), certificate("CN=other")
    party = await idp.client(
        profile="wallet", token_endpoint_auth_method="none", tls_client_certificate_bound_access_tokens=True
    )
    assert party.dpop is None
    code = await idp.code(await idp.signed_in(await idp.citizen()), party)
    tokens = (await idp.http.post("/idp/token", data=party.exchange(code), headers=header(mine))).json()
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], "client_id": party.client_id}
    assert outcome(await idp.http.post("/idp/token", data=form, headers=header(other))) == (400, "invalid_grant")
    assert (await idp.http.post("/idp/token", data=form, headers=header(mine))).status_code == 200


async def test_o_mtls_the_other_host_is_in_the_metadata_and_its_address_is_ours(idp: Provider) -> None:
    metadata = (await idp.http.get("/idp/.well-known/openid-configuration")).json()
    assert metadata["tls_client_certificate_bound_access_tokens"] is True
    assert metadata["mtls_endpoint_aliases"]["token_endpoint"] == f"{MTLS}/token"
    assert metadata["mtls_endpoint_aliases"]["userinfo_endpoint"] == f"{MTLS}/userinfo"
    methods = metadata["token_endpoint_auth_methods_supported"]
    assert {"tls_client_auth", "self_signed_tls_client_auth"} <= set(methods)
    assert metadata["issuer"] == ISSUER

    key = SigningKey.generate("ES256")
    party = await by_authority(
        idp,
        token_endpoint_auth_method="private_key_jwt",
        tls_client_certificate_bound_access_tokens=False,
        jwks={"keys": [key.public_jwk]},
    )
    party.key = key
    form = party.authentication()
    claims = jwt.decode(form["client_assertion"], options={"verify_signature": False})
    form["client_assertion"] = key.sign({**claims, "aud": f"{MTLS}/token"}, typ="JWT")
    assert party.dpop is not None
    proof = prove(party.dpop, method="POST", url=f"{MTLS}/token")
    answer = await idp.http.post(
        "/idp/token", data={"grant_type": "client_credentials", **form}, headers={"DPoP": proof, "Host": "mtls.id.test"}
    )
    assert answer.status_code == 200, answer.text
