"""The section `mcp`: what it means, and that what can't be used is refused with its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ledgix_gateway.config.section import Origin, Section
from ledgix_gateway.errors import ConfigError
from ledgix_gateway.mcp.config import Address, McpConfig, Program, read

ENVIRONMENT = {"KEY": "a-key-of-the-vault", "CLIENT": "a-token-of-sixteen-signs", "SHORT": "short"}
VAULT = {"url": "http://127.0.0.1:8000", "api_key": {"env": "KEY"}, "tenant": "t"}
PROGRAM = {"command": "server", "args": ["-v", "-v"]}


def load(**mcp: Any) -> McpConfig:
    section = {"agent_id": "desk", "upstream": PROGRAM, **mcp}
    return read(Section({"vault": VAULT, "mcp": section, "routes": []}, "", Origin(Path("/etc/ledgix"), ENVIRONMENT)))


def test_what_is_left_out() -> None:
    config = load()
    assert isinstance(config.upstream, Program)
    assert config.upstream.args == ("-v", "-v")
    assert config.upstream.directory == Path("/etc/ledgix")
    assert config.listen is None
    assert config.register_schemas
    assert (config.caller.agent_id, config.caller.session_id, config.tool_prefix) == ("desk", "", "")


def test_an_address_with_credentials() -> None:
    config = load(upstream={"url": "https://mcp.example.com/mcp", "headers": {"Authorization": {"env": "KEY"}}})
    assert isinstance(config.upstream, Address)
    assert config.upstream.headers["Authorization"].value == "a-key-of-the-vault"
    assert "a-key-of-the-vault" not in repr(config)


@pytest.mark.parametrize(
    ("mcp", "place", "said"),
    [
        ({"upstream": {}}, "mcp.upstream", "needs either"),
        ({"upstream": {**PROGRAM, "url": "http://h/"}}, "mcp.upstream", "needs either"),
        ({"upstream": {**PROGRAM, "shell": True}}, "mcp.upstream.shell", "is not known"),
        ({"upstream": {"url": "ftp://h/"}}, "mcp.upstream.url", "http or https"),
        ({"upstream": {"url": "http://user@h/"}}, "mcp.upstream.url", "without credentials"),
        ({"upstream": {**PROGRAM, "args": "-v"}}, "mcp.upstream.args", "list of texts"),
        ({"upstream": {**PROGRAM, "env": {"A": "1"}, "secrets": {"A": {"env": "KEY"}}}}, "mcp.upstream.secrets", "env"),
        ({"upstream": {**PROGRAM, "secrets": {"A": "inline"}}}, "mcp.upstream.secrets.A", "{env: NAME}"),
        ({"agent_id": ""}, "mcp.agent_id", "text"),
        ({"review": {"wait_seconds": -1}}, "mcp.review.wait_seconds", "seconds"),
        ({"review": {"link": "https://vault.example.com"}}, "mcp.review.link", "{request_id}"),
        ({"listen": {"host": "0.0.0.0"}}, "mcp.listen.token", "is missing"),
        ({"listen": {"token": {"env": "SHORT"}}}, "mcp.listen.token", "16"),
        ({"listen": {"path": "mcp"}}, "mcp.listen.path", "/"),
        ({"typo": 1}, "mcp.typo", "is not known"),
    ],
)
def test_what_can_not_be_used(mcp: dict[str, Any], place: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        load(**mcp)
    assert error.value.place == place
    assert said in error.value.message


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_on_this_machine_no_token_is_needed(host: str) -> None:
    listen = load(listen={"host": host}).listen
    assert listen is not None
    assert listen.token is None


def test_elsewhere_it_is() -> None:
    listen = load(listen={"host": "0.0.0.0", "token": {"env": "CLIENT"}}).listen
    assert listen is not None
    assert listen.token is not None


def test_without_the_section() -> None:
    with pytest.raises(ConfigError, match="mcp: is missing"):
        read(Section({"vault": VAULT}, "", Origin(Path("/"), ENVIRONMENT)))
