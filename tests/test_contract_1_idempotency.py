"""Contract section 1: one key for all retries, the same answer, never a second effect."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from running_vault import Tenant, succeeded
from wire import MEDIUM, REPLAYED, SMALL, TOOL, problem


def call(tool_args: dict[str, Any] = SMALL, **more: Any) -> dict[str, Any]:
    return {"tool_name": TOOL, "tool_args": tool_args, **more}


@pytest.mark.parametrize("tool_args", [SMALL, MEDIUM, {"amount": 4500}], ids=["approved", "review", "denied"])
def test_a_retry_gets_the_same_bytes(refunds: Tenant, tool_args: dict[str, Any]) -> None:
    first = refunds.agent.post("/request-clearance", call(tool_args), once="k")
    again = refunds.agent.post("/request-clearance", call(tool_args), once="k")
    assert first.status_code == again.status_code == 200
    assert again.content == first.content
    assert REPLAYED not in first.headers
    assert again.headers[REPLAYED] == "true"
    assert len(refunds.events("clearance.decided")) == 1


def test_without_a_key_every_request_is_new(refunds: Tenant) -> None:
    ids = {refunds.agent.ask(TOOL, SMALL)["request_id"] for _ in range(2)}
    assert len(ids) == 2


def test_another_body_is_refused(refunds: Tenant) -> None:
    first = refunds.agent.post("/request-clearance", call(), once="k")
    for other in (call({"amount": 46}), b'{"tool_name":"stripe_refund","tool_args":{"amount":45.0}}'):
        problem(refunds.agent.post("/request-clearance", other, once="k"), 422, "idempotency_key_reused")
    assert refunds.agent.post("/request-clearance", call(), once="k").content == first.content


def test_the_scope_is_tenant_key_method_and_path(refunds: Tenant, other: Tenant) -> None:
    """The same key elsewhere is another one; also by the successor of the API key."""
    other.register_refunds()
    asked = [key.post("/request-clearance", call(), once="k") for key in (refunds.agent, refunds.agent_2, other.agent)]
    minted = refunds.agent.post("/mint-token", call(original_request_id=asked[0].json()["request_id"]), once="k")
    assert all(REPLAYED not in response.headers for response in [*asked, minted])
    assert len({succeeded(response)["request_id"] for response in [*asked, minted]}) == 4


def test_errors_are_never_remembered(refunds: Tenant) -> None:
    problem(refunds.agent.post("/request-clearance", b"{", once="k"), 422, "invalid")
    problem(refunds.gateway.post("/request-clearance", call(), once="k"), 403, "missing_scope")
    problem(refunds.agent.post("/request-clearance", b"x" * 300_000, once="k"), 413, "too_large")
    assert REPLAYED not in refunds.agent.post("/request-clearance", call(), once="k").headers
    assert REPLAYED not in refunds.gateway.post("/consume-token", {"token": "x"}, once="k").headers


def test_a_refused_decision_is_not_remembered(refunds: Tenant) -> None:
    """The same key succeeds as soon as the reason is gone."""
    refunds.set_reviews(separation_of_duties=True)
    request_id = refunds.full.ask(TOOL, MEDIUM)["request_id"]
    path, verdict = f"/reviews/{request_id}/decision", {"approved": True}
    problem(refunds.full.post(path, verdict, once="k"), 403, "separation_of_duties")
    refunds.set_reviews(separation_of_duties=False)
    decided = refunds.full.post(path, verdict, once="k")
    assert succeeded(decided)["status"] == "approved"
    assert REPLAYED not in decided.headers
    again = refunds.full.post(path, verdict, once="k")
    assert (again.content, again.headers[REPLAYED]) == (decided.content, "true")
    assert len(refunds.events("review.decided")) == 1


def test_a_refused_mint_is_not_remembered(refunds: Tenant) -> None:
    mint = call(original_request_id=refunds.agent.ask(TOOL, SMALL)["request_id"])
    refunds.register("stop", rules=["Refunds must not exceed $10"], tools=[TOOL])
    for _ in range(2):
        refused = refunds.agent.post("/mint-token", mint, once="k")
        problem(refused, 403, "policy_denied")
        assert REPLAYED not in refused.headers
    refunds.register("stop", tools=["another"])
    minted = refunds.agent.post("/mint-token", mint, once="k")
    again = refunds.agent.post("/mint-token", mint, once="k")
    assert succeeded(minted)["token"]
    assert (again.content, again.headers[REPLAYED]) == (minted.content, "true")


def test_register_policy(tenant: Tenant) -> None:
    policy = {"policy_id": "p", "rules": ["Refunds must not exceed $10", "be nice"], "tools": [TOOL]}
    first = tenant.full.post("/register-policy", policy, once="k")
    tenant.register("p", tools=[TOOL])  # a newer version in between
    again = tenant.full.post("/register-policy", policy, once="k")
    assert (again.content, again.headers[REPLAYED]) == (first.content, "true")
    assert len(tenant.events("policy.activated")) == 2


def test_consume(refunds: Tenant) -> None:
    """A retry of the one that burned it gets its answer; anybody else a conflict."""
    token = refunds.agent.ask(TOOL, SMALL)["token"]
    first = refunds.gateway.consume(token, once="k")
    again = refunds.gateway.consume(token, once="k")
    assert succeeded(first)["status"] == "consumed"
    assert (again.content, again.headers[REPLAYED]) == (first.content, "true")
    for once in ("other", None):
        problem(refunds.gateway.consume(token, once=once), 409, "token_already_consumed")
    assert len(refunds.events("token.consumed")) == 1


def test_a_replay_is_the_answer_as_it_stands_now(refunds: Tenant) -> None:
    """Old clients run the tool unless they read `denied`: a used, cancelled or decided one never looks fresh."""
    used = refunds.agent.post("/request-clearance", call(), once="used").json()
    succeeded(refunds.gateway.consume(used["token"]))
    replay = succeeded(refunds.agent.post("/request-clearance", call(), once="used"))
    assert replay == {**refunds.agent.status(used["request_id"])}
    assert (replay["status"], replay["token"], replay["reason_code"]) == ("denied", None, "approval_used")
    assert replay["outcome"] == "approved"

    cancelled = refunds.agent.post("/request-clearance", call(), once="cancelled").json()
    succeeded(refunds.agent.decide(cancelled["request_id"], approved=False))
    assert refunds.agent.post("/request-clearance", call(), once="cancelled").json()["outcome"] == "cancelled"

    waiting = refunds.agent.post("/request-clearance", call(MEDIUM), once="waiting").json()
    succeeded(refunds.reviewer.decide(waiting["request_id"], approved=True))
    approved = refunds.agent.post("/request-clearance", call(MEDIUM), once="waiting").json()
    assert approved == refunds.agent.status(waiting["request_id"])
    assert approved["token"]


def test_a_replayed_mint_after_consumption_has_no_token(refunds: Tenant) -> None:
    mint = call(original_request_id=refunds.agent.ask(TOOL, SMALL)["request_id"])
    minted = succeeded(refunds.agent.post("/mint-token", mint, once="k"))
    succeeded(refunds.gateway.consume(minted["token"]))
    again = refunds.agent.post("/mint-token", mint, once="k")
    assert again.json()["token"] is None
    assert again.json()["request_id"] == minted["request_id"]


def test_concurrent_duplicates(refunds: Tenant) -> None:
    def send(_: int) -> Any:
        return refunds.agent.post("/request-clearance", call(), once="same")

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(send, range(48)))
    assert {answer.content for answer in answers} == {answers[0].content}
    assert answers[0].status_code == 200
    assert sum(REPLAYED not in answer.headers for answer in answers) == 1
    assert len(refunds.events("clearance.decided")) == 1


def test_the_key_has_at_most_255_characters(refunds: Tenant) -> None:
    assert refunds.agent.post("/request-clearance", call(), once="k" * 255).status_code == 200
    refused = problem(refunds.agent.post("/request-clearance", call(), once="k" * 256), 422, "invalid")
    assert refused["path"] == "Idempotency-Key"
