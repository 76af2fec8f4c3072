"""U-18 as ``nc`` would do it: bodies that lie about their length, against the running product."""

import secrets
import socket
import time
from urllib.parse import urlsplit

import httpx
import pytest

from khizana.demo.register import client_id_of, key_of
from khizana.holder import Holder
from kit.dpop import prove
from kit.jose import SigningKey, client_assertion
from tests.locker_world import INTERIOR
from tests.product import Product

PART = b'--b\r\nContent-Disposition: form-data; name="document"\r\nContent-Type: application/pdf\r\n\r\n%PDF-1.7\n'
SENT_MAX = 60_000_000
Held = tuple[SigningKey, str]


@pytest.fixture(scope="module")
def held(product: Product) -> Held:
    """A back end's key and its token."""
    client_id = client_id_of(INTERIOR)
    key = key_of(product.home / "demo", client_id)
    answer = httpx.post(
        f"{product.issuer}/token",
        auth=Holder(key),
        data={
            "grant_type": "client_credentials",
            "scope": "documents:deposit",
            "client_id": client_id,
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": client_assertion(
                key, client_id=client_id, audience=product.issuer, jti=secrets.token_hex(16)
            ),
        },
    )
    return key, answer.json()["access_token"]


def opened(product: Product, held: Held, *headers: str) -> socket.socket:
    address = urlsplit(product.url)
    connection = socket.create_connection((address.hostname or "", address.port or 0), timeout=20)
    key, token = held
    proof = prove(key, method="POST", url=f"{product.url}/v1/deposits", access_token=token)
    lines = [
        "POST /v1/deposits HTTP/1.1",
        f"Host: {address.netloc}",
        f"Authorization: DPoP {token}",
        f"DPoP: {proof}",
        "Content-Type: multipart/form-data; boundary=b",
        f'Idempotency-Key: "{secrets.token_hex(8)}"',
        *headers,
        "\r\n",
    ]
    connection.sendall("\r\n".join(lines).encode())
    return connection


def status_of(connection: socket.socket) -> int:
    line = connection.recv(64)
    return int(line.split(b" ", 2)[1]) if line.startswith(b"HTTP/1.1 ") else 0


def test_u_18_an_endless_chunked_body_is_answered_early(product: Product, held: Held) -> None:
    connection = opened(product, held, "Transfer-Encoding: chunked")
    frame = b"x" * 65_536
    sent = 0
    try:
        connection.sendall(b"%x\r\n%b\r\n" % (len(PART), PART))
        while sent < SENT_MAX:
            connection.sendall(b"%x\r\n%b\r\n" % (len(frame), frame))
            sent += len(frame)
    except (ConnectionError, TimeoutError):
        pass
    try:
        assert status_of(connection) == 413
    except ConnectionError:
        # Cut off before the answer was read: the body did not come in either.
        assert sent < SENT_MAX
    connection.close()


def test_u_18_a_length_beyond_the_cap_is_refused_before_the_body(product: Product, held: Held) -> None:
    with opened(product, held, "Content-Length: 10000000000") as connection:
        started = time.monotonic()
        assert status_of(connection) == 413
        assert time.monotonic() - started < 5


def test_u_18_a_body_shorter_than_announced_leaves_nothing(product: Product, held: Held) -> None:
    with opened(product, held, "Content-Length: 100000") as connection:
        connection.sendall(PART)
        connection.shutdown(socket.SHUT_WR)
        assert status_of(connection) in (0, 400)
    assert httpx.get(f"{product.url}/.well-known/jwks.json").status_code == 200


def test_u_18_two_lengths_or_a_length_that_is_none(product: Product, held: Held) -> None:
    for lines in (
        ("Content-Length: 10", "Content-Length: 20"),
        ("Content-Length: -1",),
        ("Content-Length: 5", "Transfer-Encoding: chunked"),
    ):
        with opened(product, held, *lines) as connection:
            connection.sendall(b"0\r\n\r\n")
            assert status_of(connection) in (0, 400), lines
