"""Conditions, rules and limits in plain words: what is said is what is decided, and what has no words has none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ledgix_vault.policy.code.policy_file import parse_policy_file
from ledgix_vault.policy.conditions import Condition
from ledgix_vault.policy.effect import Effect
from ledgix_vault.policy.words import (
    condition_in_words,
    destinations_in_words,
    limit_in_words,
    register_in_words,
    rule_in_words,
)

ROOT = Path(__file__).parents[4]
WORDS = {
    'money(args.amount, "USD") > 1000': "the amount is more than 1,000 USD",
    "args.rows <= 500": "the rows are at most 500",
    'args.currency.lowerAscii() in ["usd", "eur"]': "the currency is “USD” or “EUR”",
    '!(args.country in ["DE", "FR"])': "the country is neither “DE” nor “FR”",
    "!(given(args.order_id) || given(args.orderId))": "the order id is missing",
    "facts.is_verified == true": "the fact is verified is true",
    "args.amount * 100 > facts.order_total * 10": "the amount is more than 10 percent of the fact order total",
    'now > timestamp(facts.delivered_at) + duration("30d")': (
        "more than 30 days have passed since the fact delivered at"
    ),
    'timestamp(facts.changed_at) > now - duration("14d")': "less than 14 days have passed since the fact changed at",
    "now < timestamp(facts.delivered_at)": "the fact delivered at lies in the future",
    'now.getDayOfWeek("UTC") in [0, 6]': "the call is made on a Sunday or Saturday (UTC)",
    'now.getHours("Europe/Berlin") * 60 + now.getMinutes("Europe/Berlin") < 540': (
        "the call is made before 09:00 (Europe/Berlin)"
    ),
    'date(now, "UTC") > date("2026-01-31")': "the day of the call (UTC) is after 2026-01-31",
    'agent_id == "billing-bot"': "the agent is “billing-bot”",
    "args.user == human_principal": "the user is the person it acts for",
    'args.changes.exists(c, c.field == "consent" && c.value == "yes")': (
        "for at least one of the changes, its field is “consent” and its value is “yes”"
    ),
    "args.a == 1 && (args.b == 2 || args.c == 3)": "the a is 1 and (the b is 2 or the c is 3)",
    "args.express ? args.amount <= 500 : args.amount <= 100": (
        "the amount is at most 500 where the express is true, and the amount is at most 100 elsewhere"
    ),
}
WORDLESS = (
    "args.payments.map(p, p.amount).sum() == args.total",
    'now.getHours("UTC") * 30 + now.getMinutes("UTC") < 540',  # looks like a time of day, and is none
    "facts.flights.exists(g, args.flights.exists(f, f.number == g.number))",
)


@pytest.mark.parametrize("text", WORDS)
def test_a_condition_in_words(text: str) -> None:
    assert condition_in_words(Condition.parse(text)) == WORDS[text]


@pytest.mark.parametrize("text", WORDLESS)
def test_what_has_no_plain_words_has_none(text: str) -> None:
    assert condition_in_words(Condition.parse(text)) is None


def test_every_condition_of_the_language_reference_is_either_said_or_left() -> None:
    boxes = re.findall(r"```cel\n(.*?)```", (ROOT / "docs/policy-language.md").read_text(), re.S)
    lines = [line for box in boxes for line in box.splitlines() if line]
    said = [condition_in_words(Condition.parse(line)) for line in lines]
    assert len(lines) > 20
    assert sum(words is not None for words in said) > len(said) / 2


def test_a_whole_policy_in_words() -> None:
    document = parse_policy_file((ROOT / "examples/policies/refunds/refunds.yaml").read_text()).document({})
    assert [rule_in_words(rule) for rule in document.rules] == [
        "Approved if the amount is at most 100 USD and the fact order status is “delivered”.",
        "Denied if the amount is more than the fact amount paid.",
        "Denied if the amount is more than 1,000 USD.",
        "A person decides if more than 30 days have passed since the date of the fact delivered at.",
    ]
    assert [limit_in_words(limit) for limit in document.limits] == [
        "The amount adds up to at most 2,000 USD within 1 day, for each agent. What goes beyond is denied.",
        "At most 1 call in total, for each order id. What goes beyond goes to a person.",
    ]


def test_alternatives_among_several_conditions_stand_in_parentheses() -> None:
    policy = parse_policy_file(
        "policy_id: p\ntools: [t]\nrules:\n  - id: r\n    effect: deny\n    when: ['args.a || args.b', 'args.c']\n"
        "    tools: [t]\n  - {id: all, effect: review, when: []}\n"
    )
    first, second = policy.document({}).rules
    assert rule_in_words(first) == "Denied if (the a is true or the b is true) and the c is true (for t)."
    assert rule_in_words(second) == "A person decides always."
    assert second.effect is Effect.REVIEW


def test_receivers_and_registers_in_words() -> None:
    payments = parse_policy_file((ROOT / "examples/policies/payments/payments.yaml").read_text()).document({})
    exports = parse_policy_file((ROOT / "examples/policies/data-export/data-export.yaml").read_text()).document({})
    assert destinations_in_words(payments.destinations[0]) == "Calls go only to *.bank.example."
    assert register_in_words(exports.registers[0]).endswith("for support or billing, as record of processing RPA-12.")
