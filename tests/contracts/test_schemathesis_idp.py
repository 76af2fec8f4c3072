"""Whatever is sent to an operation of openapi/idp.json, the answer is one that the description knows, and never 500: a
refusal too, by its status, its form and its code."""

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx
import msgspec
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from idp.clients.schema import ClientRegistration
from idp.sessions.cookies import BROWSER_COOKIE, SESSION_COOKIE
from khizana.commands.openapi import FOLDER
from tests.conftest import Dsns
from tests.provider import CALLBACK, ORIGIN
from tests.running import Running, running_on

DESCRIBED: dict[str, Any] = json.loads((FOLDER / "idp.json").read_text(encoding="utf-8"))
OPERATIONS = [(method, path) for path, item in DESCRIBED["paths"].items() for method in item]
JSON_BODIES = ("/idp/register", "/idp/register/{client_id}", "/idp/admin/clients", "/idp/admin/citizens/look-up")
BROWSER = "b" * 43
# What the description leaves open: the names that messages and forms have, and values that lead on from there.
KNOWN = {
    "grant_type": [
        "authorization_code",
        "refresh_token",
        "client_credentials",
        "urn:ietf:params:oauth:grant-type:device_code",
        "urn:ietf:params:oauth:grant-type:token-exchange",
        "urn:openid:params:grant-type:ciba",
    ],
    "response_type": ["code", "code id_token"],
    "redirect_uri": [CALLBACK],
    "scope": ["openid", "openid profile offline_access"],
    "code_challenge": ["E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"],
    "code_challenge_method": ["S256"],
    "claims": ['{"id_token":{"acr":{"essential":true}}}', '{"userinfo":[]}', "[" * 500, '{"id_token":{"a":1e999}}'],
    "authorization_details": ["[]", '[{"type":"locker_document"}]', '{"type":1}'],
    "subject_token_type": ["urn:ietf:params:oauth:token-type:access_token"],
    "client_assertion_type": ["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"],
    "client_assertion": ["a.b.c", "eyJhbGciOiJFUzI1NiJ9.e30.AA", "eyJhbGciOiJFUzI1NiJ9.W10.AA"],
    "request": ["a.b.c", "eyJhbGciOiJub25lIn0.e30.", "eyJhbGciOiJFUzI1NiJ9.W10.AA"],
    "id_token_hint": ["a.b.c", "eyJhbGciOiJFUzI1NiJ9.e30.AA"],
    "prompt": ["none", "login", "consent", "none login"],
    "max_age": ["0", "-1", "9" * 30, "١"],
    "requested_expiry": ["0", "-1", "9" * 30],
    "decision": ["allow", "deny"],
    "uid": ["00000000", "٠" * 8],
    "passkey": ["{}", "[]", '{"id":1,"response":[]}'],
    "passkey_id": ["00000000-0000-0000-0000-000000000000", "AA"],
    "sid": ["00000000-0000-0000-0000-000000000000"],
    "mandate": ["00000000-0000-0000-0000-000000000000"],
    "consent": ["00000000-0000-0000-0000-000000000000"],
    "language": ["ar", "fr", "zgh", "en"],
    "ui_locales": ["ar fr", "-"],
    "until": ["2030-01-01", "0000-00-00"],
    "binding_message": ["A 1"],
    "response_mode": ["query", "fragment", "form_post", "jwt"],
}
NAMES = [
    *KNOWN,
    "acr_values",
    "activation_code",
    "channel",
    "claims_locales",
    "client",
    "client_id",
    "client_notification_token",
    "client_secret",
    "code",
    "code_verifier",
    "contact",
    "csrf",
    "device_code",
    "dpop_jkt",
    "error",
    "error_description",
    "auth_req_id",
    "id",
    "interaction",
    "back",
    "to",
    "iss",
    "link",
    "login_hint",
    "method",
    "name",
    "nonce",
    "number",
    "otp",
    "password",
    "post_logout_redirect_uri",
    "refresh_token",
    "request_uri",
    "resource",
    "state",
    "subject_token",
    "token",
    "token_type_hint",
    "user_code",
    "username",
    "way",
    "what",
    "whom",
]


