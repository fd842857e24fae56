"""Envoy's ext_authz over gRPC, asked by a real gRPC client with the messages of its protocol."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from envoy.config.bootstrap.v3 import bootstrap_pb2
from envoy.config.core.v3 import base_pb2
from envoy.extensions.filters.http.ext_authz.v3 import ext_authz_pb2
from envoy.extensions.filters.http.router.v3 import router_pb2  # noqa: F401 - named by the examples
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2  # noqa: F401 - named by the examples
from envoy.service.auth.v3 import attribute_context_pb2, external_auth_pb2, external_auth_pb2_grpc
from gateway_testing import BODY, REFUND, RunningGateway
from google.protobuf import json_format

from ledgix_gateway.config.edging import ExtAuthz
from ledgix_gateway.config.secrets import Secret
from ledgix_gateway.edges.grpc_door import serving_ext_authz

EXAMPLES = Path(__file__).parents[3] / "examples" / "gateway"
HEADERS = (("content-type", b"application/json"),)


@contextmanager
def listening(gateway: RunningGateway, secret: Secret | None = None) -> Iterator[int]:
    """The gateway's gRPC door; its port."""
    door = serving_ext_authz(ExtAuthz("127.0.0.1", 0, secret), gateway.current, gateway.ended.append)
    port = asyncio.run_coroutine_threadsafe(door.__aenter__(), gateway.loop).result(30)
    try:
        yield port
    finally:
        asyncio.run_coroutine_threadsafe(door.__aexit__(None, None, None), gateway.loop).result(30)


@pytest.fixture
def port(gateway: RunningGateway) -> Iterator[int]:
    with listening(gateway) as found:
        yield found


def check(port: int, *headers: tuple[str, bytes], metadata: tuple[tuple[str, str], ...] = (), **http: Any) -> Any:
    """One Check, as Envoy sends it with `encode_raw_headers` and `pack_as_bytes`."""
    shown = [base_pb2.HeaderValue(key=name, raw_value=value) for name, value in (*HEADERS, *headers)]
    told: dict[str, Any] = {
        "method": "POST",
        "path": REFUND,
        "host": "tool.example.com",
        "scheme": "https",
        "raw_body": BODY,
        "size": -1,
        "header_map": base_pb2.HeaderMap(headers=shown),
        **http,
    }
    request = attribute_context_pb2.AttributeContext.HttpRequest(**told)
    attributes = attribute_context_pb2.AttributeContext(
        request=attribute_context_pb2.AttributeContext.Request(http=request)
    )
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = external_auth_pb2_grpc.AuthorizationStub(channel)
        return stub.Check(external_auth_pb2.CheckRequest(attributes=attributes), metadata=metadata, timeout=30)


def bearer(gateway: RunningGateway) -> tuple[str, bytes]:
    return "authorization", f"Bearer {gateway.token()}".encode()


def refused(answer: Any) -> str:
    """The code of an answer that refuses."""
    assert answer.status.code != grpc.StatusCode.OK.value[0]
    assert answer.HasField("denied_response")
    problem = json.loads(answer.denied_response.body)
    assert answer.denied_response.status.code == problem["status"]
    found: str = problem["code"]
    return found


def test_an_approved_call_may_go_on_once(gateway: RunningGateway, port: int) -> None:
    token = bearer(gateway)
    yes = check(port, token)
    assert yes.status.code == 0
    assert {each.header.key: each.header.value for each in yes.ok_response.headers} == {
        "x-ledgix-request-id": gateway.until_ended(1)[0].request_id
    }
    assert "authorization" in yes.ok_response.headers_to_remove
    assert refused(check(port, token)) == "token_already_consumed"


