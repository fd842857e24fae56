"""The configuration file: what is read, and that each mistake is named with its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ledgix_gateway.config.config import Config, load_config, read_config
from ledgix_gateway.config.document import parse_document
from ledgix_gateway.config.section import Origin
from ledgix_gateway.errors import ConfigError
from ledgix_gateway.overview import describe, hashed
from ledgix_gateway.routes.route import Body, Mode

ENVIRONMENT = {"KEY": "lgx_key", "TOOL": "Bearer tool-secret", "BAD": "two\nlines"}
ROUTE = {"tool": "stripe_refund", "method": "POST", "path": "/v1/charges/{charge_id}/refunds", "upstream": "payments"}
USUAL: dict[str, Any] = {
    "vault": {"url": "https://vault.example.com", "api_key": {"env": "KEY"}, "tenant": "t"},
    "upstreams": {"payments": {"url": "http://127.0.0.1:9000", "headers": {"Authorization": {"env": "TOOL"}}}},
    "routes": [ROUTE],
}


def read(text: str, suffix: str = ".yaml", directory: Path = Path()) -> Config:
    return read_config(parse_document(text, suffix, Origin(directory, ENVIRONMENT), name="gateway"))


def usual(**more: Any) -> str:
    return yaml.safe_dump({**USUAL, **more})


def with_route(**more: Any) -> str:
    """`upstreams` and `token` are sections; everything else is the route's."""
    sections = {name: more.pop(name) for name in ("upstreams", "token") if name in more}
    return usual(routes=[{**ROUTE, **more}], **sections)


def test_the_usual_configuration() -> None:
    config = read(usual())
    assert config.vault.api_key.value == "lgx_key"
    assert config.mode is Mode.ENFORCE
    (route,) = config.table.routes
    assert (route.label, route.tool) == ("POST /v1/charges/{charge_id}/refunds", "stripe_refund")
    assert route.body is Body.JSON


def test_toml_has_the_same_shape() -> None:
    text = """
    [[routes]]
    tool = "stripe_refund"
    method = "POST"
    path = "/v1/charges/{charge_id}/refunds"
    upstream = "payments"
    [vault]
    url = "https://vault.example.com"
    api_key = {env = "KEY"}
    tenant = "t"
    [upstreams.payments]
    url = "http://127.0.0.1:9000"
    headers = {Authorization = {env = "TOOL"}}
    """
    assert read(text, ".toml") == read(usual())


def test_secrets_never_show() -> None:
    config = read(usual())
    assert "lgx_key" not in repr(config)
    assert "tool-secret" not in repr(config)
    assert "tool-secret" not in describe(config)


def test_a_secret_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from-a-file\n")
    vault = {**USUAL["vault"], "api_key": {"file": "key"}}
    assert read(usual(vault=vault), directory=tmp_path).vault.api_key.value == "from-a-file"


