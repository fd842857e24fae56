"""Other people's edges, run as their users run them: with the files of examples/gateway, on loopback."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from running_vault import eventually, free_port

EXAMPLES = Path(__file__).parents[3] / "examples" / "gateway"
TOOL = "read_shop"
FORWARD_AUTH = [
    {"path": "/.ledgix-edge/nginx", "edge": "nginx", "tool": TOOL},
    {"path": "/.ledgix-edge/caddy", "edge": "caddy", "tool": TOOL},
    {"path": "/.ledgix-edge/traefik", "edge": "traefik", "shows_body": True},
    {"path": "/.ledgix-edge/envoy", "edge": "envoy"},
]


def executable(name: str, *places: Path) -> str:
    """Where a program is; on CI it must be there."""
    found = next((str(place / name) for place in places if (place / name).exists()), None) or shutil.which(name)
    if found is None:
        missing = f"{name} IS NOT INSTALLED, SO THE EDGE THAT IT IS WAS NOT TESTED"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    return found


@contextmanager
def nginx(directory: Path, gateway: int, tool: str) -> Iterator[str]:
    """nginx with examples/gateway/nginx.conf; its URL."""
    program = executable("nginx", Path("/usr/sbin"))
    port = free_port()
    site = _substituted("nginx.conf", port, gateway, tool)
    (directory / "site.conf").write_text(site)
    user = "user root;" if os.geteuid() == 0 else ""
    temporary = "".join(
        f"{kind}_temp_path {directory}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (directory / "nginx.conf").write_text(
        f"{user} daemon off; worker_processes 1; pid {directory}/nginx.pid; error_log {directory}/error.log;"
        f" events {{}} http {{ access_log off; {temporary} include {directory}/site.conf; }}"
    )
    command = [program, "-p", str(directory), "-e", f"{directory}/error.log", "-c", f"{directory}/nginx.conf"]
    with _running(command, port, {}):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def caddy(directory: Path, gateway: int, tool: str) -> Iterator[str]:
    """Caddy with examples/gateway/Caddyfile; its URL."""
    program = executable("caddy", Path(sys.executable).parent)
    port = free_port()
    file = directory / "Caddyfile"
    file.write_text(_substituted("Caddyfile", port, gateway, tool))
    home = {"XDG_DATA_HOME": str(directory), "XDG_CONFIG_HOME": str(directory), "HOME": str(directory)}
    with _running([program, "run", "--adapter", "caddyfile", "--config", str(file)], port, home):
        yield f"http://127.0.0.1:{port}"


def _substituted(example: str, port: int, gateway: int, tool: str) -> str:
    text = (EXAMPLES / example).read_text()
    ports = {":8000": port, ":8080": gateway, ":9000": int(tool.rpartition(":")[2])}
    for theirs, ours in ports.items():
        assert theirs in text, f"{example} doesn't name {theirs}"
        text = text.replace(theirs, f":{ours}")
    return text


@contextmanager
def _running(command: list[str], port: int, environment: Mapping[str, str]) -> Iterator[None]:
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, **environment}
    )
    try:
        eventually(lambda: process.poll() is not None or _listens(port))
        assert process.poll() is None, process.communicate()[0]
        yield
    finally:
        process.terminate()
        process.communicate(timeout=30)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
