"""What a definition has beside its rules, as a person writes it.

tables:
  free_bags: {gold: {economy: 3}}        # tables.free_bags["gold"]["economy"] in conditions
limits:
  - id: daily-refunds
    tools: [stripe_refund]               # left out: every tool that the policy covers
    when: []                             # which calls count; left out: all
    sum: money(args.amount, "USD")       # left out: every call counts 1
    per: [agent_id]                      # calls with the same values share one budget; left out: all of the tenant
    window: 24h                          # rolling s, m, h or d; or day, week, month, year; or ever
    timezone: Europe/Berlin              # of a calendar window; UTC when left out
    max: 1000
    effect: deny                         # or review
    source: "No agent refunds more than $1000 a day."
destinations:
  - {id: payees, tools: [], allow: ["api.stripe.com"], deny: [], source: ""}
registers:
  - {ref: RPA-7, purposes: [support], data_categories: [email], recipients: [], source: ""}
judge: {may: approve, when: ['money(args.amount, "USD") <= 50'], times: 3}
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ledgix.errors import FormatError
from ledgix.formats import jcs
from ledgix.formats.json import JsonObject
from ledgix_vault.policy.destinations import pattern_flaw
from ledgix_vault.policy.effect import Effect
from ledgix_vault.policy.marked import Marked, Members, Text
from ledgix_vault.policy.parts import CALENDAR_WINDOWS, EVER, ROLLING, Destinations, JudgeMay, Register
from ledgix_vault.policy.reading import DefinitionReader

MOST_PARTS: Final = 200
MOST_PATTERNS: Final = 500
MOST_TIMES: Final = 9
LARGEST_TABLES: Final = 64 * 1024
_LIMIT: Final = ("id", "tools", "when", "sum", "per", "window", "timezone", "max", "effect", "source")
_DESTINATIONS: Final = ("id", "tools", "allow", "deny", "source")
_REGISTER: Final = ("ref", "purposes", "data_categories", "recipients", "source")
_JUDGE: Final = ("may", "when", "times")
_NUMBER: Final = re.compile(r"(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,9})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class WrittenLimit:
    """A limit whose conditions and expressions aren't compiled yet."""

    id: str
    effect: Effect
    tools: tuple[str, ...]
    when: tuple[Text, ...]
    sum: Text | None
    per: tuple[Text, ...]
    window: str
    timezone: str
    most: Decimal
    source: str
    at: Marked


@dataclass(frozen=True, slots=True)
class WrittenJudge:
    """A judge's terms whose conditions aren't compiled yet."""

    may: JudgeMay
    when: tuple[Text, ...]
    times: int
    at: Marked


