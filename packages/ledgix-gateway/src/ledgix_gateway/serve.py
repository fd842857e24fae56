"""The process: one gateway, one event loop, from the listening socket to the last reported outcome.

The order of leaving, after SIGTERM or SIGINT:
1. nothing new is accepted            calls that go on get `GRACE` seconds for their answers
2. held calls are let go              what waits for a person can be sent again with its request id
3. outcomes that wait are reported    for a few seconds; what is left is logged as lost
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import socket
from collections.abc import AsyncIterator, Callable, Generator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import uvicorn

from ledgix_gateway.config.config import Config, load_config
from ledgix_gateway.connections import Bounds, Connections
from ledgix_gateway.edges.app import Edges
from ledgix_gateway.edges.grpc_door import serving_ext_authz
from ledgix_gateway.ended import Ended, OnEnd
from ledgix_gateway.errors import ConfigError
from ledgix_gateway.gateway import Gateway
from ledgix_gateway.metrics import Metrics, serving_metrics
from ledgix_gateway.proxy.app import Proxy
from ledgix_gateway.proxy.current import Current
from ledgix_gateway.proxy.held import HeldCalls
from ledgix_gateway.upstream.exchange import LARGEST_MESSAGE

logger = logging.getLogger(__name__)

KEEP_ALIVE: Final = 65
GRACE: Final = 20
LOOK_EVERY: Final = 1.0
"""Seconds between two looks at the configuration file."""


def serve(path: Path, announce: Callable[[str], None], on_end: OnEnd) -> None:
    """Serves until SIGTERM or SIGINT; `announce` gets the URL once the socket listens. Raises ConfigError at start."""
    config = load_config(path)
    with _bind(config) as listener:
        host, port = listener.getsockname()[:2]
        scheme = "https" if config.listen.certificate else "http"
        url = f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_serve(path, config, listener, lambda: announce(url), on_end))


async def _serve(path: Path, config: Config, listener: socket.socket, ready: Callable[[], None], on_end: OnEnd) -> None:
    async with proxying(config, on_end) as (door, current):
        server = _Server(uvicorn_settings(door, config, on_end), ready)
        reloads = Reloads(path, current, config)
        if hasattr(signal, "SIGHUP"):  # not on Windows
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reloads.now.set)
        watch = asyncio.create_task(reloads.run(), name="configuration")
        _calm_garbage_collector()
        try:
            await server.serve([listener])
        finally:
            watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watch


def _calm_garbage_collector() -> None:
    """What was made at start stays for good: walking through it again and again was most of the slowest calls."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


@asynccontextmanager
async def proxying(config: Config, on_end: OnEnd) -> AsyncIterator[tuple[Edges, Current]]:
    """The ASGI application and what it serves, usable inside the block; metrics and gRPC are served beside it."""
    current = Current()
    held = HeldCalls(config.ask.calls)
    metrics = Metrics(lambda: current.gateway, held.__len__)

    def ended(said: Ended) -> None:
        metrics.observe(said)
        on_end(said)

    async with AsyncExitStack() as stack:
        stack.push_async_callback(current.aclose)
        stack.push_async_callback(held.aclose)
        await current.replace(Gateway.open(config))
        if config.metrics is not None:
            stack.enter_context(serving_metrics(metrics, config.metrics))
        if config.ext_authz is not None:
            await stack.enter_async_context(serving_ext_authz(config.ext_authz, current, ended))
        yield Edges(Proxy(current, held, ended), current, ended), current


def uvicorn_settings(door: Edges, config: Config, on_end: OnEnd) -> uvicorn.Config:
    """How uvicorn serves the proxy: HTTP/1.1 with bounds on heads and connections, and nothing added to answers."""
    bounds = Bounds(config.limits.head_seconds, config.limits.connections, on_end)
    return uvicorn.Config(
        door,
        http=type("BoundConnections", (Connections,), {"bounds": bounds}),
        ws="websockets-sansio" if _has_websockets(config) else "none",
        ws_max_size=LARGEST_MESSAGE,
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        backlog=2048,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=GRACE,
        ssl_certfile=config.listen.certificate or None,
        ssl_keyfile=config.listen.key or None,
    )


class Reloads:
    """Reads the configuration anew on SIGHUP and when the file changes. One that can't be used changes nothing."""

    def __init__(
        self, path: Path, current: Current, config: Config, environment: Mapping[str, str] | None = None
    ) -> None:
        self._path = path
        self._current = current
        self._fixed = _fixed(config)
        self._environment = environment
        self._seen = _stamp(path)
        self.now = asyncio.Event()

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY):
                    await self.now.wait()
            stamp = _stamp(self._path)
            if self.now.is_set() or stamp != self._seen:
                self.now.clear()
                self._seen = stamp
                await self.reload()

    async def reload(self) -> bool:
        """Whether the file could be used. Calls that go on end as they began."""
        try:
            config = load_config(self._path, self._environment)
        except ConfigError as error:
            logger.error("the new configuration can't be used, so the old one stays: %s", error)
            return False
        if _fixed(config) != self._fixed:
            logger.warning(
                "a restart is needed for listen, metrics, ext_authz, head_seconds, connections, ask.calls, WebSockets"
            )
        await self._current.replace(Gateway.open(config))
        logger.info("the new configuration is in use: %d routes", len(config.table.routes))
        return True


def _fixed(config: Config) -> tuple[object, ...]:
    """What a running process can't change."""
    limits = config.limits
    listening = (config.listen, config.metrics, config.ext_authz)
    return *listening, limits.head_seconds, limits.connections, config.ask.calls, _has_websockets(config)


def _has_websockets(config: Config) -> bool:
    return any(route.websocket for route in config.table.routes)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """What changes when a file is written or replaced; None while it isn't there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


class _Server(uvicorn.Server):
    """uvicorn, that says when it listens, and ends a requested stop as a success."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """uvicorn would raise the signal anew after stopping, and end the process before outcomes are reported."""
        with super().capture_signals():
            yield
            self._captured_signals.clear()


def _bind(config: Config) -> socket.socket:
    listen = config.listen
    try:
        return socket.create_server(
            (listen.host, listen.port),
            family=socket.AF_INET6 if ":" in listen.host else socket.AF_INET,
            reuse_port=False,
        )
    except OSError as error:
        raise ConfigError("listen", f"can't listen on {listen.host}:{listen.port}: {error.strerror}") from None


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # not on Windows
        return None
    factory: Any = uvloop.new_event_loop
    return factory  # type: ignore[no-any-return]
