"""Limits from the request to the end: reserved, spent, given back, and never overspent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest
from vault_testing.faults import Fault
from vault_testing.house import Answer, House
from vault_testing.invariants import check_invariants, rows_of

from ledgix.formats import tokens
from ledgix_vault.errors import Conflict, Forbidden, Unavailable
from ledgix_vault.store import schema
from ledgix_vault.tenancy.scopes import Preset

pytestmark = pytest.mark.anyio

LIMITS = """
rules:
  - {id: small, effect: approve, tools: [stripe_refund], when: ['money(args.amount, "USD") <= 500']}
  - {id: large, effect: review, tools: [stripe_refund], when: ['money(args.amount, "USD") > 500']}
limits:
  - {id: budget, sum: 'money(args.amount, "USD")', per: [agent_id], window: 24h, max: 1000}
"""
DAY = 86_400


async def limited(vault: House, text: str = LIMITS, **how: Any) -> None:
    """The only policy that covers the tool, with limits."""
    await vault.register(definition=text, **how)


def uses(vault: House) -> list[tuple[str, str]]:
    """Amount and state of every use."""
    tenant_id = vault.owner.tenant_id
    rows = vault.core.store.read_and_wait(lambda connection: rows_of(connection, schema.limit_use, tenant_id))
    return sorted((row.amount, row.state) for row in rows)


def totals(vault: House) -> list[str]:
    tenant_id = vault.owner.tenant_id
    rows = vault.core.store.read_and_wait(lambda connection: rows_of(connection, schema.limit_budget, tenant_id))
    return sorted(row.total for row in rows)


def finding(answer: Answer) -> Any:
    (only,) = answer["limits"]
    return only


async def test_an_approval_spends_and_the_edge_is_exact(vault: House) -> None:
    await limited(vault)
    first = await vault.ask(500)
    assert (first["status"], finding(first)["used"], finding(first)["remaining"]) == ("approved", "0", "1000")
    assert uses(vault) == [("500", "spent")]
    assert (await vault.ask(499.99))["status"] == "approved"
    over = await vault.ask(0.02)
    assert (over["status"], over["reason_code"]) == ("denied", "spend_cap_exceeded")
    assert "0.01 USD left" in over["reason"]
    found = finding(over)
    assert (found["result"], found["used"], found["asked"], found["remaining"]) == (
        "exceeded",
        "999.99",
        "0.02",
        "0.01",
    )
    assert (await vault.ask(0.01))["status"] == "approved"
    assert totals(vault) == ["1000"]


async def test_a_rolling_window_frees_at_the_moment_it_says(vault: House) -> None:
    await limited(vault)
    await vault.ask(500)
    vault.clock.advance(3600)
    await vault.ask(500)
    over = await vault.ask(1)
    assert finding(over)["frees_at"] == "2026-05-29T21:26:40.000000Z"
    vault.clock.advance(DAY - 3600 - 0.000001)
    assert (await vault.ask(1))["status"] == "denied"
    vault.clock.advance(0.000001)
    assert (await vault.ask(500))["status"] == "approved"
    assert (await vault.ask(1))["status"] == "denied"
    vault.clock.advance(DAY * 3)
    assert (await vault.ask(500))["status"] == "approved"
    assert totals(vault) == ["500"]


async def test_counts_and_shares(vault: House) -> None:
    await limited(
        vault,
        """
rules: [{id: all, effect: approve, tools: [stripe_refund], when: []}]
limits:
  - {id: rate, per: [agent_id, args.customer], window: day, timezone: Europe/Berlin, max: 2, effect: review}
