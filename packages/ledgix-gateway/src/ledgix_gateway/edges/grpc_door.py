"""Envoy's ext_authz over gRPC: `envoy.service.auth.v3.Authorization/Check`.

Envoy must show raw headers (`encode_raw_headers`), because the plain map joins repeated ones, and the whole body
(`with_request_body` with `allow_partial_message: false` and `pack_as_bytes: true`).

Whatever goes wrong here is an answer that refuses, or a gRPC error, which Envoy takes for a refusal as long as
`failure_mode_allow` is false.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote

import grpc
from envoy.config.core.v3 import base_pb2
from envoy.service.auth.v3 import external_auth_pb2, external_auth_pb2_grpc
from envoy.type.v3 import http_status_pb2
from google.rpc import code_pb2, status_pb2
from opentelemetry.context import Context

from ledgix_gateway.codes import Code, problem, refusal
from ledgix_gateway.config.edging import ExtAuthz
from ledgix_gateway.credentials import REQUEST_ID
from ledgix_gateway.edges.deciding import admit
from ledgix_gateway.edges.described import call_with_body
from ledgix_gateway.edges.trust import EDGE_HEADER, refuse_strangers
from ledgix_gateway.ended import OnEnd, Verdict
from ledgix_gateway.errors import ConfigError, Problem, Refusal
from ledgix_gateway.inbound import Inbound
from ledgix_gateway.proxy.current import Current
from ledgix_gateway.proxy.incoming import Incoming, too_large
from ledgix_gateway.proxy.replies import Kept, drawn
from ledgix_gateway.proxy.visit import Visit, recorded
from ledgix_gateway.tracing import TRACE_HEADERS, trace_in

logger = logging.getLogger(__name__)
GRACE = 5.0


@asynccontextmanager
async def serving_ext_authz(config: ExtAuthz, current: Current, on_end: OnEnd) -> AsyncIterator[int]:
    """Answers Envoy while the block runs; the port it listens on. Raises ConfigError if the address is taken."""
    server = grpc.aio.server()
    external_auth_pb2_grpc.add_AuthorizationServicer_to_server(Authorization(config, current, on_end), server)
    host = f"[{config.host}]" if ":" in config.host else config.host
    try:
        port: int = server.add_insecure_port(f"{host}:{config.port}")
    except RuntimeError as error:
        raise ConfigError("ext_authz", f"can't listen on {config.host}:{config.port}: {error}") from None
    await server.start()
    try:
        yield port
    finally:
        await server.stop(GRACE)


class Authorization(external_auth_pb2_grpc.AuthorizationServicer):  # type: ignore[misc]  # generated code is untyped
    """The service that Envoy calls."""

    def __init__(self, config: ExtAuthz, current: Current, on_end: OnEnd) -> None:
        self._config = config
        self._current = current
        self._on_end = on_end

    async def Check(self, request: Any, context: Any) -> Any:  # noqa: N802 - the name of the protocol
        """One request that Envoy holds."""
        gateway = self._current.gateway
        http = request.attributes.request.http
        visit = Visit(
            inbound=Inbound(http.method, b"", b"", ()),
            incoming=Incoming(_nothing),
            reply=Kept(0),
            peer=_address(context.peer()),
            scheme=http.scheme,
        )
        with gateway.in_use(), recorded(visit, _trace(context, http), self._on_end):
            try:
                refuse_strangers(self._config.secret, _shown(context), visit.peer)
                original = _original(http, gateway.config.limits.body_bytes)
                visit.inbound = original
                await admit(visit, gateway, call_with_body(gateway.config.table, original), original)
                visit.status = 200
                return _allowed(visit.request_id, gateway.config.tokens.carriers(original))
            except Refusal as refused:
                return _denied(visit, refused.problem)
            except Exception:  # the door: whatever nobody foresaw refuses, and is logged for whoever has to mend it
                logger.exception("a question of Envoy failed in the gateway itself")
                return _denied(visit, problem(Code.INTERNAL, "The gateway failed; its log says why."))


def _trace(context: Any, http: Any) -> Context:
    """Envoy's own trace if it takes part in one, else that of the request it holds."""
    asked = [(name.encode(), value.encode()) for name, value in context.invocation_metadata() if isinstance(value, str)]
    if any(name in TRACE_HEADERS for name, _ in asked):
        return trace_in(asked)
    return trace_in((header.key.encode(), header.raw_value) for header in http.header_map.headers)


def _original(http: Any, most: int) -> Inbound:
    """The request that Envoy holds; its target is raw, its headers as they came."""
    if http.body or not http.HasField("header_map"):
        raise refusal(
            Code.EDGE_INCOMPLETE, "Envoy must be set to encode_raw_headers and pack_as_bytes, to show what it was sent."
        )
    if len(http.raw_body) > most:
        raise too_large(most)
    headers = [
        (header.key.encode(), header.raw_value or header.value.encode())
        for header in http.header_map.headers
        if not header.key.startswith(":") and header.key.lower() != "host"
    ]
    target, mark, query = http.path.partition("?")
    if mark and not query:
        raise refusal(Code.QUERY_AMBIGUOUS, "A question mark without a query has two readings.")
    head = [(b"host", http.host.encode()), *headers]
    return Inbound.of(http.method, target.encode(), query.encode(), head).with_body(http.raw_body)


def _allowed(request_id: str, carriers: set[bytes]) -> Any:
    named = [_header(REQUEST_ID, request_id)] if request_id else []
    return external_auth_pb2.CheckResponse(
        status=status_pb2.Status(code=code_pb2.OK),
        ok_response=external_auth_pb2.OkHttpResponse(
            headers=named,
            headers_to_remove=[*sorted(name.decode() for name in carriers), *([] if named else [REQUEST_ID])],
        ),
    )


def _denied(visit: Visit, said: Problem) -> Any:
    visit.note_problem(said)
    visit.verdict, visit.status = Verdict.REFUSED, said.status
    status, headers, body = drawn(said)
    shown = [_header(name.decode(), value.decode()) for name, value in headers if name != b"content-length"]
    return external_auth_pb2.CheckResponse(
        status=status_pb2.Status(code=code_pb2.PERMISSION_DENIED, message=said.code),
        denied_response=external_auth_pb2.DeniedHttpResponse(
            status=http_status_pb2.HttpStatus(code=status), headers=shown, body=body.decode()
        ),
    )


def _header(name: str, value: str) -> Any:
    return base_pb2.HeaderValueOption(
        header=base_pb2.HeaderValue(key=name, value=value),
        append_action=base_pb2.HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD,
    )


def _shown(context: Any) -> str | None:
    found = [value for name, value in context.invocation_metadata() if name == EDGE_HEADER]
    return str(found[0]) if len(found) == 1 else None


def _address(peer: str) -> str:
    """Of `ipv4:127.0.0.1:50412` or `ipv6:%5B::1%5D:50412`, as gRPC names a peer, the address."""
    return unquote(peer.partition(":")[2]).rpartition(":")[0]


async def _nothing() -> Any:
    return {"type": "http.disconnect"}
