"""Documents and snapshots: stored and read back, hashed, indexed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledgix.formats import jcs, json
from ledgix_vault.policy import snapshot as snapshots
from ledgix_vault.policy.errors import PolicyError
from ledgix_vault.policy.evaluate import Call, evaluate
from ledgix_vault.policy.globs import covers, matches
from ledgix_vault.policy.model import Effect, PolicyDocument
from ledgix_vault.policy.schemas import ToolSchema
from ledgix_vault.policy.snapshot import ActivePolicy, Snapshot

SENTENCES = ["Refunds must not exceed $1,000.50", "currency must be USD or EUR", "ask Ann", "an order id is required"]
DEFINITION = """
rules:
  - {id: ok, effect: approve, when: ['args.note == "é😀" || args.l.all(i, i < 1.50)'], source: "§ 1"}
otherwise: deny
action_category: payments
"""


def test_a_document_survives_the_store(draft: Callable[..., PolicyDocument]) -> None:
    document = draft(*SENTENCES, definition=DEFINITION, tools=["stripe_refund", "stripe_refund"])
    stored = jcs.canonicalize(document.to_json())
    again = PolicyDocument.from_json(json.parse_object(stored), {})
    assert again == document
    assert again.content_hash == document.content_hash
    assert jcs.canonicalize(again.to_json()) == stored
    assert document.uncompiled == ("ask Ann",)
    assert document.tools == ("stripe_refund",)
    assert [rule.id for rule in document.rules] == ["ok", "r1", "r2", "r4"]


def test_the_content_hash_is_pinned(draft: Callable[..., PolicyDocument]) -> None:
    document = draft(*SENTENCES[:2])
    assert document.content_hash == PINNED
    assert jcs.sha256_hex(document.to_json()) == PINNED


PINNED = "089822c3892979af33029ed27624f35bbe49e037ad69c417bc842e1b84e67029"


@given(st.sampled_from(["policy_id", "description", "tools", "rules", "uncompiled", "sentences", "definition"]))
def test_every_member_is_in_the_content_hash(name: str) -> None:
    from ledgix_vault.policy.draft import draft_policy

    document = draft_policy(
        policy_id="p", description="", sentences=SENTENCES, tools=["t"], definition=None, schemas={}
    )
    value = getattr(document, name)
    changed: Any = value + "x" if isinstance(value, str) else (*value, *value[:1])
    assert replace(document, **{name: changed}).content_hash != document.content_hash


@pytest.mark.parametrize(
    "damage",
    [
        {"v": 2},
        {"policy_id": 5},
        {"tools": "stripe_refund"},
        {"tools": [5]},
        {"rules": {}},
        {"rules": [5]},
        {"rules": [{"id": "a"}]},
        {"otherwise": "perhaps"},
        {"surprise": 1},
        {"rules": [{"id": "a", "effect": "deny", "tools": [], "when": ["args.a ="], "source": "", "assumptions": []}]},
        {"rules": [{"id": "a", "effect": "dny", "tools": [], "when": [], "source": "", "assumptions": []}]},
    ],
)
def test_a_damaged_document_is_refused(damage: dict[str, Any], draft: Callable[..., PolicyDocument]) -> None:
    with pytest.raises(PolicyError):
        PolicyDocument.from_json(draft(*SENTENCES).to_json() | damage, {})


def test_otherwise_approve_in_a_stored_document_is_checked_again(
    draft: Callable[..., PolicyDocument], snapshot: Callable[..., Snapshot], call: Callable[..., Call]
) -> None:
    forged = replace(draft("ask Ann"), otherwise=Effect.APPROVE, uncompiled=())
    assert evaluate(snapshot(forged), call({"amount": 1})).effect is Effect.REVIEW


def test_the_snapshot_hash_covers_versions_schemas_and_default(
    draft: Callable[..., PolicyDocument], schema: Callable[..., dict[str, ToolSchema]]
) -> None:
    a = ActivePolicy(draft(policy_id="a"), "v1", 1)
    b = ActivePolicy(draft(policy_id="b"), "v1", 1)
    one = Snapshot(1, (a, b), {}, Effect.REVIEW)
    assert one.hash == Snapshot(2, (b, a), {}, Effect.REVIEW).hash
    different = [
        Snapshot(1, (a,), {}, Effect.REVIEW),
        Snapshot(1, (a, b), {}, Effect.DENY),
        Snapshot(1, (a, replace(b, version_id="v2")), {}, Effect.REVIEW),
        Snapshot(1, (a, replace(b, document=draft("x", policy_id="b"))), {}, Effect.REVIEW),
        Snapshot(1, (a, b), schema(), Effect.REVIEW),
        Snapshot(1, (a, b), schema("other"), Effect.REVIEW),
    ]
    assert len({one.hash, *(other.hash for other in different)}) == 7


def test_coverage_is_remembered_within_bounds(
    draft: Callable[..., PolicyDocument], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "MOST_REMEMBERED", 3)
    active = Snapshot(1, (ActivePolicy(draft(tools=["t*"]), "v", 1),), {}, Effect.REVIEW)
    first = active.coverage("t0")
    assert active.coverage("t0") is first
    for i in range(20):
        assert len(active.coverage(f"t{i}").plans) == 1
        assert active.coverage(f"x{i}").plans == ()
    assert len(active._remembered) <= 3


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("stripe_refund", "stripe_refund", True),
        ("stripe_refund", "stripe_refund2", False),
        ("stripe_*", "stripe_", True),
        ("*refund", "stripe_refund", True),
        ("*refund*", "a.refund.b", True),
        ("a?c", "abc", True),
        ("a?c", "ac", False),
        ("", "", True),
        ("*", "", True),
        ("a*b*c", "aXbXbXc", True),
        ("a*b*c", "aXbX", False),
        ("[ab]", "a", False),
        ("[ab]", "[ab]", True),
        ("A", "a", False),
        ("*" * 200 + "x", "y" * 256, False),
        ("*a" * 100 + "b", "a" * 256, False),
    ],
)
def test_globs(pattern: str, name: str, expected: bool) -> None:
    assert matches(pattern, name) is expected


@given(st.lists(st.sampled_from("ab*?"), max_size=8), st.text("ab", max_size=8))
def test_globs_are_what_they_say(pattern: list[str], name: str) -> None:
    import re

    spelled = "".join({"*": ".*", "?": "."}.get(character, character) for character in pattern)
    assert matches("".join(pattern), name) is bool(re.fullmatch(spelled, name))


def test_no_patterns_mean_every_tool() -> None:
    assert covers([], "anything")
    assert not covers(["a"], "b")
