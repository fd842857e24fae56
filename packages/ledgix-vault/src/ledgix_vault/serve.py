"""The server process: one Vault, one event loop, from the first listening socket to the last signed checkpoint.

The order of leaving, after SIGTERM or SIGINT:
1. nothing new is accepted                    requests that arrived get `shutdown_grace` seconds for their answers;
                                               streams of events end
2. the control socket closes                  a command that has begun is answered
3. the worker stops and signs                 every log's last entries are under a checkpoint
4. the store answers what it holds and closes exit 0
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import resource
import socket
from collections.abc import Callable, Generator

import structlog
import uvicorn

from ledgix_vault.app import OpenVault, open_vault
from ledgix_vault.control.server import listening
from ledgix_vault.errors import StartRefused
from ledgix_vault.settings import Settings, listening_url
from ledgix_vault.store.dbapi import version_warning
from ledgix_vault.store.lock import DirectoryLock
from ledgix_vault.tracing import traced
from ledgix_vault.web.app import build_app
from ledgix_vault.web.heads import BoundedHeads
from ledgix_vault.web.hot import App
from ledgix_vault.worker import Worker

KEEP_ALIVE = 65  # seconds: longer than clients and proxies keep an idle connection, so that they end it, not we
BACKLOG = 2048
MOST_FILES = 65_536
logger = structlog.get_logger(__name__)


def serve(settings: Settings, announce: Callable[[str], None]) -> None:
    """Serves until SIGTERM or SIGINT; `announce` gets the URL once the socket listens. Raises `StartRefused`."""
    _raise_file_limit()
    if settings.database_url is None and (warning := version_warning()) is not None:
        logger.warning("sqlite_version", detail=warning)
    with traced() as with_spans, _bind(settings) as listener:
        host, port = listener.getsockname()[:2]
        settings = settings.listening_on(port)
        url = listening_url(settings.host, port)
        with open_vault(settings) as opened, asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_serve(opened, listener, lambda: announce(url), with_spans))
    logger.info("vault_stopped", host=host, port=port)


async def _serve(
    opened: OpenVault, listener: socket.socket, ready: Callable[[], None], with_spans: Callable[[App], App]
) -> None:
    vault = opened.vault
    worker = Worker(vault, opened.high_water)
    configuration = uvicorn.Config(
        with_spans(build_app(vault, worker)),
        http=BoundedHeads,
        ws="none",
        lifespan="off",  # the blocks below are the lifespan
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(vault.settings.trusted_proxies),
        forwarded_allow_ips=vault.settings.trusted_proxies or None,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=vault.settings.shutdown_grace,
    )
    _calm_garbage_collector()
    async with worker.running(), listening(vault):
        await _Server(configuration, ready, leaving=vault.store.growth.end).serve([listener])
        logger.info("vault_stopping")


def _calm_garbage_collector() -> None:
    """What was made at start stays for good: walking through it again and again was the p99 (81 ms down to 28)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


class _Server(uvicorn.Server):
    """uvicorn, that says when it listens and when it leaves, and ends a requested stop as a success."""

    def __init__(
        self, config: uvicorn.Config, ready: Callable[[], None], leaving: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__(config)
        self._ready = ready
        self._leaving = leaving

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._leaving()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """uvicorn would raise the signal anew after stopping, and with that end the process before it has signed."""
        with super().capture_signals():
            yield
            self._captured_signals.clear()


def _bind(settings: Settings) -> socket.socket:
    """The socket, bound but not yet listening: a client that is early is refused, not left waiting."""
    try:
        found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except BaseException:
            listener.close()
            raise
    except OSError as error:
        if settings.data_dir.is_dir():
            DirectoryLock.acquire(settings.data_dir).release()  # a second `serve` hears that, not about its port
        raise StartRefused(
            f"The Vault can't listen on {settings.host}, port {settings.port}: {error.strerror}.",
            "Give another --host or --port (0 takes a free port), or stop the program that has it.",
        ) from error
    return listener


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop


def _raise_file_limit() -> None:
    """Every connection is an open file, and many systems start a process with 1,024."""
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if most == resource.RLIM_INFINITY else min(most, MOST_FILES)
    if allowed != resource.RLIM_INFINITY and allowed < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