@dataclass
class World:
    running: Running
    secret: dict[str, str]
    authorizations: dict[str, str]
    csrf: str
    session: str


@pytest.fixture(scope="module")
def world(dsns: Dsns) -> Iterator[World]:
    with running_on(dsns) as running:
        provider = running.provider
        party = running.run(provider.client())
        browser = running.run(provider.signed_in(running.run(provider.citizen())))
        access_token = running.run(provider.tokens(browser, party))["access_token"]
        session = browser.cookies.get(SESSION_COOKIE)
        assert party.secret is not None
        assert session is not None
        basic = base64.b64encode(f"{party.client_id}:{party.secret}".encode()).decode()
        yield World(
            running,
            {"client_id": party.client_id, "client_secret": party.secret},
            {
                "none": "",
                "basic": f"Basic {basic}",
                "broken basic": "Basic ÿ:",
                "bearer": f"Bearer {access_token}",
                "bearer of nothing": "Bearer a.b.c",
                "dpop": f"DPoP {access_token}",
            },
            provider.wiring.csrf.token(BROWSER),
            session,
        )


def string(name: str) -> dict[str, Any]:
    return {"anyOf": [{"enum": KNOWN[name]}, {"type": "string"}]} if name in KNOWN else {"type": "string"}


def completed() -> dict[str, Any]:
    """The description, with the parameters and bodies that it leaves to the specifications."""
    described: dict[str, Any] = json.loads(json.dumps(DESCRIBED))
    form = {"type": "object", "properties": {name: string(name) for name in NAMES}, "additionalProperties": False}
    (metadata,), schemas = msgspec.json.schema_components(
        [ClientRegistration], ref_template="#/components/schemas/{name}"
    )
    described.setdefault("components", {}).setdefault("schemas", {}).update(schemas)
    for path, item in described["paths"].items():
        for method, operation in item.items():
            if method == "get":
                names = [name for name in NAMES if not path.startswith("/idp/.well-known")]
                operation.setdefault("parameters", []).extend(
                    {"name": name, "in": "query", "required": False, "schema": string(name)} for name in names
                )
            elif "requestBody" not in operation:
                as_json = {"anyOf": [metadata, {"type": "object"}, {}]} if path in JSON_BODIES else None
                content = {"application/json": {"schema": as_json}} if as_json else {FORM: {"schema": form}}
                operation["requestBody"] = {"required": True, "content": content}
    return described


FORM = "application/x-www-form-urlencoded"
SCHEMA = schemathesis.openapi.from_dict(completed())


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_it_answers_as_described_and_never_500(world: World, method: str, path: str) -> None:
    provider = world.running.provider
    documented = {int(code) for code in DESCRIBED["paths"][path][method]["responses"]}

    @settings(max_examples=6, deadline=None, derandomize=True, database=None, suppress_health_check=[*HealthCheck])
    @given(
        SCHEMA[path][method.upper()].as_strategy(),
        st.sampled_from(sorted(world.authorizations)),
        st.booleans(),
        st.booleans(),
    )
    def ask(case: Any, authorization: str, signed_in: bool, client: bool) -> None:
        if isinstance(case.body, dict) and case.media_type == FORM:
            case.body |= {"csrf": world.csrf} | (world.secret if client else {})
        elif isinstance(case.query, dict) and client:
            case.query["client_id"] = world.secret["client_id"]
        prepared = requests.Request(**case.as_transport_kwargs(base_url=ORIGIN)).prepare()
        headers = [(name, value) for name, value in prepared.headers.items() if name.lower() != "connection"]
        if world.authorizations[authorization]:
            headers.append(("Authorization", world.authorizations[authorization]))
        cookies = [f"{BROWSER_COOKIE}={BROWSER}", *([f"{SESSION_COOKIE}={world.session}"] if signed_in else [])]
        headers.append(("Cookie", "; ".join(cookies)))
        request = httpx.Request(
            method.upper(),
            str(prepared.url),
            headers=[(name.encode(), value.encode() if isinstance(value, str) else value) for name, value in headers],
            content=prepared.body or b"",
        )
        response = world.running.run(provider.http.send(request))
        assert response.status_code < 500, response.text
        if response.status_code < 300:
            assert response.status_code in documented
        elif response.status_code >= 400:
            refused_as_described(response, DESCRIBED["paths"][path][method]["responses"])

    ask()