""",
    )
    args = {"tool_args": {"customer": "c1"}}
    assert [(await vault.ask(**args))["status"] for _ in range(3)] == ["approved", "approved", "pending_review"]
    over = await vault.ask(**args)
    assert over["reason_code"] == "rate_limit_exceeded"
    assert finding(over)["per"] == {"agent_id": "default-agent", "args.customer": "c1"}
    assert (await vault.ask(tool_args={"customer": "c2"}))["status"] == "approved"
    assert (await vault.ask(**args, agent_id="other"))["status"] == "approved"
    nobody = await vault.ask(tool_args={"customer": None})
    assert (nobody["status"], nobody["confidence_bucket"], finding(nobody)["result"]) == (
        "pending_review",
        "low",
        "unknown",
    )
    assert (await vault.ask(tool_args={"customer": ""}))["status"] == "pending_review"


@pytest.mark.parametrize(
    ("args", "why"),
    [
        ({"amount": -5}, "negative"),
        ({"amount": "5"}, "not a number"),
        ({}, "amount"),
        ({"amount": 5, "currency": "EUR"}, "EUR"),
        ({"amount": None}, "amount"),
    ],
)
async def test_what_cannot_be_told_goes_to_a_person(args: Any, why: str, vault: House) -> None:
    await limited(vault, LIMITS.replace("'money(args.amount, \"USD\") <= 500'", "").replace("large", "never"))
    asked = await vault.ask(tool_args=args)
    assert asked["status"] == "pending_review"
    assert finding(asked)["result"] == "unknown"
    assert why in asked["reason"]
    assert uses(vault) == []


@pytest.mark.parametrize("end", ["deny", "cancel", "expire", "expire unnoticed", "lapse"])
async def test_a_pending_review_reserves_and_each_end_gives_back(end: str, vault: House) -> None:
    await limited(vault)
    await vault.change(review_expiry_seconds=3600)
    reviewer = await vault.key(Preset.REVIEWER)
    asked = await vault.ask(800)
    assert asked["status"] == "pending_review"
    match end:
        case "deny":
            await vault.deny(asked, by=reviewer)
        case "cancel":
            await vault.deny(asked)
        case "lapse":
            vault.clock.advance(1800)
            await vault.approve(asked, by=reviewer)
            await still_full(vault, 3600)
        case "expire":
            await still_full(vault, 3600)
            await vault.do_what_is_due()
            assert uses(vault) == [("800", "released")]
        case "expire unnoticed":
            await still_full(vault, 3600)
    assert (await vault.ask(500))["status"] == "approved"
    assert uses(vault) == [("500", "spent"), ("800", "released")]
    assert totals(vault) == ["500"]
    await vault.do_what_is_due()
    await vault.poll(asked)
    assert totals(vault) == ["500"]


async def still_full(vault: House, seconds: int) -> None:
    """It holds until the last microsecond of so many seconds."""
    vault.clock.advance(seconds - 0.000001)
    assert (await vault.ask(300))["status"] == "denied"
    vault.clock.advance(0.000001)


async def test_an_approved_review_spends_at_the_hand_out(vault: House) -> None:
    await limited(vault)
    reviewer = await vault.key(Preset.REVIEWER)
    asked = await vault.ask(800)
    await vault.approve(asked, by=reviewer)
    assert uses(vault) == [("800", "reserved")]
    handed = await vault.poll(asked)
    assert handed["status"] == "approved"
    assert uses(vault) == [("800", "spent")]
    vault.clock.advance(301)
    assert (await vault.ask(300))["status"] == "denied"
    await vault.deny(asked)
    assert uses(vault) == [("800", "spent")]


async def test_an_approval_asks_again_for_changed_arguments(vault: House) -> None:
    await limited(vault)
    reviewer = await vault.key(Preset.REVIEWER)
    asked = await vault.ask(800, accepts=["changed_args"])
    await vault.ask(150)
    with pytest.raises(Conflict) as refused:
        await vault.approve(asked, by=reviewer, args={"amount": 851})
    assert refused.value.code == "policy_changed"
    assert uses(vault) == [("150", "spent"), ("800", "reserved")]
    await vault.approve(asked, by=reviewer, args={"amount": 850})
    assert uses(vault) == [("150", "spent"), ("850", "reserved")]
    assert totals(vault) == ["1000"]
    check_invariants(vault)


async def test_an_approval_adds_up_exactly(vault: House) -> None:
    """Also where a sum has more digits than Python's decimals keep by themselves."""
    await limited(
        vault, LIMITS.replace("max: 1000", "max: 1" + "0" * 17).replace("'money(args.amount, \"USD\")'", "args.n")
    )
    reviewer = await vault.key(Preset.REVIEWER)
    args: Any = {"amount": 600, "n": 0.000000000000001}
    for _ in range(2):
        await vault.ask(tool_args={"amount": 1, "n": 9007199254740991})
    asked = await vault.ask(tool_args=args)
    await vault.approve(asked, by=reviewer)
    assert totals(vault) == ["18014398509481982.000000000000001"]


async def test_two_of_two_reserve_once(vault: House) -> None:
    await limited(vault)
    await vault.change(quorum=2)
    asked = await vault.ask(800)
    for name in ("one", "two"):
        await vault.approve(asked, by=await vault.key(Preset.REVIEWER, name))
    assert uses(vault) == [("800", "reserved")]
    assert totals(vault) == ["800"]


async def test_each_mint_reserves_anew(vault: House) -> None:
    await limited(vault)
    asked = await vault.ask(400)
    await vault.mint(asked, tool_args={"amount": 400}, key="m")
    await vault.mint(asked, tool_args={"amount": 400}, key="m")
    assert totals(vault) == ["800"]
    with pytest.raises(Forbidden) as refused:
        await vault.mint(asked, tool_args={"amount": 400})
    assert refused.value.code == "spend_cap_exceeded"
    assert totals(vault) == ["800"]


async def test_spending_survives_a_new_version(vault: House) -> None:
    await limited(vault)
    await vault.ask(500)
    await limited(vault, LIMITS.replace("24h", "day").replace("max: 1000", "max: 600"))
    assert (await vault.ask(101))["status"] == "denied"
    assert (await vault.ask(100))["status"] == "approved"
    await limited(vault, LIMITS.replace("id: budget", "id: another"))
    assert (await vault.ask(500))["status"] == "approved"
    await limited(vault, LIMITS.replace("24h", "ever"))
    assert (await vault.ask(400))["status"] == "approved"
    assert (await vault.ask(1))["status"] == "denied"


