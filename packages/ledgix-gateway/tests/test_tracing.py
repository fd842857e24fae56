"""Traces across client, gateway and Vault: real processes that export to a real receiver on loopback."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from gateway_testing import BODY, JSON, REFUND, RunningGateway, Tool, serving, write_config

from collector import Collector, collecting
from ledgix.otlp import is_asked_for
from ledgix_gateway.errors import ConfigError
from ledgix_gateway.tracing import exporting as exporting_spans
from ledgix_gateway.tracing import trace_in_meta
from ledgix_vault.errors import StartRefused
from ledgix_vault.tracing import traced
from running_vault import PATIENCE, Tenant, eventually, free_port, running_vault

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as running:
        yield running


@pytest.fixture(scope="module")
def exporting(collector: Collector) -> Iterator[None]:
    """What is started meanwhile exports to the collector, at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        patch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
        yield


@pytest.fixture(scope="module")
def traced_tenant(exporting: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenant]:
    with running_vault(tmp_path_factory.mktemp("traced"), log_format="json") as (_, (tenant,)):
        tenant.register_refunds()
        yield tenant


@pytest.fixture(scope="module")
def edge_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("edge") / "gateway.yaml"


@pytest.fixture(scope="module")
def edge(traced_tenant: Tenant, _shared_tool: Tool, edge_file: Path) -> Iterator[str]:
    write_config(edge_file, traced_tenant, _shared_tool)
    with serving(edge_file, traced_tenant) as (url, _):
        yield url


APPLICATION = """
import sys

import httpx2
from opentelemetry import propagate, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from ledgix import Ledgix
from ledgix.client import ClientSettings

vault, key, tenant, edge, path = sys.argv[1:]
provider = TracerProvider(resource=Resource.create({"service.name": "shop"}))
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
with trace.get_tracer("shop").start_as_current_span("refund an order") as span:
    with Ledgix(ClientSettings(vault_url=vault, vault_api_key=key, tenant=tenant)) as ledgix:
        cleared = ledgix.request_clearance("stripe_refund", {"charge_id": "ch_1", "amount": 45})
    headers = {"Authorization": f"Bearer {cleared.token}"}
    propagate.inject(headers)
    assert httpx2.post(edge + path, json={"amount": 45}, headers=headers).status_code == 200
    print(format(span.get_span_context().trace_id, "032x"), cleared.request_id)
"""