class PartsReader(DefinitionReader):
    """Reads these parts; each gives what it could read and keeps the problems."""

    def tables(self, node: Marked | None) -> JsonObject:
        if node is None:
            return {}
        if not isinstance(node, Members):
            self.problem(node, "must be a mapping of names to tables", "tables")
            return {}
        found = {name: self.value(value, f"tables.{name}") for name, (_, value) in node.members.items()}
        try:
            size = len(jcs.canonicalize(found))
        except FormatError as error:
            self.problem(node, str(error), "tables")
            return {}
        if size > LARGEST_TABLES:
            self.problem(node, f"tables have at most {LARGEST_TABLES // 1024} KiB", "tables")
        return found

    def limits(self, node: Marked | None) -> tuple[WrittenLimit, ...]:
        items = self.items(node, "limits", MOST_PARTS)
        found = [limit for i, item in enumerate(items) if (limit := self._limit(item, f"limits[{i}]"))]
        self.unique([(limit.id, limit.at) for limit in found], "limits")
        return tuple(found)

    def _limit(self, node: Marked, where: str) -> WrittenLimit | None:
        found = self.members(node, where, _LIMIT, required=("id", "window", "max"))
        effect = self.effect(found.get("effect"), f"{where}.effect") if "effect" in found else Effect.DENY
        if effect is Effect.APPROVE:
            self.problem(found["effect"], "a limit denies or asks for a review", f"{where}.effect")
        window = self._window(found.get("window"), f"{where}.window")
        most = self._number(found.get("max"), f"{where}.max")
        summed = found.get("sum")
        self.text(summed, f"{where}.sum")
        limit_id = self.id(found, "id", where)
        tools = self.tools(found.get("tools"), f"{where}.tools")
        when = self.conditions(found.get("when"), f"{where}.when")
        per = self.conditions(found.get("per"), f"{where}.per")
        timezone = self._timezone(found, window, f"{where}.timezone")
        source = self.text(found.get("source"), f"{where}.source")
        if effect is None or most is None:
            return None
        summed = summed if isinstance(summed, Text) else None
        return WrittenLimit(limit_id, effect, tools, when, summed, per, window, timezone, most, source, node)

    def _window(self, node: Marked | None, where: str) -> str:
        window = self.text(node, where)
        if node is not None and window not in (*CALENDAR_WINDOWS, EVER) and not ROLLING.fullmatch(window):
            self.problem(node, 'a window is like "24h" (s, m, h or d), or day, week, month, year, or ever', where)
        return window

    def _timezone(self, found: Mapping[str, Marked], window: str, where: str) -> str:
        node = found.get("timezone")
        name = self.text(node, where)
        if node is None:
            return "UTC"
        if window not in CALENDAR_WINDOWS:
            self.problem(node, "only a calendar window (day, week, month, year) has a time zone", where)
        elif not _is_zone(name):
            self.problem(node, f"`{name}` is no time zone, like Europe/Berlin", where)
        return name

    def _number(self, node: Marked | None, where: str) -> Decimal | None:
        if isinstance(node, Text) and _NUMBER.fullmatch(node.value):
            return Decimal(node.value)
        if node is not None:
            self.problem(node, "must be a number that isn't negative, like 1000 or 99.5", where)
        return None

    def destinations(self, node: Marked | None) -> tuple[Destinations, ...]:
        items = self.items(node, "destinations", MOST_PARTS)
        found = [self._destinations(item, f"destinations[{i}]") for i, item in enumerate(items)]
        self.unique([(each.id, item) for each, item in zip(found, items, strict=True)], "destinations")
        return tuple(found)

    def _destinations(self, node: Marked, where: str) -> Destinations:
        found = self.members(node, where, _DESTINATIONS, required=("id",))
        if isinstance(node, Members) and not found.keys() & {"allow", "deny"}:
            self.problem(node, "needs `allow`, `deny` or both", where)
        return Destinations(
            self.id(found, "id", where),
            self.tools(found.get("tools"), f"{where}.tools"),
            self.receivers(found.get("allow"), f"{where}.allow"),
            self.receivers(found.get("deny"), f"{where}.deny"),
            self.text(found.get("source"), f"{where}.source"),
        )

    def registers(self, node: Marked | None) -> tuple[Register, ...]:
        items = self.items(node, "registers", MOST_PARTS)
        found = [self._register(item, f"registers[{i}]") for i, item in enumerate(items)]
        self.unique([(each.ref, item) for each, item in zip(found, items, strict=True)], "registers")
        return tuple(found)

    def _register(self, node: Marked, where: str) -> Register:
        found = self.members(node, where, _REGISTER, required=("ref", "purposes", "data_categories"))
        return Register(
            self.id(found, "ref", where),
            self.patterns(found.get("purposes"), f"{where}.purposes"),
            self.patterns(found.get("data_categories"), f"{where}.data_categories"),
            self.receivers(found.get("recipients"), f"{where}.recipients"),
            self.text(found.get("source"), f"{where}.source"),
        )

    def patterns(self, node: Marked | None, where: str) -> tuple[str, ...]:
        """A list of texts, none of them empty."""
        items = self.items(node, where, MOST_PATTERNS)
        found = tuple(self.text(item, f"{where}[{i}]", longest=256) for i, item in enumerate(items))
        for item, text in zip(items, found, strict=True):
            if not text and isinstance(item, Text):
                self.problem(item, "must not be empty", where)
        if node is not None and not items:
            self.problem(node, "must not be an empty list; leave it out", where)
        return found

    def receivers(self, node: Marked | None, where: str) -> tuple[str, ...]:
        """Patterns of counterparties; one that could mean nobody is a flaw."""
        found = self.patterns(node, where)
        for item, text in zip(self.items(node, where, MOST_PATTERNS), found, strict=False):
            if text and (flaw := pattern_flaw(text)):
                self.problem(item, flaw, where)
        return found

    def judge(self, node: Marked | None) -> WrittenJudge | None:
        if node is None:
            return None
        found = self.members(node, "judge", _JUDGE, required=("may",))
        may = self.text(found.get("may"), "judge.may")
        if "may" in found and may not in list(JudgeMay):
            self.problem(found["may"], f"`{may}`: a judge may lower or approve", "judge.may")
        when = self.conditions(found.get("when"), "judge.when")
        times = self._number(found.get("times"), "judge.times") if "times" in found else Decimal(3)
        if times not in range(1, MOST_TIMES + 1):
            self.problem(found.get("times", node), f"must be a whole number from 1 to {MOST_TIMES}", "judge.times")
        if may == JudgeMay.APPROVE and not when:
            self.problem(node, "needs `when`: a judge approves only below a cap", "judge")
        if may not in list(JudgeMay) or times is None:
            return None
        return WrittenJudge(JudgeMay(may), when, int(times), node)


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
