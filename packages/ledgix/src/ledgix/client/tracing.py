"""A span for each request to the Vault, in programs that use OpenTelemetry; in all others nothing happens.

- `opentelemetry-api` is used if it is installed, and never required; where spans go is the program's own affair.
- A span says method, endpoint and status: no argument, no key, no token, no identifier of a request.
- W3C Trace Context carries the trace to the Vault, in the headers `traceparent` and `tracestate`.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING

from ledgix.client.flow import NoReply, Reply, Request

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

_FAILED = 400


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request on its way: `request` is what to send."""

    request: Request
    span: Span | None

    def answered(self, answer: Reply | NoReply) -> Reply | NoReply:
        """The same answer, once the span knows it."""
        if self.span is not None:
            _note(self.span, answer)
        return answer


@contextmanager
def attempt(request: Request) -> Generator[Attempt, None, None]:
    """The request with the span's headers; the span lasts as long as the block."""
    tracer = _tracer()
    if tracer is None or not _is_traced():
        yield Attempt(request, None)
        return
    from opentelemetry.trace import SpanKind
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    endpoint = endpoint_of(request.path)
    with tracer.start_as_current_span(
        f"{request.method} {endpoint}",
        kind=SpanKind.CLIENT,
        attributes={"http.request.method": request.method, "url.template": endpoint},
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        headers = dict(request.headers)
        TraceContextTextMapPropagator().inject(headers)
        yield Attempt(replace(request, headers=headers), span)


def endpoint_of(path: str) -> str:
    """What a path asks for, without its identifiers and its query: spans are counted by their names."""
    return "/" + path.partition("?")[0].removeprefix("/").partition("/")[0]


def _note(span: Span, answer: Reply | NoReply) -> None:
    from opentelemetry.trace import StatusCode

    match answer:
        case Reply(status=status):
            span.set_attribute("http.response.status_code", status)
            if status >= _FAILED:
                span.set_attribute("error.type", str(status))
                span.set_status(StatusCode.ERROR)
        case NoReply(trouble=trouble):
            span.set_attribute("error.type", trouble.partition(":")[0])
            span.set_status(StatusCode.ERROR, "no reply")


def _is_traced() -> bool:
    """Whether there is a trace to go on with, or somebody who wants to hear of a new one."""
    from opentelemetry.trace import ProxyTracerProvider, get_current_span, get_tracer_provider

    is_configured = not isinstance(get_tracer_provider(), ProxyTracerProvider)
    return is_configured or get_current_span().get_span_context().is_valid


@cache
def _tracer() -> Tracer | None:
    try:
        from opentelemetry.trace import get_tracer
    except ImportError:
        return None
    return get_tracer("ledgix", version("ledgix"))