VAULT, PAYMENTS = USUAL["vault"], USUAL["upstreams"]["payments"]
KEYED = {"payments": {**PAYMENTS, "headers": {"X-Tool-Key": {"env": "TOOL"}}}}
MISTAKES = [
    (usual(nonsense=1), "nonsense"),
    (usual(vault={**VAULT, "api_key": "lgx_key"}), "vault.api_key"),
    (usual(vault={**VAULT, "api_key": {"env": "NOT_SET"}}), "vault.api_key"),
    (usual(vault={**VAULT, "api_key": {"env": "BAD"}}), "vault.api_key"),
    (usual(vault={**VAULT, "api_key": {"file": "/nowhere/key"}}), "vault.api_key"),
    (usual(vault={**VAULT, "url": "vault"}), "vault.url"),
    (usual(vault={**VAULT, "skew_seconds": 61}), "vault.skew_seconds"),
    (usual(vault={name: value for name, value in VAULT.items() if name != "tenant"}), "vault.tenant"),
    (usual(vault={**VAULT, "extra": 1}), "vault.extra"),
    (usual(mode="lenient"), "mode"),
    (usual(unmapped="payments"), "unmapped"),
    (usual(mode="observe", unmapped="nobody"), "unmapped"),
    (usual(listen={"host": "example.com"}), "listen.host"),
    (usual(listen={"port": 70000}), "listen.port"),
    (usual(listen={"certificate": "a.pem"}), "listen.certificate"),
    (usual(token={"headers": []}), "token.headers"),
    (usual(token={"headers": ["X-A", "x-a"]}), "token.headers"),
    (usual(limits={"body_bytes": 300_000}), "limits.body_bytes"),
    (usual(limits={"head_seconds": "soon"}), "limits.head_seconds"),
    (usual(upstreams={"payments": {**PAYMENTS, "url": "http://user:pass@x"}}), "upstreams.payments.url"),
    (usual(upstreams={"payments": {**PAYMENTS, "url": "ftp://x"}}), "upstreams.payments.url"),
    (usual(upstreams={"payments": {**PAYMENTS, "headers": {"Host": "x"}}}), "upstreams.payments.headers.Host"),
    (usual(upstreams={"payments": {**PAYMENTS, "headers": {"TE": {"env": "KEY"}}}}), "upstreams.payments.headers.TE"),
    (usual(upstreams={"payments": {**PAYMENTS, "refused_statuses": [500]}}), "upstreams.payments.refused_statuses"),
    (usual(routes={"a": 1}), "routes"),
    (usual(routes=[ROUTE, {**ROUTE}]), "routes[1]"),
    (usual(routes=[ROUTE, {**ROUTE, "path": "/v1/{x}/ch/refunds"}]), "routes[1]"),
    (with_route(upstream="nobody"), "routes[0].upstream"),
    (with_route(method="post"), "routes[0].method"),
    (with_route(method="CONNECT"), "routes[0].method"),
    (with_route(path="/a/../b"), "routes[0].path"),
    (with_route(path="/.ledgix/x"), "routes[0].path"),
    (with_route(path="charges"), "routes[0].path"),
    (with_route(body="xml"), "routes[0].body"),
    (with_route(query=["charge_id"]), "routes[0].query"),
    (with_route(query={"a": "q", "b": "q"}), "routes[0].query"),
    (with_route(headers={"a": "Authorization"}), "routes[0].headers.a"),
    (with_route(headers={"a": "X Y"}), "routes[0].headers.a"),
    (with_route(headers={"a": "X-Forwarded-For"}), "routes[0].headers.a"),
    (with_route(headers={"a": "Traceparent"}), "routes[0].headers.a"),
    (with_route(headers={"a": "X-Tool-Key"}, upstreams=KEYED), "routes[0].headers.a"),
    (with_route(headers={"a": "X-Pass"}, token={"headers": ["X-Pass"]}), "routes"),
    (usual(access_log={}), "access_log"),
    (with_route(agent={"header": "Host"}), "routes[0].agent.header"),
    (with_route(types={"other": "integer"}), "routes[0].types.other"),
    (with_route(types={"charge_id": "list"}), "routes[0].types.charge_id"),
    (with_route(types={"charge_id": "date"}), "routes[0].types.charge_id"),
    (with_route(mode="ask", body="digest"), "routes[0].mode"),
    (with_route(open=True), "routes[0].tool"),
    (with_route(websocket=True), "routes[0].websocket"),
    (with_route(websocket=True, method="GET", mode="observe"), "routes[0].websocket"),
    (usual(routes=[{name: value for name, value in ROUTE.items() if name != "tool"}]), "routes[0].tool"),
    ("vault: [", "gateway, line 1, column 9"),
    ("a: 1\na: 2", "gateway, line 2, column 1"),
    ("- 1", "gateway"),
]


@pytest.mark.parametrize(("text", "place"), MISTAKES)
def test_each_mistake_is_named_with_its_place(text: str, place: str) -> None:
    with pytest.raises(ConfigError) as error:
        read(text)
    assert error.value.place == place, str(error.value)
    assert "lgx_key" not in str(error.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        load_config(tmp_path / "gateway.yaml", ENVIRONMENT)


def test_yaml_has_no_surprises() -> None:
    config = read(usual().replace("tenant: t", "tenant: no"))
    assert config.vault.tenant == "no"


def test_check_says_what_each_route_hashes() -> None:
    text = with_route(
        query=["limit"], types={"limit": "integer"}, headers={"key": "Idempotency-Key"}, agent={"header": "X-Agent"}
    )
    config = read(text)
    assert hashed(config.table.routes[0]) == {
        "charge_id": "path, string",
        "limit": "query parameter limit, integer, if present",
        "key": "header Idempotency-Key, string, if present",
        "…": "every member of the JSON body, as it is",
    }
    assert "tool stripe_refund, enforce" in describe(config)
    assert "X-Agent" in describe(config)


def test_check_warns_of_open_routes() -> None:
    text = usual(routes=[{"method": "GET", "path": "/healthz", "upstream": "payments", "open": True}])
    assert "WARNING  GET /healthz needs no token" in describe(read(text))