@pytest.mark.parametrize(
    ("http", "headers", "code"),
    [
        ({"raw_body": b'{"amount":46}'}, (), "token_args_mismatch"),
        ({"raw_body": b""}, (), "body_invalid"),
        ({"path": "/v1/charges/ch_2/refunds"}, (), "token_args_mismatch"),
        ({"path": f"{REFUND}?"}, (), "query_ambiguous"),
        ({"path": "/v1/charges/../charges/ch_1/refunds"}, (), "path_ambiguous"),
        ({"method": "PUT"}, (), "route_unmapped"),
        ({"body": BODY.decode(), "raw_body": b""}, (), "edge_incomplete"),
        ({"header_map": None}, (), "edge_incomplete"),
        ({}, (("x-envoy-auth-partial-body", b"true"),), "edge_incomplete"),
        ({}, (("content-length", b"99"),), "edge_incomplete"),
        ({}, (("x-ledgix-token", b"two"),), "token_ambiguous"),
        ({}, (("authorization", b"Bearer two"),), "head_ambiguous"),
        ({}, (("content-type", b"application/json"),), "head_ambiguous"),
        ({"raw_body": b" " * 300_000}, (), "body_too_large"),
    ],
)
def test_what_was_not_approved_is_refused(
    gateway: RunningGateway, port: int, http: dict[str, Any], headers: tuple[tuple[str, bytes], ...], code: str
) -> None:
    assert refused(check(port, bearer(gateway), *headers, **http)) == code
    assert gateway.until_ended(1)[-1].verdict == "refused"


def test_without_a_token(gateway: RunningGateway, port: int) -> None:
    assert refused(check(port)) == "token_missing"


def test_only_envoy_may_ask(gateway: RunningGateway) -> None:
    with listening(gateway, Secret("between-envoy-and-us")) as port:
        token = bearer(gateway)
        assert refused(check(port, token)) == "edge_unknown"
        assert refused(check(port, token, metadata=(("x-ledgix-edge", "guessed"),))) == "edge_unknown"
        assert check(port, token, metadata=(("x-ledgix-edge", "between-envoy-and-us"),)).status.code == 0


def test_an_open_route_needs_no_token(gateway: RunningGateway, port: int) -> None:
    yes = check(port, method="GET", path="/healthz", raw_body=b"")
    assert yes.status.code == 0
    assert list(yes.ok_response.headers) == []


@pytest.mark.parametrize("name", ["envoy.yaml", "envoy-http.yaml"])
def test_the_examples_are_configurations_of_envoy(name: str) -> None:
    """Every member is one that Envoy knows, and the filter says what the door refuses to work without."""
    bootstrap = json_format.ParseDict(yaml.safe_load((EXAMPLES / name).read_text()), bootstrap_pb2.Bootstrap())
    (listener,) = bootstrap.static_resources.listeners
    manager = http_connection_manager_pb2.HttpConnectionManager()
    assert listener.filter_chains[0].filters[0].typed_config.Unpack(manager)
    assert not manager.normalize_path.value
    filter_ = ext_authz_pb2.ExtAuthz()
    assert manager.http_filters[0].typed_config.Unpack(filter_)
    assert not filter_.failure_mode_allow
    assert not filter_.with_request_body.allow_partial_message
    assert filter_.with_request_body.max_request_bytes == 256 * 1024
    if name == "envoy.yaml":
        assert filter_.encode_raw_headers
        assert filter_.with_request_body.pack_as_bytes
    else:
        assert filter_.http_service.path_prefix == "/.ledgix-edge/envoy"
        assert [pattern.safe_regex.regex for pattern in filter_.allowed_headers.patterns] == [".*"]
        (route,) = manager.route_config.virtual_hosts[0].routes
        assert list(route.request_headers_to_remove) == ["authorization", "x-ledgix-token"]


def test_the_trace_is_that_of_envoy_or_else_of_the_request_it_holds(gateway: RunningGateway, port: int) -> None:
    held, envoys = "a" * 32, "b" * 32
    shown = ("traceparent", f"00-{held}-00f067aa0ba902b7-01".encode())
    check(port, bearer(gateway), shown)
    check(port, bearer(gateway), shown, metadata=(("traceparent", f"00-{envoys}-00f067aa0ba902b7-01"),))
    assert [ended.trace_id for ended in gateway.until_ended(2)] == [held, envoys]
