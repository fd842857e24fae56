"""What a definition has beside its rules: read, stored, read back; and every flaw with its place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import cast

import pytest

from ledgix.formats.json import JsonObject
from ledgix_vault.policy.effect import Effect
from ledgix_vault.policy.errors import PolicyError
from ledgix_vault.policy.model import PolicyDocument
from ledgix_vault.policy.parts import JudgeMay, Source
from ledgix_vault.policy.schemas import ToolSchema

WHOLE = """
rules:
  - {id: bags, effect: deny, when: ['args.bags > tables.free_bags[facts.level].economy']}
otherwise: approve
tables:
  free_bags: {gold: {economy: 3, rate: 0.5, open: true, name: "no"}}
limits:
  - id: daily
    tools: [stripe_refund]
    when: ['args.currency == "USD"']
    sum: money(args.amount, "USD")
    per: [agent_id, args.customer]
    window: month
    timezone: Europe/Berlin
    max: 1000.50
    effect: review
    source: "No agent refunds more than $1000.50 a month."
  - {id: rate, window: 15m, max: 10}
destinations:
  - {id: payees, allow: [api.stripe.com], deny: ["*.example"], source: "Only Stripe."}
registers:
  - {ref: RPA-7, purposes: [support], data_categories: [email], recipients: [api.stripe.com]}
