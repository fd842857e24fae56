"""What a person is shown to confirm: rules, examples that the rules decided, and what could have been meant."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ledgix_vault.policy.conditions import Condition
from ledgix_vault.policy.english import compile_sentence, confirmation_hash, declared_facts, understand
from ledgix_vault.policy.english.examples import examples_of
from ledgix_vault.policy.errors import PolicyError
from ledgix_vault.policy.model import Rule
from ledgix_vault.policy.schemas import ToolSchema

HERE = Path(__file__).parent / "english"
GROUPS: list[dict[str, Any]] = yaml.safe_load((HERE / "circumstances.yaml").read_text())
LEFT: list[str] = yaml.safe_load((HERE / "more_near_misses.yaml").read_text())[0]["sentences"]
CASES = [(sentence, group) for group in GROUPS for sentence in group["sentences"]]
TOOLS = ["stripe_refund"]


def compiled(sentence: str, group: dict[str, Any]) -> list[Rule] | None:
    return compile_sentence(sentence, group["tools"], {}, declared_facts(group.get("facts", {})))


def outcomes(rules: list[Rule]) -> dict[str, str]:
    return {each.changed: str(each.effect) for each in examples_of(rules, TOOLS, {})}


def changed(sentence: str) -> dict[str, str]:
    (found,) = understand([sentence], TOOLS, {})
    return {each.changed: str(each.effect) for each in found.examples}


@pytest.mark.parametrize(("sentence", "group"), CASES, ids=[sentence for sentence, _ in CASES])
def test_understood(sentence: str, group: dict[str, Any]) -> None:
    rules = compiled(sentence, group) or []
    shown = [f"{rule.effect} {' && '.join(c.text for c in rule.when)}".strip() for rule in rules]
    assert shown == group["sentences"][sentence]


@pytest.mark.parametrize("sentence", LEFT, ids=ascii)
def test_left_alone_with_suggestions_that_compile(sentence: str) -> None:
    (found,) = understand([sentence], TOOLS, {})
    assert not found.is_understood
    assert found.why
    for close in found.did_you_mean:
        assert compile_sentence(close, TOOLS, {}) is not None


def test_the_corpus_of_near_misses_is_large() -> None:
    assert len(LEFT) >= 200


def test_examples_at_the_edge() -> None:
    assert changed("Refunds must not exceed $100") == {
        "args.amount is 99.99": "approve",
        "args.amount is 100": "approve",
        "args.amount is 100.01": "deny",
        "args.amount is missing": "review",
    }
    assert changed("Refunds must be under $100")["args.amount is 100"] == "deny"
    assert changed("Refunds of $500 or more need review")["args.amount is 500"] == "review"
    window = changed("Refunds are only allowed within 30 days of `facts.delivered_at`")
    assert list(window.values()) == ["approve", "approve", "deny", "review", "review"]
    hours = changed("Refunds are only allowed between 9:00 and 17:00 Europe/Berlin")
    assert list(hours.values()) == ["deny", "approve", "approve", "deny"]
    assert list(changed("No refunds after 2026-01-31").values()) == ["approve", "approve", "deny"]


def test_cents_are_shown_as_cents(schema: Callable[..., dict[str, ToolSchema]]) -> None:
    money = {"currency": "USD", "unit": "minor"}
    schemas = schema(amount={"type": "integer", "x-ledgix-money": money})
    (found,) = understand(["Refunds must not exceed $100"], TOOLS, schemas)
    assert {each.changed: str(each.effect) for each in found.examples} == {
        "args.amount is 9999": "approve",
        "args.amount is 10000": "approve",
        "args.amount is 10001": "deny",
        "args.amount is missing": "review",
    }


_FLIPS = {" > ": (" >= ", " < ", " <= "), " <= ": (" < ", " > "), " == ": (" != ",), " >= ": (" > ",), "!(": ("(",)}


def flipped(rule: Rule) -> list[Rule]:
    found = []
    for i, condition in enumerate(rule.when):
        for operator, others in _FLIPS.items():
            for at in re.finditer(re.escape(operator), condition.text):
                for other in others:
                    text = condition.text[: at.start()] + other + condition.text[at.end() :]
                    found.append(replace(rule, when=(*rule.when[:i], Condition.parse(text), *rule.when[i + 1 :])))
    return found


EDGED = [
    "Refunds must not exceed $100", "facts.risk_score must not exceed 70", "facts.is_verified must be true",
    "The agent support-bot may not issue refunds", "Only the agent billing-bot may issue refunds",
    "Refunds are only allowed on weekdays", "No refunds after 2026-01-31",
    "Refunds more than 30 days after facts.delivered_at are denied",
    'Refunds over $100 need review unless the fact order_status is "delivered"',
]  # fmt: skip


@pytest.mark.parametrize("sentence", EDGED)
def test_every_flipped_operator_changes_an_example(sentence: str) -> None:
    rules = compile_sentence(sentence, TOOLS, {})
    assert rules
    before = [(each, outcome) for each, outcome in outcomes(rules).items()]
    mutants = [[*rules[:i], other, *rules[i + 1 :]] for i, rule in enumerate(rules) for other in flipped(rule)]
    for mutant in mutants:
        assert [*outcomes(mutant).items()] != before, [c.text for rule in mutant for c in rule.when]
    assert mutants or "weekdays" in sentence


SAID = [sentence for sentence, group in CASES if group is GROUPS[0]]
WORDS = sorted({word for sentence in SAID for word in sentence.split()} | {"not", "partial", "unless", "usually", "or"})
_SIGNIFICANT = re.compile(r"\b(not|never|no|unless|except|only|usually|partial|if|or)\b", re.IGNORECASE)


def significant(sentence: str) -> int:
    """How many words turn or narrow the meaning: "must only be" says no more than "must be", nor "if on Sundays" than
    "on Sundays"."""
    plain = re.sub(r"\bmust only\b", "must", sentence, flags=re.IGNORECASE)
    return len(_SIGNIFICANT.findall(re.sub(r"\bif (?=on|at|between|after|before|within)\b", "", plain)))


# The same sentences each time: whether two words mean the same is for a person to say, not for a run of CI.
@settings(max_examples=1000, deadline=None, derandomize=True)
@given(st.sampled_from(SAID), st.data())
def test_a_changed_sentence_never_keeps_a_meaning_that_it_lost(sentence: str, data: st.DataObject) -> None:
    """A sentence that lost or gained a word that turns or narrows its meaning doesn't compile to the same rules."""
    words = sentence.split()
    at = data.draw(st.integers(0, len(words) - 1))
    match data.draw(st.sampled_from(["insert", "delete", "swap"])):
        case "insert":
            mutated = [*words[:at], data.draw(st.sampled_from(WORDS)), *words[at:]]
        case "delete":
            mutated = [*words[:at], *words[at + 1 :]]
        case _:
            mutated = [*words[:at], *words[at + 1 : at + 2], words[at], *words[at + 2 :]]
    text = " ".join(mutated)
    before, after = compile_sentence(sentence, TOOLS, {}), compile_sentence(text, TOOLS, {})
    if before and after and significant(text) != significant(sentence):
        shown = [[(r.effect, [c.text for c in r.when]) for r in rules] for rules in (before, after)]
        assert shown[0] != shown[1], text


