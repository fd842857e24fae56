"""What a draft would change, told exactly; and a dry run that leaves nothing behind."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import func, select
from vault_testing.house import DENIED, REVIEWED, TOOL, House

from ledgix.formats import json, tokens
from ledgix_vault.clearance.request import ClearanceRequest
from ledgix_vault.errors import Busy, MissingScope, NotFound, PolicyInvalid
from ledgix_vault.operations.register_tool_schema import register_tool_schema
from ledgix_vault.operations.simulate_offline import simulate_offline
from ledgix_vault.operations.simulate_policy import simulate_policy
from ledgix_vault.operations.steps.drafts import Draft
from ledgix_vault.operations.try_clearance import try_clearance
from ledgix_vault.store import schema
from ledgix_vault.tenancy.scopes import Preset

pytestmark = pytest.mark.anyio

STRICT = Draft("refunds", sentences=("Refunds must not exceed $100",), tools=(TOOL,))
SAME = Draft("refunds")


async def simulated(vault: House, draft: Draft, **which: Any) -> tuple[dict[str, Any], list[Any]]:
    steps: list[Any] = [step async for step in simulate_policy(vault.core, vault.owner, draft, **which)]
    return steps[-1], steps[:-1]


def calls(*amounts: object, tool: str = TOOL, **further: object) -> tuple[ClearanceRequest, ...]:
    bodies = [json.from_python({"tool_name": tool, "tool_args": {"amount": amount, **further}}) for amount in amounts]
    return tuple(ClearanceRequest.parse(body) for body in bodies if isinstance(body, dict))


async def test_what_would_change_by_rule_and_amount(vault: House) -> None:
    for amount in (45, 45.5, 200, REVIEWED, DENIED):
        await vault.ask(amount, tool_args={"amount": amount, "currency": "USD"})
    await vault.ask(1, by=vault.stranger)
    found, progress = await simulated(vault, STRICT, last=100)
    assert progress == [{"examined": 5, "total": 5}]
    assert (found["examined"], found["changed"], found["unchanged"]) == (5, 2, 3)
    assert found["changes"] == [{"before": "review", "after": "deny", "count": 2, "amounts": {"USD": "650"}}]
    (by_rule,) = found["by_rule"]
    assert (by_rule["policy_id"], by_rule["rule_id"], by_rule["count"]) == ("refunds", "r1", 2)
    assert found["review_load"] == {"recorded": 2, "now": 2, "draft": 0, "extra": -2}
    assert len(found["examples"]) == 2
    assert "the limit is 100 USD" in found["examples"][0]["reason"]


async def test_the_draft_is_compared_with_then_and_with_now(vault: House) -> None:
    asked = await vault.ask(REVIEWED)
    await vault.approve(asked, by=await vault.key(Preset.REVIEWER))
    await vault.consume(await vault.poll(asked))
    await vault.deny(await vault.ask(45))  # an approval that its asker cancelled
    await vault.deny(await vault.ask(REVIEWED))  # a review that its asker cancelled
    await vault.register("Refunds must not exceed $5000")
    found, _ = await simulated(vault, STRICT, last=10)
    assert found["changes"] == [{"before": "approve", "after": "deny", "count": 2, "amounts": {"undeclared": "900"}}]
    assert found["since_recorded"] == [
        {"before": "review", "after": "deny", "count": 2, "amounts": {"undeclared": "900"}}
    ]
    again, _ = await simulated(vault, SAME, last=10)
    assert (again["changed"], len(again["since_recorded"])) == (0, 1)


async def test_the_last_ones_in_pages(vault: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledgix_vault.operations.simulate_policy.PAGE", 7)
    monkeypatch.setattr("ledgix_vault.operations.simulate_policy.SLICE", 2)
    await vault.ask(DENIED)
    await asyncio.gather(*(vault.ask(200) for _ in range(20)))
    found, progress = await simulated(vault, STRICT, last=20)
    assert [step["examined"] for step in progress] == [7, 14, 20]
    assert found["changes"][0]["count"] == 20
    assert found["unchanged"] == 0
    assert len(found["examples"]) == 10
    offline = vault.core.store.read_and_wait(
        lambda connection: list(simulate_offline(connection, vault.owner.tenant_id, STRICT, vault.clock(), last=20))
    )
    assert offline[-1] == found


async def test_given_calls_that_never_happened(vault: House) -> None:
    found, _ = await simulated(vault, STRICT, calls=calls("x", 200, 4500))
    assert (found["examined"], found["changed"]) == (3, 1)
    assert found["since_recorded"] == []
    assert [each["request_id"] for each in found["examples"]] == ["2"]
    assert found["examples"][0]["recorded"] is None


async def test_the_moment_and_the_session_are_those_of_the_simulation(vault: House) -> None:
    once = """
