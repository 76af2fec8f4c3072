"""Traces as a collector receives them: what was done and for how long, and no token, code, path or person."""

import threading
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import pytest_asyncio
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from kit import tracing
from tests.conftest import Dsns
from tests.provider import Provider, answer_of, running_provider

pytestmark = pytest.mark.asyncio(loop_scope="module")

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


class Collector:
    """Takes spans by OTLP over HTTP, as a real one does."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        bodies = self.bodies

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/v1/traces"

    def spans(self) -> list[tuple[str, str, dict[str, str]]]:
        """Trace, name and attributes of each span."""
        found = []
        for body in self.bodies:
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in resource.scope_spans:
                    for span in scope.spans:
                        attributes = {one.key: str(one.value) for one in span.attributes}
                        found.append((span.trace_id.hex(), span.name, attributes))
        return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def idp(dsns: Dsns) -> AsyncIterator[Provider]:
    async with running_provider(dsns.idp, dsns.owner, trusted_proxies=("192.0.2.1/32",)) as provider:
        yield provider


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    tracing.start_otlp(collector.url, service="khizana-test")
    yield collector
    tracing.stop()
    collector.server.shutdown()
    collector.server.server_close()


async def test_k_08_a_sign_in_leaves_spans_without_a_secret_or_a_person(idp: Provider, collector: Collector) -> None:
    party = await idp.client()
    browser = await idp.signed_in(await idp.citizen())
    allowed = await idp.allowed(browser, party, scope="openid profile offline_access")
    code = answer_of(allowed)["code"]
    tokens = (await idp.http.post("/idp/token", data=party.exchange(code))).json()
    await idp.userinfo(tokens["access_token"])
    await idp.refresh(party, tokens["refresh_token"])
    await idp.http.get(f"/idp/{code}?token={tokens['access_token']}", headers={"User-Agent": tokens["access_token"]})
    tracing.stop()

    names = {name for _, name, _ in collector.spans()}
    assert {"POST", "GET"} <= names
    assert any(name.startswith("INSERT idp.") for name in names)
    assert any(name.startswith("SELECT idp.") for name in names)
    routes = {attributes.get("http.route", "") for _, _, attributes in collector.spans()}
    assert any("/idp/token" in route for route in routes)
    sent = b"".join(collector.bodies)
    secrets = [code, party.secret, party.verifier, tokens["access_token"], tokens["refresh_token"], tokens["id_token"]]
    for secret in [*secrets, "amina@example.com", "Amina", "أمينة", "1990-03-14", "$1"]:
        assert str(secret).encode() not in sent, secret


async def test_a_trace_is_joined_by_who_we_trust_and_by_nobody_else(
    idp: Provider, dsns: Dsns, collector: Collector
) -> None:
    await idp.http.get("/idp/jwks", headers={"traceparent": TRACEPARENT, "tracestate": "a=secret"})
    async with running_provider(dsns.idp, dsns.owner) as other:
        await other.http.get("/idp/.well-known/openid-configuration", headers={"traceparent": TRACEPARENT})
    tracing.stop()
    traces = {attributes.get("http.route", ""): trace for trace, name, attributes in collector.spans() if name == "GET"}
    joined = {trace for route, trace in traces.items() if "jwks" in route}
    refused = {trace for route, trace in traces.items() if "openid-configuration" in route}
    assert joined == {TRACE}
    assert refused
    assert TRACE not in refused
    assert b"secret" not in b"".join(collector.bodies)


async def test_a_statement_is_named_by_what_it_does_and_never_by_its_text() -> None:
    assert tracing.statement_name("\n  SELECT a FROM idp.client WHERE b = 'x'") == "SELECT idp.client"
    assert tracing.statement_name("WITH w AS (UPDATE idp.token SET a = 1) SELECT 1") == "WITH idp.token"
    assert tracing.statement_name("SELECT 1") == "SELECT"
