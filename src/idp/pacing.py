"""How often the endpoints of the protocol may be asked: by address, by client once it proved itself, by account.

A client that only names itself, as public ones do, counts apart at each address: anybody could otherwise use up what
belongs to another one, and one of them leaves something to others behind the same address.
"""

import contextvars
import hashlib
from collections.abc import Awaitable
from typing import Any

import msgspec
from litestar.types import ASGIApp, Message, Receive, Send

from idp.refusals import TooFast
from idp.settings import IdpSettings
from kit import metrics
from kit.edge import address_prefix, client_address
from kit.pace import Left, Pace, Rate, fields

ENDPOINTS = frozenset(
    {"token", "par", "device-authorization", "bc-authorize", "register", "userinfo", "introspect", "revoke"}
)
_NEAR = 4


class _Asked:
    """One request, as far as it was counted."""

    __slots__ = ("address", "endpoint", "pacing", "tightest")

    def __init__(self, pacing: "Pacing", endpoint: str, address: str) -> None:
        self.pacing = pacing
        self.address = address
        self.endpoint = endpoint
        self.tightest: Left | None = None

    def count(self, rate: Rate, key: str) -> Left | None:
        left = self.pacing.pace.count(rate, f"{self.endpoint}:{key}")
        if left is not None and (self.tightest is None or _share(left) < _share(self.tightest)):
            self.tightest = left
        if left is not None and left.remaining < 0:
            metrics.limited.labels(self.endpoint, rate.name).inc()
        return left


_asked: contextvars.ContextVar[_Asked | None] = contextvars.ContextVar("asked", default=None)


class Pacing:
    """ASGI layer around the routes; what they learn of the caller they tell by ``count_client`` and
    ``count_account``."""

    def __init__(self, app: ASGIApp, pace: Pace, settings: IdpSettings) -> None:
        self._app = app
        self.pace = pace
        self._address = Rate("address", settings.requests_per_minute_of_address)
        self._registrations = Rate("registrations", settings.registrations_per_minute_of_address)
        self.client = Rate("client", settings.requests_per_minute_of_client)
        self.public_client = Rate("public-client", settings.requests_per_minute_of_public_client)
        self.account = Rate("account", settings.requests_per_minute_of_account)

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        endpoint = _endpoint(scope["path"]) if scope["type"] == "http" else None
        if endpoint is None:
            await self._app(scope, receive, send)
            return
        asked = _Asked(self, endpoint, address_prefix(client_address(scope)))
        _asked.set(asked)

        def send_with_fields(message: Message) -> Awaitable[None]:
            left = asked.tightest
            if message["type"] == "http.response.start" and left is not None and _share(left) * _NEAR <= 1:
                message["headers"] = [*message.get("headers", ()), *fields(left)]
            return send(message)

        rate = self._registrations if endpoint == "register" else self._address
        left = asked.count(rate, asked.address)
        if left is not None and left.remaining < 0:
            await _refuse(send_with_fields, left)
        else:
            await self._app(scope, receive, send_with_fields)


def count_client(client_id: str) -> None:
    """Of a client that proved who it is. Raises TooFast."""
    asked = _asked.get()
    if asked is not None:
        _or_refuse(asked.count(asked.pacing.client, client_id))


def count_public_client(client_id: str) -> None:
    """Of a client that said who it is, from this address. Raises TooFast."""
    asked = _asked.get()
    if asked is not None:
        _or_refuse(asked.count(asked.pacing.public_client, f"{client_id}:{asked.address}"))


def count_account(sub: str) -> None:
    """Of the citizen whose token was accepted. Raises TooFast."""
    asked = _asked.get()
    if asked is not None:
        _or_refuse(asked.count(asked.pacing.account, hashlib.sha256(sub.encode()).hexdigest()[:32]))


def _or_refuse(left: Left | None) -> None:
    if left is not None and left.remaining < 0:
        raise TooFast(headers={"Retry-After": str(left.reset_s)})


def _share(left: Left) -> float:
    return left.remaining / left.rate.requests


def _endpoint(path: str) -> str | None:
    if not path.startswith("/idp/"):
        return None
    name = path[5:].partition("/")[0]
    return name if name in ENDPOINTS else None


async def _refuse(send: Send, left: Left) -> None:
    body = msgspec.json.encode({"error": TooFast.code, "error_description": TooFast.title})
    headers = [
        (b"content-type", b"application/json"),
        (b"cache-control", b"no-store"),
        (b"content-length", str(len(body)).encode()),
        (b"retry-after", str(left.reset_s).encode()),
    ]
    await send({"type": "http.response.start", "status": TooFast.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
