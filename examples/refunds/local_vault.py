"""A Vault of our own for as long as a block lasts: `ledgix-vault init` and `serve`, as anybody would run them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

BIN = Path(sys.executable).parent
PATIENCE = 30.0
"""Seconds for a command to end or for the server to be ready."""


class CommandFailed(Exception):
    """A command did not do what it is for; the message has what it printed."""


@dataclass(frozen=True, slots=True)
class LocalVault:
    """A running Vault. `api_key` may do everything; `create_key` makes keys that may do less."""

    url: str
    api_key: str
    directory: Path

    def create_key(self, preset: str, name: str) -> str:
        """A new API key's secret."""
        made = run_json("ledgix-vault", "keys", "create", "--data", self.directory, "--preset", preset, "--name", name)
        return str(made["api_key"])


@contextlib.contextmanager
def running(directory: Path, *, tenant: str = "Example Shop") -> Iterator[LocalVault]:
    """Makes a Vault in a new directory and serves it on a free port of this machine until the block ends."""
    made = run_json("ledgix-vault", "init", "--data", directory, "--tenant", tenant, "--email", "owner@example.com")
    command: list[str | Path] = [BIN / "ledgix-vault", "serve", "--data", directory, "--port", "0"]
    with (
        (directory.parent / "vault.log").open("w+") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment()) as server,
    ):
        try:
            yield LocalVault(address(server, log), str(made["api_key"]), directory)
        finally:
            server.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(PATIENCE)
            server.kill()


def run(command: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs one of our commands to its end, whatever its exit status."""
    return subprocess.run(
        [BIN / command, *arguments], capture_output=True, text=True, timeout=PATIENCE, check=False, env=environment()
    )


def run_json(command: str, *arguments: str | Path) -> dict[str, Any]:
    """Runs one of our commands with `--json`; what it printed."""
    done = run(command, *arguments, "--json")
    if done.returncode != 0:
        raise CommandFailed(f"{command} {arguments[0]} ended with {done.returncode}: {done.stderr or done.stdout}")
    printed: dict[str, Any] = json.loads(done.stdout)
    return printed


def address(server: subprocess.Popen[str], log: IO[str]) -> str:
    """The address that a server of ours prints when it is ready."""
    assert server.stdout is not None
    too_late = threading.Timer(PATIENCE, server.kill)
    too_late.start()
    try:
        for line in server.stdout:
            if found := re.search(r"https?://[^\s/]+", line):
                return found.group()
    finally:
        too_late.cancel()
    log.seek(0)
    raise CommandFailed(f"the server did not become ready: {log.read()[-2000:]}")


def environment(**more: str) -> dict[str, str]:
    """Our environment without the settings of another Vault or client, and with `more`."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("VAULT_", "LEDGIX_"))}
    return {**ours, **more}
