"""The edge of both apps: who is asking, the headers on every answer, the log line, and how a "no" is rendered."""

import asyncio
import contextvars
import ipaddress
import json
import logging
import os
import re
import sys
import time
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, ClassVar

import msgspec
from litestar import MediaType, Request, Response
from litestar.exceptions import HTTPException, LitestarException, ValidationException
from litestar.types import ASGIApp, Message, Receive, Send

from kit import metrics, tracing
from kit.client_certificate import HEADER as CLIENT_CERTIFICATE
from kit.errors import BodyCutShort, Malformed, OAuthRefusal, Refusal, Unavailable
from kit.lanes import READER_S, SENDER_S, Budget, Lane, Routing

access_log = logging.getLogger("khizana.access")
fault_log = logging.getLogger("khizana.fault")

request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="-")


class Caller:
    """Which client asks, as far as the request's handling learned it: for the log line and the counters."""

    __slots__ = ("client_id", "profile")

    def __init__(self) -> None:
        self.client_id = ""
        self.profile = ""


_caller: contextvars.ContextVar[Caller | None] = contextvars.ContextVar("caller", default=None)


def caller() -> Caller:
    return _caller.get() or Caller()


CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; font-src 'self'; script-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_DEFAULT_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"strict-transport-security", b"max-age=63072000; includeSubDomains"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=()"),
    (b"cache-control", b"no-store"),
)
_OF_A_PART = frozenset({b"range", b"if-range"})
_HEADERS_MAX = 100
_HEADER_BYTES_MAX = 32_768
_PATH_BYTES_MAX = 8_192
_WRAPPED_MAX = 6


class _SenderTooSlow(Exception):
    """The body of a request came too slowly to be waited for."""


class _HeadSent(Exception):
    """The head was asked for and is sent: whatever still makes the body need not go on."""


class PageRefusal(Refusal):
    """A refusal that is a page even where the browser did not say that it wants one (an authorization error)."""

    page: ClassVar[bool] = True


