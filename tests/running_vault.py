"""A real Vault in a process of its own, and the tenants and keys that tests hold in their hands."""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx2

from description import Description
from ledgix_vault.app import open_vault
from ledgix_vault.clearance.decision import SYSTEM
from ledgix_vault.operations.create_tenant import create_tenant
from ledgix_vault.operations.manage_api_keys import create_api_key, revoke_api_key, rotate_api_key
from ledgix_vault.settings import Settings
from ledgix_vault.tenancy.api_keys import ApiKey
from ledgix_vault.tenancy.scopes import PRESETS, Preset
from ledgix_vault.vault import Vault

T = TypeVar("T")
JsonObject = dict[str, Any]

EXECUTABLE = str(Path(sys.executable).with_name("ledgix-vault"))
PATIENCE = 60.0  # the machine may be busy
PLAIN_HTTP = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For clients that never speak TLS: it knows no authority, since reading a trust store for each of them takes long."""
BOUND_TO = ("billing-*",)

# Beside the presets: a second agent key, one that may only act as billing agents, the successor of `agent` after a
# rotation, and one that was revoked.
AGENT, GATEWAY, REVIEWER, AUDITOR, FULL = map(str, Preset)
AGENT_2, BOUND, SUCCESSOR, REVOKED = "agent_2", "bound", "successor", "revoked"


def eventually(look: Callable[[], T | None], patience: float = PATIENCE) -> T:
    """The first answer of `look` that is true; fails after `patience` seconds."""
    deadline = time.monotonic() + patience
    while not (found := look()):
        assert time.monotonic() < deadline, f"{look} did not come true within {patience} s"
        time.sleep(0.01)
    return found


@dataclass(frozen=True)
class Key:
    """An API key in the hand. `http` and `description` are shared by everybody who talks to the same Vault."""

    http: httpx2.Client = field(repr=False)
    description: Description = field(repr=False)
    secret: str = field(repr=False)
    key_id: str = ""

    def send(self, method: str, path: str, **more: Any) -> httpx2.Response:
        """One request with this key. Its answer must be one that the OpenAPI description promises."""
        headers = {"X-Vault-API-Key": self.secret, **more.pop("headers", {})}
        response = self.http.request(method, path, headers=headers, **more)
        self.description.check(response)
        return response

    def get(self, path: str, **query: Any) -> httpx2.Response:
        return self.send("GET", path, params=query or None)

    def post(self, path: str, body: Any = None, *, once: str | None = None) -> httpx2.Response:
        """`body` is JSON, or bytes as they are; `once` is the Idempotency-Key."""
        content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.send("POST", path, content=content, headers={"Idempotency-Key": once} if once else {})

    def put(self, path: str, body: Any) -> httpx2.Response:
        return self.send("PUT", path, content=json.dumps(body).encode())

    def read(self, path: str, **query: Any) -> JsonObject:
        """The body of a GET that succeeds."""
        return succeeded(self.get(path, **query))

    def ask(self, tool_name: str, tool_args: JsonObject | None = None, **more: Any) -> JsonObject:
        """A clearance answer."""
        return succeeded(
            self.post("/request-clearance", {"tool_name": tool_name, "tool_args": tool_args or {}, **more})
        )

    def status(self, request_id: str) -> JsonObject:
        """How a request stands."""
        return self.read(f"/clearance-status/{request_id}")

    def decide(self, request_id: str, *, approved: bool, reason: str = "", **more: Any) -> httpx2.Response:
        """A reviewer's verdict, or the asker's cancel."""
        body = {"approved": approved, "review_reason": reason, **more}
        return self.post(f"/reviews/{request_id}/decision", body)

    def consume(self, token: str, *, once: str | None = None, **more: Any) -> httpx2.Response:
        return self.post("/consume-token", {"token": token, **more}, once=once)


def succeeded(response: httpx2.Response) -> JsonObject:
    """The body of an answer that must be a good one."""
    assert response.status_code == 200, f"{response.status_code} {response.text[:500]}"
    assert response.headers["content-type"] == "application/json"
    body: JsonObject = response.json()
    return body


@dataclass(frozen=True)
class Tenant:
    """A tenant of a running Vault, with a key for every purpose."""

    tenant_id: str
    vault: RunningVault = field(repr=False)
    keys: Mapping[str, Key] = field(repr=False)

    @property
    def url(self) -> str:
        return self.vault.url

    def __getattr__(self, name: str) -> Key:
        if name in (keys := self.__dict__["keys"]):
            found: Key = keys[name]
            return found
        raise AttributeError(name)

    def register(self, policy_id: str, **policy: Any) -> JsonObject:
        """Registers a policy that must be accepted."""
        return succeeded(self.keys[FULL].post("/register-policy", {"policy_id": policy_id, **policy}))

    def register_refunds(self, tool: str = "stripe_refund") -> JsonObject:
        """45 is approved, 450 goes to a person, 4500 is denied."""
        rules = ["Refunds must not exceed $1000", "Amounts above 100 USD need review"]
        return self.register("refunds", rules=rules, tools=[tool])

    def set_reviews(self, **settings: Any) -> JsonObject:
        return succeeded(self.keys[FULL].put("/review-settings", settings))

    def entries(self, **query: Any) -> list[JsonObject]:
        """The full ledger view, newest first."""
        found: list[JsonObject] = self.keys[FULL].read("/ledger", **{"limit": 500, **query})["entries"]
        return found

    def log_size(self) -> int:
        """How many entries the tenant's ledger has."""
        newest = self.entries(limit=1)
        return int(newest[0]["seq"]) if newest else 0

    def events(self, kind: str) -> list[JsonObject]:
        """The ledger's events of one kind, newest first."""
        return [entry for entry in self.entries() if entry["kind"] == kind]


