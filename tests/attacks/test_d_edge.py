"""Rows D of the catalogue that meet the edge first: nginx as it is deployed, before granian with the provider."""

import asyncio
import base64
import contextlib
import json
import ssl
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from idp.clients.register import register
from idp.clients.schema import ClientRegistration
from khizana.embedded.postgres import EmbeddedPostgres
from kit.audit import Audit
from kit.client_certificate import x5t_of
from kit.db import Database
from kit.jose import SigningKey, unverified_claims
from tests.conftest import migrate_both, run
from tests.edge import IDP, LOCKER, MTLS, Edge, Said, client_certificate, running_edge, running_server
from tests.provider import signing_keys

pytestmark = pytest.mark.asyncio(loop_scope="module")

# So many connections does one of the edge's processes hold here, and there is one a processor.
CONNECTIONS_MAX = 400
DISCOVERY = f"GET /idp/.well-known/openid-configuration HTTP/1.1\r\nHost: {IDP}\r\n".encode()
TOKEN = f"POST /idp/token HTTP/1.1\r\nHost: {IDP}\r\nContent-Type: application/x-www-form-urlencoded\r\n".encode()


@pytest.fixture(scope="module")
def database() -> Iterator[EmbeddedPostgres]:
    """One of our own, that may be stopped."""
    with tempfile.TemporaryDirectory(prefix="khizana-edge-db-", ignore_cleanup_errors=True) as folder:
        server = EmbeddedPostgres.start(Path(folder), durable=False)
        run(migrate_both(server.dsn("owner")))
        yield server
        server.stop()


@pytest.fixture(scope="module")
def provider(database: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    keys = tmp_path_factory.mktemp("keys")
    for name, pem in signing_keys().items():
        (keys / name).write_bytes(pem)
    environ = {
        "KHIZANA_MODE": "production",
        "KHIZANA_ISSUER": f"https://{IDP}/idp",
        "KHIZANA_TRUSTED_PROXIES": "127.0.0.1/32",
        "KHIZANA_IDP_DATABASE_URL": database.dsn("idp"),
        "KHIZANA_IDP_SECRET": "0123456789abcdef" * 4,
        "KHIZANA_IDP_KEYS_FOLDER": str(keys),
        "KHIZANA_IDP_MTLS_ISSUER": f"https://{MTLS}/idp",
    }
    with running_server("idp", environ) as address:
        yield address


class Witness:
    """In the locker's place: answers with the head of what reached it."""

    def __init__(self) -> None:
        self._server: asyncio.Server | None = None

    async def start(self) -> str:
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                for line in head.split(b"\r\n"):
                    if line.lower().startswith(b"content-length:"):
                        await reader.readexactly(int(line.split(b":")[1]))
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(head) + head)
        writer.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def witness() -> str:
    return await Witness().start()


@pytest.fixture(scope="module")
def edge(provider: str, witness: str) -> Iterator[Edge]:
    with running_edge(
        idp=provider,
        locker=witness,
        CONNECTIONS_MAX=str(CONNECTIONS_MAX),
        CONNECTIONS_PER_ADDRESS="1000",
        REQUESTS_PER_S="1000",
        REQUESTS_BURST="1000",
    ) as running:
        yield running


async def ask(edge: Edge, path: str = "/idp/.well-known/openid-configuration") -> Said:
    return await edge.say(f"GET {path} HTTP/1.1\r\nHost: {IDP}\r\nConnection: close\r\n\r\n".encode())


async def seconds_until_closed(edge: Edge, head: bytes, drip: bytes) -> tuple[float, float]:
    """Of a client that sends its request a byte every half second: since it called, and since it was connected."""
    called = time.monotonic()
    reader, writer = await edge.connect()
    connected = time.monotonic()

    async def send() -> None:
        writer.write(head)
        while True:
            writer.write(drip)
            await asyncio.sleep(0.5)

    sending = asyncio.create_task(send())
    try:
        async with asyncio.timeout(30):
            while await reader.read(4_096):
                pass
    except (ConnectionError, ssl.SSLError):
        pass
    finally:
        sending.cancel()
        writer.transport.abort()
    return time.monotonic() - called, time.monotonic() - connected


