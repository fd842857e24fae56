"""Modes observe and ask."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from gateway_testing import (
    ARGUMENTS,
    JSON,
    REFUND,
    ROUTES,
    TOOL,
    RunningGateway,
    Tool,
    code,
    outcome_of,
    running_gateway,
)

from running_vault import Tenant, decide_soon, eventually, succeeded

SMALL, MEDIUM, LARGE = b'{"amount":45}', b'{"amount":450}', b'{"amount":4500}'


# Observe


@pytest.fixture
def observing(new_gateway: Callable[..., RunningGateway]) -> RunningGateway:
    return new_gateway(mode="observe")


def observed(gateway: RunningGateway) -> list[tuple[str, str]]:
    gateway.until_idle()
    return [(ended.verdict, ended.code) for ended in gateway.ended]


def test_observe_forwards_and_records_what_would_have_been_refused(observing: RunningGateway) -> None:
    spent = observing.token()
    answers = [
        observing.refund(),
        observing.refund(observing.token(), b'{"amount":46}'),
        observing.refund(spent),
        observing.refund(spent),
        observing.refund(observing.token(), b"no json"),
        observing.refund(observing.token(), SMALL, **{"Content-Encoding": "gzip"}),
    ]
    assert {answer.status_code for answer in answers} == {200}
    assert observed(observing) == [
        ("observed", "token_missing"),
        ("observed", "token_args_mismatch"),
        ("forwarded", ""),
        ("observed", "token_already_consumed"),
        ("observed", "body_invalid"),
        ("observed", "content_encoded"),
    ]
    assert [seen.body for seen in observing.tool.seen][:2] == [SMALL, b'{"amount":46}']


def test_observe_burns_the_token_of_a_good_call_only(observing: RunningGateway) -> None:
    good, other = observing.token(), observing.token()
    observing.refund(good)
    observing.refund(other, b'{"amount":46}')
    assert observing.tenant.gateway.consume(good).status_code == 409
    assert observing.tenant.gateway.consume(other).status_code == 200


def test_observe_leaves_a_callers_own_authorization_and_lends_ours_to_nobody(observing: RunningGateway) -> None:
    observing.refund(None, Authorization="Bearer sk_live_of_the_caller")
    observing.refund(observing.token(), b'{"amount":46}')
    observing.refund(observing.token())
    observing.refund(None, Authorization=f"Bearer  {observing.token()}")
    theirs, refused, approved, almost = observing.tool.seen
    assert theirs.header("Authorization") == ["Bearer sk_live_of_the_caller"]
    assert refused.header("Authorization") == []  # a Ledgix token never reaches the tool
    assert approved.header("Authorization") == ["Bearer the-tools-own-key"]
    assert almost.header("Authorization") == []


def test_observe_forwards_bodies_that_enforce_would_not_read(observing: RunningGateway) -> None:
    body = b'{"amount":45,"pad":"' + b"x" * 1_000_000 + b'"}'
    assert observing.refund(observing.token(), body).status_code == 200
    assert observing.tool.seen[0].body == body
    assert observed(observing) == [("observed", "body_too_large")]


def test_observe_without_a_vault(new_gateway: Callable[..., RunningGateway]) -> None:
    gateway = new_gateway(mode="observe", vault={"url": "http://127.0.0.1:9", "retries": 0})
    assert gateway.refund(gateway.token()).status_code == 200
    assert observed(gateway) == [("observed", "vault_unavailable")]


def test_observe_of_what_has_no_route(observing: RunningGateway, new_gateway: Callable[..., RunningGateway]) -> None:
    assert code(observing.send("GET", "/nowhere")) == "route_unmapped"
    everything = new_gateway(mode="observe", unmapped="payments")
    assert everything.send("GET", "/nowhere?x=1").status_code == 200
    assert observing.tool.seen[-1].path == b"/nowhere"
    assert observed(everything) == [("observed", "route_unmapped")]


# Ask

ASK: dict[str, Any] = {"mode": "ask", "routes": [ROUTES[0]]}


@pytest.fixture
def asking(tenant: Tenant, tool: Tool, tmp_path: Path) -> Any:
    # Ask mode needs the right to ask: in the house of this test, the full key.
    ask = {"wait_seconds": 0, "agent": {"header": "X-Agent-Id"}, "session": {"header": "X-Session"}}
    with running_gateway(tenant, tool, tmp_path, key="full", **ASK, ask=ask) as gateway:
        yield gateway


def clearance(gateway: RunningGateway, request_id: str) -> dict[str, Any]:
    entries = gateway.tenant.events("clearance.decided")
    return next(entry for entry in entries if entry["request_id"] == request_id)


def test_ask_forwards_what_the_vault_approves(asking: RunningGateway) -> None:
    answer = asking.refund(None, SMALL, **{"X-Agent-Id": "billing-1", "X-Session": "s-1"})
    assert (answer.status_code, answer.content) == (200, b'{"ok":true}'), answer.text
    request_id = answer.headers["x-ledgix-request-id"]
    entry = clearance(asking, request_id)
    assert (entry["tool_name"], entry["tool_args"], entry["agent_id"]) == (TOOL, ARGUMENTS, "billing-1")
    assert outcome_of(asking, request_id) == "delivered"
    assert asking.tool.seen[0].header("X-Ledgix-Request-Id") == [request_id]


def test_ask_refuses_what_the_vault_denies(asking: RunningGateway) -> None:
    answer = asking.refund(None, LARGE)
    assert (answer.status_code, code(answer)) == (403, "clearance_denied")
    assert answer.json()["reason_code"] == "policy_denied"
    assert answer.json()["detail"]
    assert asking.tool.begun == 0


def test_ask_still_takes_tokens(asking: RunningGateway) -> None:
    assert asking.refund(asking.token()).status_code == 200
    answer = asking.refund(asking.token(), MEDIUM)
    assert (answer.status_code, code(answer)) == (403, "token_args_mismatch")


def held(gateway: RunningGateway, body: bytes = MEDIUM) -> tuple[str, str]:
    """Sends a call that needs a person; its request and the address of its status."""
    answer = gateway.refund(None, body)
    assert answer.status_code == 202, answer.text
    said = answer.json()
    assert said["status"] == "pending_review"
    assert answer.headers["location"] == said["status_url"]
    assert len(said["status_url"].rpartition("/")[2]) >= 43
    return said["request_id"], said["status_url"]


def until_decided(gateway: RunningGateway, path: str) -> httpx2.Response:
    def look() -> httpx2.Response | None:
        answer = gateway.send("GET", path)
        return answer if answer.status_code != 202 else None

    return eventually(look)


def test_a_review_is_waited_for_then_the_call_goes_through(asking: RunningGateway) -> None:
    request_id, path = held(asking)
    assert asking.send("GET", path).json() == {
        "status": "pending_review",
        "request_id": request_id,
        "detail": "A person has to decide. Ask again at status_url: once approved, it gives the tool's answer.",
        "status_url": path,
    }
    assert asking.tool.begun == 0
    succeeded(asking.tenant.reviewer.decide(request_id, approved=True))
    answer = until_decided(asking, path)
    assert (answer.status_code, answer.content) == (200, b'{"ok":true}')
    assert answer.headers["x-ledgix-request-id"] == request_id
    assert [seen.body for seen in asking.tool.seen] == [MEDIUM]
    assert until_decided(asking, path).content == answer.content  # may be asked for again
    assert outcome_of(asking, request_id) == "delivered"
    asking.until_idle()
    verdicts = [ended.verdict for ended in asking.ended if ended.request_id == request_id]
    assert verdicts[0] == "held"
    assert "forwarded" in verdicts


def test_a_review_that_says_no(asking: RunningGateway) -> None:
    request_id, path = held(asking)
    succeeded(asking.tenant.reviewer.decide(request_id, approved=False, reason="not this one"))
    answer = until_decided(asking, path)
    assert (answer.status_code, code(answer)) == (403, "clearance_denied")
    assert (answer.json()["reason_code"], answer.json()["request_id"]) == ("review_denied", request_id)
    assert asking.tool.begun == 0


def test_a_review_that_is_decided_while_the_connection_waits(tenant: Tenant, tool: Tool, tmp_path: Path) -> None:
    with running_gateway(tenant, tool, tmp_path, key="full", **ASK, ask={"wait_seconds": 60}) as gateway:
        person = decide_soon(tenant, approved=True)
        answer = gateway.refund(None, MEDIUM)
        person.join()
    assert (answer.status_code, answer.content) == (200, b'{"ok":true}')


def test_after_a_restart_the_same_call_picks_up_its_approval(tenant: Tenant, tool: Tool, tmp_path: Path) -> None:
    with running_gateway(tenant, tool, tmp_path, key="full", **ASK, ask={"wait_seconds": 0}) as gateway:
        request_id, path = held(gateway)
    succeeded(tenant.reviewer.decide(request_id, approved=True))
    with running_gateway(tenant, tool, tmp_path, key="full", **ASK, ask={"wait_seconds": 0}) as gateway:
        assert code(gateway.send("GET", path)) == "call_unknown"
        other = gateway.refund(None, b'{"amount":451}', **{"X-Ledgix-Request-Id": request_id})
        assert 400 <= other.status_code < 500
        assert tool.begun == 0
        answer = gateway.refund(None, MEDIUM, **{"X-Ledgix-Request-Id": request_id})
        assert (answer.status_code, answer.content) == (200, b'{"ok":true}'), answer.text
        again = gateway.refund(None, MEDIUM, **{"X-Ledgix-Request-Id": request_id})
        assert (again.status_code, code(again)) == (403, "clearance_denied")
        assert again.json()["reason_code"] == "approval_used"
    assert len(tool.seen) == 1


def test_another_tenants_request_is_unknown(asking: RunningGateway, other_tenant: Tenant) -> None:
    theirs = other_tenant.full.ask(TOOL, {**ARGUMENTS, "amount": 450})["request_id"]
    answer = asking.refund(None, MEDIUM, **{"X-Ledgix-Request-Id": theirs})
    assert (answer.status_code, code(answer)) == (404, "request_unknown")


def test_no_more_calls_are_held_than_may_be(tenant: Tenant, tool: Tool, tmp_path: Path) -> None:
    ask = {"wait_seconds": 0, "calls": 1}
    with running_gateway(tenant, tool, tmp_path, key="full", **ASK, ask=ask) as gateway:
        held(gateway)
        answer = gateway.refund(None, b'{"amount":451}')
        assert (answer.status_code, code(answer)) == (503, "gateway_busy")
        assert answer.json()["request_id"]


def test_a_hold_ends(tenant: Tenant, tool: Tool, tmp_path: Path) -> None:
    ask = {"wait_seconds": 0, "hold_seconds": 1}
    with running_gateway(tenant, tool, tmp_path, key="full", **ASK, ask=ask) as gateway:
        _, path = held(gateway)
        answer = until_decided(gateway, path)
        assert (answer.status_code, code(answer)) == (410, "hold_ended")


def test_an_answer_that_is_too_large_to_be_held(tenant: Tenant, tool: Tool, tmp_path: Path) -> None:
    tool.answer = b"x" * 100
    ask = {"wait_seconds": 0, "answer_bytes": 10}
    with running_gateway(tenant, tool, tmp_path, key="full", **ASK, ask=ask) as gateway:
        request_id, path = held(gateway)
        succeeded(tenant.reviewer.decide(request_id, approved=True))
        answer = until_decided(gateway, path)
        assert (answer.status_code, code(answer)) == (502, "answer_too_large")
        assert answer.headers["x-ledgix-request-id"] == request_id


def test_an_answer_that_breaks_off_while_nobody_is_connected(asking: RunningGateway) -> None:
    asking.tool.breaks_off = True
    request_id, path = held(asking)
    succeeded(asking.tenant.reviewer.decide(request_id, approved=True))
    answer = until_decided(asking, path)
    assert (answer.status_code, code(answer)) == (502, "upstream_failed")
    assert answer.json()["request_id"] == request_id
    assert outcome_of(asking, request_id) == "delivered"


def test_a_gateway_that_may_not_ask(tenant: Tenant, tool: Tool, tmp_path: Path) -> None:
    with running_gateway(tenant, tool, tmp_path, **ASK) as gateway:
        answer = gateway.send("POST", REFUND, content=SMALL, headers=JSON)
    assert (answer.status_code, code(answer)) == (503, "vault_refused_gateway")