def test_one_trace_from_the_application_to_the_tool(
    collector: Collector, traced_tenant: Tenant, edge: str, tool: Tool
) -> None:
    told = [traced_tenant.url, traced_tenant.agent.secret, traced_tenant.tenant_id, edge, REFUND]
    done = subprocess.run(
        [sys.executable, "-c", APPLICATION, *told], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stderr
    trace, request_id = done.stdout.split()

    whole = collector.one(trace, "shop", "refund an order")
    asked = collector.one(trace, "shop", "POST /request-clearance")
    decided = collector.one(trace, "ledgix-vault", "POST /request-clearance")
    guarded = collector.one(trace, "ledgix-gateway", "POST /v1/charges/{charge_id}/refunds")
    burning = collector.one(trace, "ledgix-gateway", "POST /consume-token")
    burned = collector.one(trace, "ledgix-vault", "POST /consume-token")
    called = collector.one(trace, "ledgix-gateway", "POST tool")
    reporting = collector.one(trace, "ledgix-gateway", "POST /outcomes")
    reported = collector.one(trace, "ledgix-vault", "POST /outcomes")
    steps = [
        (asked, whole), (decided, asked), (guarded, whole), (burning, guarded), (burned, burning), (called, guarded),
        (reporting, guarded), (reported, reporting),
    ]  # fmt: skip
    assert [step.parent for step, _ in steps] == [above.span for _, above in steps]
    assert not any(span.is_error for span in collector.of(trace))
    assert [span.attributes["ledgix.request_id"] for span in (decided, guarded, burned)] == [request_id] * 3
    assert guarded.attributes["ledgix.verdict"] == "forwarded"
    (parent,) = tool.seen[-1].header("traceparent")
    assert parent.startswith(f"00-{trace}-{called.span}-")


def test_no_span_holds_a_secret_an_argument_or_a_path(
    collector: Collector, traced_tenant: Tenant, edge: str, tool: Tool
) -> None:
    token = traced_tenant.agent.ask("stripe_refund", {"charge_id": "ch_1", "amount": 45})["token"]
    headers = {**JSON, "Authorization": f"Bearer {token}", "traceparent": PARENT}
    assert httpx2.post(edge + REFUND, content=BODY, headers=headers).status_code == 200
    assert httpx2.post(edge + REFUND, content=BODY, headers=headers).status_code == 409
    assert httpx2.get(f"{traced_tenant.url}/reviews/no-such-id?secret=1", headers={"traceparent": PARENT}).is_error
    assert httpx2.get(f"{traced_tenant.url}/app/sign-in?secret=1", headers={"traceparent": PARENT}).is_success
    assert httpx2.get(f"{traced_tenant.url}/no-such-page", headers={"traceparent": PARENT}).status_code == 404
    for name in ("GET /reviews/{request_id}", "GET /app/sign-in", "GET unknown"):
        collector.one(TRACE, "ledgix-vault", name)
    refused = eventually(lambda: [s for s in collector.of(TRACE) if "ledgix.code" in s.attributes])
    assert [(span.attributes["ledgix.code"], span.is_error) for span in refused] == [("token_already_consumed", False)]
    everything = b"".join(collector.raw)
    for secret in (
        token,
        traced_tenant.agent.secret,
        traced_tenant.full.secret,
        "ch_1",
        "no-such-id",
        "no-such-page",
        "secret=1",
    ):
        assert secret.encode() not in everything


def test_the_log_names_the_trace(edge: str, edge_file: Path) -> None:
    trace = "5" * 32
    headers = {**JSON, "traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    assert httpx2.post(edge + REFUND, content=BODY, headers=headers).status_code == 401
    said = eventually(
        lambda: [line for line in edge_file.with_suffix(".log").read_text().splitlines() if trace in line]
    )
    assert [json.loads(line)["code"] for line in said] == ["token_missing"]


@pytest.mark.parametrize("state", [{}, {"tracestate": "vendor=1,other=2"}])
def test_without_an_exporter_a_trace_passes_through(gateway: RunningGateway, state: dict[str, str]) -> None:
    answer = gateway.refund(gateway.token(), traceparent=PARENT, **state)
    assert answer.status_code == 200
    (seen,) = gateway.tool.seen
    assert seen.header("traceparent") == [PARENT]
    assert seen.header("tracestate") == list(state.values())
    gateway.until_idle()
    assert gateway.ended[-1].trace_id == TRACE


@pytest.mark.parametrize("nonsense", ["", "00-1-2-01", f"ff-{TRACE}-00f067aa0ba902b7-01", "x" * 3000])
def test_a_trace_that_is_none_stops_no_call(gateway: RunningGateway, nonsense: str) -> None:
    assert gateway.refund(gateway.token(), traceparent=nonsense).status_code == 200
    gateway.until_idle()
    assert gateway.ended[-1].trace_id == ""


@pytest.mark.parametrize("meta", [None, 1, {"traceparent": 1}, {"traceparent": "\ud800"}, {"traceparent": None}])
def test_nonsense_in_the_meta_of_an_mcp_request_is_no_trace(meta: object) -> None:
    assert trace_in_meta(meta) == {}


def test_a_collector_that_is_away_delays_neither_calls_nor_the_end(
    tenant: Tenant, tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    path = tmp_path / "gateway.yaml"
    write_config(path, tenant, tool)
    with serving(path, tenant) as (url, process):
        token = tenant.agent.ask("stripe_refund", {"charge_id": "ch_1", "amount": 45})["token"]
        answer = httpx2.post(url + REFUND, content=BODY, headers={**JSON, "Authorization": f"Bearer {token}"})
        assert answer.status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    for line in path.with_suffix(".log").read_text().splitlines():
        assert json.loads(line)["event"], "one JSON object a line, the exporter's complaints too"


ASKED: list[tuple[dict[str, str], bool]] = [
    ({}, False),
    ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
    ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, True),
    ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, True),
    ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "True"}, False),
    ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
    ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, True),
]


def test_the_environment_says_whether_traces_are_exported() -> None:
    assert [is_asked_for(given) for given, _ in ASKED] == [wanted for _, wanted in ASKED]


def test_another_protocol_is_refused_at_start() -> None:
    asked = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    with pytest.raises(StartRefused, match=r"OTEL_EXPORTER_OTLP_PROTOCOL is 'grpc'.*http/protobuf"), traced(asked):
        pass
    with pytest.raises(ConfigError, match="environment: OTEL_EXPORTER_OTLP_PROTOCOL is 'grpc'"), exporting_spans(asked):
        pass


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace.export", None)
    asked = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}
    with (
        pytest.raises(StartRefused, match=r"opentelemetry\.sdk\.trace\.export.*\n.*ledgix-vault\[tracing\]"),
        traced(asked),
    ):
        pass
