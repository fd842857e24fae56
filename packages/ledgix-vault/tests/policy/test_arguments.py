"""No odd argument gets through "approve amount ≤ 100 and ≥ 0", whichever way that is written down."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledgix.errors import JsonError
from ledgix.formats import json
from ledgix_vault.policy.draft import draft_policy
from ledgix_vault.policy.evaluate import Call, Evaluation, evaluate
from ledgix_vault.policy.model import Effect, PolicyDocument
from ledgix_vault.policy.schemas import ToolSchema
from ledgix_vault.policy.snapshot import ActivePolicy, Snapshot

WRITTEN = {
    "two conditions": "rules: [{id: ok, effect: approve, when: [args.amount <= 100, args.amount >= 0]}]",
    "one condition": "rules: [{id: ok, effect: approve, when: ['args.amount <= 100 && args.amount >= 0']}]",
    "from the other side": "rules: [{id: ok, effect: approve, when: ['100 >= args.amount', '0 <= args.amount']}]",
    "negated": "rules: [{id: ok, effect: approve, when: ['!(args.amount > 100 || args.amount < 0)']}]",
    "as money": "rules: [{id: ok, effect: approve, when: ['money(args.amount, \"USD\") <= 100']}]",
    "denied": "{otherwise: approve, rules: [{id: d, effect: deny, when: ['args.amount > 100 || args.amount < 0']}]}",
    "computed": "rules: [{id: ok, effect: approve, when: [args.amount - 100 <= 0, args.amount * 2 >= 0]}]",
}
ODD: dict[str, dict[str, Any]] = {
    "missing": {},
    "null": {"amount": None},
    "true": {"amount": True},
    "false": {"amount": False},
    "string": {"amount": "50"},
    "padded string": {"amount": " 50"},
    "empty string": {"amount": ""},
    "negative": {"amount": -5},
    "a little negative": {"amount": Decimal("-0.01")},
    "too much": {"amount": 100.01},
    "far too much": {"amount": 2**53 - 1},
    "nested": {"amount": {"value": 50}},
    "nested in its own name": {"amount": {"amount": 50}},
    "in a list": {"amount": [50]},
    "renamed": {"Amount": 50},
    "renamed with space": {"amount ": 50},
    "elsewhere": {"payment": {"amount": 50}},
    "not a number": {"amount": Decimal("NaN")},
    "signalling not a number": {"amount": Decimal("sNaN")},
    "infinite": {"amount": Decimal("-Infinity")},
    "a float, which no parser of ours gives": {"amount": 50.5},
}
NEVER_PARSED = ["1e400", "NaN", "Infinity", "9007199254740992", "100.00000000000000001"]


def _document(definition: str) -> PolicyDocument:
    return draft_policy(policy_id="p", description="", sentences=[], tools=["pay"], definition=definition, schemas={})


def _ask(document: PolicyDocument, args: dict[str, Any], schemas: dict[str, ToolSchema] | None = None) -> Evaluation:
    active = Snapshot(1, (ActivePolicy(document, "v", 1),), schemas or {}, Effect.REVIEW)
    return evaluate(active, Call("pay", args, "agent", "", None, {}, {}, None, None, None))


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("written", WRITTEN)
def test_odd_arguments_are_never_approved(written: str, odd: str) -> None:
    assert _ask(_document(WRITTEN[written]), ODD[odd]).effect is not Effect.APPROVE


@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize("amount", [0, 1, 50, Decimal("99.99"), 100])
def test_the_plain_ones_are_approved(written: str, amount: Any) -> None:
    assert _ask(_document(WRITTEN[written]), {"amount": amount, "currency": "USD"}).effect is Effect.APPROVE


@pytest.mark.parametrize("odd", ODD)
def test_odd_arguments_are_never_approved_by_sentences(odd: str, draft: Callable[..., PolicyDocument]) -> None:
    assert _ask(draft("Amounts above 100 USD need review", tools=["pay"]), ODD[odd]).effect is not Effect.APPROVE


@pytest.mark.parametrize("odd", [name for name in ODD if "float" not in name and "not a number" not in name])
def test_a_schema_makes_it_no_looser(odd: str, schema: Callable[..., dict[str, ToolSchema]]) -> None:
    schemas = schema("pay", ["amount"], amount={"type": "number"})
    assert _ask(_document(WRITTEN["two conditions"]), ODD[odd], schemas).effect is not Effect.APPROVE


@pytest.mark.parametrize("text", NEVER_PARSED)
def test_what_has_no_exact_value_never_arrives(text: str) -> None:
    with pytest.raises(JsonError):
        json.parse(f'{{"amount": {text}}}'.encode())


JSON_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.text(max_size=5), st.decimals(places=2)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)),
    max_leaves=6,
)


@given(
    st.sampled_from(list(WRITTEN)),
    st.dictionaries(st.sampled_from(["amount", "currency", "other"]), JSON_VALUES, max_size=3),
)
def test_only_an_exact_amount_between_the_limits_is_approved(written: str, args: dict[str, Any]) -> None:
    evaluation = _ask(_document(WRITTEN[written]), args)
    amount = args.get("amount")
    fits = isinstance(amount, int | Decimal) and not isinstance(amount, bool)
    if evaluation.effect is Effect.APPROVE:
        assert fits
        assert 0 <= amount <= 100
    again = _ask(_document(WRITTEN[written]), args)
    assert (again.reason, again.citations) == (evaluation.reason, evaluation.citations)
    assert [rule.to_json() for rule in again.trace] == [rule.to_json() for rule in evaluation.trace]
    assert all(value is not None for citation in evaluation.citations for value in citation.values())
