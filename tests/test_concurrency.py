"""Races over HTTP: of all who try at once, one wins, and the ledger has one event of it."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Barrier
from typing import Any

import httpx2
import pytest

from running_vault import Key, RunningVault, Tenant, eventually, succeeded
from wire import MEDIUM, SMALL, TOOL, mint, problem

Send = Callable[[], httpx2.Response]


def at_once(requests: Sequence[Send]) -> list[httpx2.Response]:
    """All answers; the requests start together, each in a thread of its own."""
    start = Barrier(len(requests))

    def send(request: Send) -> httpx2.Response:
        start.wait(timeout=30)
        return request()

    with ThreadPoolExecutor(len(requests)) as pool:
        return list(pool.map(send, requests))


def statuses(answers: Sequence[httpx2.Response]) -> Counter[int]:
    return Counter(answer.status_code for answer in answers)


@pytest.mark.parametrize("with_keys", [False, True], ids=["", "each with an Idempotency-Key"])
def test_64_consumers_of_one_token(refunds: Tenant, with_keys: bool) -> None:
    token = refunds.agent.ask(TOOL, SMALL)["token"]

    def consume(i: int) -> Send:
        key = refunds.gateway if i % 2 else refunds.full
        return lambda: key.consume(token, once=f"key {i}" if with_keys else None)

    answers = at_once([consume(i) for i in range(64)])
    assert statuses(answers) == {200: 1, 409: 63}
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"token_already_consumed"}
    assert len(refunds.events("token.consumed")) == 1


def test_approve_and_deny_at_once(refunds: Tenant) -> None:
    for _ in range(5):
        asked = refunds.agent.ask(TOOL, MEDIUM)["request_id"]

        def decide(i: int, request_id: str = asked) -> Send:
            key: Key = refunds.reviewer if i % 3 else refunds.full
            return lambda: key.decide(request_id, approved=i % 2 == 0, reason=str(i))

        answers = at_once([decide(i) for i in range(12)])
        assert statuses(answers) == {200: 6, 409: 6}
        (body,) = {answer.content for answer in answers if answer.status_code == 200}
        approved = b'"status":"approved"' in body
        assert all((answers[i].status_code == 200) is (approved is (i % 2 == 0)) for i in range(12))
        assert refunds.agent.status(asked)["outcome"] == ("approved" if approved else "denied")
    assert len(refunds.events("review.decided")) == 5


def test_approve_and_cancel_at_once(refunds: Tenant) -> None:
    """Whoever comes second: a cancel voids an approval, an approval of what is cancelled is refused."""
    asked = refunds.agent.ask(TOOL, MEDIUM)["request_id"]
    requests: list[Send] = [
        lambda: refunds.reviewer.decide(asked, approved=True),
        lambda: refunds.agent.decide(asked, approved=False),
    ]
    approve, cancel = at_once(requests)
    assert cancel.status_code == 200
    assert approve.status_code in (200, 409)
    answer = refunds.agent.status(asked)
    assert (answer["outcome"], answer["token"]) == ("cancelled", None)


def test_consume_and_cancel_at_once(refunds: Tenant) -> None:
    for _ in range(5):
        asked = refunds.agent.ask(TOOL, SMALL)
        requests: list[Send] = [
            lambda asked=asked: refunds.gateway.consume(asked["token"]),  # type: ignore[misc]
            lambda asked=asked: refunds.agent.decide(asked["request_id"], approved=False),  # type: ignore[misc]
        ]
        consume, cancel = at_once(requests)
        assert (consume.status_code, cancel.status_code) in {(200, 409), (401, 200)}
    events = len(refunds.events("token.consumed")) + len(refunds.events("review.cancelled_by_agent"))
    assert events == 5


def test_the_first_hand_out_fixes_the_token(refunds: Tenant) -> None:
    asked = refunds.agent.ask(TOOL, MEDIUM)["request_id"]
    succeeded(refunds.reviewer.decide(asked, approved=True))
    answers = at_once([lambda: refunds.agent.get(f"/clearance-status/{asked}")] * 24)
    (token,) = {succeeded(answer)["token"] for answer in answers}
    assert token
    succeeded(refunds.gateway.consume(token))


def test_mints_are_all_different(refunds: Tenant) -> None:
    original = refunds.agent.ask(TOOL, SMALL)["request_id"]
    answers = [succeeded(answer) for answer in at_once([lambda: mint(refunds, original)] * 16)]
    assert len({answer["token"] for answer in answers}) == len({answer["request_id"] for answer in answers}) == 16
    assert len(refunds.events("token.minted")) == 16


def test_a_policy_change_between_requests(refunds: Tenant) -> None:
    """Every decision names the version that was active there and then: none is made by a version replaced before."""
    stop: dict[str, Any] = {"policy_id": "stop", "rules": ["Refunds must not exceed $10"], "tools": [TOOL]}
    ask: Send = lambda: refunds.agent.post("/request-clearance", {"tool_name": TOOL, "tool_args": SMALL})  # noqa: E731
    answers = at_once([*[ask] * 20, lambda: refunds.full.post("/register-policy", stop), *[ask] * 20])
    assert statuses(answers) == {200: 41}
    kinds = [entry for entry in refunds.entries() if entry["kind"] in {"policy.activated", "clearance.decided"}]
    since = next(
        i for i, entry in enumerate(kinds) if entry["policy_id"] == "stop" and entry["kind"] != "clearance.decided"
    )
    assert all(entry["decision_status"] == "denied" for entry in kinds[:since])
    assert all(entry["decision_status"] == "approved" for entry in kinds[since + 1 : -1])


def test_versions_of_one_policy(tenant: Tenant) -> None:
    policy = {"policy_id": "p", "tools": ["t"]}
    answers = at_once([lambda: tenant.full.post("/register-policy", policy)] * 8)
    assert sorted(succeeded(answer)["version"] for answer in answers) == list(range(1, 9))


def test_proofs_while_the_log_grows(refunds: Tenant) -> None:
    def ask_and_prove() -> httpx2.Response:
        asked = refunds.agent.ask(TOOL, SMALL)["request_id"]
        return refunds.agent.get("/ledger/proof/inclusion", request_id=asked)

    answers = at_once([ask_and_prove] * 16)
    assert statuses(answers) == {200: 16}
    assert len({answer.json()["leaf_index"] for answer in answers}) == 16
    assert refunds.full.read("/ledger/verify")["intact"]


def test_back_pressure(fresh_vault: Callable[..., tuple[RunningVault, list[Tenant]]]) -> None:
    """Somebody holds the database for a while: what is waiting waits, the rest is told to come back, polls go on."""
    vault, (tenant,) = fresh_vault(queue_capacity=4)
    tenant.register_refunds()
    reviewed, settled = tenant.agent.ask(TOOL, MEDIUM)["request_id"], tenant.agent.ask(TOOL, SMALL)
    succeeded(tenant.reviewer.decide(reviewed, approved=True))
    ask: Send = lambda: tenant.agent.post("/request-clearance", {"tool_name": TOOL, "tool_args": SMALL})  # noqa: E731
    with ThreadPoolExecutor(32) as pool, closing(sqlite3.connect(vault.data / "vault.db", timeout=10)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        asked = [pool.submit(ask) for _ in range(16)]
        eventually(lambda: sum(future.done() for future in asked) >= 8)
        poll = pool.submit(tenant.agent.status, reviewed)
        assert tenant.agent.status(settled["request_id"]) == settled
        assert tenant.agent.get("/ledger").status_code == 200
        busy = poll.result()
        holder.rollback()
        answers = [future.result() for future in asked]
    assert (busy["status"], busy["decision_status"], busy["token"]) == ("processing", "approved_pending_review", None)
    assert tenant.agent.status(reviewed)["token"]
    for answer in answers:
        if answer.status_code != 200:
            assert problem(answer, 429, "busy")
            assert int(answer.headers["retry-after"]) >= 1
    assert statuses(answers)[200] >= 4
    assert statuses(answers)[429] >= 8
    assert len(tenant.events("clearance.decided")) == 2 + statuses(answers)[200]


def test_64_calls_at_the_edge_of_a_budget(tenant: Tenant) -> None:
    """Ten fit; a denied call is told why, and takes nothing."""
    limit = "limits: [{id: budget, sum: args.amount, per: [agent_id], window: 24h, max: 1000}]"
    rules = f"rules: [{{id: all, effect: approve, when: []}}]\n{limit}\n"
    tenant.register("limited", definition=rules, tools=[TOOL])
    body = {"tool_name": TOOL, "tool_args": {"amount": 100}}
    answers = at_once([lambda: tenant.agent.post("/request-clearance", body)] * 64)
    assert statuses(answers) == {200: 64}
    assert Counter(answer.json()["status"] for answer in answers) == {"approved": 10, "denied": 54}
    denied = next(answer.json() for answer in answers if answer.json()["status"] == "denied")
    assert denied["reason_code"] == "spend_cap_exceeded"
    assert denied["limits"][0]["remaining"] == "0"
    (shown,) = tenant.full.read("/limits")["limits"]
    assert shown["budgets"] == [{"per": {"agent_id": "default-agent"}, "used": "1000", "remaining": "0"}]
    recorded = [entry["action_metadata"]["limits"][0] for entry in tenant.events("clearance.decided")]
    assert Counter(found["result"] for found in recorded) == {"within": 10, "exceeded": 54}
