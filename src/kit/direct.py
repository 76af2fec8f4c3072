"""Endpoints that machines ask all the time, answered without the framework's layers between server and action.

A route of this kind stands in the application as well: there it is described, and answers whatever is unusual (another
method, a slash at the end). What an action needs of a request is ``Asked``, which the framework's own request is too.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec
from litestar import Request, Response
from litestar.exceptions import ClientException
from litestar.status_codes import HTTP_413_REQUEST_ENTITY_TOO_LARGE
from litestar.types import ASGIApp, Receive, Send

from kit.errors import BodyCutShort


class Asked(Protocol):
    """A request, as far as such an action looks at it."""

    @property
    def method(self) -> Any: ...
    @property
    def scope(self) -> Any: ...
    @property
    def headers(self) -> Mapping[str, str]:
        """By name in lower case; of a header that is there twice, one."""

    async def body(self) -> bytes: ...


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Status 200. Everything else is a Refusal."""

    body: bytes
    media_type: str = "application/json"
    headers: Sequence[tuple[bytes, bytes]] = ()
    """Names in lower case."""

    def response(self) -> Response[Any]:
        headers = {name.decode(): value.decode("latin-1") for name, value in self.headers}
        return Response(self.body, media_type=self.media_type, headers=headers)


Action = Callable[[Asked, Any], Awaitable[Answer]]
"""Request, the parts of the application."""
Routes = Mapping[tuple[str, str], Action]
"""Method and path."""


# What the framework takes for a host; it refuses the rest.
_HOST = re.compile(r"[0-9A-Za-z!$&'()*+,;=._~:\[\]@%-]*")


class _TooLarge(ClientException):
    status_code = HTTP_413_REQUEST_ENTITY_TOO_LARGE


class _Request:
    __slots__ = ("_body_max", "_receive", "headers", "method", "scope")

    def __init__(self, scope: Any, receive: Receive, body_max: int) -> None:
        self.scope = scope
        self.method = scope["method"]
        self.headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        self._receive: Any = receive
        self._body_max = body_max

    async def body(self) -> bytes:
        announced = self.headers.get("content-length", "0")
        if not (announced.isascii() and announced.isdigit()):
            raise ClientException("content-length")
        if int(announced) > self._body_max:
            raise _TooLarge
        parts: list[bytes] = []
        length = 0
        while True:
            event = await self._receive()
            if event["type"] == "http.disconnect":
                raise BodyCutShort
            part = event.get("body", b"")
            length += len(part)
            if length > self._body_max:
                raise _TooLarge
            parts.append(part)
            if not event.get("more_body", False):
                return parts[0] if len(parts) == 1 else b"".join(parts)


class Direct:
    """ASGI layer in front of the framework's router. ``parts`` is what the actions are given beside the request, set
    once they are there; ``exception_handlers`` are the framework's, so that a "no" reads the same."""

    def __init__(
        self,
        app: ASGIApp,
        routes: Routes,
        *,
        exception_handlers: Mapping[Any, Any],
        body_max: int,
    ) -> None:
        self._app = app
        self._routes = routes
        self.parts: Any = None
        self._exception_handlers = exception_handlers
        self._body_max = body_max

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        action = self._routes.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if action is None or scope.get("root_path"):
            await self._app(scope, receive, send)
            return
        request = _Request(scope, receive, self._body_max)
        if not _HOST.fullmatch(request.headers.get("host", "")):
            await self._app(scope, receive, send)
            return
        scope["path_template"] = scope["path"]
        try:
            answer = await action(request, self.parts)
        except Exception as refused:  # a fault too: its handler says 500 and records it
            await self._refuse(refused, scope, receive, send)
            return
        headers = [
            (b"content-type", answer.media_type.encode()),
            (b"content-length", b"%d" % len(answer.body)),
            *answer.headers,
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body, "more_body": False})

    async def _refuse(self, refused: Exception, scope: Any, receive: Receive, send: Send) -> None:
        handler = next(
            self._exception_handlers[kind] for kind in type(refused).__mro__ if kind in self._exception_handlers
        )
        request: Request[Any, Any, Any] = Request(scope, receive, send)
        response: Response[Any] = handler(request, refused)
        await response.to_asgi_response(None, request)(scope, receive, send)
