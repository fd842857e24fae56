"""A client's connection and a connection with the server, joined: everything passes through but tool calls.

Invariants:

- A request of the client passes if MCP knows its method; `tools/call` goes through `calls`, never through here.
- A notification of the client passes if its method begins with `notifications/`: no call without an answer.
- Identifiers and progress tokens are translated by the SDK's dispatchers, which also carry cancellations across.
- When the server's connection ends, calls that are out get their answer before the client's connection ends too.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final
from uuid import uuid4

import anyio
from anyio.abc import TaskGroup, TaskStatus
from mcp.shared._stream_protocols import ReadStream, WriteStream
from mcp.shared.dispatcher import CallOptions, Outbound, ProgressFnT
from mcp.shared.exceptions import MCPError
from mcp.shared.inbound import MCP_PROTOCOL_VERSION_HEADER
from mcp.shared.jsonrpc_dispatcher import JSONRPCDispatcher, progress_token_from_params
from mcp.shared.message import SessionMessage
from mcp.shared.transport_context import TransportContext
from mcp_types import METHOD_NOT_FOUND
from mcp_types.methods import SPEC_CLIENT_METHODS

from ledgix_gateway.mcp import stateless
from ledgix_gateway.mcp.approvals import Burned
from ledgix_gateway.mcp.calls import call_tool
from ledgix_gateway.mcp.config import Address
from ledgix_gateway.mcp.desk import Choice, Context, Desk
from ledgix_gateway.mcp.gate import Gate
from ledgix_gateway.mcp.upstream import Trouble, open_upstream
from ledgix_gateway.mcp.wire import raw_of

CALL: Final = "tools/call"
TASKS: Final = frozenset({"tasks/get", "tasks/result", "tasks/list", "tasks/cancel"})  # MCP 2025-11-25
STATELESS: Final = frozenset({"server/discover", "subscriptions/listen"})  # MCP 2026-07-28
PASSED: Final = (frozenset(SPEC_CLIENT_METHODS) | TASKS) - {CALL}

_TRANSLATED: Final = ("notifications/cancelled", "notifications/progress")  # by the dispatchers
_LAST_ANSWERS: Final = 2.0
logger: Final = logging.getLogger(__name__)


class Bridge:
    """One client with a server connection of its own."""

    def __init__(
        self, gate: Gate, read: ReadStream[SessionMessage | Exception], write: WriteStream[SessionMessage]
    ) -> None:
        self._gate = gate
        self._client: JSONRPCDispatcher[TransportContext] = JSONRPCDispatcher(read, write)
        self._server: JSONRPCDispatcher[TransportContext] | None = None
        self._session_id = gate.config.caller.session_id or str(uuid4())
        self._revision = ""  # of MCP, as client and server agreed
        self._may_ask = False
        self._under_way: dict[object, Context] = {}
        self._idle = anyio.Event()
        self._group: TaskGroup | None = None
        self._trouble: Trouble | None = None

    async def run(self) -> None:
        """Returns when the client has left. Raises Trouble when the server's connection can't be opened or ends."""
        async with anyio.create_task_group() as group:
            self._group = group
            await group.start(self._keep_server)
            if self._trouble is None:
                await self._client.run(self._from_client, self._client_says)
            group.cancel_scope.cancel()
        if self._trouble is not None:
            raise self._trouble

    # The server, as a tool call sees it

    @property
    def is_open(self) -> bool:
        return self._server is not None and self._trouble is None

    async def call_tool(self, burned: Burned, on_progress: ProgressFnT | None) -> dict[str, Any]:
        return await self._send(CALL, burned.call.params, on_progress)

    # From the client

    async def _from_client(self, context: Context, method: str, params: Mapping[str, Any] | None) -> dict[str, Any]:
        key = object()
        self._under_way[key] = context
        try:
            if method == CALL:
                return await self._call(context, dict(params or {}))
            return await self._pass(context, method, params)
        finally:
            del self._under_way[key]
            if not self._under_way:
                self._idle.set()
                self._idle = anyio.Event()

    async def _call(self, context: Context, params: dict[str, Any]) -> dict[str, Any]:
        waiting = self._gate.config.waiting
        call, choice = stateless.answer_in(params)
        desk = Desk(context, waiting, may_ask=self._may_ask, choice=choice)
        result = await call_tool(self._gate, self, raw_of(context), call, self._session_id, desk)
        if not stateless.is_stateless(params):
            return result
        result.setdefault("resultType", "complete")
        may_ask = waiting.elicitation and choice is Choice.KEEP_WAITING and stateless.may_ask(params)
        return stateless.asking(result, params, desk.link) if may_ask else result

    async def _pass(self, context: Context, method: str, params: Mapping[str, Any] | None) -> dict[str, Any]:
        if method not in PASSED or (method in STATELESS and isinstance(self._gate.config.upstream, Address)):
            raise MCPError(METHOD_NOT_FOUND, f"{method} does not pass this gateway")
        has_token = progress_token_from_params(params) is not None
        # A subscription's notifications name it by its identifier, so this one is kept.
        same_id = context.request_id if method == "subscriptions/listen" else None
        result = await self._send(method, params, context.progress if has_token else None, same_id)
        if method == "initialize":
            self._agreed(params or {}, result)
        if method == "tools/list" and self._gate.schemas is not None:
            await self._gate.schemas.register(result)
        return result

    async def _client_says(self, context: Context, method: str, params: Mapping[str, Any] | None) -> None:
        if not method.startswith("notifications/"):
            logger.warning("a notification that calls %s was dropped", method)
            return
        if method not in _TRANSLATED and self._server is not None:
            await self._server.notify(method, params, self._options())

    def _agreed(self, asked: Mapping[str, Any], result: Mapping[str, Any]) -> None:
        self._revision = str(result.get("protocolVersion", ""))
        match asked.get("capabilities"):
            case {"elicitation": dict() as modes}:
                self._may_ask = not modes or "form" in modes

    async def _send(
        self,
        method: str,
        params: Mapping[str, Any] | None,
        on_progress: ProgressFnT | None,
        request_id: str | int | None = None,
    ) -> dict[str, Any]:
        assert self._server is not None
        options = self._options()
        if on_progress is not None:
            options["on_progress"] = on_progress
        if request_id is not None:
            options["request_id"] = request_id
        return await self._server.send_raw_request(method, params, options)

    def _options(self) -> CallOptions:
        if self._revision and isinstance(self._gate.config.upstream, Address):
            return {"headers": {MCP_PROTOCOL_VERSION_HEADER: self._revision}}
        return {}

    # From the server

    async def _keep_server(self, *, task_status: TaskStatus[None]) -> None:
        try:
            async with open_upstream(self._gate.config.upstream) as (read, write):
                self._server = JSONRPCDispatcher(read, write)
                await self._server.run(self._from_server, self._server_says, task_status=task_status)
            self._trouble = Trouble("the MCP server ended its connection")
        except Trouble as trouble:
            self._trouble = trouble
        if self._server is None:
            task_status.started()
            return
        logger.error("%s", self._trouble)
        await self._end()

    async def _end(self) -> None:
        with anyio.move_on_after(_LAST_ANSWERS):
            if self._under_way:
                await self._idle.wait()
            await anyio.sleep(0.1)  # the last answer is on its way out
        assert self._group is not None
        self._group.cancel_scope.cancel()

    async def _from_server(self, context: Context, method: str, params: Mapping[str, Any] | None) -> dict[str, Any]:
        options: CallOptions = {}
        if progress_token_from_params(params) is not None:
            options["on_progress"] = context.progress
        return await self._way_back().send_raw_request(method, params, options)

    async def _server_says(self, context: Context, method: str, params: Mapping[str, Any] | None) -> None:
        if method not in _TRANSLATED:
            await self._way_back().notify(method, params)

    def _way_back(self) -> Outbound:
        """To the client: over HTTP within the answer to its newest request, since it may listen nowhere else."""
        for context in reversed(self._under_way.values()):
            if context.can_send_request:
                return context
        return self._client
