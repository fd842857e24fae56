"""The real executable on copies of one initialised data directory."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

EXECUTABLE = Path(sys.executable).with_name("ledgix-vault")
PATIENCE = 20.0


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """Its one line on stdout."""
        assert self.status == 0, self.err
        assert self.out.count("\n") == 1
        found: dict[str, Any] = json.loads(self.out)
        return found

    def refusal(self, status: int = 1) -> str:
        """What it said on stderr; it must have refused in words, and printed nothing on stdout."""
        assert self.status == status, f"{self.status} {self.out} {self.err}"
        assert self.out == ""
        assert "Traceback" not in self.err
        return self.err


def run(*arguments: str | Path, **settings: str) -> Done:
    """Runs `ledgix-vault` to its end; `settings` are variables without their prefix."""
    done = subprocess.run(
        [EXECUTABLE, *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        env=_environment(settings),
    )
    assert "Traceback" not in done.stderr
    return Done(done.returncode, done.stdout, done.stderr)


def _environment(settings: dict[str, str]) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("VAULT_", "LEDGIX_"))}
    return ours | {f"VAULT_{name.upper()}": value for name, value in settings.items()}


class Serving:
    """A server process."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self.process = process
        self.log = log
        self.url = ""

    def await_ready(self) -> None:
        assert self.process.stdout is not None
        readable, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
        line = self.process.stdout.readline() if readable else ""
        assert line.startswith("Ledgix Vault is ready at http://127.0.0.1:"), line + self.log.read_text()
        self.url = line.split()[-1]

    def ask(self, path: str, key: str = "", body: dict[str, Any] | None = None) -> Any:
        """The answer's JSON."""
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, content, {"X-Vault-API-Key": key} if key else {})
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Sends the signal; the exit status."""
        self.process.send_signal(number)
        return self.ended()

    def ended(self) -> int:
        """The exit status of a process that ends by itself; it must have said nothing but that it was ready."""
        status = self.process.wait(PATIENCE)
        assert self.process.stdout is not None
        assert self.process.stdout.read() == ""
        assert "Traceback" not in self.log.read_text()
        return status


@contextmanager
def serving(data: Path, *arguments: str, **settings: str) -> Iterator[Serving]:
    """A server that is ready; what is left of it at the end is killed."""
    log = data.parent / "serve.log"
    with (
        log.open("w") as stderr,
        subprocess.Popen(
            [EXECUTABLE, "serve", "--data", data, "--port", "0", *arguments],
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env=_environment(settings),
        ) as process,
    ):
        try:
            server = Serving(process, log)
            server.await_ready()
            yield server
        finally:
            process.kill()


@dataclass(frozen=True)
class Initialised:
    """A data directory, and what `init` printed."""

    data: Path
    printed: dict[str, Any]


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Initialised:
    """What `init` made."""
    data = tmp_path_factory.mktemp("initialised") / "vault"
    return Initialised(data, run("init", "--data", data, "--tenant", "acme", "--json").json)


@pytest.fixture
def vault(template: Initialised, tmp_path: Path) -> Initialised:
    """A copy of it."""
    shutil.copytree(template.data, tmp_path / "vault")
    return Initialised(tmp_path / "vault", template.printed)


@pytest.fixture
def serve() -> Iterator[Callable[..., Serving]]:
    """`serve(data, "--host", …, jwt_ttl="1")`: a ready server, killed after the test."""
    with ExitStack() as stack:

        def start(data: Path, *arguments: str, **settings: str) -> Serving:
            return stack.enter_context(serving(data, *arguments, **settings))

        yield start


class Cli:
    """`cli.run("keys", "list", …, log_level="debug")`"""

    run = staticmethod(run)


@pytest.fixture
def cli() -> type[Cli]:
    """The command line."""
    return Cli
