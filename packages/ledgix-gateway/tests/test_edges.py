"""nginx and Caddy as edges: what the gateway doesn't allow never reaches the tool; what it allows reaches it once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from edge_testing import FORWARD_AUTH, TOOL, caddy, nginx
from gateway_testing import RunningGateway, Tool

from ledgix_gateway.routes.digest import digest_of_body
from running_vault import free_port

BODY = b'{"amount": 45}'
PATH = "/v1/orders/7"


@pytest.fixture(params=[nginx, caddy], ids=["nginx", "caddy"])
def edge(
    request: pytest.FixtureRequest, new_gateway: Callable[..., RunningGateway], tool: Tool, tmp_path: Path
) -> Iterator[tuple[str, RunningGateway]]:
    gateway = new_gateway(forward_auth=FORWARD_AUTH)
    directory = tmp_path / "edge"
    directory.mkdir()
    with request.param(directory, gateway.port, tool.url) as url:
        yield url, gateway


@pytest.fixture(params=[nginx, caddy], ids=["nginx", "caddy"])
def edge_without_gateway(request: pytest.FixtureRequest, tool: Tool, tmp_path: Path) -> Iterator[str]:
    directory = tmp_path / "edge"
    directory.mkdir()
    with request.param(directory, free_port(), tool.url) as url:
        yield url


def token(edge: tuple[str, RunningGateway], **other: str) -> str:
    """An approval of the usual call at this edge, or of one that differs."""
    url, gateway = edge
    call = {
        "method": "POST",
        "host": url.removeprefix("http://"),
        "path": PATH,
        "query": "notify=yes",
        "content_digest": digest_of_body(BODY),
    }
    return gateway.token(TOOL, {**call, **other})


def send(
    edge: tuple[str, RunningGateway],
    token: str | None,
    *,
    path: str = f"{PATH}?notify=yes",
    body: bytes = BODY,
    **more: Any,
) -> httpx2.Response:
    given = {"Content-Digest": digest_of_body(BODY), "Content-Type": "application/json", **more.pop("headers", {})}
    if token:
        given["Authorization"] = f"Bearer {token}"
    with httpx2.Client(base_url=edge[0], timeout=30) as client:
        return client.request(more.pop("method", "POST"), path, content=body, headers=given)


def test_an_approved_call_reaches_the_tool_once(edge: tuple[str, RunningGateway], tool: Tool) -> None:
    approved = token(edge)
    assert send(edge, approved).status_code == 200
    (seen,) = tool.seen
    assert (seen.method, seen.path, seen.query, seen.body) == ("POST", PATH.encode(), b"notify=yes", BODY)
    assert seen.header("authorization") == []
    assert approved not in str(seen)
    (ended,) = edge[1].until_ended(1)
    assert seen.header("x-ledgix-request-id") == [ended.request_id]
    assert ended.verdict == "allowed"

    again = send(edge, approved)
    assert again.status_code in (403, 409)
    assert again.json()["code"] == "token_already_consumed"
    assert len(tool.seen) == 1


@pytest.mark.parametrize(
    ("other", "sent", "code"),
    [
        ({}, {"path": f"{PATH}?notify=no"}, "token_args_mismatch"),
        ({}, {"path": "/v1/orders/8?notify=yes"}, "token_args_mismatch"),
        ({}, {"method": "PUT"}, "token_args_mismatch"),
        ({}, {"headers": {"Host": "other.example"}}, "token_args_mismatch"),
        ({}, {"headers": {"Content-Digest": digest_of_body(b"{}")}}, "token_args_mismatch"),
        ({"path": "/v1/orders/9"}, {}, "token_args_mismatch"),
        ({}, {"headers": {"Content-Digest": "sha-256=nonsense"}}, "content_digest_invalid"),
        ({}, {"path": "/v1/x/%2e%2e/orders/7?notify=yes"}, "path_ambiguous"),
        ({}, {"path": "/v1//orders/7?notify=yes"}, "path_ambiguous"),
        ({}, {"headers": {"X-Ledgix-Token": "two"}}, "token_ambiguous"),
        ({}, {"headers": {"X-HTTP-Method-Override": "DELETE"}}, "head_ambiguous"),
        ({}, {"headers": {"X-Rewrite-URL": "/v1/orders/8"}}, "head_ambiguous"),
        # What an edge says can't be said by its client.
        (
            {"method": "GET"},
            {"headers": {"X-Original-Method": "GET", "X-Forwarded-Method": "GET"}},
            "token_args_mismatch",
        ),
    ],
)
def test_what_was_not_approved_is_refused(
    edge: tuple[str, RunningGateway], tool: Tool, other: dict[str, str], sent: dict[str, Any], code: str
) -> None:
    answer = send(edge, token(edge, **other), **sent)
    assert answer.json()["code"] == code, answer.text
    assert 400 <= answer.status_code < 500
    assert tool.begun == 0


def test_without_a_token_or_with_nonsense(edge: tuple[str, RunningGateway], tool: Tool) -> None:
    assert send(edge, None).json()["code"] == "token_missing"
    assert send(edge, "a.b.c").json()["code"] == "token_invalid"
    assert tool.begun == 0


def test_an_upgrade_is_refused(edge: tuple[str, RunningGateway], tool: Tool) -> None:
    """Caddy would pass a WebSocket on; nginx takes the header away, so that the tool sees a plain request."""
    url, gateway = edge
    call = {"method": "GET", "host": url.removeprefix("http://"), "path": PATH, "query": ""}
    headers = {"Authorization": f"Bearer {gateway.token(TOOL, call)}", "Connection": "Upgrade", "Upgrade": "websocket"}
    with httpx2.Client(base_url=url, timeout=30) as client:
        client.get(PATH, headers=headers)
    assert all(seen.header("upgrade") == [] for seen in tool.seen)


def test_no_gateway_no_call(edge_without_gateway: str, new_gateway: Callable[..., RunningGateway], tool: Tool) -> None:
    """Nobody listens where the edge asks; it passes nothing on."""
    approved = token((edge_without_gateway, new_gateway()))
    answer = send((edge_without_gateway, new_gateway()), approved)
    assert answer.status_code >= 400
    assert tool.begun == 0


def test_a_get_needs_no_digest(edge: tuple[str, RunningGateway], tool: Tool) -> None:
    url, gateway = edge
    call = {"method": "GET", "host": url.removeprefix("http://"), "path": PATH, "query": ""}
    with httpx2.Client(base_url=url, timeout=30) as client:
        assert client.get(PATH, headers={"X-Ledgix-Token": gateway.token(TOOL, call)}).status_code == 200
    assert [seen.header("x-ledgix-token") for seen in tool.seen] == [[]]