class _Identifiers:
    """64 random bits in hexadecimal. The system is asked for many at once: asking costs more than the bits."""

    __slots__ = ("_at", "_drawn")
    _OF_ONE, _AT_ONCE = 16, 256

    def __init__(self) -> None:
        self._drawn = ""
        self._at = 0

    def __call__(self) -> str:
        if self._at >= len(self._drawn):
            self._drawn, self._at = os.urandom(self._OF_ONE // 2 * self._AT_ONCE).hex(), 0
        self._at += self._OF_ONE
        return self._drawn[self._at - self._OF_ONE : self._at]


class Edge:
    """Outermost ASGI layer. It knows nothing of routes; a handler that sets one of the headers itself keeps it.

    HEAD is answered as GET without its body (RFC 9110 §9.3.2): for everything behind this layer it is GET, with the
    effects of GET and no other.

    ``trusted_proxies`` are networks whose X-Forwarded-For names the client (its last entry, the one they added), and
    whose Client-Cert is what the client showed them in TLS (RFC 9440 §4): from anybody else it is dropped.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        trusted_proxies: Sequence[str] = (),
        hsts: bool = True,
        lanes: Sequence[tuple[Lane, str]] = (),
    ) -> None:
        self._app = app
        self._routing = Routing(lanes)
        self._trusted = tuple(ipaddress.ip_network(network) for network in trusted_proxies)
        # Few peers talk to us: the edge proxy's, or those of one machine.
        self._peer = lru_cache(maxsize=4_096)(self._peer_parsed)
        self._identifiers = _Identifiers()
        self._defaults = tuple(pair for pair in _DEFAULT_HEADERS if hsts or pair[0] != b"strict-transport-security")

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        identifier = self._identifiers()
        request_id.set(identifier)
        asking = Caller()
        _caller.set(asking)
        method = scope["method"]
        scope["state"] = {**scope.get("state", {}), "client_address": self._client_address(scope), "method": method}
        certificates = [name for name, _ in scope["headers"]].count(CLIENT_CERTIFICATE)
        if certificates and (certificates > 1 or not self._from_trusted(scope)):
            scope["headers"] = [pair for pair in scope["headers"] if pair[0] != CLIENT_CERTIFICATE]
        if method == "HEAD":
            scope["method"] = "GET"
            # A part is of a body (RFC 9110 §14.2).
            scope["headers"] = [pair for pair in scope["headers"] if pair[0] not in _OF_A_PART]
        status = 0
        head: Message | None = None
        said = False
        # The head was asked for and is sent: what still makes the body is broken off.
        over = False

        # No coroutine of its own for what goes on as it is.
        def send_with_headers(message: Message) -> Awaitable[None]:
            nonlocal status, head, said, over
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = list(message.get("headers", ()))
                if status in (204, 405):
                    headers = [_with_head(pair) for pair in headers]
                present = {name.lower() for name, _ in headers}
                headers += [pair for pair in self._defaults if pair[0] not in present]
                headers.append((b"x-request-id", identifier.encode()))
                message["headers"] = headers
                # It goes with the first portion: until that is there, something else may have to be said.
                head = message
                return _NOTHING
            if head is None:
                return send(message)
            first, head, said = head, None, True
            if method == "HEAD":
                over = bool(message.get("more_body"))
                return _head_alone(send, first, over=over)
            return _both(send, first, message)

        shown = dict(scope["headers"]) if tracing.is_on() and self._from_trusted(scope) else None
        with tracing.of_request(method, shown) as span:
            try:
                early = _refused_early(scope)
                if early:
                    await _answer(send_with_headers, early)
                else:
                    await self._bounded(scope, receive, send_with_headers)
            except _SenderTooSlow:
                await _answer(send_with_headers, 408, "too-slow")
            except Exception as fault:
                if over:
                    return
                if said:
                    raise
                refusal = _refusal_in(fault)
                if refusal is None:
                    fault_log.error("unexpected", exc_info=fault, extra={"event": "fault", "request_id": identifier})
                    refusal = Fault()
                await _answer(send_with_headers, refusal.status, refusal.code, refusal.headers)
            finally:
                # The template, never the path: a share link's path is a secret (K-08).
                route, took_s = scope.get("path_template") or "-", time.perf_counter() - started
                metrics.request_done(method, route, status, took_s)
                span.set("http.route", route)
                span.set("http.response.status_code", status)
                span.set("khizana.request_id", identifier)
                if access_log.isEnabledFor(logging.INFO):
                    line = {"request_id": identifier, "method": method, "route": route, "status": status}
                    if asking.client_id:
                        line["client_id"] = asking.client_id
                    access_log.info("", extra={**line, "event": "request", "ms": round(took_s * 1000, 1)})

    async def _bounded(self, scope: Any, receive: Receive, send: Callable[[Message], Awaitable[None]]) -> None:
        """In its lane and within our time and the sender's. Raises Unavailable or _SenderTooSlow where nothing was
        answered."""
        lane = self._routing.lane(scope["method"], scope["path"])
        budget = Budget(lane.limit_s, sender_s=SENDER_S)

        whole = begun = False

        async def received() -> Any:
            nonlocal whole
            budget.pause()
            length = 0
            try:
                message: Any = await receive()
                length = len(message.get("body", b""))
            finally:
                budget.go_on(length)
            if message["type"] == "http.disconnect" and not (whole or begun):
                # Said here, because the framework takes it for a fault of ours.
                raise BodyCutShort
            whole = whole or not message.get("more_body")
            return message

        reads = True

        async def taken(sending: Awaitable[None]) -> None:
            nonlocal reads
            try:
                async with asyncio.timeout(READER_S):
                    await sending
            except TimeoutError:
                reads = False
                raise

        def sent(message: Message) -> Awaitable[None]:
            nonlocal begun
            begun = True
            if message["type"] != "http.response.start":
                budget.end()
            # The server waits for who reads only where more is to come.
            return taken(send(message)) if message.get("more_body") else send(message)

        token = lane.enter()
        try:
            with budget:
                await self._app(scope, received, sent)
        except Exception as fault:
            if not reads:
                # Broken off: the place is for somebody else.
                return
            if not (isinstance(fault, TimeoutError) and budget.spent):
                raise
            if budget.of_sender:
                raise _SenderTooSlow from fault
            fault_log.error("cut after %s s", lane.limit_s, extra={"event": "cut", "request_id": request_id.get()})
            raise Unavailable from fault
        finally:
            lane.leave(token)

    def _from_trusted(self, scope: Mapping[str, Any]) -> bool:
        return self._peer((scope.get("client") or ("", 0))[0])[1]

    def _peer_parsed(self, peer: str) -> tuple[str, bool]:
        """In the one way to write it, and whether it is a proxy that we trust."""
        try:
            address = _parsed(peer)
        except ValueError:
            return "-", False
        return str(address), any(address in network for network in self._trusted)

    def _client_address(self, scope: Mapping[str, Any]) -> str:
        address, trusted = self._peer((scope.get("client") or ("", 0))[0])
        if trusted:
            # A proxy that adds a line of its own leaves the client's before it: the last entry of the last line is its.
            said = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
            try:
                return str(_parsed(said[-1].rsplit(b",", 1)[-1].strip().decode("ascii", "replace")))
            except (IndexError, ValueError):
                return address
        return address


def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """An IPv4 client of a socket for both families is that address (RFC 4291 §2.5.5.2), not one of a /64 with all."""
    parsed = ipaddress.ip_address(address)
    return (parsed.ipv4_mapped or parsed) if isinstance(parsed, ipaddress.IPv6Address) else parsed


def client_address(scope: Mapping[str, Any]) -> str:
    """Address of the client as far as we can know it: the peer, or what a trusted proxy says of its peer."""
    return str(scope["state"].get("client_address", "-"))


def method_sent(scope: Mapping[str, Any]) -> str:
    """As the client sent it, and signed it where it proves something by it: a HEAD is a GET to everybody else."""
    return str(scope["state"].get("method") or scope["method"])


@lru_cache(maxsize=4_096)
def address_prefix(address: str) -> str:
    """What one household or one attacker can easily hold: an IPv4 address, an IPv6 /64."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(parsed) if parsed.version == 4 else str(ipaddress.ip_network((parsed, 64), strict=False))


def _refused_early(scope: Mapping[str, Any]) -> int | None:
    headers = scope["headers"]
    if len(headers) > _HEADERS_MAX or sum([len(name) + len(value) for name, value in headers]) > _HEADER_BYTES_MAX:
        return 431
    if len(scope.get("raw_path", b"") or b"") + len(scope["query_string"]) > _PATH_BYTES_MAX * 2:
        return 414
    # No body of ours is compressed; refusing it ends gzip bombs (D-09).
    for name, value in headers:
        if name == b"content-encoding" and value.strip().lower() != b"identity":
            return 415
    return None


class _Nothing:
    """Done when it is awaited."""

    def __await__(self) -> Generator[Any, None, None]:
        return iter(())  # type: ignore[return-value]


_NOTHING = _Nothing()


async def _both(send: Send, head: Message, portion: Message) -> None:
    await send(head)
    await send(portion)


def _refusal_in(fault: BaseException) -> Refusal | None:
    """The framework wraps what happens behind the head of an answer: in a group of one, behind an exception of its
    own."""
    found: BaseException | None = fault
    for _ in range(_WRAPPED_MAX):
        if isinstance(found, BaseExceptionGroup) and len(found.exceptions) == 1:
            found = found.exceptions[0]
        elif isinstance(found, LitestarException):
            found = found.__cause__
    return found if isinstance(found, Refusal) else None


async def _head_alone(send: Send, head: Message, *, over: bool) -> None:
    await send(head)
    await send({"type": "http.response.body", "body": b"", "more_body": False})
    if over:
        raise _HeadSent


def _with_head(pair: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    name, value = pair
    if name.lower() != b"allow" or b"GET" not in value or b"HEAD" in value:
        return pair
    return name, value + b", HEAD"


async def _answer(send: Send, status: int, code: str = "", headers: Mapping[str, str] = {}) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", b"application/problem+json"),
                (b"connection", b"close"),
                *((name.lower().encode(), value.encode()) for name, value in headers.items()),
            ],
        }
    )
    body = msgspec.json.encode({"type": "about:blank", "status": status, "code": code or f"http-{status}"})
    await send({"type": "http.response.body", "body": body, "more_body": False})


