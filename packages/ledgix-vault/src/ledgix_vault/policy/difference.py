"""What changes between two versions of a policy, as data and in words.

It compares what the versions say, not how they were written: rules are matched by their ids, limits, destinations and
registers too, so that moving one up or down is no change. What is left when nothing else differs is wording: comments,
order and layout of the definition.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ledgix.formats import jcs
from ledgix.formats.json import Json, JsonObject
from ledgix_vault.policy.model import PolicyDocument

_KEYS: Final = {"rules": "id", "limits": "id", "destinations": "id", "registers": "ref", "sources": "document_id"}
_NOUNS: Final = {
    "rules": "rule",
    "tables": "table",
    "limits": "limit",
    "destinations": "destination list",
    "registers": "register",
    "sources": "document",
    "tools": "tool pattern",
    "sentences": "sentence",
    "uncompiled": "sentence that is not understood",
    "set_aside": "sentence that is set aside",
    "retry_after_unknown": "one retry after the outcome unknown",
}
_SETS: Final = ("tools", "sentences", "uncompiled", "set_aside")
_SINGLE: Final = ("description", "otherwise", "action_category", "judge", "retry_after_unknown")
_WRITING: Final = frozenset(("v", "policy_id", "definition"))
LONGEST_SHOWN: Final = 200


class Turn(StrEnum):
    """What became of something."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class MemberChange:
    """One member of something that changed; None where it wasn't there, or isn't any more."""

    name: str
    before: Json
    after: Json

    def to_json(self) -> JsonObject:
        return {"name": self.name, "before": self.before, "after": self.after}


@dataclass(frozen=True, slots=True)
class Change:
    """`part` is the member of the policy ("rules", "tools", "otherwise"), `name` which one of them, "" where there is
    only one. `members` say what changed inside."""

    turn: Turn
    part: str
    name: str
    before: Json
    after: Json
    members: tuple[MemberChange, ...] = ()

    def to_json(self) -> JsonObject:
        return {
            "change": str(self.turn),
            "part": self.part,
            "name": self.name,
            "before": self.before,
            "after": self.after,
            "members": [member.to_json() for member in self.members],
        }

    @property
    def lines(self) -> list[str]:
        """In words: a line, and one more for each member."""
        mark = {Turn.ADDED: "+", Turn.REMOVED: "-", Turn.CHANGED: "~"}[self.turn]
        if self.turn is Turn.CHANGED and not self.members:
            return [f"{mark} {self.title}: {_shown(self.before)} → {_shown(self.after)}"]
        head = f"{mark} {self.title}"
        if self.turn is Turn.CHANGED:
            return [head, *(line for member in self.members for line in _member_lines(member))]
        value = self.after if self.turn is Turn.ADDED else self.before
        return [head if self.part in _SETS else f"{head}: {_summary(self.part, value)}"]

    @property
    def title(self) -> str:
        """What it is about: "rule small-refunds"."""
        noun = _NOUNS.get(self.part, self.part)
        return f"{noun} {self.name}" if self.name else noun


@dataclass(frozen=True, slots=True)
class Difference:
    """Everything that changes; `only_wording` when the versions differ in nothing that could decide."""

    changes: tuple[Change, ...]
    only_wording: bool

    @property
    def is_empty(self) -> bool:
        """Whether the two are one and the same version."""
        return not self.changes and not self.only_wording

    def to_json(self) -> JsonObject:
        return {
            "changes": [change.to_json() for change in self.changes],
            "only_wording": self.only_wording,
            "text": self.text,
        }

    @property
    def text(self) -> str:
        """For people; one line for each change."""
        if self.only_wording:
            return "Only comments, order or layout of the definition differ."
        return "\n".join(line for change in self.changes for line in change.lines) or "Nothing differs."


def difference(before: PolicyDocument | None, after: PolicyDocument) -> Difference:
    """What `after` changes; without a `before` everything is added."""
    old = before.to_json() if before else {}
    new = after.to_json()
    changes = tuple(_changes(old, new))
    same = before is not None and before.content_hash == after.content_hash
    return Difference(changes, only_wording=not changes and not same)


