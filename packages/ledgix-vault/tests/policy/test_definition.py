"""The text of a definition: every flaw is found, each with line and column, and YAML plays no tricks."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledgix_vault.policy.definition import parse_definition
from ledgix_vault.policy.errors import PolicyError, Problem
from ledgix_vault.policy.marked import LONGEST
from ledgix_vault.policy.model import Effect, PolicyDocument

WHOLE = """\
rules:
  - id: small-refunds
    effect: approve
    tools: [stripe_refund]
    when:
      - args.amount >= 0
      - 'args.amount <= 100'
    source: "Refunds up to $100 need nobody's approval."
otherwise: deny
action_category: payments
"""
RULE = "rules: [{id: a, effect: deny, when: ["


def test_a_whole_definition(draft: Callable[..., PolicyDocument]) -> None:
    document = draft(definition=WHOLE)
    (rule,) = document.rules
    assert (rule.id, rule.effect, rule.tools) == ("small-refunds", Effect.APPROVE, ("stripe_refund",))
    assert [condition.text for condition in rule.when] == ["args.amount >= 0", "args.amount <= 100"]
    assert (document.otherwise, document.action_category, document.definition) == (Effect.DENY, "payments", WHOLE)


def test_json_is_the_same_language(draft: Callable[..., PolicyDocument]) -> None:
    text = '{"rules":[{"id":"a","effect":"deny","when":["args.note == \\"\\ud83d\\ude00\\/\\u0041\\""]}]}'
    assert draft(definition=text).rules[0].when[0].text == 'args.note == "😀/A"'


FLAWS = {
    "": [(1, 1, "empty")],
    "# nothing": [(1, 1, "empty")],
    "5": [(1, 1, "must be a mapping")],
    "{}": [(1, 1, "says nothing")],
    "rules: 5": [(1, 8, "must be a list")],
    "rules: []\nrules: []": [(2, 1, "`rules` stands here twice")],
    "rules: []\nrule: []": [(2, 1, "unknown member `rule`")],
    "rules: []\notherwise: maybe": [(2, 12, "`maybe` is no effect")],
    "rules: []\notherwise: no": [(2, 12, "reads as true or false")],
    "rules: []\nretry_after_unknown: yes": [(2, 22, "must be true or false")],
    "rules: []\nretry_after_unknown: 'true'": [(2, 22, "must be true or false")],
    "rules: []\nretry_after_unknown: [true]": [(2, 22, "must be true or false")],
    "rules: []\nretry_after_unknown: 1": [(2, 22, "must be true or false")],
    "retry_after_unknown: true": [(1, 1, "says nothing")],
    "rules: [{id: a, effect: deny}]": [(1, 9, "`when` is missing")],
    "rules: [{id: a, effect: deny, when: args.a == 1}]": [(1, 37, "must be a list")],
    "rules: [{id: 1, effect: deny, when: []}]": [
        (1, 14, "`1` reads as a number"),
    ],
    "rules: [{id: a b, effect: deny, when: []}]": [(1, 14, "an id has")],
    "rules: [{id: a, effect: deny, when: []}, {id: a, effect: deny, when: []}]": [(1, 42, "two rules have the id `a`")],
    f"{RULE}yes]}}]": [(1, 38, "reads as true or false")],
    f"{RULE}2024-01-01]}}]": [(1, 38, "reads as a date")],
    f"{RULE}~]}}]": [(1, 38, "reads as null")],
    f"{RULE}1_000]}}]": [(1, 38, "reads as a number")],
    f"{RULE}args.a: 1]}}]": [(1, 38, "must be a text; put it in quotes")],
    f"{RULE}args.a = 1, args.b > ]}}]": [(1, 45, "write `==`"), (1, 58, "ends too early")],
    f"{RULE}'args.a = 1']}}]": [(1, 46, "write `==`")],
    f'{RULE}"args.\\u0061 = 1"]}}]': [(1, 38, "write `==`")],
    "rules:\n- id: a\n  effect: deny\n  when:\n  - |\n    args.a == 1 &&\n      args.b = 2\n": [(7, 14, "write `==`")],
    "rules:\n- id: a\n  effect: deny\n  when:\n  - >\n    args.a == 1 &&\n    args.b = 2\n": [(5, 5, "write `==`")],
    "rules:\n- id: a\n  effect: deny\n  when:\n  - args.a == 1 &&\n    args.b = 2\n": [(5, 5, "write `==`")],
    'rules: [{id: a, effect: deny, when: [], tools: [""]}]': [(1, 49, "a tool pattern isn't empty")],
    "rules: [{id: a, effect: deny, when: [], tool: x}]": [(1, 41, "unknown member `tool`")],
    "rules: &x []\notherwise: *x": [(1, 8, "anchors and aliases")],
    "rules: !!python/name:os.system x": [(1, 8, "tags are not used")],
    "rules: !!seq []": [(1, 8, "tags are not used")],
    "rules: []\n---\nrules: []": [(2, 1, "one YAML document")],
    "rules: [": [(1, 9, "expected the node content")],
    "rules: []\n\tx: 1": [(2, 1, "cannot start any token")],
    "rules: [\x00]": [(1, 9, "doesn't allow")],
    "[" * 30: [(1, 13, "nested more than")],
    "? [a]\n: 1": [(1, 3, "a key must be a plain name")],
    'rules: []\naction_category: "\\ud800"': [(2, 18, "surrogate")],
    "rules: []\naction_category: " + "x" * 65: [(2, 18, "longer than 64")],
}


@pytest.mark.parametrize("text", FLAWS)
def test_flaws_have_a_place(text: str, draft: Callable[..., PolicyDocument]) -> None:
    with pytest.raises(PolicyError) as refused:
        draft(definition=text)
    found = [(problem.line, problem.column) for problem in refused.value.problems]
    assert found == [(line, column) for line, column, _ in FLAWS[text]], refused.value
    for problem, (_, _, message) in zip(refused.value.problems, FLAWS[text], strict=True):
        assert message in problem.message


def test_every_flaw_is_reported_at_once(draft: Callable[..., PolicyDocument]) -> None:
    text = "rules:\n  - {id: a, effect: allow, when: [no], x: 1}\n  - 5\n  - {id: b, when: []}\nfoo: 1\n"
    with pytest.raises(PolicyError) as refused:
        draft(definition=text)
    assert [problem.line for problem in refused.value.problems] == [5, 2, 2, 2, 3, 4]


def test_a_problem_reads_as_a_sentence_and_as_json() -> None:
    with pytest.raises(PolicyError) as refused:
        parse_definition("rules: []\nrule: []")
    (problem,) = refused.value.problems
    assert str(problem) == (
        "line 2, column 1: the definition: unknown member `rule` Known fields: rules, otherwise, action_category,"
        " tables, limits, destinations, registers, judge, retry_after_unknown."
    )
    assert problem.to_json() == {
        "message": "unknown member `rule`",
        "line": 2,
        "column": 1,
        "where": "the definition",
        "known_fields": [
            *("rules", "otherwise", "action_category"),
            *("tables", "limits", "destinations", "registers", "judge", "retry_after_unknown"),
        ],
    }


@pytest.mark.parametrize("text", ["x" * (LONGEST + 1), "- " * 60_000, "[" * 120_000, "a:\n" * 40_000, "{a: " * 30_000])
def test_a_hostile_definition_is_refused_soon(text: str) -> None:
    started = time.perf_counter()
    with pytest.raises(PolicyError):
        parse_definition(text)
    assert time.perf_counter() - started < 3


@given(st.text(max_size=200) | st.text("ab:-[]{}&*!|>'\"#%@`,?\n\t 1", max_size=80))
def test_any_text_is_a_definition_or_refused(text: str) -> None:
    problems: tuple[Problem, ...] = ()
    try:
        parse_definition(text)
    except PolicyError as error:
        problems = error.problems
        assert problems
    assert all(p.line is not None and p.line >= 1 and (p.column or 0) >= 1 for p in problems)


@pytest.mark.parametrize(
    ("further", "where"),
    [
        ({"policy_id": ""}, "policy_id"),
        ({"policy_id": "x" * 257}, "policy_id"),
        ({"tools": [""]}, "tools[0]"),
        ({"tools": ["x" * 257]}, "tools[0]"),
        ({"tools": ["t"] * 501}, "tools"),
    ],
)
def test_what_surrounds_the_rules_has_bounds(
    further: dict[str, object], where: str, draft: Callable[..., PolicyDocument]
) -> None:
    with pytest.raises(PolicyError) as refused:
        draft(**further)
    assert refused.value.problems[0].where == where


def test_sentences_have_bounds(draft: Callable[..., PolicyDocument]) -> None:
    with pytest.raises(PolicyError):
        draft("x" * 4001)
    with pytest.raises(PolicyError):
        draft(*["x"] * 501)


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("https://api.stripe.com", "is no pattern of a host"),
        ("api.stripe.com:443", "is no pattern of a host"),
        ("api.stripe.com/v1", "is no pattern of a host"),
        ("host:", "names nothing after its prefix"),
        ("a:b", "write account:a:b if it is one"),
        ("[::1", "is no IPv6 address"),
        ("[::g]", "is no IPv6 address"),
        ("faß.example", "is no pattern of a host"),
    ],
)
@pytest.mark.parametrize("place", ["destinations: [{id: d, allow: [X]}]", "destinations: [{id: d, deny: [X]}]"])
def test_a_pattern_that_could_mean_nobody(pattern: str, said: str, place: str) -> None:
    with pytest.raises(PolicyError) as refused:
        parse_definition(place.replace("X", f'"{pattern}"'))
    (problem,) = refused.value.problems
    assert said in problem.message
    assert (problem.line, problem.column) == (1, place.index("X") + 1)
