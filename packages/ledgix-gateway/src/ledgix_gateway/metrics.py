"""What Prometheus can fetch, on an address of its own. `docs/gateway-operations.md` lists it; a test compares.

Label values come from the configuration and from closed sets alone: no path, no argument, nothing that a caller chose.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from typing import Any, Final, Protocol
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, Counter, Histogram, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ledgix_gateway.config.serving import MetricsAddress
from ledgix_gateway.ended import Ended
from ledgix_gateway.errors import ConfigError
from ledgix_gateway.outcomes import Outcomes
from ledgix_gateway.upstream.upstream import Upstream

_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Served(Protocol):
    """What is looked at when somebody asks."""

    @property
    def calls(self) -> int: ...
    @property
    def outcomes(self) -> Outcomes: ...
    @property
    def upstreams(self) -> Mapping[str, Upstream]: ...


class Metrics:
    """`served` gives what is served at the moment, and `held` how many calls are held."""

    def __init__(self, served: Callable[[], Served], held: Callable[[], int]) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        self._requests = Counter(
            "ledgix_gateway_requests",
            "Requests by what became of them; code is why one was refused, or would have been.",
            ["route", "upstream", "verdict", "code"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "ledgix_gateway_request_seconds",
            "How long a request took, to the end of its answer.",
            ["route", "verdict"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.registry.register(_State(served, held))

    def observe(self, ended: Ended) -> None:
        """Counts one request."""
        self._requests.labels(ended.route, ended.upstream, str(ended.verdict), ended.code).inc()
        self._seconds.labels(ended.route, str(ended.verdict)).observe(ended.seconds)


class _State(Collector):
    """What is read when somebody asks. A reload begins these counters anew, as a restart does."""

    def __init__(self, served: Callable[[], Served], held: Callable[[], int]) -> None:
        self._served = served
        self._held = held

    def collect(self) -> Iterable[Metric]:
        served = self._served()
        yield _gauge("calls", "Requests that go on now.", served.calls)
        yield _gauge("held_calls", "Calls that are held for a person, and answers that are kept.", self._held())
        yield _gauge(
            "outcomes_waiting", "Outcome reports that the Vault has not recorded yet.", served.outcomes.waiting
        )
        yield _counter("outcomes_recorded", "Outcome reports that the Vault recorded.", served.outcomes.recorded)
        yield _counter("outcomes_lost", "Outcome reports that were given up; the log names them.", served.outcomes.lost)
        breakers = GaugeMetricFamily(
            "ledgix_gateway_breaker_open", "1 while a tool is left alone after failures.", labels=["upstream"]
        )
        for name, upstream in served.upstreams.items():
            breakers.add_metric([name], float(upstream.breaker.is_open))
        yield breakers

    def describe(self) -> Iterable[Metric]:
        """Nothing: there may be no gateway yet when this is registered."""
        return ()


def _gauge(name: str, said: str, value: float) -> Metric:
    return GaugeMetricFamily(f"ledgix_gateway_{name}", said, value=value)


def _counter(name: str, said: str, value: float) -> Metric:
    return CounterMetricFamily(f"ledgix_gateway_{name}", said, value=value)


@contextmanager
def serving_metrics(metrics: Metrics, address: MetricsAddress) -> Generator[int, None, None]:
    """Answers Prometheus in a thread while the block runs; the port. Raises ConfigError if the address is taken."""
    server: WSGIServer
    thread: threading.Thread
    try:
        started: Any = start_http_server(address.port, address.host, metrics.registry)
    except OSError as error:
        raise ConfigError("metrics", f"can't listen on {address.host}:{address.port}: {error.strerror}") from None
    server, thread = started
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
