"""Spans for OpenTelemetry: requests, SQL statements by what they do to which table, calls to addresses outside.

Off until ``start`` is called. A span carries names of ours, status and time: never a path, a parameter, a statement's
text, an exception's message or a header's value, because any of them may hold a token or a person (K-08).
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_TABLE = re.compile(r"\b(?:FROM|INTO|UPDATE|JOIN)\s+(?:ONLY\s+)?((?:idp|locker)\.\w+)")
_TRACEPARENT_MAX = 128


class Span:
    """What a span may be told; this one forgets it."""

    def set(self, name: str, value: str | int) -> None: ...

    def named(self, name: str) -> None: ...


class _Off(Span):
    def __enter__(self) -> Span:
        return self

    def __exit__(self, *_: object) -> None: ...


class _On(Span):
    def __init__(self, span: Any) -> None:
        self._span = span

    def set(self, name: str, value: str | int) -> None:
        self._span.set_attribute(name, value)

    def named(self, name: str) -> None:
        self._span.update_name(name)


_OFF = _Off()
_tracer: Any = None
_provider: Any = None


def start(exporter: "SpanExporter", *, service: str) -> None:
    """In each process, after it was forked: the exporter has a thread."""
    global _tracer, _provider
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanLimits, TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    _provider = TracerProvider(
        resource=Resource({"service.name": service}), span_limits=SpanLimits(max_span_attributes=16)
    )
    _provider.add_span_processor(BatchSpanProcessor(exporter))
    _tracer = _provider.get_tracer("khizana")


def start_otlp(endpoint: str, *, service: str) -> None:
    """``endpoint`` is the collector's address for traces over HTTP: ``http://host:4318/v1/traces``."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    start(OTLPSpanExporter(endpoint=endpoint, timeout=5), service=service)


def stop() -> None:
    global _tracer, _provider
    if _provider is not None:
        _provider.shutdown()
    _tracer = _provider = None


def is_on() -> bool:
    return _tracer is not None


def of_request(method: str, headers: Mapping[bytes, bytes] | None) -> "AbstractContextManager[Span]":
    """``headers`` only of a proxy that we trust: whoever else names a trace could join ours (W3C Trace Context §3)."""
    if _tracer is None:
        return _OFF
    known = method if method in _METHODS else "_OTHER"
    return _span(known, "SERVER", {"http.request.method": known}, parent=_parent(headers))


def of_statement(sql: str) -> "AbstractContextManager[Span]":
    if _tracer is None:
        return _OFF
    return _span(statement_name(sql), "CLIENT", {"db.system.name": "postgresql"})


def of_call(method: str, host: str) -> "AbstractContextManager[Span]":
    """A call to an address outside; nothing of the trace goes with it."""
    if _tracer is None:
        return _OFF
    return _span(f"call {method}", "CLIENT", {"http.request.method": method, "server.address": host})


@lru_cache(maxsize=2_000)
def statement_name(sql: str) -> str:
    """``SELECT idp.session``: the first word and the first table. All our statements are constants."""
    table = _TABLE.search(sql)
    return f"{sql.split(None, 1)[0].upper()} {table[1]}" if table else sql.split(None, 1)[0].upper()


def traced(connection: Any) -> Any:
    """The connection of a transaction, with a span for each statement where spans are made."""
    return connection if _tracer is None else _Traced(connection)


class _Traced:
    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def fetchrow(self, sql: str, *args: Any) -> Any:
        with of_statement(sql):
            return await self._connection.fetchrow(sql, *args)

    async def fetch(self, sql: str, *args: Any) -> Any:
        with of_statement(sql):
            return await self._connection.fetch(sql, *args)

    async def fetchval(self, sql: str, *args: Any) -> Any:
        with of_statement(sql):
            return await self._connection.fetchval(sql, *args)

    async def execute(self, sql: str, *args: Any) -> Any:
        with of_statement(sql):
            return await self._connection.execute(sql, *args)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


@contextmanager
def _span(name: str, kind: str, attributes: dict[str, str], *, parent: Any = None) -> Iterator[Span]:
    from opentelemetry.trace import SpanKind

    with _tracer.start_as_current_span(
        name,
        context=parent,
        kind=SpanKind[kind],
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        yield _On(span)


def _parent(headers: Mapping[bytes, bytes] | None) -> Any:
    from opentelemetry.context import Context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    value = (headers or {}).get(b"traceparent", b"")
    if not value or len(value) > _TRACEPARENT_MAX:
        return Context()
    # tracestate is other systems' own, and of any content: it is not carried on.
    return TraceContextTextMapPropagator().extract({"traceparent": value.decode("ascii", "replace")}, Context())
