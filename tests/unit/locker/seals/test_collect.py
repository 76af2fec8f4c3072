"""Validation data is asked for after the time stamp, of the hosts that the operator named, and is what it must be."""

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import brotli
import httpx
import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp

from locker.seals.collect import Collector
from locker.signatures.document import Document
from locker.signatures.seal_request import Evidence, Link, ValidationData
from locker.signatures.validation_data import validation_data
from tests.unit.locker.seals.sealing_world import Sealing, open_sealing
from tests.unit.locker.signatures.signature_pki import Holder, crl, pki

CA = "trust.khizana.example"
pytestmark = pytest.mark.asyncio(loop_scope="module")


class Authority:
    """What stands at a certification authority's addresses, as ASGI."""

    def __init__(self, **answers: Callable[[bytes], bytes]) -> None:
        self.answers = answers
        self.asked: list[str] = []
        self.encoding = b""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        name = scope["path"].strip("/").replace(".", "_")
        self.asked.append(name)
        found = self.answers.get(name)
        headers = [(b"content-encoding", self.encoding)] if self.encoding else []
        await send({"type": "http.response.start", "status": 200 if found else 404, "headers": headers})
        await send({"type": "http.response.body", "body": found(body) if found else b""})

    def collector(self, *hosts: str) -> Collector:
        return Collector(httpx.AsyncClient(transport=httpx.ASGITransport(self)), hosts)


def link(**members: Any) -> Link:
    given = {"ocsp_urls": (f"http://{CA}/ocsp",), "crl_urls": (f"http://{CA}/list",), "known": ValidationData()}
    return Link(certificate=pki().seal.der, issuer=pki().issuing.der, **(given | members))


def evidence(*links: Link) -> Evidence:
    return Evidence(links=links, certificates=(pki().seal.der,))


def answered(request: bytes) -> bytes:
    asked = ocsp.load_der_ocsp_request(request)
    assert asked.serial_number == pki().seal.certificate.serial_number
    now = datetime.now(UTC)
    builder = ocsp.OCSPResponseBuilder().add_response(
        cert=pki().seal.certificate,
        issuer=pki().issuing.certificate,
        algorithm=hashes.SHA1(),
        cert_status=ocsp.OCSPCertStatus.GOOD,
        this_update=now,
        next_update=now + timedelta(days=1),
        revocation_time=None,
        revocation_reason=None,
    )
    signed = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, pki().issuing.certificate).sign(
        pki().issuing.key, hashes.SHA256()
    )
    return signed.public_bytes(serialization.Encoding.DER)


async def test_ocsp_is_asked_first_and_a_list_where_there_is_no_answer() -> None:
    authority = Authority(ocsp=answered, list=lambda _: pki().crls[1])
    found = await authority.collector(CA).collect(evidence(link()))
    assert found is not None
    assert (len(found.ocsps), found.crls, authority.asked) == (1, (), ["ocsp"])
    silent = Authority(list=lambda _: pki().crls[1])
    found = await silent.collector(CA).collect(evidence(link()))
    assert found is not None
    assert (found.ocsps, found.crls, silent.asked) == ((), (pki().crls[1],), ["ocsp", "list"])


async def test_a_host_that_the_operator_did_not_name_is_never_asked() -> None:
    """A certificate names any address it likes, of our own network too."""
    authority = Authority(ocsp=answered)
    assert await authority.collector("ocsp.elsewhere.example").collect(evidence(link())) is None
    assert authority.asked == []


@pytest.mark.parametrize(("encoding", "compress"), [(b"gzip", gzip.compress), (b"br", brotli.compress)])
async def test_g_13_a_compressed_answer_is_not_opened(encoding: bytes, compress: Callable[[bytes], bytes]) -> None:
    """A hundred bytes on a plain wire would take all memory of the worker."""
    authority = Authority(list=lambda _: compress(pki().crls[1]))
    authority.encoding = encoding
    assert await authority.collector(CA).collect(evidence(link(ocsp_urls=()))) is None
    assert authority.asked == ["list"]


async def test_what_is_no_address_is_passed_over() -> None:
    authority = Authority(list=lambda _: pki().crls[1])
    odd = link(ocsp_urls=("http://[", "http://a:b", "http://x\x00", "//", "", "http://\udc80"))
    found = await authority.collector(CA).collect(evidence(odd))
    assert found is not None
    assert authority.asked == ["list"]


async def test_g_13_an_answer_that_drips_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("locker.seals.collect._ANSWER_MAX_S", 0.3)
    asked = 0

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            for _ in range(100):
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.05)
        writer.close()

    async with await asyncio.start_server(drip, "127.0.0.1", 0) as server, httpx.AsyncClient(timeout=5) as http:
        address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        collector = Collector(http, ["127.0.0.1"])
        async with asyncio.timeout(3):
            assert await collector.collect(evidence(link(ocsp_urls=(address,), crl_urls=(address,)))) is None
        assert asked == 2


@pytest.mark.parametrize(
    "body",
    [
        b"no list",
        # Another authority's list, and one that only claims to be this authority's.
        pki().crls[0],
        crl(Holder(pki().seal.key, pki().issuing.certificate)),
        bytes(10_000_001),
    ],
    ids=["noise", "another", "forged", "too-long"],
)
async def test_g_13_what_is_not_the_issuers_list_is_not_taken(body: bytes) -> None:
    authority = Authority(list=lambda _: body)
    assert await authority.collector(CA).collect(evidence(link())) is None
    known = ValidationData(crls=(pki().crls[1],))
    found = await authority.collector(CA).collect(evidence(link(known=known)))
    assert found is not None
    assert found.crls == known.crls, "what the trust list holds must do"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sealing(dsns: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sealing]:
    async with open_sealing(dsns, s3, tmp_path_factory.mktemp("collecting")) as opened:
        yield opened


async def test_the_status_in_a_b_lt_seal_is_newer_than_its_time_stamp(sealing: Sealing, tmp_path: Path) -> None:
    made = sealing.world.pki

    def fresh(by: Any) -> Callable[[bytes], bytes]:
        return lambda _: crl(Holder(by.key, by.certificate), at=datetime.now(UTC))

    authority = Authority(issuing_crl=fresh(made.issuing), root_crl=fresh(made.root))
    async with sealing.with_parts(collector=authority.collector(CA)):
        sealed = (await sealing.ask(level="B-LT")).json()
    assert sealed["level"] == "B-LT"
    assert sorted(authority.asked) == ["issuing_crl", "root_crl"]
    pdf = await sealing.document(sealed)
    verdict = await sealing.judged(pdf, tmp_path, level="B-LT")
    assert verdict.passed, verdict.reasons
    [signature] = verdict.signatures
    assert "revocation-not-fresh" not in signature.remarks
    stamped = signature.time_stamps[0].time
    assert stamped is not None
    lists = validation_data(Document(pdf)).crls
    assert any(x509.load_der_x509_crl(der).last_update_utc >= stamped for der in lists)


async def test_a_seal_whose_certificates_status_nobody_knows_is_b_t_for_now(sealing: Sealing) -> None:
    class Nothing:
        async def collect(self, _: Evidence) -> None:
            return None

    async with sealing.with_parts(collector=Nothing()):
        sealed = (await sealing.ask(level="B-LTA")).json()
    assert (sealed["level"], sealed["pending"]) == ("B-T", "B-LTA")
