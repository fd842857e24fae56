"""Traefik's ForwardAuth with its body and Envoy's ext_authz, spoken as their documentation has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from edge_testing import FORWARD_AUTH
from gateway_testing import BODY, JSON, REFUND, RunningGateway, Tool

SECRET = "between-the-edge-and-us"
Ask = Callable[..., httpx2.Response]


@pytest.fixture
def gateway(new_gateway: Callable[..., RunningGateway]) -> RunningGateway:
    return new_gateway(forward_auth=FORWARD_AUTH)


def traefik(gateway: RunningGateway, *, method: str = "POST", uri: str = REFUND, **more: Any) -> httpx2.Response:
    """Traefik asks by GET, tells the request in X-Forwarded-*, and sends the body along."""
    told = {
        "X-Forwarded-Method": method,
        "X-Forwarded-Uri": uri,
        "X-Forwarded-Host": "tool.example.com",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-For": "203.0.113.9",
    }
    headers = {**JSON, **told, **more.pop("headers", {})}
    return gateway.send("GET", "/.ledgix-edge/traefik", content=more.pop("body", BODY), headers=headers)


def envoy(gateway: RunningGateway, *, method: str = "POST", uri: str = REFUND, **more: Any) -> httpx2.Response:
    """Envoy's HTTP service sends the request itself below the path prefix."""
    headers = {**JSON, "Host": "tool.example.com", "X-Envoy-Auth-Partial-Body": "false", **more.pop("headers", {})}
    return gateway.send(method, f"/.ledgix-edge/envoy{uri}", content=more.pop("body", BODY), headers=headers)


@pytest.fixture(params=[traefik, envoy], ids=["traefik", "envoy"])
def ask(request: pytest.FixtureRequest, gateway: RunningGateway) -> Ask:
    return lambda **more: request.param(gateway, **more)


def bearer(gateway: RunningGateway) -> dict[str, str]:
    return {"Authorization": f"Bearer {gateway.token()}"}


def test_an_approved_call_may_go_on_once(ask: Ask, gateway: RunningGateway) -> None:
    shown = bearer(gateway)
    yes = ask(headers=shown)
    assert (yes.status_code, yes.content) == (200, b"")
    assert yes.headers["x-ledgix-request-id"] == gateway.until_ended(1)[0].request_id
    assert gateway.until_ended(1)[0].tool == "stripe_refund"
    again = ask(headers=shown)
    assert (again.status_code, again.json()["code"]) == (409, "token_already_consumed")


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ({"body": b'{"amount":46}'}, "token_args_mismatch"),
        ({"body": b'{"amount":45,"amount":46}'}, "body_invalid"),
        ({"body": b""}, "body_invalid"),
        ({"uri": "/v1/charges/ch_2/refunds"}, "token_args_mismatch"),
        ({"uri": f"{REFUND}?dry=1"}, "query_unmapped"),
        ({"uri": "/v1/elsewhere"}, "route_unmapped"),
        ({"method": "DELETE"}, "route_unmapped"),
        ({"uri": "/v1/charges/ch_1%2frefunds"}, "path_ambiguous"),
        ({"headers": {"Content-Type": "text/plain"}}, "content_type_unexpected"),
        ({"headers": {"X-Envoy-Auth-Partial-Body": "true"}}, "edge_incomplete"),
        ({"headers": {"X-Original-URL": "/v1/elsewhere"}}, "head_ambiguous"),
        ({"headers": {"Authorization": "Bearer nonsense"}}, "token_invalid"),
        ({"headers": {"Authorization": ""}}, "token_missing"),
    ],
)
def test_what_was_not_approved_is_refused(ask: Ask, gateway: RunningGateway, sent: dict[str, Any], code: str) -> None:
    no = ask(**{**sent, "headers": {**bearer(gateway), **sent.get("headers", {})}})
    assert no.json()["code"] == code
    assert no.status_code >= 400
    assert no.headers["x-ledgix-code"] == code
    assert gateway.until_ended(1)[-1].verdict == "refused"


def test_an_open_route_may_go_on(ask: Ask, gateway: RunningGateway) -> None:
    assert ask(method="GET", uri="/healthz", body=b"").status_code == 200
    assert gateway.until_ended(1)[0].verdict == "open"


def test_an_edge_that_does_not_tell_the_request(gateway: RunningGateway) -> None:
    no = gateway.send("GET", "/.ledgix-edge/traefik", headers=bearer(gateway))
    assert (no.status_code, no.json()["code"]) == (400, "edge_incomplete")


def test_only_the_edge_may_ask(new_gateway: Callable[..., RunningGateway]) -> None:
    edge = {"path": "/.ledgix-edge/envoy", "edge": "envoy", "secret": {"file": "edge.secret"}}
    plain = new_gateway()
    (plain.path.parent / "edge.secret").write_text(SECRET)
    gateway = new_gateway(forward_auth=[edge])
    shown = bearer(gateway)
    for secret in ({}, {"X-Ledgix-Edge": "guessed"}, {"X-Ledgix-Edge": SECRET[:-1]}):
        no = envoy(gateway, headers={**shown, **secret})
        assert (no.status_code, no.json()["code"]) == (403, "edge_unknown")
    assert envoy(gateway, headers={**shown, "X-Ledgix-Edge": SECRET}).status_code == 200


def test_below_no_edge_the_proxy_answers(gateway: RunningGateway, tool: Tool) -> None:
    assert gateway.refund(gateway.token()).status_code == 200
    assert len(tool.seen) == 1
    assert gateway.send("GET", "/.ledgix-edge/other").json()["code"] == "route_unmapped"
