"""OpenTelemetry: a span for each request, exported if the environment asks for it. Needs `ledgix-vault[tracing]`.

- A span goes on with the trace of whoever asks (W3C Trace Context), so that it stands under the client's or the
  gateway's own.
- It says method, route, status and, on the endpoints that every call passes, the request id: no path, no query, no
  argument, no key. What is logged meanwhile carries its `trace_id`.
- Nothing is exported unless `OTEL_EXPORTER_OTLP_ENDPOINT` (or `…_TRACES_ENDPOINT`) is set. OpenTelemetry's other
  variables mean here what they mean in every program.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from structlog.contextvars import bound_contextvars

from ledgix_vault.errors import StartRefused
from ledgix_vault.web.hot import REQUEST_ID, App, Scope

if TYPE_CHECKING:
    from opentelemetry.trace import Span

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_SPOKEN: Final = "http/protobuf"
_FAREWELL: Final = 3.0
"""Seconds that the last spans get when the process ends."""
_TRACE_HEADERS: Final = ("traceparent", "tracestate")


@contextmanager
def traced(environment: Mapping[str, str] = os.environ) -> Generator[Callable[[App], App], None, None]:
    """Gives what puts spans around an application, and exports them while the block runs; without being asked for by
    `environment`, what changes nothing. Once in a process. Raises StartRefused where it is asked for and can't be."""
    if not is_asked_for(environment):
        yield lambda app: app
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace import set_tracer_provider
    except ImportError as error:
        raise StartRefused(
            f"The environment asks for traces, and a library for them is missing: {error.name}.",
            "Install ledgix-vault[tracing], or set OTEL_SDK_DISABLED=true.",
        ) from error
    ours = Resource.create({SERVICE_NAME: "ledgix-vault", SERVICE_VERSION: version("ledgix-vault")})
    provider = TracerProvider(resource=ours.merge(OTELResourceDetector().detect()), shutdown_on_exit=False)
    exporter = OTLPSpanExporter()
    provider.add_span_processor(BatchSpanProcessor(exporter))
    set_tracer_provider(provider)
    try:
        yield Traced
    finally:
        giving_up = threading.Timer(
            _FAREWELL, exporter.shutdown
        )  # else a collector that is away delays the end by 15 s
        giving_up.start()
        provider.shutdown()
        giving_up.cancel()


def is_asked_for(environment: Mapping[str, str]) -> bool:
    """Whether spans are to be exported; raises StartRefused for a protocol that isn't spoken here."""
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    if environment.get("OTEL_TRACES_EXPORTER", "otlp") == "none":
        return False
    if not any(environment.get(name) for name in _ENDPOINTS):
        return False
    protocol = next((name for name in _PROTOCOLS if environment.get(name)), None)
    if protocol is not None and environment[protocol] != _SPOKEN:
        raise StartRefused(
            f"{protocol} is {environment[protocol]!r}, which isn't spoken here.",
            f"Set it to {_SPOKEN}, or leave it out.",
        )
    return True


class Traced:
    """An application, each of whose requests is a span."""

    def __init__(self, app: App) -> None:
        from opentelemetry.trace import get_tracer
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._app = app
        self._tracer = get_tracer("ledgix_vault", version("ledgix-vault"))
        self._w3c = TraceContextTextMapPropagator()

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """One request."""
        from opentelemetry.context import Context
        from opentelemetry.trace import SpanKind, format_trace_id

        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = [(name.decode(), value.decode("latin-1")) for name, value in scope["headers"]]
        carrier = {wanted: [value for name, value in headers if name == wanted] for wanted in _TRACE_HEADERS}
        status = 0

        async def noting(message: Any) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        with self._tracer.start_as_current_span(
            scope["method"],
            context=self._w3c.extract(carrier, Context()),
            kind=SpanKind.SERVER,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                with bound_contextvars(trace_id=format_trace_id(span.get_span_context().trace_id)):
                    await self._app(scope, receive, noting)
            finally:
                _note(span, scope, status)


def _note(span: Span, scope: Scope, status: int) -> None:
    from opentelemetry.trace import StatusCode

    route = _route_of(scope)
    span.update_name(f"{scope['method']} {route}")
    span.set_attributes({"http.request.method": scope["method"], "http.route": route})
    if status:
        span.set_attribute("http.response.status_code", status)
    if request_id := scope.get(REQUEST_ID):
        span.set_attribute("ledgix.request_id", request_id)
    if status >= 500 or not status:
        span.set_attribute("error.type", str(status or "no_answer"))
        span.set_status(StatusCode.ERROR)


def _route_of(scope: Scope) -> str:
    """The route's template, or the first part of the path: never an identifier, since spans are counted by names."""
    found = getattr(scope.get("route"), "path", None)
    if isinstance(found, str):
        return f"{scope.get('root_path', '')}{found}"
    return "/" + str(scope["path"]).removeprefix("/").partition("/")[0]