async def test_the_earlier_of_two_limits_does_not_keep_what_the_later_denies(vault: House) -> None:
    await limited(vault, LIMITS + "  - {id: rate, window: 1h, max: 1}\n")
    assert (await vault.ask(100))["status"] == "approved"
    denied = await vault.ask(100)
    assert (denied["reason_code"], len(denied["limits"])) == ("rate_limit_exceeded", 2)
    assert totals(vault) == ["1", "100"]


async def test_sixty_four_at_once_never_overspend(vault: House) -> None:
    await limited(vault)
    for together in (True, False):
        if together:
            async with vault.held_writer():
                asking = [asyncio.create_task(vault.ask(100)) for _ in range(64)]
            answers = await asyncio.gather(*asking)
        else:
            vault.clock.advance(DAY)
            answers = await asyncio.gather(*(vault.ask(100) for _ in range(64)))
        assert [answer["status"] for answer in answers].count("approved") == 10
    assert totals(vault) == ["1000"]


async def test_tenants_do_not_share(vault: House) -> None:
    for tenant in (vault.owner, vault.stranger):
        await limited(vault, by=tenant)
        assert (await vault.ask(500, by=tenant))["status"] == "approved"
        assert (await vault.ask(500, by=tenant))["status"] == "approved"
        assert (await vault.ask(1, by=tenant))["status"] == "denied"


ACTS: dict[str, Callable[[House, Any], Awaitable[Any]]] = {
    "ask": lambda vault, _: vault.ask(100, key="k"),
    "open": lambda vault, _: vault.ask(600, key="k"),
    "mint": lambda vault, asked: vault.mint(asked, tool_args={"amount": 100}, key="k"),
    "approve": lambda vault, asked: vault.approve(asked, key="k"),
    "cancel": lambda vault, asked: vault.deny(asked, key="k"),
}
AFTER = {"ask": "100", "open": "600", "mint": "200", "approve": "600", "cancel": "0"}
BEFORE = {"mint": 100, "approve": 600, "cancel": 600}


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("name", ACTS)
async def test_a_retry_takes_once_whatever_failed(name: str, fault: Fault, vault: House) -> None:
    await limited(vault)
    asked = await vault.ask(BEFORE[name]) if name in BEFORE else None
    vault.commit.fail(fault)
    if fault is Fault.LOST:
        with pytest.raises(Unavailable):
            await ACTS[name](vault, asked)
    for _ in range(2):
        await ACTS[name](vault, asked)
        assert totals(vault) == [AFTER[name]]
        vault.reopen()
    held = sum((Decimal(amount) for amount, state in uses(vault) if state != "released"), Decimal(0))
    assert str(held) == AFTER[name]


async def test_a_delegated_call_answers_to_the_limits_of_its_parents_policy(vault: House) -> None:
    await limited(vault, LIMITS.replace("tools: [stripe_refund], ", ""))
    await vault.register("Amounts must not exceed 1000 USD", policy_id="mails", tools=("send_mail",))
    parent = await vault.ask(500)
    jti = tokens.verify(parent["token"], vault.core.token_keys(), issuer="alcv-vault", audience="ledgix-sdk", now=0).jti
    child = {"tool_name": "send_mail", "parent_jti": jti}
    assert (await vault.ask(501, **child))["status"] == "denied"
    assert (await vault.ask(500, **child))["status"] == "approved"
    assert totals(vault) == ["1000"]


async def test_what_is_denied_by_a_rule_takes_nothing(vault: House) -> None:
    await limited(vault, LIMITS.replace("effect: review", "effect: deny"))
    denied = await vault.ask(501)
    assert (denied["status"], denied["limits"]) == ("denied", [])
    assert totals(vault) == []


@pytest.mark.parametrize(
    ("window", "frees_at"), [("month", "2026-06-01T00:00:00.000000Z"), ("ever", None), ("24h", None)]
)
async def test_when_there_is_room_again(window: str, frees_at: str | None, vault: House) -> None:
    """Nothing is promised for an amount that would never fit."""
    await limited(vault, LIMITS.replace("24h", window).replace("max: 1000", "max: 400"))
    await vault.ask(300)
    over = await vault.ask(450 if window == "24h" else 200)
    assert finding(over).get("frees_at") == frees_at
    assert finding(over)["remaining"] == "100"


async def test_an_exceeded_review_limit_needs_a_person_and_counts_then(vault: House) -> None:
    await limited(vault, LIMITS.replace("max: 1000", "max: 100, effect: review"))
    reviewer = await vault.key(Preset.REVIEWER)
    asked = await vault.ask(300)
    assert (asked["status"], asked["reason_code"]) == ("pending_review", "spend_cap_exceeded")
    await vault.approve(asked, by=reviewer)
    assert totals(vault) == ["300"]
    again = await vault.ask(1)
    assert (again["status"], finding(again)["remaining"]) == ("pending_review", "0")


async def test_the_clause_is_cited(vault: House) -> None:
    await limited(vault, LIMITS.replace("max: 1000", 'max: 100, source: "At most $100."'))
    (cited,) = (await vault.ask(300))["citations"]
    assert (cited["policy_id"], cited["rule_id"], cited["quote"]) == ("refunds", "budget", "At most $100.")