WELL_FORMED = {
    "/idp/clients/standing": b'{"client_ids": ["x"]}',
    "/idp/subjects/resolve": b'{"uid": "1000000008"}',
    "/idp/subjects/resolve-several": b'{"subjects": [{"uid": "1000000008"}]}',
}
PROGRAMS = [(method, path) for method, path in OPERATIONS if "503" in DESCRIBED["paths"][path][method]["responses"]]


@pytest.mark.parametrize(("method", "path"), PROGRAMS)
def test_what_each_endpoint_refuses_before_all_else_is_described(world: World, method: str, path: str) -> None:
    provider, described = world.running.provider, DESCRIBED["paths"][path][method]["responses"]
    address = re.sub(r"{[^}]+}", "00000000-0000-0000-0000-000000000000", path)
    secret = urlencode({**world.secret, "grant_type": "none"}).encode()
    nobody = urlencode({"client_id": "nobody", "client_secret": "x", "grant_type": "client_credentials"}).encode()
    asked: list[tuple[str, dict[str, str], bytes]] = [
        (FORM, {}, b""),
        (FORM, {}, secret),
        (FORM, {}, nobody),
        (FORM, {}, b"a=1&a=2"),
        ("application/json", {}, b"{"),
        ("application/json", {"Authorization": "Bearer a.b.c"}, WELL_FORMED.get(path, b"{}")),
        ("application/json", {"Authorization": "Officer a.b.c"}, b"{}"),
        ("application/json", {"Authorization": world.authorizations["bearer"]}, WELL_FORMED.get(path, b"{}")),
        (FORM, {"Authorization": "Bearer a.b.c"}, b"a=" + b"a" * 70_000),
        (FORM, {"Content-Encoding": "gzip"}, b"\x1f\x8b"),
    ]
    seen = set()
    with_body = method in ("post", "put")
    # Who sends no body says nothing of one.
    for media_type, headers, content in asked if with_body else asked[:-2]:
        sent: dict[str, Any] = {"headers": headers}
        if with_body:
            sent = {"headers": {**headers, "Content-Type": media_type}, "content": content}
        response = world.running.run(provider.http.request(method.upper(), address, **sent))
        assert response.status_code < 500, response.text
        if response.status_code >= 400:
            refused_as_described(response, described)
        seen.add(str(response.status_code))
    assert seen >= ({"413", "415"} if with_body else set())
    assert seen >= {"401"} & described.keys()


MEMBERS = {"application/json": ("OAuthError", "error"), "application/problem+json": ("Problem", "code")}
# Of an address that is none of ours, and of a head that is too large: no operation was asked.
NO_OPERATION = {404: "not-found", 405: "method-not-allowed", 414: "http-414", 431: "http-431"}


def refused_as_described(response: httpx.Response, described: dict[str, Any]) -> None:
    media_type = response.headers.get("content-type", "").partition(";")[0]
    if media_type == "text/html":
        # A page says it to a person.
        assert "503" not in described, response.text
        return
    name, member = MEMBERS[media_type]
    schema, body = DESCRIBED["components"]["schemas"][name], response.json()
    assert set(schema["required"]) <= body.keys()
    assert body[member] in schema["properties"][member]["x-extensible-enum"]
    if "503" in described and body[member] != NO_OPERATION.get(response.status_code):
        said = described[str(response.status_code)]["content"]
        assert said[media_type]["schema"] == {"$ref": f"#/components/schemas/{name}"}
