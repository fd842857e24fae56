"""A policy file: what it compiles to is what registering it makes."""

from __future__ import annotations

import pytest

from ledgix.formats import json
from ledgix_vault.policy.code.policy_file import parse_policy_file
from ledgix_vault.policy.errors import PolicyError

WITH_FACTS = """
policy_id: orders
tools: [cancel_order]
facts: {order_status: {enum: [open, delivered]}}
sentences: [The order status must be open]
"""


def test_sentences_may_name_declared_facts_by_words() -> None:
    file = parse_policy_file(WITH_FACTS)
    document = file.document({})
    assert document.uncompiled == ()
    assert "facts.order_status" in document.rules[0].when[0].text
    assert file.registration()["facts"] == {"order_status": {"enum": ["open", "delivered"]}}


def test_without_the_declaration_the_sentence_stays_text() -> None:
    file = parse_policy_file(WITH_FACTS.replace("facts:", "tables:"))
    assert file.document({}).uncompiled == ("The order status must be open",)


def test_a_file_compiles_to_what_its_registration_makes() -> None:
    text = "policy_id: a\ntools: [x]\nlimits: [{id: n, window: day, max: 3.50}]\ntables: {t: {k: 1.50}}\n"
    file = parse_policy_file(text)
    definition = file.registration()["definition"]
    assert json.parse_object(str(definition).encode())["tables"] == {"t": {"k": json.parse(b"1.5")}}
    assert str(file.document({}).limits[0].most) == "3.50"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("tools: [x]", 1, "`policy_id` is missing"),
        ("policy_id: a\ntools: [x]", 1, "says nothing"),
        ("policy_id: a\nrules: []\nfacts: [x]", 3, "must be a mapping"),
        ("policy_id: a\nrule: []", 2, "unknown member"),
        ("policy_id: a\nrules:\n  - {id: b, effect: deny, when: [args.a >]}", 3, "ends too early"),
    ],
)
def test_flaws_have_their_place_in_the_file(text: str, line: int, message: str) -> None:
    with pytest.raises(PolicyError) as refused:
        parse_policy_file(text).document({})
    assert [(problem.line, message in problem.message) for problem in refused.value.problems[:1]] == [(line, True)]