RenderPage = Callable[[Request[Any, Any, Any], Refusal, int, str], str]
"""Request, refusal, status, request id → HTML."""


class Fault(Refusal):
    code, status, title = "fault", 500, "Something failed on our side. It was recorded; try again in a moment."


def exception_handlers(render_page: RenderPage) -> dict[int | type[Exception], Any]:
    """For Litestar: each expected "no" by its kind, everything else a bare 500 with the request id (P-07)."""

    def refusal(request: Request[Any, Any, Any], exc: Exception) -> Response[Any]:
        assert isinstance(exc, Refusal)
        return _rendered(request, exc, exc.status, render_page)

    def http(request: Request[Any, Any, Any], exc: Exception) -> Response[Any]:
        assert isinstance(exc, HTTPException)
        if exc.status_code >= 500:
            return fault(request, exc)
        return _rendered(request, _Http.of(exc), exc.status_code, render_page)

    def fault(request: Request[Any, Any, Any], exc: Exception) -> Response[Any]:
        fault_log.error("unexpected", exc_info=exc, extra={"event": "fault", "request_id": request_id.get()})
        return _rendered(request, Fault(), 500, render_page)

    def nested(request: Request[Any, Any, Any], exc: Exception) -> Response[Any]:
        # Only a body nested deeper than any of ours gets there (D-07).
        return _rendered(request, Malformed(), Malformed.status, render_page)

    return {Refusal: refusal, HTTPException: http, RecursionError: nested, Exception: fault}


