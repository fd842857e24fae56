"""Each finding with policies that have it and policies that don't: only what is proven is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ledgix_vault.policy.lint import Code, lint
from ledgix_vault.policy.lint.findings import SEVERITIES
from ledgix_vault.policy.model import PolicyDocument
from ledgix_vault.policy.schemas import ToolSchema

DOCS = Path(__file__).parents[4] / "docs" / "policies-as-code.md"
SCHEMAS = {
    "stripe_refund": ToolSchema.parse(
        "stripe_refund",
        {
            "type": "object",
            "properties": {
                "amount": {"type": "number", "x-ledgix-money": {"currency": "USD", "unit": "major"}},
                "status": {"enum": ["open", "closed"], "type": "string"},
                "note": {"type": "string"},
            },
            "required": ["amount", "status"],
        },
    )
}


def rule(when: str, effect: str = "deny", rule_id: str = "a", more: str = "") -> str:
    return f"{{id: {rule_id}, effect: {effect}, when: [{when}]{more}}}"


FOUND = {
    Code.UNSATISFIABLE: [
        rule("args.amount > 10, args.amount < 5"),
        rule("args.amount > 10, args.amount <= 10"),
        rule("args.amount >= 10 && args.amount < 10"),
        rule("'10 < args.amount && args.amount < 10'"),
        rule("'args.note == \"a\"', 'args.note == \"b\"'"),
        rule("'args.note == \"a\"', 'args.note != \"a\"'"),
        rule('\'args.note in ["a", "b"]\', \'args.note in ["c"]\''),
        rule("args.amount == 5, args.amount > 5"),
        rule("'money(args.amount, \"USD\") > 10', 'money(args.amount, \"USD\") < 3'"),
        rule("'args.status == \"opne\"'"),
        rule('\'args.status in ["x", "y"]\''),
        rule("'args.status != \"open\"', 'args.status != \"closed\"'"),
    ],
    Code.NEVER_APPLIES: [
        rule("'tool != \"\"'", more=", tools: [other]"),
        rule("'tool != \"\"'", more=", tools: ['pay_*']"),
    ],
    Code.DUPLICATE: [rule("args.amount > 5") + ", " + rule("args.amount > 5", rule_id="b")],
    Code.SHADOWED: [
        rule("args.amount > 5") + ", " + rule("args.amount > 10", "approve", "b"),
        rule("args.amount >= 5", "review") + ", " + rule("args.amount == 5", "approve", "b"),
        rule("'tool != \"\"'") + ", " + rule("'tool != \"\"', args.amount < 4", "approve", "b"),
        rule('\'args.status in ["open", "closed"]\'') + ", " + rule("'args.status == \"open\"'", "approve", "b"),
        rule("") + ", " + rule("args.amount < 5", "approve", "b"),
    ],
    Code.UNBOUNDED_MONEY: [
        rule("args.amount > 5", "approve"),
        rule("'args.status == \"open\"'", "approve"),
    ],
    Code.UNKNOWN_TOOL: [rule("'tool != \"\"'", more=", tools: [strip_refund]")],
    Code.OPTIONAL_ARGUMENT: [rule("'args.note == \"x\"'")],
}
NOT_FOUND = {
    Code.UNSATISFIABLE: [
        rule("args.amount > 10 || args.amount < 5"),
        rule("args.amount >= 10, args.amount <= 10"),
        rule("'args.note != \"a\"', 'args.note != \"b\"'"),
        rule("'args.status == \"open\"'"),
        rule("'!(args.amount > 10)', args.amount > 10"),
        rule("args.amount > 10, args.other < 5"),
        rule("'money(args.amount, \"USD\") > 10', 'money(args.amount, \"EUR\") < 3'"),
    ],
    Code.NEVER_APPLIES: [rule("'tool != \"\"'", more=", tools: ['stripe_*']"), rule("'tool != \"\"'")],
    Code.DUPLICATE: [rule("args.amount > 5") + ", " + rule("args.amount > 5", "review", "b")],
    Code.SHADOWED: [
        rule("args.amount > 10") + ", " + rule("args.amount > 5", "approve", "b"),
        rule("args.amount > 5") + ", " + rule("args.amount >= 5", "approve", "b"),
        rule("args.amount > 5", more=", tools: [stripe_refund]") + ", " + rule("args.amount > 10", "approve", "b"),
        rule("args.amount > 5, args.vip") + ", " + rule("args.amount > 10", "approve", "b"),
        rule("args.amount > 5", "approve") + ", " + rule("args.amount > 10", "review", "b"),
        rule("'args.note != \"x\"'") + ", " + rule("'args.note != \"y\"'", "approve", "b"),
    ],
    Code.UNBOUNDED_MONEY: [
        rule("args.amount <= 5", "approve"),
        rule("'money(args.amount, \"USD\") < 5'", "approve"),
        rule("'args.status == \"open\"'", "approve") + ", " + rule("args.amount > 100", "review", "b"),
        rule("args.amount > 5"),
        rule("'args.status == \"open\"'", "approve") + ", " + rule("args.amount != args.other * 5", "deny", "b"),
    ],
    Code.UNKNOWN_TOOL: [rule("'tool != \"\"'", more=", tools: ['*_refund']")],
    Code.OPTIONAL_ARGUMENT: [
        rule("'args.status == \"open\"'"),
        rule("'has(args.note) && args.note == \"x\"'"),
        rule("'!given(args.note) || args.note == \"x\"'"),
    ],
}


def codes(definition: str, draft: Callable[..., PolicyDocument]) -> set[Code]:
    document = draft(definition=f"rules: [{definition}]\n")
    return {finding.code for finding in lint(document, SCHEMAS)}


@pytest.mark.parametrize(("code", "rules"), [(code, rules) for code, all_of in FOUND.items() for rules in all_of])
def test_found(code: Code, rules: str, draft: Callable[..., PolicyDocument]) -> None:
    assert code in codes(rules, draft)


@pytest.mark.parametrize(("code", "rules"), [(code, rules) for code, all_of in NOT_FOUND.items() for rules in all_of])
def test_not_found(code: Code, rules: str, draft: Callable[..., PolicyDocument]) -> None:
    assert code not in codes(rules, draft)


def test_every_code_is_shown_both_ways_and_documented() -> None:
    assert FOUND.keys() == NOT_FOUND.keys() == set(Code) == SEVERITIES.keys()
    text = DOCS.read_text("utf-8")
    assert [code for code in Code if f"`{code}`" not in text] == []


def test_a_policy_that_approves_by_otherwise_is_bounded_too(draft: Callable[..., PolicyDocument]) -> None:
    unbounded = "rules: [{id: a, effect: deny, when: ['args.status == \"closed\"']}]\notherwise: approve"
    assert Code.UNBOUNDED_MONEY in {finding.code for finding in lint(draft(definition=unbounded), SCHEMAS)}
    by_a_limit = unbounded + "\nlimits: [{id: b, sum: args.amount, window: day, max: 5}]"
    assert Code.UNBOUNDED_MONEY not in {finding.code for finding in lint(draft(definition=by_a_limit), SCHEMAS)}


def test_without_schemas_nothing_is_said_about_tools(draft: Callable[..., PolicyDocument]) -> None:
    document = draft(tools=("nobody_knows",), definition="rules: [{id: a, effect: deny, when: ['args.x == 1']}]")
    assert lint(document, {}) == []
