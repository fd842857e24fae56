"""Streamable HTTP towards clients: each session is a bridge of its own, with its own connection with the server.

Invariants:

- Whoever does not show the configured token learns nothing and reaches nothing.
- A page in a browser reaches the gateway only from an origin that the configuration names (DNS rebinding).
- A body is read whole, up to its limit and in time, before anything is made of it.
- No session is begun for a request that would be refused, and none is kept whose first request was.
- The handshake revisions of MCP are spoken. A client that offers a later, stateless one is told so, and falls back.
"""

from __future__ import annotations

import hmac
import json
import logging
from typing import Final
from uuid import uuid4

import anyio
from anyio.abc import TaskGroup, TaskStatus
from mcp.server.streamable_http import MCP_SESSION_ID_HEADER, StreamableHTTPServerTransport
from mcp.server.transport_security import (
    RequestBodyLimitMiddleware,
    TransportSecurityMiddleware,
    TransportSecuritySettings,
)
from mcp.shared.inbound import MCP_PROTOCOL_VERSION_HEADER
from mcp_types import INVALID_REQUEST, UNSUPPORTED_PROTOCOL_VERSION, ErrorData, JSONRPCError
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ledgix_gateway.mcp.bridge import Bridge
from ledgix_gateway.mcp.config import Listen
from ledgix_gateway.mcp.gate import Gate
from ledgix_gateway.mcp.upstream import Trouble
from ledgix_gateway.mcp.wire import RAW

_IDLE: Final = 1800.0
_BODY_SECONDS: Final = 20.0
logger: Final = logging.getLogger(__name__)


class SlowBody(Exception):
    """The body did not arrive in time."""


class Sessions:
    """The ASGI application. Sessions run in `group`."""

    def __init__(self, gate: Gate, listen: Listen, group: TaskGroup) -> None:
        self._gate = gate
        self._listen = listen
        self._group = group
        self._security = TransportSecurityMiddleware(_security(listen))
        self._open: dict[str, StreamableHTTPServerTransport] = {}
        self._guarded: ASGIApp = RequestBodyLimitMiddleware(self._answer, gate.config.message_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"no {scope['type']} is spoken here")
        request = Request(scope)
        if not self._is_known(request):
            refusal: Response = PlainTextResponse(
                "Unauthorized", 401, {"WWW-Authenticate": 'Bearer realm="ledgix-gateway"'}
            )
            await refusal(scope, receive, send)
        elif request.url.path != self._listen.path:
            await PlainTextResponse("Not Found", 404)(scope, receive, send)
        else:
            try:
                await self._guarded(scope, in_time(receive, _BODY_SECONDS), send)
            except SlowBody:
                await PlainTextResponse("Request Timeout", 408)(scope, receive, send)

    def _is_known(self, request: Request) -> bool:
        if self._listen.token is None:
            return True
        expected = f"Bearer {self._listen.token.value}".encode()
        shown = request.headers.getlist("authorization")
        return len(shown) == 1 and hmac.compare_digest(shown[0].encode(), expected)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        revision = request.headers.get(MCP_PROTOCOL_VERSION_HEADER, HANDSHAKE_PROTOCOL_VERSIONS[-1])
        session_id = request.headers.get(MCP_SESSION_ID_HEADER)
        body = await request.body()
        scope[RAW] = body
        if (refusal := await self._security.validate_request(request, request.method == "POST")) is not None:
            await refusal(scope, receive, send)
        elif revision not in HANDSHAKE_PROTOCOL_VERSIONS:
            await _unsupported(revision)(scope, receive, send)
        elif session_id is not None:
            await self._continue(session_id, scope, _again(body, receive), send)
        elif len(self._open) >= self._listen.sessions:
            await _error(503, INVALID_REQUEST, "too many sessions are open")(scope, receive, send)
        elif not _is_initialize(body):
            await _error(400, INVALID_REQUEST, "a session begins with initialize")(scope, receive, send)
        else:
            await self._begin(scope, _again(body, receive), send)

    async def _begin(self, scope: Scope, receive: Receive, send: Send) -> None:
        session_id = uuid4().hex
        transport = StreamableHTTPServerTransport(session_id, idle_timeout=_IDLE)
        status = 0

        async def watched(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        self._open[session_id] = transport
        await self._group.start(self._keep, session_id, transport)
        try:
            await transport.handle_request(scope, receive, watched)
        finally:
            if not 200 <= status < 300:
                with anyio.CancelScope(shield=True):
                    await transport.terminate()

    async def _continue(self, session_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        transport = self._open.get(session_id)
        if transport is None:
            await _error(404, INVALID_REQUEST, "Session not found")(scope, receive, send)
        else:
            await transport.handle_request(scope, receive, send)

    async def _keep(
        self, session_id: str, transport: StreamableHTTPServerTransport, *, task_status: TaskStatus[None]
    ) -> None:
        try:
            async with transport.connect() as (read, write):
                task_status.started()
                await self._bridge(transport, Bridge(self._gate, read, write))
        except Exception:
            # This session ends, and what it had under way; the others go on.
            logger.exception("a session ended by an error of the gateway")
        finally:
            del self._open[session_id]
            if not transport.is_terminated:
                with anyio.CancelScope(shield=True):
                    await transport.terminate()

    async def _bridge(self, transport: StreamableHTTPServerTransport, bridge: Bridge) -> None:
        assert transport.idle_scope is not None
        with transport.idle_scope:
            try:
                await bridge.run()
            except Trouble as trouble:
                logger.error("a session ended: %s", trouble)


def _security(listen: Listen) -> TransportSecuritySettings:
    own = [f"{host}:*" for host in ("127.0.0.1", "localhost", "[::1]", listen.host)]
    return TransportSecuritySettings(allowed_hosts=[*own, *listen.hosts], allowed_origins=list(listen.origins))


def in_time(receive: Receive, seconds: float) -> Receive:
    """The same messages; raises SlowBody if the body has not ended after so many seconds."""
    deadline = anyio.current_time() + seconds
    is_complete = False

    async def hurried() -> Message:
        nonlocal is_complete
        if is_complete:
            return await receive()
        message: Message | None = None
        with anyio.CancelScope(deadline=deadline):
            message = await receive()
        if message is None:
            raise SlowBody
        is_complete = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    return hurried


def _is_initialize(body: bytes) -> bool:
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(message, dict) and message.get("method") == "initialize"


def _again(body: bytes, receive: Receive) -> Receive:
    """The body once more, for whoever reads it next."""
    told = False

    async def replay() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _unsupported(revision: str) -> Response:
    data = {"supported": list(HANDSHAKE_PROTOCOL_VERSIONS), "requested": revision[:40]}
    return _error(400, UNSUPPORTED_PROTOCOL_VERSION, "this gateway speaks the handshake revisions of MCP", data)


def _error(status: int, code: int, message: str, data: object = None) -> Response:
    error = ErrorData(code=code, message=message) if data is None else ErrorData(code=code, message=message, data=data)
    body = JSONRPCError(jsonrpc="2.0", id=None, error=error).model_dump_json(exclude_unset=True)
    return Response(body, status, media_type="application/json")