async def test_d_01_slow_heads_and_slow_bodies_are_closed_while_others_are_served(edge: Edge) -> None:
    slow = [
        asyncio.create_task(seconds_until_closed(edge, *sent))
        for sent in [(DISCOVERY + b"X-Slow: ", b"a")] * 170 + [(TOKEN + b"Content-Length: 5000\r\n\r\n", b"a")] * 30
    ]
    others = []
    while not all(task.done() for task in slow):
        started = time.monotonic()
        assert (await ask(edge)).status == 200
        others.append(time.monotonic() - started)
        await asyncio.wait(slow, timeout=0.3)
    since_called, since_connected = zip(*(task.result() for task in slow), strict=True)
    assert sorted(since_connected)[len(slow) // 2] < 10
    # On a machine that does other things too.
    assert max(since_connected) < 15
    # They were held until their time was over: nothing here refuses a connection out of hand.
    assert min(since_called) > 5
    assert len(others) > 3
    assert sorted(others)[len(others) // 2] < 3


@pytest.mark.parametrize(
    ("head", "status", "code"),
    [
        (DISCOVERY + b"X-Large: " + b"a" * 300_000 + b"\r\n\r\n", 431, "head-too-large"),
        (DISCOVERY + b"".join(b"X-%d: 1\r\n" % n for n in range(5_000)) + b"\r\n", 431, "head-too-large"),
        (DISCOVERY + b"".join(b"X-%d: 1\r\n" % n for n in range(110)) + b"\r\n", 431, "head-too-large"),
        (f"GET /idp/{'a' * 65_536} HTTP/1.1\r\nHost: {IDP}\r\n\r\n".encode(), 414, "address-too-long"),
    ],
    ids=["300 kB", "5000 headers", "110 headers", "64 kB address"],
)
async def test_d_03_a_head_that_is_too_large(edge: Edge, head: bytes, status: int, code: str) -> None:
    said = await edge.say(head)
    assert (said.status, json.loads(said.body)["code"]) == (status, code)
    assert (await ask(edge)).status == 200


@pytest.mark.parametrize(
    "request_",
    [
        TOKEN + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        TOKEN + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
        TOKEN + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\na=bcd",
        TOKEN + b"Content-Length: 4\r\nContent-Length: 4\r\n\r\na=bc",
        TOKEN + b"Content-Length: +4\r\n\r\na=bc",
        TOKEN + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        DISCOVERY + b"X-A: 1\nX-B: 2\r\n\r\n",
        DISCOVERY.replace(b"\r\n", b"\n") + b"\n",
        DISCOVERY + b"X-A: 1\r\n\n",
        DISCOVERY + b"X-A: 1\r\n folded\r\n\r\n",
        DISCOVERY + b"X-A: 1\r\n\tfolded\r\n\r\n",
        DISCOVERY + b"X-A: 1\0\r\n\r\n",
        DISCOVERY + b"X-A: 1\rX-B: 2\r\n\r\n",
        DISCOVERY + f"Host: {LOCKER}\r\n\r\n".encode(),
        b"GET /idp/jwks HTTP/1.1\r\n\r\n",
    ],
    ids=[
        "CL.TE",
        "TE.CL",
        "two lengths",
        "one length twice",
        "signed length",
        "space before colon",
        "bare LF",
        "only bare LF",
        "bare LF at the end",
        "folded by space",
        "folded by tab",
        "NUL",
        "bare CR",
        "two hosts",
        "no host",
    ],
)
async def test_d_04_what_two_programs_could_read_differently(edge: Edge, request_: bytes) -> None:
    smuggled = b"GET /idp/jwks HTTP/1.1\r\nHost: " + IDP.encode() + b"\r\n\r\n"
    said = await edge.say(request_ + smuggled)
    assert said.status == 400
    assert said.closed
    assert said.raw.count(b"HTTP/1.1 ") == 1


async def test_d_04_a_request_without_a_version_is_not_answered(edge: Edge) -> None:
    for request in (b"GET /idp/jwks\r\n\r\n", b"GET /idp/jwks HTTP/0.9\r\n\r\n", b"GET /idp/jwks HTTP/2.0\r\n\r\n"):
        said = await edge.say(request)
        assert said.closed
        assert b'"keys"' not in said.raw


async def test_d_04_an_unknown_coding_is_refused(edge: Edge) -> None:
    said = await edge.say(TOKEN + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n")
    assert (said.status, said.closed, json.loads(said.body)["code"]) == (501, True, "not-implemented")


async def test_d_06_idle_connections_are_closed_when_places_run_short(edge: Edge) -> None:
    context = edge.context()
    idle = []
    for _ in range(5):
        opened = await asyncio.gather(*(edge.connect(context=context) for _ in range(200)), return_exceptions=True)
        idle += [one for one in opened if isinstance(one, tuple)]
    try:
        assert len(idle) > CONNECTIONS_MAX
        assert (await ask(edge)).status == 200
        assert any(reader.at_eof() or reader.exception() for reader, _ in idle)
    finally:
        for _, writer in idle:
            writer.transport.abort()


async def test_d_07_hostile_json_is_refused_at_once(edge: Edge) -> None:
    for body in (
        b'{"uid":' * 8_000 + b"1" + b"}" * 8_000,
        b'{"uid": ' + b"9" * 60_000 + b"}",
        b'{"uid":"1","uid":"2"}',
    ):
        head = f"POST /idp/subjects/resolve HTTP/1.1\r\nHost: {IDP}\r\nContent-Type: application/json\r\n"
        started = time.monotonic()
        said = await edge.say(head.encode() + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        assert said.status in (400, 401, 422)
        assert time.monotonic() - started < 1
    large = await edge.say(TOKEN + b"Content-Length: 10000000\r\n\r\n" + b"a" * 1_000)
    assert (large.status, json.loads(large.body)["code"]) == (413, "body-too-large")


async def test_d_09_a_compressed_request_is_refused(edge: Edge) -> None:
    said = await edge.say(TOKEN + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00")
    assert (said.status, json.loads(said.body)["code"]) == (415, "http-415")


async def test_a_16_metrics_and_descriptions_are_not_on_the_public_side(edge: Edge) -> None:
    for path in ("/metrics", "/idp/metrics", "/idp/schema", "/idp/schema/openapi.json", "/debug", "/server-status"):
        assert (await ask(edge, path)).status == 404, path


async def test_a_forged_certificate_header_ends_at_the_edge_and_the_real_one_arrives(
    edge: Edge, tmp_path: Path
) -> None:
    forged = b"Client-Cert: :Zm9yZ2Vk:\r\nclient-cert: :Zm9yZ2Vk:\r\nClient_Cert: :Zm9yZ2Vk:\r\n"
    forged += b"X-Forwarded-For: 10.9.9.9\r\nForwarded: for=10.9.9.9\r\ntraceparent: 00-forged\r\n"
    for host in (LOCKER, MTLS):
        said = await edge.say(f"GET /v1/documents HTTP/1.1\r\nHost: {host}\r\n".encode() + forged + b"\r\n", host)
        reached = said.body.lower()
        assert b"/v1/documents" in reached
        assert b"zm9y" not in reached
        assert b"client-cert" not in reached
        assert b"10.9.9.9" not in reached
        assert b"00-forged" not in reached
        assert b"x-forwarded-for: 127.0.0.1" in reached
    files = client_certificate(tmp_path)
    der = x509.load_pem_x509_certificate(files[0].read_bytes()).public_bytes(Encoding.DER)
    shown = await edge.say(
        f"GET /v1/documents HTTP/1.1\r\nHost: {MTLS}\r\n".encode() + forged + b"\r\n",
        MTLS,
        context=edge.context(client=files),
    )
    lines = [line for line in shown.body.split(b"\r\n") if line.lower().startswith(b"client-cert")]
    assert lines == [b"Client-Cert: :" + base64.b64encode(der) + b":"]


async def test_o_mtls_a_client_proves_itself_through_the_alias_host_and_by_no_header(
    edge: Edge, database: EmbeddedPostgres, tmp_path: Path
) -> None:
    files = client_certificate(tmp_path)
    certificate = x509.load_pem_x509_certificate(files[0].read_bytes())
    key = SigningKey.load(files[1], "ES256")
    db = await Database.connect(database.dsn("idp"))
    registration = {
        "profile": "machine",
        "client_name": "A machine",
        "sector": "edge.test",
        "legal_ground": "a law",
        "token_endpoint_auth_method": "self_signed_tls_client_auth",
        "grant_types": ["client_credentials"],
        "tls_client_certificate_bound_access_tokens": True,
        "scope": "subjects:resolve",
        "jwks": {"keys": [key.public_jwk]},
    }
    registered = await register(
        db, Audit("idp"), msgspec.convert(registration, ClientRegistration), officer="test", production=True
    )
    await db.close()
    body = f"grant_type=client_credentials&scope=subjects:resolve&client_id={registered['client_id']}".encode()
    der = base64.b64encode(certificate.public_bytes(Encoding.DER))

    async def ask_token(host: str, *, header: bytes = b"", shown: bool = False) -> Said:
        head = TOKEN.replace(IDP.encode(), host.encode()) + header
        head += b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
        return await edge.say(head + body, host, context=edge.context(client=files if shown else None))

    good = await ask_token(MTLS, shown=True)
    assert good.status == 200, good.body
    bound = unverified_claims(json.loads(good.body)["access_token"])["cnf"]
    assert bound == {"x5t#S256": x5t_of(certificate)}
    forged = b"Client-Cert: :" + der + b":\r\n"
    for refused in (
        await ask_token(IDP, header=forged),
        await ask_token(MTLS, header=forged),
        await ask_token(IDP, shown=True),
        await ask_token(MTLS),
    ):
        assert (refused.status, json.loads(refused.body)["error"]) == (401, "invalid_client")


async def test_a_name_that_is_not_ours_gets_no_answer(edge: Edge) -> None:
    context = edge.context()
    context.check_hostname = False
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await edge.connect("evil.test", context=context)
    for host in ("evil.test", IDP):
        reader, writer = await asyncio.open_connection("127.0.0.1", edge.plain_port)
        writer.write(f"GET /idp/account?a=b HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            answer = await reader.read(4_096)
        writer.close()
        if host == IDP:
            assert f"location: https://{IDP}/idp/account?a=b\r\n".encode() in answer.lower()
        else:
            assert answer == b""
    # A name in the request that was not in the handshake is not ours either.
    said = await edge.say(f"GET /idp/jwks HTTP/1.1\r\nHost: {MTLS}\r\n\r\n".encode())
    assert (said.status, json.loads(said.body)["code"]) == (421, "misdirected")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
@pytest.mark.parametrize(
    ("version", "ciphers", "accepted"),
    [
        (ssl.TLSVersion.TLSv1_3, None, True),
        (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES128-GCM-SHA256", True),
        (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES256-SHA384", False),
        (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-CHACHA20-POLY1305", False),
        (ssl.TLSVersion.TLSv1_1, "DEFAULT:@SECLEVEL=0", False),
    ],
)
async def test_tls_is_1_3_or_1_2_with_ephemeral_keys_and_gcm(
    edge: Edge, version: ssl.TLSVersion, ciphers: str | None, accepted: bool
) -> None:
    context = edge.context()
    context.minimum_version = context.maximum_version = version
    if ciphers:
        context.set_ciphers(ciphers)
    if accepted:
        assert (await edge.say(DISCOVERY + b"\r\n", context=context)).status == 200
    else:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await edge.connect(context=context)


async def test_every_answer_of_the_edge_says_that_only_https_will_do(edge: Edge) -> None:
    for request in (
        DISCOVERY + b"\r\n",
        DISCOVERY + b"X-A: 1\n\r\n",
        b"GET /zz HTTP/1.1\r\nHost: id.edge.test\r\n\r\n",
    ):
        said = await edge.say(request)
        assert said.head.count("strict-transport-security: max-age=63072000") == 1


async def test_more_than_an_address_may_ask_gets_429_and_when_to_come_again(provider: str, witness: str) -> None:
    with running_edge(idp=provider, locker=witness, REQUESTS_PER_S="1", REQUESTS_BURST="2") as edge:
        said = [await ask(edge) for _ in range(6)]
    statuses = [one.status for one in said]
    assert statuses[0] == 200
    assert statuses[-1] == 429
    assert "retry-after: 1" in said[-1].head


async def test_an_app_that_is_away_or_never_answers_is_503_and_when_to_come_again() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(4_096):
            pass
        writer.close()

    hung = await asyncio.start_server(silent, "127.0.0.1", 0)
    locker = f"127.0.0.1:{hung.sockets[0].getsockname()[1]}"
    with running_edge(idp="127.0.0.1:9", locker=locker, ANSWER_MAX_S="1") as alone:
        away = await ask(alone)
        request = f"GET /wallet HTTP/1.1\r\nHost: {LOCKER}\r\nConnection: close\r\n\r\n"
        started = time.monotonic()
        silence = await alone.say(request.encode(), LOCKER)
        assert 1 <= time.monotonic() - started < 10
    hung.close()
    for said in (away, silence):
        assert said.status == 503
        assert "retry-after: 2" in said.head


@pytest.mark.parametrize(
    ("path", "host"),
    [
        ("/v1/deposits", LOCKER),
        ("/v1/uploads", LOCKER),
        ("/wallet/uploads", LOCKER),
        ("/v1/seals", LOCKER),
        ("/v1/seals", MTLS),
        ("/v1/deposits/batches/X/parts", MTLS),
    ],
)
async def test_a_document_passes_the_edge_where_the_locker_takes_one(edge: Edge, path: str, host: str) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: 2000000\r\n\r\n"
    said = await edge.say(head.encode() + bytes(2_000_000), host)
    assert said.status == 200
    assert b"content-length: 2000000" in said.body.lower()


async def test_d_14_f_05_keys_and_discovery_are_served_while_the_database_is_away(
    edge: Edge, database: EmbeddedPostgres
) -> None:
    before = await ask(edge, "/idp/jwks")
    database.stop()
    for path in ("/idp/jwks", "/idp/.well-known/openid-configuration", "/.well-known/oauth-authorization-server/idp"):
        assert (await ask(edge, path)).status == 200
    assert (await ask(edge, "/idp/jwks")).body == before.body
    body = b"grant_type=authorization_code&code=a&client_id=b&client_secret=c"
    started = time.monotonic()
    said = await edge.say(TOKEN + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    assert said.status == 503
    assert "retry-after:" in said.head
    assert time.monotonic() - started < 4
