"""The gateway under test in a thread of its own, and the server of a tool that remembers every request."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, MutableMapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import uvicorn
import yaml

from ledgix_gateway.config.config import load_config
from ledgix_gateway.ended import Ended
from ledgix_gateway.proxy.current import Current
from ledgix_gateway.serve import Reloads, proxying, uvicorn_settings
from running_vault import PATIENCE, Tenant, eventually

EXECUTABLE = str(Path(sys.executable).with_name("ledgix-gateway"))
TOOL = "stripe_refund"
REFUND = "/v1/charges/ch_1/refunds"
ARGUMENTS = {"charge_id": "ch_1", "amount": 45}
BODY = b'{"amount":45}'
JSON = {"Content-Type": "application/json"}
ROUTES: list[dict[str, Any]] = [
    {"tool": TOOL, "method": "POST", "path": "/v1/charges/{charge_id}/refunds", "upstream": "payments"},
    {
        "tool": "read_charges",
        "method": "GET",
        "path": "/v1/charges",
        "upstream": "payments",
        "query": ["limit", "tag", "q"],
        "headers": {"account": "X-Account"},
        "types": {"limit": "integer", "tag": "list"},
    },
    {
        "tool": "form_pay",
        "method": "POST",
        "path": "/v1/pay",
        "upstream": "payments",
        "body": "form",
        "types": {"amount": "integer"},
    },
    {"tool": "upload", "method": "PUT", "path": "/v1/files/{name}", "upstream": "payments", "body": "digest"},
    {
        "tool": "read_own",
        "method": "GET",
        "path": "/v1/own",
        "upstream": "payments",
        "agent": {"header": "X-Agent-Id"},
    },
    {"method": "GET", "path": "/healthz", "upstream": "payments", "open": True},
]


@dataclass(frozen=True)
class Seen:
    """One request that reached the tool completely."""

    method: str
    path: bytes
    query: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def header(self, name: str) -> list[str]:
        return [value.decode() for header, value in self.headers if header == name.lower().encode()]


@dataclass
class Tool:
    """A server that counts: `seen` are whole requests, `begun` also those that broke off. `answer` is what it says."""

    url: str = ""
    seen: list[Seen] = field(default_factory=list)
    begun: int = 0
    status: int = 200
    answer: bytes = b'{"ok":true}'
    headers: list[tuple[bytes, bytes]] = field(default_factory=lambda: [(b"content-type", b"application/json")])
    stands_still: bool = False  # takes the request and doesn't answer until `release`
    answers_after_all: bool = False
    before_answer: Callable[[], None] | None = None
    released: threading.Event = field(default_factory=threading.Event, repr=False)
    breaks_off: bool = False  # begins an answer and ends the connection

    def release(self) -> None:
        """Ends the connections on which it stands still."""
        self.released.set()

    def reset(self) -> None:
        """As if it had just started."""
        self.__init__(url=self.url)  # type: ignore[misc]

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        self.begun += 1
        body = b""
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
        self.seen.append(Seen(scope["method"], scope["raw_path"], scope["query_string"], scope["headers"], body))
        if self.stands_still:
            gone = asyncio.create_task(receive())
            while not (gone.done() or self.released.is_set()):
                await asyncio.sleep(0.01)
            if not self.answers_after_all:
                return
        if self.before_answer:
            self.before_answer()
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.answer, "more_body": True})
        if not self.breaks_off:
            await send({"type": "http.response.body", "body": b"", "more_body": False})


@contextmanager
def in_thread(config: uvicorn.Config, listener: socket.socket, around: Any) -> Iterator[Any]:
    """Serves in a thread; `around` is an async context manager that is entered in its loop."""
    server = uvicorn.Server(config)
    entered: list[Any] = []

    async def run() -> None:
        async with around() as given:
            entered.append(given)
            if given is not None:
                config.loaded_app = given[0]
            await server.serve([listener])

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    try:
        eventually(lambda: server.started or not thread.is_alive())
        assert server.started, "the server did not start"
        yield entered[0]
    finally:
        server.should_exit = True
        thread.join()


def listen() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


@contextmanager
def running_tool() -> Iterator[Tool]:
    tool = Tool()
    with listen() as listener:
        tool.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        config = uvicorn.Config(tool, lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=1)

        @asynccontextmanager
        async def nothing() -> AsyncIterator[None]:
            yield None

        config.load()
        with in_thread(config, listener, nothing):
            yield tool


@dataclass
class RunningGateway:
    """A gateway on a real socket. `ended` is what became of every request."""

    url: str
    port: int
    path: Path
    tenant: Tenant
    tool: Tool
    ended: list[Ended]
    current: Current
    reloads: Reloads
    loop: asyncio.AbstractEventLoop

    def token(self, tool: str = TOOL, arguments: dict[str, Any] | None = None, **more: Any) -> str:
        """The token of a call that the Vault approves."""
        answer = self.tenant.agent.ask(tool, ARGUMENTS if arguments is None else arguments, **more)
        assert answer["status"] == "approved", answer
        token: str = answer["token"]
        return token

    def send(self, method: str, path: str, **more: Any) -> httpx2.Response:
        with httpx2.Client(base_url=self.url, timeout=30) as client:
            return client.request(method, path, **more)

    def refund(self, token: str | None = None, body: bytes = BODY, **headers: str) -> httpx2.Response:
        given = {**JSON, **({"Authorization": f"Bearer {token}"} if token else {}), **headers}
        return self.send("POST", REFUND, content=body, headers=given)

    def raw(self, data: bytes, *, until: bytes = b"", seconds: float = 20) -> bytes:
        """The bytes that come back for these bytes, until the connection is closed, or `until` is among them."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as connection:
            with contextlib.suppress(OSError):  # it was closed while we sent; what it said can still be read
                connection.sendall(data)
            found = b""
            while True:
                try:
                    part = connection.recv(65536)
                except ConnectionResetError:
                    return found
                found += part
                if not part or (until and until in found):
                    return found

    def configure(self, **more: Any) -> None:
        """Writes the file anew; nobody is told."""
        write_config(self.path, self.tenant, self.tool, **more)

    def reload(self) -> bool:
        return asyncio.run_coroutine_threadsafe(self.reloads.reload(), self.loop).result(30)

    def until_idle(self) -> None:
        """Returns when no request goes on."""
        eventually(lambda: self.current.gateway.calls == 0)

    def until_ended(self, count: int) -> list[Ended]:
        eventually(lambda: len(self.ended) >= count)
        return self.ended