def test_why_and_suggestions() -> None:
    found = understand(
        ["Refunds must not exceed $100 per day", "Refunds must not exceed 10%", "Refunds should not exceed $100",
         "Refunds must not exceed $1\u200b00"], TOOLS, {},
    )  # fmt: skip
    assert "limits:" in found[0].why
    assert found[0].did_you_mean[0] == "Refunds must not exceed $100"
    assert found[1].did_you_mean == ("Refunds must not exceed 10% of the fact order_total",)
    assert found[2].did_you_mean[0] == "Refunds must not exceed $100"
    assert found[3].did_you_mean == ()


def test_the_confirmation_covers_sentence_rules_and_schemas(schema: Callable[..., dict[str, ToolSchema]]) -> None:
    rules = compile_sentence("No refunds", TOOLS, {}) or []
    hashes = {
        confirmation_hash("No refunds", rules, {}),
        confirmation_hash("No refunds.", rules, {}),
        confirmation_hash("No refunds", [], {}),
        confirmation_hash("No refunds", rules, schema()),
    }
    assert len(hashes) == 4


@pytest.mark.parametrize(
    "declared",
    [{"a b": {"type": "string"}}, {"a": "string"}, {"a": {}}, {"a": {"enum": [1]}}, {"a": {"enum": "x"}}],
)
def test_facts_are_declared_plainly(declared: dict[str, Any]) -> None:
    with pytest.raises(PolicyError):
        declared_facts(declared)
