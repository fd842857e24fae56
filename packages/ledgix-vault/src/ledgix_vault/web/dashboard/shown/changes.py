"""What one version of a policy changes of another, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ledgix_vault.policy.difference import Change, Turn, difference
from ledgix_vault.policy.effect import Effect
from ledgix_vault.policy.model import PolicyDocument, Rule
from ledgix_vault.policy.words import (
    destinations_in_words,
    limit_in_words,
    otherwise_in_words,
    register_in_words,
    retry_in_words,
    rule_in_words,
)

_HEADS = {
    "description": "Description",
    "otherwise": "Everything else",
    "action_category": "Category in the ledger",
    "judge": "Language model",
    "tools": "Tool",
    "sentences": "Sentence",
    "uncompiled": "Sentence that no rule stands for",
    "set_aside": "Sentence that doesn’t apply to calls",
    "tables": "Table",
    "rules": "Rule",
    "limits": "Limit",
    "destinations": "Receivers",
    "registers": "Record of processing",
    "sources": "Document",
    "retry_after_unknown": "Retry after an unknown outcome",
}


@dataclass(frozen=True, slots=True)
class ShownChange:
    """`before` and `after` are in words, "" where there is nothing."""

    turn: Turn
    head: str
    name: str
    before: str
    after: str


def shown_changes(before: PolicyDocument | None, after: PolicyDocument) -> tuple[list[ShownChange], bool]:
    """What changes, and whether only the wording of the definition differs."""
    found = difference(before, after)
    words_before, words_after = {} if before is None else dict(_parts(before)), dict(_parts(after))
    said = {*_said(before), *_said(after)}
    shown = [
        _shown(change, words_before, words_after)
        for change in found.changes
        if change.part != "rules" and not (change.part == "sentences" and change.name in said)
    ]
    shown += _rules(() if before is None else before.rules, after.rules)
    return shown, not shown and not found.is_empty


def _rules(before: Sequence[Rule], after: Sequence[Rule]) -> list[ShownChange]:
    """Rules by what they say: one that only has another number, because a sentence came before it, is the same."""
    old, new = _without(before, after), _without(after, before)
    later = {rule.id: rule for rule in new}
    changed = {rule.id for rule in old if rule.id in later}
    return [
        *(_rule(Turn.CHANGED, rule, later[rule.id]) for rule in old if rule.id in changed),
        *(_rule(Turn.ADDED, None, rule) for rule in new if rule.id not in changed),
        *(_rule(Turn.REMOVED, rule, None) for rule in old if rule.id not in changed),
    ]


def _rule(turn: Turn, before: Rule | None, after: Rule | None) -> ShownChange:
    named = after or before
    return ShownChange(
        turn,
        _HEADS["rules"],
        "" if named is None else named.id,
        "" if before is None else _rule_words(before),
        "" if after is None else _rule_words(after),
    )


def _without(rules: Sequence[Rule], others: Sequence[Rule]) -> list[Rule]:
    """Those of `rules` that aren't among `others`, whatever their ids are."""
    known = {_content(rule) for rule in others}
    return [rule for rule in rules if _content(rule) not in known]


def _content(rule: Rule) -> tuple[object, ...]:
    return rule.effect, rule.tools, rule.when, rule.source


def _rule_words(rule: Rule) -> str:
    return f"{rule.source} — {rule_in_words(rule)}" if rule.source else rule_in_words(rule)


def _said(document: PolicyDocument | None) -> Iterator[str]:
    """Sentences of which a rule, or the list of those without one, tells already."""
    if document is not None:
        yield from (rule.source for rule in document.rules)
        yield from document.uncompiled


def _shown(change: Change, before: dict[tuple[str, str], str], after: dict[tuple[str, str], str]) -> ShownChange:
    place = (change.part, change.name)
    old, new = before.get(place, ""), after.get(place, "")
    if not old and not new:  # a part without words of its own, or a text that is its own name
        old = "" if change.turn is Turn.ADDED else _plain(change, change.before)
        new = "" if change.turn is Turn.REMOVED else _plain(change, change.after)
    named = change.name if change.part in ("rules", "limits", "tables", "destinations", "registers") else ""
    return ShownChange(change.turn, _HEADS.get(change.part, change.part), named, old, new)


def _plain(change: Change, value: object) -> str:
    if change.part == "otherwise" and isinstance(value, str):
        return otherwise_in_words(Effect(value))
    if change.part == "sources" and isinstance(value, dict):
        settled = "the rules say all of it" if value.get("settled") else "not settled"
        return f"{value.get('name')} ({settled})"
    return value if isinstance(value, str) else "\n".join(change.lines)


def _parts(document: PolicyDocument) -> Iterator[tuple[tuple[str, str], str]]:
    for limit in document.limits:
        yield ("limits", limit.id), limit_in_words(limit)
    for destinations in document.destinations:
        yield ("destinations", destinations.id), destinations_in_words(destinations)
    for register in document.registers:
        yield ("registers", register.ref), register_in_words(register)
    if document.retry_after_unknown:
        yield ("retry_after_unknown", ""), retry_in_words(document)
