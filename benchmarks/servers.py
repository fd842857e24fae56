"""The two servers that are measured against each other: a real Vault on a temporary directory, and the yardstick."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

BIN = Path(sys.executable).parent
LOOPBACK = "127.0.0.1"
SENTENCES = ["Refunds must not exceed $1000", "Amounts above 100 USD need review", "currency must be USD or EUR"]


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    port: int
    api_key: str


@contextlib.contextmanager
def running_vault() -> Iterator[Server]:
    """A Vault with three rules for `stripe_refund`; its database is on the disk that holds the temporary files."""
    with tempfile.TemporaryDirectory(prefix="ledgix-bench-") as directory:
        data = f"{directory}/vault"
        created = run(BIN / "ledgix-vault", "init", "--data", data, "--json")
        command = [BIN / "ledgix-vault", "serve", "--data", data, "--port", "0"]
        with started(command) as process:
            assert process.stdout is not None
            ready = process.stdout.readline()
            server = Server(int(ready.rstrip().rstrip("/").rpartition(":")[2]), json.loads(created)["api_key"])
            _register(server)
            yield server


@contextlib.contextmanager
def running_yardstick(port: int) -> Iterator[Server]:
    """The yardstick under uvicorn, one worker, as the Vault runs."""
    command = [sys.executable, "-m", "uvicorn", "yardstick:app", "--port", str(port), "--no-access-log"]
    with started([*command, "--log-level", "warning", "--app-dir", str(Path(__file__).parent)]):
        _wait_for(port)
        yield Server(port, "")


def load(server: Server, connections: int, seconds: float) -> dict[str, float]:
    """Clearance requests from `connections` connections for so long."""
    target = ["--port", server.port, "--path", "/request-clearance", "--api-key", server.api_key]
    amount = ["--connections", connections, "--seconds", seconds]
    figures: dict[str, float] = json.loads(run(sys.executable, Path(__file__).parent / "load.py", *target, *amount))
    return figures


def _register(server: Server) -> None:
    body = {"policy_id": "refunds", "tools": ["stripe_refund"], "rules": SENTENCES}
    request = urllib.request.Request(
        f"http://{LOOPBACK}:{server.port}/register-policy",
        data=json.dumps(body).encode(),
        headers={"X-Vault-API-Key": server.api_key, "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/openapi.json"):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


@contextlib.contextmanager
def started(
    command: Sequence[object], environment: Mapping[str, str] | None = None, errors: IO[str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A process that runs until the block ends."""
    words = [str(word) for word in command]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=20)


def wait_until_open(port: int) -> None:
    """Returns when somebody listens there."""
    deadline = time.monotonic() + 20
    while True:
        with socket.socket() as probe:
            if probe.connect_ex((LOOPBACK, port)) == 0:
                return
        assert time.monotonic() < deadline, f"nobody listens on {port}"
        time.sleep(0.05)


def run(*command: object) -> str:
    """What a command prints; it must succeed."""
    return subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE, text=True).stdout