def configuration(tenant: Tenant, tool: Tool, **more: Any) -> dict[str, Any]:
    """The usual configuration, with other members in the place of some."""
    vault = {
        "url": tenant.url,
        "api_key": {"env": "TEST_VAULT_KEY"},
        "tenant": tenant.tenant_id,
        **more.pop("vault", {}),
    }
    payments = {"url": tool.url, "headers": {"Authorization": {"env": "TEST_TOOL_KEY"}}, **more.pop("payments", {})}
    return {
        "vault": vault,
        "listen": {"port": 0},
        "upstreams": {"payments": payments},
        "routes": ROUTES,
        **more,
    }


def write_config(path: Path, tenant: Tenant, tool: Tool, **more: Any) -> None:
    path.write_text(yaml.safe_dump(configuration(tenant, tool, **more)))


def environment(tenant: Tenant, key: str = "gateway") -> dict[str, str]:
    return {"TEST_VAULT_KEY": getattr(tenant, key).secret, "TEST_TOOL_KEY": "Bearer the-tools-own-key"}


@contextmanager
def running_gateway(
    tenant: Tenant, tool: Tool, directory: Path, *, key: str = "gateway", **more: Any
) -> Iterator[RunningGateway]:
    """A gateway in a thread. `key` names the Vault key that it holds."""
    path = directory / f"gateway-{len(list(directory.iterdir()))}.yaml"
    write_config(path, tenant, tool, **more)
    config = load_config(path, environment(tenant, key))
    ended: list[Ended] = []

    @asynccontextmanager
    async def around() -> AsyncIterator[Any]:
        async with proxying(config, ended.append) as (proxy, current):
            reloads = Reloads(path, current, config, environment(tenant, key))
            yield proxy, current, reloads, asyncio.get_running_loop()

    with listen() as listener:
        port = listener.getsockname()[1]
        settings = uvicorn_settings(None, config, ended.append)  # type: ignore[arg-type]  # known once the loop runs
        settings.load()
        with in_thread(settings, listener, around) as (_, current, reloads, loop):
            yield RunningGateway(f"http://127.0.0.1:{port}", port, path, tenant, tool, ended, current, reloads, loop)


def code(response: httpx2.Response) -> str:
    """The code of a problem."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    problem = response.json()
    assert problem["status"] == response.status_code
    found: str = problem["code"]
    return found


def raw_code(answer: bytes) -> tuple[int, str]:
    """Status and code of a raw answer."""
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)["code"]


def outcome_of(gateway: RunningGateway, request_id: str) -> str:
    """What the ledger says became of a request."""

    def look() -> str | None:
        for entry in gateway.tenant.events("outcome.reported"):
            if entry["request_id"] == request_id:
                said: str = entry["action_metadata"]["outcome"]
                return said
        return None

    return eventually(look)


@contextmanager
def serving(path: Path, tenant: Tenant) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The executable with this configuration: its URL and its process. Its log is beside the file."""
    with path.with_suffix(".log").open("w") as log:
        process = subprocess.Popen(
            [EXECUTABLE, "serve", "--config", str(path)],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, **environment(tenant)},
        )
    assert process.stdout is not None
    try:
        readable, _, _ = select.select([process.stdout], [], [], PATIENCE)
        line = process.stdout.readline() if readable else ""
        assert "listens on http://127.0.0.1:" in line, path.with_suffix(".log").read_text()
        yield line.split()[-1], process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()
