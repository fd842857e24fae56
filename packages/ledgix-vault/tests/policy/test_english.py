"""Plain English: whole sentences or nothing, and never wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ledgix.formats import json
from ledgix_vault.policy.english import compile_sentence, declared_facts
from ledgix_vault.policy.english.quantities import Quantity, parse_quantity
from ledgix_vault.policy.english.text import listed, value_of
from ledgix_vault.policy.model import Effect, PolicyDocument, Rule
from ledgix_vault.policy.schemas import ToolSchema

HERE = Path(__file__).parent / "english"
UNDERSTOOD: list[dict[str, Any]] = yaml.safe_load((HERE / "understood.yaml").read_text())
NEAR_MISSES: list[dict[str, Any]] = yaml.safe_load((HERE / "near_misses.yaml").read_text())


def compiled(sentence: str, group: dict[str, Any]) -> list[Rule] | None:
    schemas = {
        name: ToolSchema.parse(name, json.from_python(schema))  # type: ignore[arg-type]
        for name, schema in group.get("schemas", {}).items()
    }
    facts = declared_facts(json.from_python(group.get("facts", {})))  # type: ignore[arg-type]
    return compile_sentence(sentence, group["tools"], schemas, facts)


def shown(rules: list[Rule] | None) -> list[str] | None:
    if rules is None:
        return None
    return [" ".join([str(rule.effect), *(condition.text for condition in rule.when)]) for rule in rules]


def sentences(groups: list[dict[str, Any]]) -> Iterator[Any]:
    for i, group in enumerate(groups):
        for sentence in group["sentences"]:
            yield pytest.param(sentence, group, id=f"{i}: {sentence}")


@pytest.mark.parametrize(("sentence", "group"), [*sentences(UNDERSTOOD)])
def test_understood(sentence: str, group: dict[str, Any]) -> None:
    rules = compiled(sentence, group)
    assert shown(rules) == group["sentences"][sentence]
    assert all(rule.source == sentence.strip() for rule in rules or ())


@pytest.mark.parametrize(("sentence", "group"), [*sentences(NEAR_MISSES)])
def test_left_alone(sentence: str, group: dict[str, Any]) -> None:
    assert shown(compiled(sentence, group)) is None


QUALIFIERS = [
    "unless a manager approves", "per day", "per customer", "in total", "on holidays", "for new customers", "or 10%",
    "except for VIPs", "without approval", "if possible", "and so on", "this month", "after 5 pm", "each", "maybe",
    "when the order is late", "within 30 days", "excluding tax", "not", "USD or less", "for now", "(see annex)",
]  # fmt: skip
NARROWING = [
    "Partial",
    "International",
    "Large",
    "VIP",
    "Some",
    "Most",
    "Repeated",
    "Only",
    "Except",
    "Unless",
    "Online",
]
PLAIN = [s for s in UNDERSTOOD[0]["sentences"] if not s.endswith((".", ". "))]


@given(st.sampled_from(PLAIN), st.sampled_from(QUALIFIERS))
def test_a_qualified_sentence_is_left_alone(sentence: str, qualifier: str) -> None:
    assert shown(compiled(f"{sentence} {qualifier}", UNDERSTOOD[0])) is None


@given(st.sampled_from(PLAIN), st.sampled_from(NARROWING))
def test_a_narrowed_sentence_is_left_alone(sentence: str, narrowing: str) -> None:
    narrowed = f"{narrowing} {sentence.strip(' -3.')}"
    assert shown(compiled(narrowed, UNDERSTOOD[0])) is None or narrowed.startswith("Only allowed")


@given(
    st.sampled_from(PLAIN), st.data(), st.sampled_from("\u200b\u200d\u2060\ufeff\u00ad\u0301\u202e\u0430\uff10\u0000")
)
def test_a_hidden_character_anywhere_is_not_understood(sentence: str, data: st.DataObject, hidden: str) -> None:
    at = data.draw(st.integers(0, len(sentence)))
    assert compiled(sentence[:at] + hidden + sentence[at:], UNDERSTOOD[0]) is None


@given(st.text(max_size=120) | st.lists(st.sampled_from(" ".join(PLAIN).split()), max_size=14).map(" ".join))
def test_any_text_is_understood_or_left(sentence: str) -> None:
    rules = compiled(sentence, UNDERSTOOD[0])
    assert rules is None or all(rule.effect is not Effect.APPROVE or "approved" in sentence for rule in rules)


def test_rules_say_what_they_assume(draft: Callable[..., PolicyDocument]) -> None:
    document = draft("Refunds must not exceed $100", "an order id is required")
    assert document.rules[0].assumptions == (
        "amount is what the sentence limits",
        "exactly 100 USD is not denied",
        "the currency is USD",
    )
    assert document.rules[1].assumptions == ("the argument is called order_id or orderId",)
    assert len(draft("The amount must be at most 100").rules[0].assumptions) == 2
    assert len(draft("The amount must be at most 100 USD").rules[0].assumptions) == 2


def test_several_rules_of_one_sentence_have_ids_of_their_own(draft: Callable[..., PolicyDocument]) -> None:
    definition = "rules: [{id: r1, effect: deny, when: []}, {id: r2a, effect: deny, when: []}]"
    document = draft("No refunds", "The amount must be between $1 and $9", "what?", definition=definition)
    assert [rule.id for rule in document.rules] == ["r1", "r2a", "r1-s", "r2a-s", "r2b"]
    assert document.uncompiled == ("what?",)


QUANTITIES: dict[str, Quantity | None] = {
    "100": Quantity(100, from_symbol=True),
    "0": Quantity(0, from_symbol=True),
    "0.125": Quantity(Decimal("0.125"), from_symbol=True),
    "1,000": Quantity(1000, from_symbol=True),
    "1,000,000": Quantity(1000000, from_symbol=True),
    "$100.00": Quantity(100, "USD", from_symbol=True),
    "$ 99.5": Quantity(Decimal("99.5"), "USD", from_symbol=True),
    "$100k": Quantity(100000, "USD", from_symbol=True),
    "$1.5K": Quantity(1500, "USD", from_symbol=True),
    "2 thousand euros": Quantity(2000, "EUR", from_symbol=True),
    "USD 100": Quantity(100, "USD"),
    "100 usd": Quantity(100, "USD"),
    "100 CHF": Quantity(100, "CHF"),
    "100€": Quantity(100, "EUR", from_symbol=True),
    "$100 USD": Quantity(100, "USD"),
    "1.234": None,
    "123.125": None,
    "1234.125": Quantity(Decimal("1234.125"), from_symbol=True),
    "12.345 USD": None,
    "1,00": None,
    "1,5": None,
    "1.5.0": None,
    "01": None,
    "1,0000": None,
    "1000,000": None,
    "": None,
    "$": None,
    "USD": None,
    "1e5": None,
    "∞": None,
    "١٠٠": None,
    "100 chf": None,
    "9" * 16: None,
}  # fmt: skip


@pytest.mark.parametrize("text", QUANTITIES)
def test_quantities_are_read_strictly(text: str) -> None:
    assert parse_quantity(text) == QUANTITIES[text]


@given(st.decimals(min_value=0, max_value=10**12, places=2))
def test_every_plain_amount_is_read_exactly(value: Decimal) -> None:
    for text in (f"${value:,.2f}", f"{value:.2f} USD", f"USD {value:.2f}"):
        quantity = parse_quantity(text)
        assert quantity is not None
        assert Decimal(quantity.digits) == value


def test_lists_and_values() -> None:
    assert listed("A, B or C", last="or") == ["A", "B", "C"]
    assert listed("A, B, or C", last="or") == ["A", "B", "C"]
    assert listed("A or B or C", last="or") == ["A", "B", "C"]
    assert listed("A, B or C or D", last="or") is None
    assert listed("A,, B", last="or") is None
    assert listed("A and B", last="or") == ["A and B"]
    assert [value_of(word) for word in ("USD", '"two words"', "acct_1", "a@b.example")] == [
        "USD", "two words", "acct_1", "a@b.example",
    ]  # fmt: skip
    assert [value_of(word) for word in ("valid", "7", "1.5", "two words", '" padded"', "", "2024-01-01")] == [None] * 7