judge: {may: approve, when: ['args.amount <= 50'], times: 2}
"""
SOURCE = Source("d", "v", "refunds.pdf", "00" * 32, settled=False)


def test_all_parts_are_read(draft: Callable[..., PolicyDocument]) -> None:
    document = draft(definition=WHOLE)
    daily, rate = document.limits
    assert (daily.effect, daily.most, daily.window, daily.timezone) == (
        Effect.REVIEW,
        Decimal("1000.50"),
        "month",
        "Europe/Berlin",
    )
    assert [expression.text for expression in daily.per] == ["agent_id", "args.customer"]
    assert (rate.effect, rate.sum, rate.per, rate.timezone) == (Effect.DENY, None, (), "UTC")
    assert document.tables == {
        "free_bags": {"gold": {"economy": 3, "rate": Decimal("0.5"), "open": True, "name": "no"}}
    }
    assert document.destinations[0].allow == ("api.stripe.com",)
    assert document.registers[0].ref == "RPA-7"
    assert document.judge is not None
    assert (document.judge.may, document.judge.times) == (JudgeMay.APPROVE, 2)


def test_the_stored_form_comes_back_whole(draft: Callable[..., PolicyDocument]) -> None:
    document = draft("Be nice.", "Refunds are fun.", definition=WHOLE, sources=[SOURCE], set_aside=["Be nice."])
    stored = document.to_json()
    assert stored["v"] == 2
    again = PolicyDocument.from_json(stored, {})
    assert again == document
    assert again.content_hash == document.content_hash
    assert again.open_text == ("Refunds are fun.", "the document refunds.pdf")


def test_rules_alone_keep_their_first_form(draft: Callable[..., PolicyDocument]) -> None:
    stored = draft("Refunds must not exceed $100").to_json()
    assert stored["v"] == 1
    assert "limits" not in stored


@pytest.mark.parametrize("member", ["tables", "limits", "judge", "sources", "set_aside"])
def test_a_stored_form_that_lacks_a_part_is_damage(member: str, draft: Callable[..., PolicyDocument]) -> None:
    stored = draft(definition=WHOLE).to_json()
    del stored[member]
    with pytest.raises(PolicyError, match=member):
        PolicyDocument.from_json(stored, {})


RULE = "rules: [{id: a, effect: approve, when: []}]\n"


@pytest.mark.parametrize("definition", [RULE, WHOLE])
def test_a_retry_is_told_in_a_form_of_its_own_and_old_hashes_stay(
    definition: str, draft: Callable[..., PolicyDocument]
) -> None:
    before, never = draft(definition=definition), draft(definition=definition + "retry_after_unknown: false\n")
    after = draft(definition=definition + "retry_after_unknown: true\n")
    assert (before.retry_after_unknown, never.retry_after_unknown, after.retry_after_unknown) == (False, False, True)
    assert before.to_json().keys() == never.to_json().keys()
    assert "retry_after_unknown" not in before.to_json()
    assert replace(never, definition=before.definition).content_hash == before.content_hash
    assert replace(after, definition=before.definition).content_hash != before.content_hash
    stored = after.to_json()
    assert stored["v"] == 3
    again = PolicyDocument.from_json(stored, {})
    assert (again, again.content_hash) == (after, after.content_hash)
    for damage in ({"retry_after_unknown": "true"}, {"v": 2}, {"v": 4}):
        with pytest.raises(PolicyError):
            PolicyDocument.from_json(stored | damage, {})


@pytest.mark.parametrize("bad", ["", "-1", "1e3", "NaN", 5, "1" * 31])
def test_a_stored_maximum_is_a_plain_number(bad: object, draft: Callable[..., PolicyDocument]) -> None:
    stored = draft(definition=WHOLE).to_json()
    cast(list[JsonObject], stored["limits"])[0]["max"] = bad  # type: ignore[assignment]
    with pytest.raises(PolicyError, match=r"limits\[0\].max"):
        PolicyDocument.from_json(stored, {})


def test_conditions_look_things_up_in_the_tables_of_their_own_policy(
    draft: Callable[..., PolicyDocument], decide: Callable[..., object]
) -> None:
    one = draft(definition='tables: {most: 5}\nrules: [{id: a, effect: deny, when: ["args.n > tables.most"]}]')
    other = draft(
        policy_id="z", definition='tables: {most: 9}\nrules: [{id: a, effect: deny, when: ["args.n > tables.most"]}]'
    )
    evaluation = decide({"n": 7}, one, other)
    assert [verdict.effect for verdict in evaluation.verdicts] == [Effect.DENY, Effect.REVIEW]  # type: ignore[attr-defined]


FLAWS = {
    "limits: [{id: a, window: 24x, max: 1}]": (1, 26, "a window is like"),
    "limits: [{id: a, window: 0h, max: 1}]": (1, 26, "a window is like"),
    "limits: [{id: a, window: day, max: -1}]": (1, 36, "isn't negative"),
    "limits: [{id: a, window: day, max: 1e3}]": (1, 36, "isn't negative"),
    "limits: [{id: a, window: day}]": (1, 10, "`max` is missing"),
    "limits: [{id: a, window: day, max: 1, effect: approve}]": (1, 47, "denies or asks for a review"),
    "limits: [{id: a, window: day, max: 1, timezone: Mars/Base}]": (1, 49, "is no time zone"),
    "limits: [{id: a, window: 1h, max: 1, timezone: UTC}]": (1, 48, "only a calendar window"),
    "limits: [{id: a, window: day, max: 1, sum: 'args.a >'}]": (1, 53, "ends too early"),
    "limits: [{id: a, window: day, max: 1, sum: agent_id}]": (1, 44, "a number"),
    "limits: [{id: a, window: day, max: 1, per: [args.a, nobody]}]": (1, 53, "there is no `nobody`"),
    "limits: [{id: a, window: day, max: 1}, {id: a, window: day, max: 1}]": (1, 40, "have the id `a`"),
    "destinations: [{id: a}]": (1, 16, "needs `allow`"),
    "destinations: [{id: a, allow: []}]": (1, 31, "empty list"),
    'destinations: [{id: a, allow: [""]}]': (1, 32, "must not be empty"),
    "registers: [{ref: a, purposes: [p]}]": (1, 13, "`data_categories` is missing"),
    "judge: {may: decide}": (1, 14, "may lower or approve"),
    "judge: {may: approve}": (1, 8, "only below a cap"),
    "judge: {may: lower, times: 10}": (1, 28, "from 1 to 9"),
    "judge: {may: lower, when: ['1']}": (1, 29, "true or false"),
    "tables: [1]\nrules: []": (1, 9, "a mapping of names"),
    "tables: {a: 2024-01-01}\nrules: []": (1, 13, "reads as a date"),
    "tables: {a: null}\nrules: []": (1, 13, "reads as null"),
    "tables: {a: 1.0e+999}\nrules: []": (1, 13, "every reader reads alike"),
    "otherwise: deny": (1, 1, "says nothing"),
}


@pytest.mark.parametrize("text", FLAWS)
def test_flaws_have_a_place(text: str, draft: Callable[..., PolicyDocument]) -> None:
    with pytest.raises(PolicyError) as refused:
        draft(definition=text)
    problem = refused.value.problems[0]
    line, column, message = FLAWS[text]
    assert (problem.line, problem.column) == (line, column), refused.value
    assert message in problem.message


def test_a_limit_is_typed_by_the_schema(
    draft: Callable[..., PolicyDocument], schema: Callable[..., dict[str, ToolSchema]]
) -> None:
    with pytest.raises(PolicyError, match="a string"):
        draft(
            definition="limits: [{id: a, window: day, max: 1, sum: args.amount}]",
            schemas=schema(amount={"type": "string"}),
        )