def _changes(old: JsonObject, new: JsonObject) -> Iterator[Change]:
    for part in _parts(old, new):
        before, after = old.get(part), new.get(part)
        if part in _KEYS:
            yield from _mapped(part, _by_name(before, _KEYS[part]), _by_name(after, _KEYS[part]))
        elif part == "tables":
            yield from _mapped(part, _mapping(before), _mapping(after))
        elif part in _SETS:
            yield from _set(part, _texts(before), _texts(after))
        elif (before or after) and not _same(before, after):
            yield _single(part, before, after)


def _parts(old: JsonObject, new: JsonObject) -> list[str]:
    """The members that say something, in a settled order; those that nobody named here come last."""
    known = [*_SINGLE, *_SETS, "tables", *_KEYS]
    return [*known, *sorted((old.keys() | new.keys()) - set(known) - _WRITING)]


def _mapped(part: str, before: Mapping[str, Json], after: Mapping[str, Json]) -> Iterator[Change]:
    for name, value in after.items():
        if name not in before:
            yield Change(Turn.ADDED, part, name, None, value)
        elif not _same(before[name], value):
            yield Change(Turn.CHANGED, part, name, before[name], value, tuple(_members(before[name], value)))
    for name, value in before.items():
        if name not in after:
            yield Change(Turn.REMOVED, part, name, value, None)


def _members(before: Json, after: Json) -> Iterator[MemberChange]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in [*before, *(name for name in after if name not in before)]:
            if not _same(before.get(name), after.get(name)):
                yield MemberChange(name, before.get(name), after.get(name))


def _set(part: str, before: Sequence[str], after: Sequence[str]) -> Iterator[Change]:
    for text in dict.fromkeys(after):
        if text not in before:
            yield Change(Turn.ADDED, part, text, None, text)
    for text in dict.fromkeys(before):
        if text not in after:
            yield Change(Turn.REMOVED, part, text, text, None)


def _single(part: str, before: Json, after: Json) -> Change:
    if not before:
        return Change(Turn.ADDED, part, "", before, after)
    if not after:
        return Change(Turn.REMOVED, part, "", before, after)
    return Change(Turn.CHANGED, part, "", before, after, tuple(_members(before, after)))


def _same(before: Json, after: Json) -> bool:
    """By value as it is stored, so that 1 and 1.0 are the same and true and 1 are not."""
    return jcs.canonicalize(before) == jcs.canonicalize(after)


def _by_name(items: Json, key: str) -> dict[str, Json]:
    if not isinstance(items, list):
        return {}
    return {str(item[key]): item for item in items if isinstance(item, dict) and key in item}


def _mapping(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, dict) else {}


def _texts(value: Json) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _member_lines(member: MemberChange) -> list[str]:
    before, after = member.before, member.after
    if isinstance(before, list) and isinstance(after, list):
        gone = [f"    - {_shown(item)}" for item in before if item not in after]
        come = [f"    + {_shown(item)}" for item in after if item not in before]
        if gone or come:
            return [f"    {member.name}:", *(f"  {line}" for line in (*gone, *come))]
        return [f"    {member.name}: in another order"]
    return [f"    {member.name}: {_shown(before)} → {_shown(after)}"]


def _summary(part: str, value: Json) -> str:
    if part != "rules" or not isinstance(value, dict):
        return _shown(value)
    conditions = " and ".join(_texts(value.get("when")))
    said = f"{value.get('effect')} {f'when {conditions}' if conditions else 'always'}"
    tools = ", ".join(_texts(value.get("tools")))
    return f"{said} (for {tools})" if tools else said


def _shown(value: Json) -> str:
    if value is None or value == "":
        return "nothing"
    text = value if isinstance(value, str) else jcs.canonicalize(value).decode()
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 1] + "…"
