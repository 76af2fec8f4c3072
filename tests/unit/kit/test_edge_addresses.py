"""Whose address counts: every limit by prober stands on it."""

from typing import Any

import pytest

from kit.edge import Edge, address_prefix, client_address


async def seen(peer: str, *forwarded: bytes, trusted: tuple[str, ...] = ("192.0.2.1/32",)) -> str:
    found: list[str] = []

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        found.append(client_address(scope))
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_message: Any) -> None: ...

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "client": (peer, 50_000),
        "headers": [(b"x-forwarded-for", value) for value in forwarded],
    }
    await Edge(app, trusted_proxies=trusted)(scope, receive, send)
    return found[0]


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("198.51.100.1", (b"203.0.113.9",), "198.51.100.1"),
        ("192.0.2.1", (b"203.0.113.9",), "203.0.113.9"),
        ("192.0.2.1", (b"10.0.0.1, 203.0.113.9",), "203.0.113.9"),
        # HAProxy adds a line of its own after the one that the client sent.
        ("192.0.2.1", (b"10.0.0.1", b"203.0.113.9"), "203.0.113.9"),
        ("192.0.2.1", (b"203.0.113.9", b"nonsense"), "192.0.2.1"),
        ("192.0.2.1", (), "192.0.2.1"),
        # A socket for both families shows IPv4 like this.
        ("::ffff:192.0.2.1", (b"::ffff:203.0.113.9",), "203.0.113.9"),
        ("::ffff:198.51.100.1", (b"203.0.113.9",), "198.51.100.1"),
    ],
)
async def test_the_client_is_whom_the_trusted_proxy_names_last(
    peer: str, forwarded: tuple[bytes, ...], client: str
) -> None:
    assert await seen(peer, *forwarded) == client


async def test_two_ipv4_clients_of_one_socket_are_two_probers() -> None:
    prefixes = {address_prefix(await seen(f"::ffff:198.51.100.{n}")) for n in (1, 2)}
    assert prefixes == {"198.51.100.1", "198.51.100.2"}