rules:
  - {id: once, effect: deny, when: ['session.calls.exists(c, c.tool == "stripe_refund")']}
  - {id: late, effect: deny, when: ['now.getHours() >= 22']}
  - {id: ok, effect: approve, when: []}
"""
    for session_id in ("a", "b", "a", ""):
        await vault.ask(45, session_id=session_id)
    vault.clock.advance(24 * 3600 - vault.clock.now // 1_000_000 % (24 * 3600) - 60)  # 23:59
    await vault.ask(45, session_id="c")
    found, _ = await simulated(vault, Draft("refunds", definition=once), last=10)
    changed = {each["rule_id"]: each["count"] for each in found["by_rule"] if each["after"] == "deny"}
    assert changed == {"once": 1, "late": 1}


async def test_amounts_are_exact_and_in_whole_units(vault: House) -> None:
    cents: Any = {"type": "integer", "x-ledgix-money": {"unit": "minor", "currency": "EUR"}}
    await register_tool_schema(vault.core, vault.owner, "pay", {"type": "object", "properties": {"amount": cents}})
    draft = Draft("pay", definition="rules: [{id: all, effect: approve, when: []}]", tools=("pay",))
    found, _ = await simulated(vault, draft, calls=calls(1, 2, 10**15, tool="pay"))
    assert found["changes"][0]["amounts"] == {"EUR": "10000000000000.03"}
    other = calls(0.1, 0.2, tool="wire", currency="usd")
    found, _ = await simulated(vault, Draft("w", definition=draft.definition, tools=("wire",)), calls=other)
    assert found["changes"][0]["amounts"] == {"USD": "0.3"}


async def test_what_the_draft_leaves_out_is_the_active_versions(vault: House) -> None:
    await vault.register("Refunds must not exceed $10")
    back, _ = await simulated(vault, Draft("refunds", version=1), calls=calls(45))
    assert back["changes"][0]["after"] == "approve"
    moved, _ = await simulated(vault, Draft("refunds", tools=("other",)), calls=calls(45))
    assert moved["changes"][0] == {"before": "deny", "after": "review", "count": 1, "amounts": {"undeclared": "45"}}


@pytest.mark.parametrize(
    ("draft", "error"),
    [
        (Draft("refunds", version=9), NotFound),
        (Draft("nobody"), NotFound),
        (Draft("refunds", definition="rules: [{}]"), PolicyInvalid),
    ],
)
async def test_a_draft_that_cannot_be_tried(vault: House, draft: Draft, error: type[Exception]) -> None:
    with pytest.raises(error):
        await simulated(vault, draft, last=1)
    assert vault.core.simulating == set()
    with pytest.raises(error):
        await try_clearance(vault.core, vault.owner, calls(1)[0], draft)


async def test_one_at_a_time_and_only_with_the_right(vault: House) -> None:
    running = simulate_policy(vault.core, vault.owner, SAME, calls=calls(1))
    await anext(running)
    with pytest.raises(Busy):
        await simulated(vault, SAME, calls=calls(1))
    await running.aclose()
    await simulated(vault, SAME, calls=calls(1))
    agent = await vault.key(Preset.AGENT)
    with pytest.raises(MissingScope):
        await anext(simulate_policy(vault.core, agent, SAME, last=1))
    with pytest.raises(MissingScope):
        await try_clearance(vault.core, agent, calls(1)[0], None)


def counted(vault: House) -> list[int]:
    """Rows of everything that a decision could leave behind."""
    tables = (schema.event, schema.clearance, schema.review, schema.job, schema.idempotency)
    return vault.core.store.read_and_wait(
        lambda connection: [connection.execute(select(func.count()).select_from(each)).scalar_one() for each in tables]
    )


async def test_a_dry_run_records_nothing(vault: House) -> None:
    parent = await vault.ask()
    jti = tokens.verify(parent["token"], vault.core.token_keys(), issuer="alcv-vault", audience="ledgix-sdk", now=0).jti
    before = counted(vault)
    for amount, outcome in ((45, "approved"), (REVIEWED, "pending"), (DENIED, "denied")):
        tried = await try_clearance(vault.core, vault.owner, calls(amount)[0], None)
        asked = await vault.ask(amount)
        assert tried.decision.outcome == outcome == asked["outcome"]
        assert (tried.decision.reason, list(tried.decision.citations)) == (asked["reason"], asked["citations"])
        assert tried.decision.trace[0]["conditions"]
    asked_rows = counted(vault)
    assert asked_rows[1] == before[1] + 3
    for draft in (None, STRICT):
        await try_clearance(vault.core, vault.owner, calls(200)[0], draft)
    delegated = ClearanceRequest(tool_name=TOOL, parent_jti=jti)
    await try_clearance(vault.core, vault.owner, delegated, None)
    await simulated(vault, STRICT, last=100)
    assert counted(vault) == asked_rows


async def test_a_dry_run_sees_suspensions_parents_and_the_draft(vault: House) -> None:
    refused = await try_clearance(vault.core, vault.owner, calls(200)[0], STRICT)
    assert (refused.decision.outcome, refused.decision.policy_id) == ("denied", "refunds")
    orphan = await try_clearance(vault.core, vault.owner, ClearanceRequest(tool_name=TOOL, parent_jti="x"), None)
    assert orphan.decision.reason_code == "delegation_invalid"
    await vault.suspend("tool", TOOL)
    stopped = await try_clearance(vault.core, vault.owner, calls(45)[0], None)
    assert stopped.decision.reason_code == "suspended"


APPROVES = "rules: [{id: all, effect: approve, when: ['args.amount >= 0']}]\n"


def with_limit(limit: str) -> Draft:
    return Draft("refunds", sentences=(), definition=f"{APPROVES}limits: [{limit}]", tools=(TOOL,))


async def test_limits_are_counted_in_the_order_of_the_calls(vault: House) -> None:
    for _ in range(10):
        await vault.ask(45)
    found, _ = await simulated(vault, with_limit("{id: three, window: day, max: 3}"), last=100)
    assert found["changes"] == [{"before": "approve", "after": "deny", "count": 7, "amounts": {"undeclared": "315"}}]
    (by_rule,) = found["by_rule"]
    assert (by_rule["rule_id"], by_rule["count"]) == ("three", 7)
    assert "3 calls used" in found["examples"][0]["reason"]
    assert any("Budgets start empty" in assumption for assumption in found["assumptions"])


async def test_a_budget_is_shared_by_whom_it_says(vault: House) -> None:
    for agent in ("a", "b", "a", "b", "a"):
        await vault.ask(45, agent_id=agent)
    found, _ = await simulated(vault, with_limit("{id: two, per: [agent_id], window: ever, max: 2}"), last=100)
    assert found["changed"] == 1


async def test_a_rolling_window_forgets(vault: House) -> None:
    """What was taken exactly one window ago counts no more."""
    for seconds in (0, 59, 1, 60):
        vault.clock.advance(seconds)
        await vault.ask(45)
    found, _ = await simulated(vault, with_limit("{id: one, window: 1m, max: 1}"), last=100)
    assert found["changed"] == 1


async def test_a_sum_is_bounded_for_calls_that_never_happened(vault: House) -> None:
    draft = with_limit("{id: sum, sum: 'money(args.amount, \"USD\")', window: 1h, max: 100, effect: review}")
    found, _ = await simulated(vault, draft, calls=calls(60, 40, 0, 1, currency="USD"))
    assert found["changes"] == [{"before": "approve", "after": "review", "count": 1, "amounts": {"USD": "1"}}]


async def test_a_dry_run_sees_what_is_used_and_takes_nothing(vault: House) -> None:
    limit = "{id: two, window: day, max: 2}"
    await vault.register(definition=f"{APPROVES}limits: [{limit}]")
    (request,) = calls(45)
    assert (await vault.ask(45))["status"] == "approved"
    for _ in range(3):
        tried = await try_clearance(vault.core, vault.owner, request, None)
        assert tried.decision.outcome == "approved"
        assert [finding.used for finding in tried.decision.limits] == ["1"]
    assert (await vault.ask(45))["status"] == "approved"
    tried = await try_clearance(vault.core, vault.owner, request, None)
    assert (tried.decision.outcome, tried.decision.reason_code) == ("denied", "rate_limit_exceeded")
    loose = await try_clearance(vault.core, vault.owner, request, with_limit("{id: two, window: day, max: 3}"))
    assert loose.decision.outcome == "approved"
