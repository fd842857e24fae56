"""The only wiring: a configuration in, a gateway that serves until its client leaves or it is told to stop."""

from __future__ import annotations

import logging
import signal
import sys
from contextlib import AsyncExitStack, aclosing
from typing import Final

import anyio
from anyio.abc import TaskGroup

from ledgix_gateway.ended import Ended
from ledgix_gateway.logs import log_ended
from ledgix_gateway.mcp.bridge import Bridge
from ledgix_gateway.mcp.config import Listen, McpConfig
from ledgix_gateway.mcp.gate import Gate
from ledgix_gateway.mcp.stdio import stdio_connection
from ledgix_gateway.mcp.upstream import Trouble
from ledgix_gateway.metrics import Metrics, serving_metrics
from ledgix_gateway.vault import Vault

_SHUTDOWN: Final = 10
_HEAD_SECONDS: Final = 10.0
_SPARE: Final = 64


async def serve(config: McpConfig) -> None:
    """Over stdio until the client closes it, or over HTTP until SIGTERM. Raises Trouble without a server."""
    vault = Vault.of(config.vault, agent_id=config.caller.agent_id)
    metrics = Metrics(lambda: gate, lambda: len(gate.approvals.held))

    def ended(said: Ended) -> None:
        metrics.observe(said)
        log_ended(said)

    gate = Gate.of(config, vault, ended)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(aclosing(vault))
        if config.metrics is not None:
            stack.enter_context(serving_metrics(metrics, config.metrics))
        await stack.enter_async_context(vault.keeping_keys_fresh())
        await stack.enter_async_context(gate.outcomes.reporting())
        if config.listen is None:
            await _serve_stdio(gate)
        else:
            await _serve_http(gate, config.listen)


async def _serve_stdio(gate: Gate) -> None:
    trouble: Trouble | None = None
    async with anyio.create_task_group() as group:
        group.start_soon(_stop_when_told, group)
        async with stdio_connection(gate.config.message_bytes) as (read, write):
            try:
                await Bridge(gate, read, write).run()
            except Trouble as error:
                trouble = error
        group.cancel_scope.cancel()
    if trouble is not None:
        raise trouble


async def _stop_when_told(group: TaskGroup) -> None:
    """On SIGTERM everything is cancelled, and with it what waits in the Vault."""
    if sys.platform != "win32":
        with anyio.open_signal_receiver(signal.SIGTERM) as signals:
            async for _ in signals:
                group.cancel_scope.cancel()


async def _serve_http(gate: Gate, listen: Listen) -> None:
    import uvicorn  # only here: a client that starts the gateway waits for its imports

    from ledgix_gateway.connections import Bounds, Connections
    from ledgix_gateway.mcp.sessions import Sessions

    bounds = Bounds(_HEAD_SECONDS, 2 * listen.sessions + _SPARE, log_ended)  # a session listens, and calls
    async with anyio.create_task_group() as group:
        app = Sessions(gate, listen, group)
        server = uvicorn.Server(
            uvicorn.Config(
                app,
                http=type("BoundConnections", (Connections,), {"bounds": bounds}),
                host=listen.host,
                port=listen.port,
                lifespan="off",
                ws="none",
                log_level="warning",
                log_config=None,
                server_header=False,
                timeout_graceful_shutdown=_SHUTDOWN,
            )
        )
        logging.getLogger(__name__).info("MCP at http://%s:%d%s", listen.host, listen.port, listen.path)
        await server.serve()
        group.cancel_scope.cancel()
