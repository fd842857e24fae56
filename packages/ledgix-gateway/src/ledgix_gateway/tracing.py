"""OpenTelemetry: a span for each request, one for each call of a tool, and the export that the environment asks for.

- The trace of a caller goes on (W3C Trace Context): to the tool and to the Vault, with our spans in between when they
  are exported, and untouched when they are not.
- A span says what a line of the log says (`Ended`) but its `detail`: no token, no argument, no path, no query.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.metadata import version
from typing import Final
from urllib.parse import urlsplit

from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import (
    INVALID_SPAN,
    ProxyTracerProvider,
    Span,
    SpanKind,
    StatusCode,
    format_trace_id,
    get_current_span,
    get_tracer,
    get_tracer_provider,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from ledgix import otlp
from ledgix_gateway.ended import Ended
from ledgix_gateway.errors import ConfigError, NoAnswer, UpstreamError
from ledgix_gateway.inbound import Headers

TRACE_HEADERS: Final = (b"traceparent", b"tracestate")
_W3C: Final = TraceContextTextMapPropagator()
_tracer = get_tracer("ledgix_gateway", version("ledgix-gateway"))

Server = Mapping[str, str | int]
"""Which server a span is about: `server.address`, and `server.port` if it isn't the usual one."""


def server_of(url: str) -> Server:
    """Of a URL, what spans say of it."""
    parts = urlsplit(url)
    return {"server.address": parts.hostname or ""} | ({} if parts.port is None else {"server.port": parts.port})


@contextmanager
def exporting(environment: Mapping[str, str] = os.environ) -> Generator[None, None, None]:
    """Exports this process's spans while the block runs, if `environment` asks for it. Once in a process; raises
    ConfigError where it asks for what can't be."""
    try:
        with otlp.exporting("ledgix-gateway") if otlp.is_asked_for(environment) else nullcontext():
            yield
    except otlp.ExportRefused as error:
        raise ConfigError("environment", str(error)) from None


def trace_in(headers: Iterable[tuple[bytes, bytes]]) -> Context:
    """The trace that these headers speak of; an empty context if they speak of none. Names are in lower case."""
    found: dict[str, list[str]] = {}
    for name, value in headers:
        if name in TRACE_HEADERS:
            found.setdefault(name.decode(), []).append(value.decode("latin-1"))
    return _W3C.extract(found, Context()) if found else Context()


def trace_in_meta(meta: object) -> Context:
    """Like `trace_in`, from the `_meta` of an MCP request."""
    members = meta if isinstance(meta, dict) else {}
    given = ((name, members.get(name.decode())) for name in TRACE_HEADERS)
    return trace_in((name, value.encode("ascii", "replace")) for name, value in given if isinstance(value, str))


@contextmanager
def request_span(name: str, trace: Context | None) -> Generator[Span, None, None]:
    """The span of a request that belongs to this trace, or begins one; None: to the trace that goes on here."""
    if not trace and isinstance(get_tracer_provider(), ProxyTracerProvider):  # nothing to go on with, nothing exported
        yield INVALID_SPAN
        return
    with _span(name, SpanKind.SERVER, trace=trace) as span:
        yield span


def note(span: Span, ended: Ended) -> None:
    """What became of the request. Its name is now the route's, since spans are counted by their names."""
    if not span.is_recording():
        return
    span.update_name(ended.route or ended.method or "request")
    said: dict[str, str | int] = {
        "http.request.method": ended.method,
        "http.response.status_code": ended.status,
        "http.route": ended.route.partition(" ")[2],
        "ledgix.verdict": str(ended.verdict),
        "ledgix.tool": ended.tool,
        "ledgix.upstream": ended.upstream,
        "ledgix.code": ended.code,
        "ledgix.request_id": ended.request_id,
        "ledgix.agent_id": ended.agent_id,
    }
    span.set_attributes({name: value for name, value in said.items() if value not in ("", 0)})
    if ended.status >= 500:  # a refusal is an answer, no error of ours (semantic conventions: HTTP server spans)
        span.set_attribute("error.type", ended.code or str(ended.status))
        span.set_status(StatusCode.ERROR)


@contextmanager
def tool_span(method: str, server: Server) -> Generator[Span, None, None]:
    """The span of one request to the tool's server, until the head of its answer is here."""
    if not get_current_span().is_recording():
        yield INVALID_SPAN
        return
    with _span(f"{method} tool", SpanKind.CLIENT) as span:
        span.set_attributes({"http.request.method": method, **server})
        try:
            yield span
        except UpstreamError as error:
            timed_out = isinstance(error, NoAnswer) and error.timed_out
            span.set_attribute("error.type", "timeout" if timed_out else type(error).__name__)
            span.set_status(StatusCode.ERROR)
            raise


def _span(name: str, kind: SpanKind, *, trace: Context | None = None) -> AbstractContextManager[Span]:
    """What an exception says may hold something of the call, so no span has it."""
    return _tracer.start_as_current_span(
        name, context=trace, kind=kind, record_exception=False, set_status_on_exception=False
    )


def with_trace(headers: Headers) -> Headers:
    """The headers with the current span's trace instead of the one that they came with."""
    carrier: dict[str, str] = {}
    _W3C.inject(carrier)
    if not carrier:
        return headers
    kept = tuple((name, value) for name, value in headers if name not in TRACE_HEADERS)
    return kept + tuple((name.encode(), value.encode()) for name, value in carrier.items())


@contextmanager
def continuing(trace: Context) -> Generator[None, None, None]:
    """Whatever the block does belongs to this trace."""
    token = attach(trace)
    try:
        yield
    finally:
        detach(token)


def trace_id() -> str:
    """The trace that goes on now, in hex; `""` without one."""
    found = get_current_span().get_span_context()
    return format_trace_id(found.trace_id) if found.is_valid else ""
