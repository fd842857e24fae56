"""What the gateway costs: the same calls through a plain proxy, through ours without checks, with them, and by nginx.

With checks, every call has a token of its own, that a real Vault issued before the clock started and burns on the way.
All of it shares this machine: Vault, gateway, tool and load. `python benchmarks/gateway.py` measures this alone.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2

from servers import BIN, LOOPBACK, Server, run, running_vault, started, wait_until_open

CALLS, AT_ONCE = 2_000, 32
SECONDS = 4.0
PATH, BODY = "/v1/refunds", '{"amount":45,"currency":"USD"}'
DIGEST = f"sha-256=:{base64.b64encode(hashlib.sha256(BODY.encode()).digest()).decode()}:"
EXAMPLES = Path(__file__).parents[1] / "examples" / "gateway"
HERE = Path(__file__).parent
POLICY = {
    "policy_id": "bench",
    "tools": ["bench_*"],
    "definition": "rules: [{id: all, effect: approve, when: ['true']}]",
}
CONFIGURATION = """
vault: {{url: "http://127.0.0.1:{vault}", api_key: {{env: GATEWAY_KEY}}, tenant: "{tenant}"}}
listen: {{port: {port}}}
upstreams: {{tool: {{url: "http://127.0.0.1:{tool}", calls: 1024}}}}
routes:
  - {{tool: bench_refund, method: POST, path: /v1/refunds, upstream: tool}}
  - {{method: POST, path: /open, upstream: tool, open: true}}
forward_auth: [{{path: /.ledgix-edge/nginx, edge: nginx, tool: bench_edge}}]
"""
Figures = dict[str, float]


def gateway() -> dict[str, Figures]:
    """Requests a second and latencies in milliseconds, by what the calls passed through."""
    tool_port, proxy_port, port = (_free_port() for _ in range(3))
    with contextlib.ExitStack() as stack:
        vault = stack.enter_context(running_vault())
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ledgix-bench-gateway-")))
        stack.enter_context(_python("edge.py", "tool", tool_port))
        stack.enter_context(_python("edge.py", "proxy", proxy_port, tool_port))
        _post(vault, "/register-policy", POLICY)
        tenant = _tenant(vault)
        stack.enter_context(_gateway(directory, vault, tenant, port, tool_port))
        for each in (tool_port, proxy_port, port):
            wait_until_open(each)
        found = {
            "a plain proxy by aiohttp": _load(proxy_port, PATH),
            "ours, without checks (open route)": _load(port, "/open"),
            "ours, with checks": _checked(directory, vault, port, "bench_refund", json.loads(BODY)),
        }
        with _nginx(directory, port, tool_port) as edge:
            if edge is not None:
                call = {"method": "POST", "host": LOOPBACK, "path": PATH, "query": "", "content_digest": DIGEST}
                found["nginx, auth_request to ours"] = _checked(directory, vault, edge, "bench_edge", call)
        return found


def _load(port: int, path: str, *more: object) -> Figures:
    target = ["--port", port, "--path", path, "--body", BODY, "--header", f"Content-Digest: {DIGEST}"]
    amount = ["--connections", AT_ONCE, "--seconds", SECONDS]
    figures: Figures = json.loads(run(sys.executable, HERE / "load.py", *target, *amount, *more))
    return figures


def _checked(directory: Path, vault: Server, port: int, tool: str, arguments: dict[str, Any]) -> Figures:
    file = directory / "tokens"
    file.write_text("\n".join(asyncio.run(_tokens(vault, tool, arguments))))
    return _load(port, PATH, "--tokens", file)


async def _tokens(vault: Server, tool: str, arguments: dict[str, Any]) -> list[str]:
    """One for each call."""
    headers = {"X-Vault-API-Key": vault.api_key}
    async with httpx2.AsyncClient(base_url=f"http://{LOOPBACK}:{vault.port}", headers=headers, timeout=60) as client:

        async def several(count: int) -> list[str]:
            body = {"tool_name": tool, "tool_args": arguments, "agent_id": "bench", "session_id": "bench"}
            return [(await client.post("/request-clearance", json=body)).json()["token"] for _ in range(count)]

        parts = await asyncio.gather(*(several(CALLS // AT_ONCE) for _ in range(AT_ONCE)))
        return [token for part in parts for token in part]


def _tenant(vault: Server) -> str:
    body = {"tool_name": "bench_refund", "tool_args": {}, "agent_id": "bench", "session_id": "bench"}
    token = str(_post(vault, "/request-clearance", body)["token"])
    claims = token.split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["tenant"])


def _post(vault: Server, path: str, body: dict[str, Any]) -> dict[str, Any]:
    url = f"http://{LOOPBACK}:{vault.port}{path}"
    answer = httpx2.post(url, json=body, headers={"X-Vault-API-Key": vault.api_key}, timeout=60)
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


@contextlib.contextmanager
def _python(*command: object) -> Iterator[None]:
    with started([sys.executable, HERE / str(command[0]), *command[1:]]):
        yield


@contextlib.contextmanager
def _gateway(directory: Path, vault: Server, tenant: str, port: int, tool: int) -> Iterator[None]:
    file = directory / "gateway.yaml"
    file.write_text(CONFIGURATION.format(vault=vault.port, tenant=tenant, port=port, tool=tool))
    with (directory / "gateway.log").open("w") as log:
        environment = {**os.environ, "GATEWAY_KEY": vault.api_key}
        with started([BIN / "ledgix-gateway", "serve", "--config", file], environment=environment, errors=log):
            yield


@contextlib.contextmanager
def _nginx(directory: Path, gateway: int, tool: int) -> Iterator[int | None]:
    """Debian's nginx with our example; None where there is none."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        yield None
        return
    port = _free_port()
    site = (EXAMPLES / "nginx.conf").read_text()
    for theirs, ours in {":8000": port, ":8080": gateway, ":9000": tool}.items():
        site = site.replace(theirs, f":{ours}")
    (directory / "site.conf").write_text(site)
    places = "".join(
        f"{kind}_temp_path {directory}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.geteuid() == 0 else ""
    (directory / "nginx.conf").write_text(
        f"{user} daemon off; pid {directory}/nginx.pid; error_log {directory}/error.log;"
        f" events {{}} http {{ access_log off; {places} include {directory}/site.conf; }}"
    )
    command = [program, "-p", directory, "-e", f"{directory}/error.log", "-c", f"{directory}/nginx.conf"]
    with started(command):
        wait_until_open(port)
        yield port


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def main() -> None:
    """Prints the figures."""
    for name, found in gateway().items():
        print(f"{name:36} {found}")


if __name__ == "__main__":
    main()