class _Http(Refusal):
    """What the framework itself refuses: an unknown path, a method, a body that does not decode."""

    def __init__(self, code: str, title: str, detail: str | None, headers: Mapping[str, str] | None) -> None:
        super().__init__(detail, headers=headers)
        self.http_code, self.http_title = code, title

    @classmethod
    def of(cls, exc: HTTPException) -> "_Http":
        code, title = HTTP_TITLES.get(exc.status_code, ("malformed", "This request cannot be read."))
        detail = None
        if isinstance(exc, ValidationException) and isinstance(exc.extra, list):
            detail = "; ".join(
                f"{item.get('key')}: {item.get('message')}" for item in exc.extra[:5] if isinstance(item, dict)
            )
        return cls(code, title, detail, exc.headers)


HTTP_TITLES = {
    404: ("not-found", "There is nothing at this address."),
    405: ("method-not-allowed", "This cannot be done at this address."),
    413: ("body-too-large", "This is larger than what is accepted here."),
}


def wants_page(request: Request[Any, Any, Any]) -> bool:
    """A browser asks for ``text/html`` first; programs ask for JSON or for anything."""
    return "text/html" in request.headers.get("accept", "")


def _rendered(request: Request[Any, Any, Any], refusal: Refusal, status: int, render_page: RenderPage) -> Response[Any]:
    code = getattr(refusal, "http_code", refusal.code)
    title = getattr(refusal, "http_title", refusal.title)
    if isinstance(refusal, OAuthRefusal):
        body = {"error": code, "error_description": refusal.detail or title, **refusal.members}
        return Response(
            body,
            status_code=status,
            media_type=MediaType.JSON,
            headers={"Cache-Control": "no-store", "Pragma": "no-cache", **refusal.headers},
        )
    if isinstance(refusal, PageRefusal) or wants_page(request):
        page = render_page(request, refusal, status, request_id.get())
        return Response(page, status_code=status, media_type=MediaType.HTML, headers=refusal.headers)
    problem: dict[str, Any] = {
        "type": f"urn:khizana:problem:{code}",
        "title": title,
        "status": status,
        "code": code,
        "instance": f"urn:khizana:request:{request_id.get()}",
    }
    if refusal.detail:
        problem["detail"] = refusal.detail
    return Response(
        {**problem, **refusal.members},
        status_code=status,
        media_type="application/problem+json",
        headers=refusal.headers,
    )


_DETAIL = re.compile(r"^(DETAIL:|HINT:|CONTEXT:).*$", re.MULTILINE)


class _JsonLines(logging.Formatter):
    """One escaped line an event, so that nothing a caller sends can forge a line or speak to a terminal (P-06).

    ``event`` is stable and for programs: ``request``, ``fault``, or the logger's name.
    """

    _FIELDS = ("request_id", "client_id", "method", "route", "status", "ms")

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
            "level": record.levelname.lower(),
            "event": getattr(record, "event", record.name),
        }
        line.update({field: getattr(record, field) for field in self._FIELDS if hasattr(record, field)})
        if message := record.getMessage():
            line["message"] = message
        if record.exc_info:
            # PostgreSQL tells the values that collided; they may be somebody's.
            line["exception"] = _DETAIL.sub(r"\1 (left out)", self.formatException(record.exc_info))
        # ASCII alone: also C1 controls, line separators and direction marks come out escaped.
        return json.dumps(line, ensure_ascii=True)


def log_json_lines(*, access: bool = True, quiet: Iterable[str] = ("httpx", "httpcore")) -> None:
    """Logs go to standard error as JSON lines; the process's supervisor keeps them."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    access_log.setLevel(logging.INFO if access else logging.WARNING)
    for name in quiet:
        logging.getLogger(name).setLevel(logging.WARNING)