def decide_soon(tenant: Tenant, *, approved: bool, reason: str = "looked at it") -> threading.Thread:
    """A reviewer who decides the one pending review as soon as it is in the list."""

    def decide() -> None:
        pending = eventually(lambda: tenant.reviewer.read("/reviews")["reviews"])
        succeeded(tenant.reviewer.decide(pending[0]["request_id"], approved=approved, reason=reason))

    person = threading.Thread(target=decide)
    person.start()
    return person


class RunningVault:
    """The server process on its data directory. `kill` and `start` may alternate. `printed` is what `init` said: the
    first tenant, its owner, and a key."""

    def __init__(self, data: Path, environment: Mapping[str, str]) -> None:
        self.data = data
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.http = httpx2.Client(verify=PLAIN_HTTP, base_url=self.url, timeout=30)
        self.description = Description(self.http)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("VAULT_")}
        self._environment = {**inherited, **environment}
        self.printed: JsonObject = {}
        self._process: subprocess.Popen[str] | None = None
        self._log = data.with_suffix(".log")

    def start(self) -> None:
        """Returns when the Vault said that it is ready."""
        with self._log.open("a") as log:
            self._process = subprocess.Popen(
                [EXECUTABLE, "serve", "--data", str(self.data), "--port", str(self.port)],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=self._environment,
            )
        assert self._process.stdout is not None
        readable, _, _ = select.select([self._process.stdout], [], [], PATIENCE)
        line = self._process.stdout.readline() if readable else ""
        assert self.url in line, f"the Vault is not ready: {line!r} {self.log()[-2000:]}"

    def kill(self) -> None:
        """What a power cut does to the process."""
        self.signal(signal.SIGKILL)
        self.wait()

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def wait(self) -> int:
        """The exit status, once the process has ended."""
        assert self._process is not None
        status = self._process.wait(PATIENCE)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process = None
        return status

    def stop(self) -> None:
        if self._process is not None:
            self.signal(signal.SIGTERM)
            assert self.wait() == 0, self.log()[-2000:]

    def log(self) -> str:
        """What the process wrote to stderr."""
        return self._log.read_text()

    def key(self, secret: str, key_id: str = "") -> Key:
        return Key(self.http, self.description, secret, key_id)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running_vault(
    directory: Path, tenants: int = 1, *, before: Callable[[list[Tenant]], None] = lambda _: None, **settings: Any
) -> Iterator[tuple[RunningVault, list[Tenant]]]:
    """A fresh Vault with so many tenants; `settings` by name, for example `jwt_ttl=1`. `before` gets the tenants while
    nobody serves them yet."""
    environment = {f"VAULT_{name.upper()}": str(value) for name, value in settings.items()}
    vault = RunningVault(directory / "vault", environment)
    vault.printed = _initialise(vault)
    prepared = [_tenant(vault, *found) for found in _provision(vault.data, tenants)]
    before(prepared)
    try:
        vault.start()
        assert vault.key(vault.printed["api_key"]).get("/ledger").status_code == 200
        yield vault, prepared
        vault.stop()
    finally:
        vault.http.close()
        if vault._process is not None:
            vault.kill()


def _initialise(vault: RunningVault) -> JsonObject:
    command = [EXECUTABLE, "init", "--data", str(vault.data), "--tenant", "acme", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=vault._environment, check=False)
    assert done.returncode == 0, done.stderr
    printed: JsonObject = json.loads(done.stdout)
    return printed


Provisioned = tuple[str, dict[str, tuple[str, str]]]


def _provision(data: Path, tenants: int) -> list[Provisioned]:
    """Creates tenants with all their keys while nobody serves: the ids, and each key's secret and id by name."""
    with open_vault(Settings.load(data_dir=data)) as opened:
        vault = opened.vault
        tenant_ids = [create_tenant(vault, f"tenant {i}").tenant_id for i in range(tenants)]

        async def all_keys() -> list[Provisioned]:
            return [(tenant_id, await _keys_of(vault, tenant_id)) for tenant_id in tenant_ids]

        return asyncio.run(all_keys())


async def _keys_of(vault: Vault, tenant_id: str) -> dict[str, tuple[str, str]]:
    async def create(preset: str, agent_ids: tuple[str, ...] = ()) -> tuple[ApiKey, str]:
        return await create_api_key(vault, tenant_id, preset, PRESETS[Preset(preset)], agent_ids, SYSTEM)

    made = dict(zip(map(str, Preset), await asyncio.gather(*map(create, map(str, Preset))), strict=True))
    made[AGENT_2], made[BOUND], made[REVOKED] = await asyncio.gather(
        create(AGENT), create(AGENT, BOUND_TO), create(FULL)
    )
    await revoke_api_key(vault, tenant_id, made[REVOKED][0].key_id, SYSTEM)
    made[SUCCESSOR] = await rotate_api_key(vault, tenant_id, made[AGENT][0].key_id, SYSTEM)
    return {name: (secret, key.key_id) for name, (key, secret) in made.items()}


def _tenant(vault: RunningVault, tenant_id: str, keys: Mapping[str, tuple[str, str]]) -> Tenant:
    return Tenant(tenant_id, vault, {name: vault.key(*secret_and_id) for name, secret_and_id in keys.items()})
