"""The section `mcp` of the configuration: which server stands behind the gateway, and on whose behalf it is called."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from ledgix_gateway.config.document import read_document
from ledgix_gateway.config.secrets import Secret
from ledgix_gateway.config.section import Section
from ledgix_gateway.config.serving import MetricsAddress, read_metrics
from ledgix_gateway.config.vault import VaultConfig, read_vault
from ledgix_gateway.errors import ConfigError

_SHORTEST_TOKEN: Final = 16
OTHER_COMMANDS: Final = (
    *("listen", "mode", "token", "upstreams", "routes", "limits", "ask", "unmapped"),
    *("forward_auth", "ext_authz", "metrics"),
)
"""Sections that other commands read from the same file."""


@dataclass(frozen=True, slots=True)
class Program:
    """A server that the gateway starts and speaks with over stdio. `secrets` join `env`."""

    command: str
    args: tuple[str, ...]
    env: dict[str, str]
    secrets: dict[str, Secret]
    directory: Path


@dataclass(frozen=True, slots=True)
class Address:
    """A server that is spoken with over Streamable HTTP. `headers` carry its credentials."""

    url: str
    headers: dict[str, Secret]
    timeout_seconds: float


Upstream: TypeAlias = Program | Address


@dataclass(frozen=True, slots=True)
class Listen:
    """Where the gateway itself speaks Streamable HTTP; without it, it speaks stdio.

    `token` is what clients show as `Authorization: Bearer`; it can be left out on this very machine only.
    """

    host: str
    port: int
    path: str
    token: Secret | None
    hosts: tuple[str, ...]  # further values of the header Host that are let in
    origins: tuple[str, ...]  # values of the header Origin that are let in: pages in browsers
    sessions: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """What happens while a person has to decide; times are in seconds."""

    wait_seconds: float
    progress_seconds: float
    elicitation: bool
    link: str  # where people decide, with {request_id}; shown to whoever waits


@dataclass(frozen=True, slots=True)
class Caller:
    """In whose name calls are cleared. Without `session_id` each connection is a session of its own."""

    agent_id: str
    session_id: str
    human_principal: str


@dataclass(frozen=True, slots=True)
class McpConfig:
    """Everything that `ledgix-gateway mcp` needs. A tool's name in the Vault is `tool_prefix` and its name in MCP."""

    vault: VaultConfig
    upstream: Upstream
    tool_prefix: str
    caller: Caller
    waiting: Waiting
    register_schemas: bool
    message_bytes: int
    listen: Listen | None = field(default=None)
    metrics: MetricsAddress | None = None


def load(path: Path) -> McpConfig:
    """The configuration in the file; raises ConfigError with the place of what can't be used."""
    return read(read_document(path))


def read(document: Section) -> McpConfig:
    """Like `load`, from a file's top section."""
    vault = read_vault(document.section("vault"))
    if "mcp" not in document:
        raise ConfigError("mcp", "is missing: it says which MCP server stands behind the gateway")
    section = document.section("mcp")
    document.leave(*OTHER_COMMANDS)
    document.close()
    config = McpConfig(
        vault=vault,
        upstream=_upstream(section.section("upstream")),
        tool_prefix=section.text("tool_prefix", ""),
        caller=Caller(section.text("agent_id"), section.text("session_id", ""), section.text("human_principal", "")),
        waiting=_waiting(section.section("review")),
        register_schemas=section.flag("register_schemas", True),
        message_bytes=section.whole("message_bytes", 4 * 2**20, least=1024, most=2**28),
        listen=_listen(section.section("listen")) if "listen" in section else None,
        metrics=read_metrics(section.section("metrics")) if "metrics" in section else None,
    )
    section.close()
    return config


def _upstream(section: Section) -> Upstream:
    if ("command" in section) == ("url" in section):
        raise ConfigError(section.place, "needs either `command` (a program to start) or `url` (Streamable HTTP)")
    upstream = _program(section) if "command" in section else _address(section)
    section.close()
    return upstream


def _program(section: Section) -> Program:
    env, secrets = section.text_by_name("env"), section.secrets("secrets")
    if both := sorted(set(env) & set(secrets)):
        raise section.error("secrets", f"names {both[0]}, and so does env")
    return Program(
        command=section.text("command"),
        args=section.words("args"),
        env=env,
        secrets=secrets,
        directory=section.origin.directory / section.text("directory", "."),
    )


def _address(section: Section) -> Address:
    url = section.text("url")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None or parts.fragment:
        raise section.error("url", f"must be an http or https address without credentials, not {url!r}")
    return Address(url, section.secrets("headers"), section.seconds("timeout_seconds", 300.0, least=1.0))


def _waiting(section: Section) -> Waiting:
    waiting = Waiting(
        wait_seconds=section.seconds("wait_seconds", 50.0, most=3600.0),
        progress_seconds=section.seconds("progress_seconds", 5.0, least=0.1),
        elicitation=section.flag("elicitation", True),
        link=section.text("link", ""),
    )
    section.close()
    if waiting.link and waiting.link.count("{request_id}") != 1:
        raise section.error(
            "link", "must name {request_id} once, as in https://vault.example.com/app/reviews/{request_id}"
        )
    return waiting


def _listen(section: Section) -> Listen:
    listen = Listen(
        host=section.text("host", "127.0.0.1"),
        port=section.whole("port", 8765, most=65535),
        path=section.text("path", "/mcp"),
        token=section.secret("token") if "token" in section else None,
        hosts=section.texts("hosts", ()),
        origins=section.texts("origins", ()),
        sessions=section.whole("sessions", 100, least=1, most=10_000),
    )
    section.close()
    if not listen.path.startswith("/"):
        raise section.error("path", f"must begin with /, not {listen.path!r}")
    if listen.token is None and not _is_this_machine(listen.host):
        raise section.error("token", "is missing: whoever reaches this address could call tools as the agent")
    if listen.token is not None and len(listen.token.value) < _SHORTEST_TOKEN:
        raise section.error("token", f"must be at least {_SHORTEST_TOKEN} characters")
    return listen


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
