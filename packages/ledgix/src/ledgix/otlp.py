"""Exporting a process's OpenTelemetry spans, for the servers of Ledgix: the environment says whether and where to.

Nothing is exported unless `OTEL_EXPORTER_OTLP_ENDPOINT` (or `…_TRACES_ENDPOINT`) is set. OpenTelemetry's other
variables mean here what they mean in every program. `opentelemetry-sdk` and `opentelemetry-exporter-otlp-proto-http`
must be installed.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from typing import Final

from ledgix.errors import LedgixError

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_SPOKEN: Final = "http/protobuf"
_FAREWELL: Final = 3.0
"""Seconds that the last spans get when the process ends."""


class ExportRefused(LedgixError):
    """The environment asks for an export that can't be done; says which variable or library stands in the way."""


def is_asked_for(environment: Mapping[str, str]) -> bool:
    """Whether spans are to be exported; raises ExportRefused for a protocol that isn't spoken here."""
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    if environment.get("OTEL_TRACES_EXPORTER", "otlp") == "none":
        return False
    if not any(environment.get(name) for name in _ENDPOINTS):
        return False
    protocol = next((name for name in _PROTOCOLS if environment.get(name)), None)
    if protocol is not None and environment[protocol] != _SPOKEN:
        raise ExportRefused(
            f"{protocol} is {environment[protocol]!r}, which isn't spoken here: set it to {_SPOKEN}, or leave it out"
        )
    return True


@contextmanager
def exporting(service: str) -> Generator[None, None, None]:
    """Exports all spans of this process while the block runs, and the last ones at its end. `service` is the installed
    distribution whose process this is. Once in a process; raises ExportRefused where a library is missing."""
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace import set_tracer_provider
    except ImportError as error:
        raise ExportRefused(
            f"the environment asks for traces, and a library for them is missing: {error.name}"
        ) from None
    ours = Resource.create({SERVICE_NAME: service, SERVICE_VERSION: version(service)})
    provider = TracerProvider(resource=ours.merge(OTELResourceDetector().detect()), shutdown_on_exit=False)
    exporter = OTLPSpanExporter()
    provider.add_span_processor(BatchSpanProcessor(exporter))
    set_tracer_provider(provider)
    try:
        yield
    finally:
        giving_up = threading.Timer(_FAREWELL, exporter.shutdown)  # a collector that is away is tried for long
        giving_up.start()
        provider.shutdown()
        giving_up.cancel()
