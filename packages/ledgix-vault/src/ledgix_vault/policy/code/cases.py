"""Cases: calls with what is expected of them, as files that stand beside the policies.

    - why: A small refund needs nobody.
      call: {tool_name: stripe_refund, tool_args: {amount: 45, currency: USD}}
      expect: approve
    - why: The limit itself is allowed, a cent more is not.
      call: {tool_name: stripe_refund, tool_args: {amount: 1000.01, currency: USD}}
      expect: {effect: deny, rule: r1}

`call` has the fields of a clearance request, and `now` and `earlier` (calls of the session that were approved before)
where rules look at them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ledgix.formats.json import JsonObject
from ledgix_vault.policy.call import EarlierCall
from ledgix_vault.policy.cel.times import zone_named
from ledgix_vault.policy.effect import Effect
from ledgix_vault.policy.errors import PolicyError
from ledgix_vault.policy.evaluate import Evaluation
from ledgix_vault.policy.marked import Marked, Members, Text, read
from ledgix_vault.policy.reading import DefinitionReader

MOST_CASES: Final = 2000
_TEXTS: Final = (
    "tool_name",
    "agent_id",
    "session_id",
    "human_principal",
    "destination_uri",
    "destination_provider",
    "destination_account_ref",
    "purpose",
    "processing_register_ref",
    "now",
)
_CALL: Final = (*_TEXTS, "tool_args", "context", "data_categories", "earlier")
_EXPECT: Final = ("effect", "rule", "reason_code")


@dataclass(frozen=True, slots=True)
class Expectation:
    """`rule` has to have fired, `reason_code` has to be given; None where the case doesn't say."""

    effect: Effect
    rule: str | None = None
    reason_code: str | None = None

    def misses(self, found: Evaluation) -> list[str]:
        """What of it is not so, in words; empty if all of it holds."""
        said: list[str] = []
        if found.effect is not self.effect:
            said.append(f"expected {self.effect}, but it is {found.effect}")
        fired = {result.rule.id for verdict in found.verdicts for result in verdict.rules if result.outcome is True}
        if self.rule is not None and self.rule not in fired:
            said.append(f"rule {self.rule} did not fire; {', '.join(sorted(fired)) or 'no rule'} did")
        if self.reason_code is not None and found.reason_code != self.reason_code:
            said.append(f"expected reason_code {self.reason_code}, but it is {found.reason_code}")
        return said


@dataclass(frozen=True, slots=True)
class Case:
    """One call and what is expected of it. `line` is where it starts in its file."""

    why: str
    request: JsonObject
    now: int | None
    earlier: tuple[EarlierCall, ...]
    expect: Expectation
    line: int


def parse_cases(text: str) -> list[Case]:
    """Raises PolicyError with every flaw that was found, each with line and column."""
    reader = _CaseReader()
    items = reader.items(read(text), "the cases", MOST_CASES)
    found = [reader.case(item, f"[{i}]") for i, item in enumerate(items)]
    if reader.problems:
        raise PolicyError(reader.problems)
    return [case for case in found if case]


class _CaseReader(DefinitionReader):
    def case(self, node: Marked, where: str) -> Case | None:
        found = self.members(node, where, ("why", "call", "expect"), required=("why", "call", "expect"))
        why = self.text(found.get("why"), f"{where}.why")
        expect = self.expectation(found["expect"], f"{where}.expect") if "expect" in found else None
        call = self.members(found["call"], f"{where}.call", _CALL, required=("tool_name",)) if "call" in found else {}
        request: JsonObject = {
            name: self.value(value, f"{where}.call.{name}", may_be_null=True)
            for name, value in call.items()
            if name not in ("now", "earlier")
        }
        for name in _TEXTS:
            self.text(call.get(name), f"{where}.call.{name}")
        now = self.moment(call.get("now"), f"{where}.call.now")
        earlier = self.items(call.get("earlier"), f"{where}.call.earlier", 1000)
        calls = [self.earlier(item, f"{where}.call.earlier[{i}]") for i, item in enumerate(earlier)]
        if expect is None:
            return None
        return Case(why, request, now, tuple(one for one in calls if one), expect, node.line)

    def expectation(self, node: Marked, where: str) -> Expectation | None:
        if isinstance(node, Text):
            effect = self.effect(node, where)
            return Expectation(effect) if effect else None
        found = self.members(node, where, _EXPECT, required=("effect",))
        effect = self.effect(found.get("effect"), f"{where}.effect")
        rule = self.text(found.get("rule"), f"{where}.rule") or None
        code = self.text(found.get("reason_code"), f"{where}.reason_code") or None
        return Expectation(effect, rule, code) if effect else None

    def moment(self, node: Marked | None, where: str) -> int | None:
        """Microseconds since the Unix epoch."""
        text = self.text(node, where)
        if node is None or not text:
            return None
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            at = None
        if at is None or at.tzinfo is None:
            self.problem(node, 'must be a moment like "2026-06-01T12:00:00Z"', where)
            return None
        utc = zone_named("UTC")
        return int(at.astimezone(utc).timestamp()) * 1_000_000 + at.microsecond

    def earlier(self, node: Marked, where: str) -> EarlierCall | None:
        found = self.members(node, where, ("tool", "args", "at"), required=("tool",))
        tool = self.text(found.get("tool"), f"{where}.tool")
        args = self.value(found["args"], f"{where}.args", may_be_null=True) if "args" in found else {}
        at = self.moment(found.get("at"), f"{where}.at")
        if not isinstance(args, dict) or not isinstance(node, Members):
            self.problem(node, "`args` is a mapping", where)
            return None
        return EarlierCall(tool, args, at or 0)
