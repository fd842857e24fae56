"""What changes between two versions of a policy."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ledgix_vault.policy.difference import Turn, difference
from ledgix_vault.policy.model import PolicyDocument
from ledgix_vault.web.dashboard.shown.changes import shown_changes
from ledgix_vault.web.dashboard.shown.rules import shown_policy

Draft = Callable[..., PolicyDocument]
BEFORE = """
rules:
  - {id: small, effect: approve, when: [args.amount >= 0, args.amount <= 100]}
  - {id: large, effect: deny, when: [args.amount > 1000], source: "At most $1000."}
otherwise: review
"""


@pytest.fixture
def before(draft: Draft) -> PolicyDocument:
    return draft(definition=BEFORE)


def test_a_version_is_no_different_from_itself(draft: Draft, before: PolicyDocument) -> None:
    found = difference(before, draft(definition=BEFORE))
    assert found.is_empty
    assert found.text == "Nothing differs."


def test_comments_layout_and_order_are_wording(draft: Draft, before: PolicyDocument) -> None:
    lines = BEFORE.strip().splitlines()
    after = draft(definition="\n".join(["# the same", lines[0], lines[2], lines[1], lines[3]]))
    found = difference(before, after)
    assert (found.changes, found.only_wording, found.is_empty) == ((), True, False)


def test_all_of_a_first_version_is_added(before: PolicyDocument) -> None:
    found = difference(None, before)
    assert {change.turn for change in found.changes} == {Turn.ADDED}
    assert "+ rule small: approve when args.amount >= 0 and args.amount <= 100" in found.text.splitlines()
    assert "+ tool pattern stripe_refund" in found.text.splitlines()


def test_rules_are_matched_by_their_ids(draft: Draft, before: PolicyDocument) -> None:
    after = draft(
        definition="""
        rules:
          - {id: large, effect: review, when: [args.amount > 1000], source: "At most $1000."}
          - {id: odd, effect: deny, when: []}
        otherwise: deny
        """,
        tools=["stripe_refund", "paypal_*"],
    )
    found = difference(before, after)
    assert [(change.turn, change.part, change.name) for change in found.changes] == [
        (Turn.CHANGED, "otherwise", ""),
        (Turn.ADDED, "tools", "paypal_*"),
        (Turn.CHANGED, "rules", "large"),
        (Turn.ADDED, "rules", "odd"),
        (Turn.REMOVED, "rules", "small"),
    ]
    assert found.text.splitlines() == [
        "~ otherwise: review → deny",
        "+ tool pattern paypal_*",
        "~ rule large",
        "    effect: deny → review",
        "+ rule odd: deny always",
        "- rule small: approve when args.amount >= 0 and args.amount <= 100",
    ]


def test_the_conditions_that_came_and_went_are_shown_one_by_one(draft: Draft, before: PolicyDocument) -> None:
    after = draft(definition=BEFORE.replace("args.amount <= 100]", "args.amount <= 50]"))
    found = difference(before, after)
    assert found.text.splitlines() == [
        "~ rule small",
        "    when:",
        "      - args.amount <= 100",
        "      + args.amount <= 50",
    ]
    (change,) = found.changes
    assert [member.name for member in change.members] == ["when"]


def test_sentences_and_what_is_not_understood(draft: Draft) -> None:
    found = difference(draft("Refunds must not exceed $100"), draft("Refunds must not exceed $100", "Be kind"))
    assert found.text.splitlines()[-3:] == [
        "~ otherwise: approve → review",
        "+ sentence Be kind",
        "+ sentence that is not understood Be kind",
    ]


def test_as_data(draft: Draft, before: PolicyDocument) -> None:
    after = draft(definition=BEFORE.replace("otherwise: review", "otherwise: deny"))
    assert difference(before, after).to_json() == {
        "changes": [
            {
                "change": "changed",
                "part": "otherwise",
                "name": "",
                "before": "review",
                "after": "deny",
                "members": [],
            }
        ],
        "only_wording": False,
        "text": "~ otherwise: review → deny",
    }


def test_a_retry_that_is_allowed_and_no_more(draft: Draft, before: PolicyDocument) -> None:
    after = draft(definition=BEFORE + "retry_after_unknown: true\n")
    assert difference(before, after).text == "+ one retry after the outcome unknown: true"
    assert difference(after, before).text == "- one retry after the outcome unknown: true"
    (shown,), only_wording = shown_changes(before, after)
    assert not only_wording
    assert (shown.head, shown.before) == ("Retry after an unknown outcome", "")
    assert "tried once more" in shown.after
    (gone,), _ = shown_changes(after, before)
    assert (gone.before, gone.after) == (shown.after, "")
    assert any("tried once more" in part for part in shown_policy(after, (), {}).further)
    assert not shown_policy(before, (), {}).further
