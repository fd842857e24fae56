"""Which limits apply to a call, what it takes of them, and whose budget that is."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from ledgix.formats import json
from ledgix_vault.limits.demands import BudgetKey, Demand, Undecided, demands, plain
from ledgix_vault.limits.findings import Result, combined, found, unknown
from ledgix_vault.policy.call import Call
from ledgix_vault.policy.conditions import Condition, Expression
from ledgix_vault.policy.effect import Effect
from ledgix_vault.policy.model import PolicyDocument
from ledgix_vault.policy.parts import Limit
from ledgix_vault.policy.snapshot import ActivePolicy

LIMIT = Limit(
    id="l", effect=Effect.DENY, tools=(), when=(), sum=None, per=(), window="1h", timezone="UTC",
    most=Decimal(10), source="",
)  # fmt: skip
STORED = {
    "v": 1, "policy_id": "p", "description": "", "tools": ["pay"], "rules": [], "uncompiled": [], "sentences": [],
    "otherwise": "review", "action_category": "", "definition": "",
}  # fmt: skip


def policy(*limits: Limit) -> ActivePolicy:
    stored = json.from_python(STORED)
    assert isinstance(stored, dict)
    return ActivePolicy(replace(PolicyDocument.from_json(stored, {}), limits=limits), "v", 1)


def call(**changes: Any) -> Call:
    made = Call("pay", {}, "agent", "session", None, {}, {}, None, None, None)
    return replace(made, **changes)


def asked(limit: Limit, **of_call: Any) -> Demand | Undecided | None:
    all_asked, _ = demands([policy(limit)], call(**of_call), {})
    return all_asked[0] if all_asked else None


def key(*per: str, **of_call: Any) -> Any:
    demand = asked(replace(LIMIT, per=tuple(Expression.parse(text) for text in per)), **of_call)
    return dict(demand.key.per) if isinstance(demand, Demand) else None


def amount(text: str, **of_call: Any) -> str:
    demand = asked(replace(LIMIT, sum=Expression.parse(text)), **of_call)
    return plain(demand.amount) if isinstance(demand, Demand) else "unknown"


@pytest.mark.parametrize(("tools", "applies"), [((), True), (("p*",), True), (("q*", "pay"), True), (("q*",), False)])
def test_tools(tools: tuple[str, ...], applies: bool) -> None:
    assert (asked(replace(LIMIT, tools=tools)) is not None) is applies


@pytest.mark.parametrize(
    ("args", "kind"),
    [
        ({"a": 1, "b": 1}, Demand),
        ({"a": 2, "b": 1}, type(None)),
        ({"a": 2}, type(None)),
        ({"a": 1}, Undecided),
        ({"a": 1, "b": None}, Undecided),
        ({}, Undecided),
    ],
)
def test_when(args: Any, kind: type) -> None:
    when = (Condition.parse("args.a == 1"), Condition.parse("args.b == 1"))
    assert type(asked(replace(LIMIT, when=when), args=args)) is kind


@pytest.mark.parametrize(
    ("value", "taken"),
    [
        (5, "5"),
        (0, "0"),
        (Decimal("0.10"), "0.1"),
        (Decimal("1E+2"), "100"),
        (-1, "unknown"),
        (Decimal("-0.01"), "unknown"),
        ("5", "unknown"),
        (True, "unknown"),
        (None, "unknown"),
        ([5], "unknown"),
        (Decimal("1E+29"), "1" + "0" * 29),
        (Decimal("1E+30"), "unknown"),
        (Decimal("1E-30"), "0." + "0" * 29 + "1"),
        (Decimal("1E-31"), "unknown"),
        (Decimal("NaN"), "unknown"),
    ],
)
def test_amounts(value: Any, taken: str) -> None:
    assert amount("args.n", args={"n": value}) == taken


def test_money_in_another_currency_is_unknown() -> None:
    text = 'money(args.n, "USD")'
    assert amount(text, args={"n": 5}) == "5"
    assert amount(text, args={"n": 5, "currency": "EUR"}) == "unknown"
    _, assumed = demands([policy(replace(LIMIT, sum=Expression.parse(text)))], call(args={"n": 5}), {})
    assert any("USD" in assumption for assumption in assumed)


def test_who_shares() -> None:
    assert key() == {}
    assert key("agent_id", "tool") == {"agent_id": "agent", "tool": "pay"}
    assert key("session_id") == {"session_id": "session"}
    assert key("session_id", session_id="") is None
    assert key("human_principal") is None
    assert key("human_principal", human_principal="eve") == {"human_principal": "eve"}
    assert key("args.x", args={"x": 1}) == key("args.x", args={"x": Decimal("1.0")}) == {"args.x": "1"}
    assert key("args.x", args={"x": False}) == {"args.x": "false"}
    for nobody in (None, "", [], {}, ["a"]):
        assert key("args.x", args={"x": nobody}) is None
    assert key("facts.customer", facts={"customer": "c"}) == {"facts.customer": "c"}
    assert key("facts.customer") is None


def test_a_destination_is_whoever_receives() -> None:
    one = key("destination", destination={"uri": "https://API.bank.example/a?x=1", "provider": "Bank"})
    other = key("destination", destination={"uri": "https://api.bank.example:443/b", "provider": "bank"})
    assert one == other == {"destination": '{"host":"api.bank.example","provider":"bank"}'}
    assert key("destination", destination={"account_ref": "A"}) != key("destination", destination={"account_ref": "a"})
    assert key("destination") is None
    assert key("destination", destination={"uri": "https://[broken"}) is None


def test_every_part_of_a_key_makes_another_budget() -> None:
    base = BudgetKey("p", "l", {"a": "1"}, "USD")
    others = [
        replace(base, policy_id="q"),
        replace(base, limit_id="m"),
        replace(base, per={"a": "2"}),
        replace(base, per={"b": "1"}),
        replace(base, per={}),
        replace(base, unit="EUR"),
    ]
    assert len({each.id for each in (base, *others)}) == 7
    assert BudgetKey("p", "l", {"a": "1", "b": "2"}, "").id == BudgetKey("p", "l", {"b": "2", "a": "1"}, "").id


@pytest.mark.parametrize(
    ("used", "most", "result", "remaining"),
    [
        ("0", "1", Result.WITHIN, "1"),
        ("0.01", "1", Result.EXCEEDED, "0.99"),
        ("9", "10", Result.WITHIN, "1"),
        ("9.000000000000000000000000000001", "10", Result.EXCEEDED, "0.999999999999999999999999999999"),
        ("12", "10", Result.EXCEEDED, "0"),
        ("0", "0", Result.EXCEEDED, "0"),
    ],
)
def test_the_edge(used: str, most: str, result: Result, remaining: str) -> None:
    demand = asked(replace(LIMIT, most=Decimal(most)))
    assert isinstance(demand, Demand)
    finding = found(demand, Decimal(used))
    assert (finding.result, finding.remaining) == (result, remaining)


def test_the_strictest_finding_decides() -> None:
    demand = asked(LIMIT)
    soft = asked(replace(LIMIT, effect=Effect.REVIEW))
    assert isinstance(demand, Demand)
    assert isinstance(soft, Demand)
    fits, denies, doubts = found(demand, Decimal(0)), found(demand, Decimal(10)), found(soft, Decimal(10))
    lost = unknown(Undecided(LIMIT, "p", "x is missing"))
    assert combined([]) == combined([fits]) == (Effect.APPROVE, ())
    assert combined([fits, doubts]) == (Effect.REVIEW, (doubts,))
    assert combined([lost, fits]) == (Effect.REVIEW, (lost,))
    assert combined([doubts, denies, lost]) == (Effect.DENY, (denies,))
