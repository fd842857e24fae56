"""The definition of a policy's rules as a person writes it.

    rules:
      - id: small-refunds
        effect: approve              # approve, review or deny
        tools: [stripe_refund]       # globs; left out: every tool that the policy covers
        when:                        # conditions, all of which must hold; `[]`: always
          - args.amount >= 0
          - args.amount <= 100
        source: "Refunds up to $100 need nobody's approval."
    otherwise: review                # what becomes of calls that no rule speaks about
    action_category: payments
    retry_after_unknown: true        # one more mint of a call whose outcome is unknown; left out: false

Beside the rules it may have `tables` (constants for conditions), `limits` (budgets and rates), `destinations`,
`registers` (records of processing) and `judge`; `written.py` has their forms.

Unknown members are refused. Every flaw is reported, each with line and column.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from ledgix.formats.json import JsonObject
from ledgix_vault.policy.effect import Effect
from ledgix_vault.policy.errors import PolicyError, Problem
from ledgix_vault.policy.marked import Marked, Members, Text, read
from ledgix_vault.policy.parts import Destinations, Register
from ledgix_vault.policy.written import PartsReader, WrittenJudge, WrittenLimit

MOST_RULES: Final = 1000

_TOP: Final = (
    "rules",
    "otherwise",
    "action_category",
    "tables",
    "limits",
    "destinations",
    "registers",
    "judge",
    "retry_after_unknown",
)
_RULE: Final = ("id", "effect", "tools", "when", "source")
_PARTS: Final = frozenset(_TOP) - {"otherwise", "action_category", "tables", "retry_after_unknown"}


@dataclass(frozen=True, slots=True)
class WrittenRule:
    """A rule whose conditions aren't compiled yet. `at` is where it starts."""

    id: str
    effect: Effect
    tools: tuple[str, ...]
    when: tuple[Text, ...]
    source: str
    at: Marked


@dataclass(frozen=True, slots=True)
class Definition:
    """What a definition's text says. `otherwise` is review when it doesn't say."""

    rules: tuple[WrittenRule, ...]
    otherwise: Effect
    action_category: str
    tables: JsonObject = field(default_factory=dict)
    limits: tuple[WrittenLimit, ...] = ()
    destinations: tuple[Destinations, ...] = ()
    registers: tuple[Register, ...] = ()
    judge: WrittenJudge | None = None
    retry_after_unknown: bool = False


MEMBERS: Final = _TOP


def parse_definition(text: str) -> Definition:
    """Raises PolicyError with every flaw that was found."""
    root = read(text)
    reader = _Reader()
    top = reader.members(root, "the definition", _TOP)
    if isinstance(root, Members) and not top.keys() & _PARTS:
        reader.problem(root, f"says nothing: it needs {', '.join(sorted(_PARTS))}", "the definition")
    definition = _definition(reader, top)
    if reader.problems:
        raise PolicyError(reader.problems)
    return definition


def definition_in(reader: ProblemKeeper, top: Mapping[str, Marked]) -> Definition:
    """The definition whose members stand among others; its problems are added to the reader's."""
    own = _Reader()
    definition = _definition(own, {name: node for name, node in top.items() if name in _TOP})
    reader.problems.extend(own.problems)
    return definition


class ProblemKeeper(Protocol):
    """Whoever collects problems."""

    problems: list[Problem]


def _definition(reader: _Reader, top: Mapping[str, Marked]) -> Definition:
    rules = [reader.rule(item, i) for i, item in enumerate(reader.items(top.get("rules"), "rules", MOST_RULES))]
    reader.unique([(rule.id, rule.at) for rule in rules if rule], "rules")
    return Definition(
        tuple(rule for rule in rules if rule),
        reader.effect(top.get("otherwise"), "otherwise") or Effect.REVIEW,
        reader.text(top.get("action_category"), "action_category", longest=64),
        tables=reader.tables(top.get("tables")),
        limits=reader.limits(top.get("limits")),
        destinations=reader.destinations(top.get("destinations")),
        registers=reader.registers(top.get("registers")),
        judge=reader.judge(top.get("judge")),
        retry_after_unknown=reader.boolean(top.get("retry_after_unknown"), "retry_after_unknown"),
    )


class _Reader(PartsReader):
    """Rules, and all the rest."""

    def rule(self, node: Marked, number: int) -> WrittenRule | None:
        where = f"rules[{number}]"
        found = self.members(node, where, _RULE, required=("id", "effect", "when"))
        rule_id = self.id(found, "id", where)
        effect = self.effect(found.get("effect"), f"{where}.effect")
        when = self.conditions(found.get("when"), f"{where}.when")
        tools = self.tools(found.get("tools"), f"{where}.tools")
        source = self.text(found.get("source"), f"{where}.source")
        if effect is None:
            return None
        return WrittenRule(rule_id, effect, tools, when, source, node)
