"""OpenTelemetry: a span for each request, exported if the environment asks for it. Needs `ledgix-vault[tracing]`.

- A span goes on with the trace of whoever asks (W3C Trace Context), so that it stands under the client's or the
  gateway's own.
- It says method, route, status and, on the endpoints that every call passes, the request id: no path, no query, no
  argument, no key. What is logged meanwhile carries its `trace_id`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from structlog.contextvars import bound_contextvars

from ledgix import otlp
from ledgix_vault.errors import StartRefused
from ledgix_vault.web.hot import ENDPOINTS, REQUEST_ID, App, Scope

if TYPE_CHECKING:
    from opentelemetry.trace import Span

_TRACE_HEADERS: Final = ("traceparent", "tracestate")


@contextmanager
def traced(environment: Mapping[str, str] = os.environ) -> Generator[Callable[[App], App], None, None]:
    """Gives what puts spans around an application, and exports them while the block runs; if `environment` doesn't ask
    for it, what changes nothing. Once in a process. Raises StartRefused where it asks for what can't be."""
    try:
        if not otlp.is_asked_for(environment):
            yield lambda app: app
            return
        with otlp.exporting("ledgix-vault"):
            yield Traced
    except otlp.ExportRefused as error:
        remedy = "Install ledgix-vault[tracing] and mend the variable, or set OTEL_SDK_DISABLED=true."
        raise StartRefused(f"Traces can't be exported: {error}.", remedy) from None


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
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
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
    """The route's template: nothing that a caller chose, since spans are counted by names."""
    found = getattr(scope.get("route"), "path", None)
    if isinstance(found, str):
        return f"{scope.get('root_path', '')}{found}"
    first = "/" + str(scope["path"]).removeprefix("/").partition("/")[0]
    return first if first in ENDPOINTS else "unknown"
