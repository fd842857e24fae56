"""The MCP gateway in a process of its own, between the SDK's client and a server that writes down its calls."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult

from running_vault import PATIENCE, RunningVault, Tenant, eventually, free_port, succeeded

TOOLS = str(Path(__file__).with_name("mcp_tools.py"))
GATEWAY = str(Path(sys.executable).with_name("ledgix-gateway"))
TOKEN = "a-token-for-clients-of-the-tests"
WAIT = 4.0
REQUEST_ID = re.compile(r"request ([0-9a-f-]{36})")
JsonObject = dict[str, Any]


@dataclass
class Edge:
    """A gateway of a tenant, and what reached the server behind it."""

    tenant: Tenant
    directory: Path
    url: str = ""
    asked: list[str] = field(default_factory=list)

    @property
    def calls_file(self) -> Path:
        return self.directory / "calls.jsonl"

    def reached(self, tool: str) -> list[JsonObject]:
        """The calls of a tool that reached the server, in order."""
        lines = self.calls_file.read_text("utf-8").splitlines() if self.calls_file.exists() else []
        return [call for call in map(json.loads, lines) if call["tool"] == tool]

    def refunds(self, order_id: str) -> int:
        return sum(call["order_id"] == order_id for call in self.reached("stripe_refund"))

    def program(self) -> JsonObject:
        """The server as a program that the gateway starts."""
        return {"command": sys.executable, "args": [TOOLS, str(self.calls_file)]}

    def write(self, upstream: JsonObject, **mcp: Any) -> Path:
        """A configuration file with the tenant's key beside it."""
        (self.directory / "key").write_text(self.tenant.full.secret)
        vault = {"url": self.tenant.url, "api_key": {"file": "key"}, "tenant": self.tenant.tenant_id}
        vault |= mcp.pop("vault", {})
        review = {"wait_seconds": WAIT, "progress_seconds": 0.1}
        section = {"agent_id": "desk", "upstream": upstream, "review": review, **mcp}
        file = self.directory / "gateway.yaml"
        file.write_text(json.dumps({"vault": vault, "mcp": section}))
        return file

    def started_by_client(self, file: Path, **more: Any) -> Client:
        """What a desktop client does with an entry of its configuration."""
        parameters = StdioServerParameters(
            command=GATEWAY, args=["mcp", "--config", str(file)], env=more.pop("env", None)
        )
        if (errlog := more.pop("errlog", None)) is not None:
            return Client(stdio_client(parameters, errlog=errlog), **more)
        return Client(parameters, **more)

    @asynccontextmanager
    async def connect(self, **more: Any) -> AsyncIterator[Client]:
        """A session over HTTP."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=60) as http,
            Client(streamable_http_client(self.url, http_client=http), **more) as client,
        ):
            yield client

    async def hear(self, progress: float, total: float | None, message: str | None) -> None:
        """A progress callback that keeps the ids of requests that wait."""
        if (found := REQUEST_ID.search(message or "")) and found[1] not in self.asked:
            self.asked.append(found[1])

    async def waiting_request(self) -> str:
        """The id of the first request that is said to wait."""
        with anyio.fail_after(PATIENCE):
            while not self.asked:
                await anyio.sleep(0.01)
        return self.asked[0]

    async def decide(self, request_id: str, *, approved: bool) -> None:
        decide = lambda: self.tenant.reviewer.decide(request_id, approved=approved, reason="looked at it")  # noqa: E731
        succeeded(await anyio.to_thread.run_sync(decide))

    async def outcome_of(self, request_id: str) -> str:
        """The outcome that is reported of a call, once it is."""

        def look() -> str:
            found = [e for e in self.tenant.events("outcome.reported") if e["request_id"] == request_id]
            return str(found[0]["action_metadata"]["outcome"]) if found else ""

        return await anyio.to_thread.run_sync(lambda: eventually(look))

    async def state_of(self, request_id: str, wanted: str) -> None:
        """Returns when the request has this outcome in the Vault."""
        look = lambda: self.tenant.full.status(request_id)["outcome"] == wanted  # noqa: E731
        await anyio.to_thread.run_sync(lambda: eventually(look))


def text(result: CallToolResult) -> str:
    return "\n".join(getattr(part, "text", "") for part in result.content)


def refusal(result: CallToolResult) -> JsonObject:
    """What programs read of a refusal."""
    assert result.is_error
    assert result.meta is not None
    found: JsonObject = dict(result.meta["ledgix/refusal"])
    return found


@contextmanager
def process(command: list[str], port: int, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A server that listens on `port` before the block begins."""
    with log.open("ab") as output:
        running = subprocess.Popen(command, stdout=output, stderr=output, env=dict(os.environ))
    try:
        eventually(lambda: _listens(port))
        yield running
    finally:
        running.send_signal(signal.SIGTERM)
        assert running.wait(PATIENCE) in (0, -signal.SIGTERM), log.read_text()[-3000:]


def _listens(port: int) -> bool:
    try:
        httpx2.get(f"http://127.0.0.1:{port}/", timeout=5)
    except httpx2.ConnectError:
        return False
    return True


@contextmanager
def http_edge(tenant: Tenant, directory: Path) -> Iterator[Edge]:
    """Tools over HTTP, and before them a gateway over HTTP."""
    edge = Edge(tenant, directory)
    tools, gateway = free_port(), free_port()
    (directory / "token").write_text(TOKEN)
    upstream = {"url": f"http://127.0.0.1:{tools}/mcp"}
    file = edge.write(upstream, listen={"port": gateway, "token": {"file": "token"}, "sessions": 5})
    edge.url = f"http://127.0.0.1:{gateway}/mcp"
    log = directory / "processes.log"
    with (
        process([sys.executable, TOOLS, str(edge.calls_file), str(tools)], tools, log),
        process([GATEWAY, "mcp", "--config", str(file)], gateway, log),
    ):
        yield edge


__all__ = ["Edge", "RunningVault", "http_edge", "process", "refusal", "text"]
