"""Examples at the edge of a sentence's rules, each decided by evaluating the rules: never by what they seem to say.

Every value that the rules look at gets candidates on both sides of what they compare it with. Around the call at which
most outcomes differ, one value at a time is changed, and what becomes of the call is what the evaluator says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice, product
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

from ledgix.formats.json import Json, JsonObject
from ledgix_vault.policy.call import Call
from ledgix_vault.policy.cel.inputs import spell
from ledgix_vault.policy.cel.times import parse_span
from ledgix_vault.policy.cel.tree import Binary, Function, Literal, Node, path_of, walk
from ledgix_vault.policy.effect import Effect
from ledgix_vault.policy.evaluate import evaluate
from ledgix_vault.policy.globs import covers, is_literal
from ledgix_vault.policy.model import PolicyDocument, Rule
from ledgix_vault.policy.money import MINOR_DIGITS, Path, Unit
from ledgix_vault.policy.schemas import ToolSchema
from ledgix_vault.policy.snapshot import ActivePolicy, Snapshot

MOST_CALLS: Final = 48
MOST_EXAMPLES: Final = 12
_NOON: Final = datetime(2026, 1, 7, 12, 0, tzinfo=UTC)  # a Wednesday
_MISSING: Final = "\0missing"
_NOW: Final[Path] = ("now",)
_AGENT: Final[Path] = ("agent_id",)

Values: TypeAlias = "dict[Path, Json]"


@dataclass(frozen=True, slots=True)
class Example:
    """`changed` is what differs from the other examples: "args.amount is 100.01"."""

    changed: str
    args: JsonObject
    facts: JsonObject
    agent_id: str
    at: str
    effect: Effect

    def to_json(self) -> JsonObject:
        return {
            "changed": self.changed,
            "args": self.args,
            "facts": self.facts,
            "agent_id": self.agent_id,
            "at": self.at,
            "effect": str(self.effect),
        }


def examples_of(rules: Sequence[Rule], tools: Sequence[str], schemas: Mapping[str, ToolSchema]) -> list[Example]:
    """At most MOST_EXAMPLES, each decided by `rules` alone, with everything that they don't stop approved."""
    tool = _tool(rules, tools, schemas)
    schema = schemas.get(tool)
    candidates = _candidates(rules, schema)
    snapshot = _snapshot(rules, tool, schemas)
    paths = [*candidates]
    best: list[Example] = []
    for values in islice(product(*candidates.values()), MOST_CALLS):
        around = dict(zip(paths, values, strict=True))
        found = [*_around(around, candidates, snapshot, tool, schema)]
        if len({_kind(each) for each in found}) > len({_kind(each) for each in best}) or not best:
            best = found
    return best[:MOST_EXAMPLES]


def _kind(example: Example) -> tuple[str, Effect]:
    return example.changed.split(" is ")[0], example.effect


def _around(
    values: Values, candidates: Mapping[Path, list[Json]], snapshot: Snapshot, tool: str, schema: ToolSchema | None
) -> Iterator[Example]:
    if not values:
        yield _decided("any call", values, snapshot, tool, schema)
    for path, several in candidates.items():
        missing = [] if path in (_NOW, _AGENT) else [_MISSING]
        for value in [*several, *missing]:
            shown = "missing" if value == _MISSING else spell(value)
            yield _decided(f"{'.'.join(path)} is {shown}", {**values, path: value}, snapshot, tool, schema)


def _decided(changed: str, values: Values, snapshot: Snapshot, tool: str, schema: ToolSchema | None) -> Example:
    args, facts = _filled(schema), dict[str, Json]()
    for path, value in values.items():
        if path[0] in ("args", "facts"):
            _put(args if path[0] == "args" else facts, path[1:], value)
    now = datetime.fromisoformat(str(values.get(_NOW, _NOON.isoformat())))
    agent = str(values.get(_AGENT, "some-agent"))
    micros = (now - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    call = Call(tool, args, agent, "", None, facts, {}, None, None, None, now=micros)
    at = now.isoformat() if _NOW in values or any(_is_time(value) for value in values.values()) else ""
    return Example(changed, args, facts, agent if _AGENT in values else "", at, evaluate(snapshot, call).effect)


def _is_time(value: Json) -> bool:
    return isinstance(value, str) and value[:2] == "20" and value[4:5] == "-"


def _put(into: JsonObject, path: Path, value: Json) -> None:
    for name in path[:-1]:
        inner = into.setdefault(name, {})
        assert isinstance(inner, dict)
        into = inner
    if value == _MISSING:
        into.pop(path[-1], None)
    else:
        into[path[-1]] = value


def _filled(schema: ToolSchema | None) -> JsonObject:
    """The arguments that the tool demands, with anything that fits."""
    args: JsonObject = {}
    properties = schema.schema.get("properties") if schema else None
    required = schema.schema.get("required") if schema else None
    if isinstance(properties, dict) and isinstance(required, list):
        for name in required:
            args[str(name)] = _anything(properties.get(str(name)))
    if schema:
        for path, money in schema.money.items():
            if money.currency_field:
                _put(args, money.currency_field, "USD")
            _put(args, path, 100)
    return args


def _anything(declared: Json) -> Json:
    if not isinstance(declared, dict):
        return "x"
    values = declared.get("enum")
    if isinstance(values, list) and values:
        return values[0]
    samples: dict[str, Json] = {"number": 1, "integer": 1, "boolean": True, "array": [], "object": {}, "null": None}
    return samples.get(str(declared.get("type")), "x")


def _tool(rules: Sequence[Rule], tools: Sequence[str], schemas: Mapping[str, ToolSchema]) -> str:
    own = rules[0].tools if rules else ()
    known = [name for name in (*filter(is_literal, tools), *schemas) if covers(tools, name) and covers(own, name)]
    return known[0] if known else (own or tuple(tools) or ("some_tool",))[0].replace("*", "").replace("?", "x") or "t"


def _snapshot(rules: Sequence[Rule], tool: str, schemas: Mapping[str, ToolSchema]) -> Snapshot:
    document = PolicyDocument("example", "", (tool,), tuple(rules), (), (), Effect.APPROVE, "", "")
    return Snapshot(0, (ActivePolicy(document, "", 0),), schemas, Effect.REVIEW)


def _candidates(rules: Sequence[Rule], schema: ToolSchema | None) -> dict[Path, list[Json]]:
    found: dict[Path, list[Json]] = {}
    for rule in rules:
        for condition in rule.when:
            for node, _ in walk(condition.node):
                for path, value in _edges(node, schema):
                    values = found.setdefault(path, [])
                    if value not in values:
                        values.append(value)
    return found


def _edges(node: Node, schema: ToolSchema | None) -> Iterator[tuple[Path, Json]]:
    """Values worth trying for the paths that one part of a condition compares."""
    match node:
        case Function(name="given", operands=(of,)) if path := path_of(of):
            yield path, "x"
        case Binary(operator="==", left=left, right=Literal(value=bool())) if path := path_of(left):
            yield path, True
            yield path, False
        case Binary(operator="<" | "<=" | ">" | ">=", left=left, right=Literal(value=int() | Decimal() as value)):
            yield from _numbers(left, value, schema)
        case Binary(operator="==" | "in", left=left, right=right):
            yield from _members(left, right)
        case Binary(operator=">" | "<=" | "<", left=left, right=Binary(operator="+") as right) if _span(right):
            yield from _starts(right, left)
        case Binary(operator=">" | "<", left=Binary(), right=Binary()):
            yield from _parts(node)
        case Binary(operator=">" | "<", right=Function(name="date", operands=(Literal(value=str() as text),))):
            day = datetime.fromisoformat(text).replace(hour=12, tzinfo=UTC)
            for shift in (-1, 0, 1):
                yield _NOW, (day + timedelta(days=shift)).isoformat()
        case _:
            return


def _numbers(left: Node, value: int | Decimal, schema: ToolSchema | None) -> Iterator[tuple[Path, Json]]:
    of, step = left, Decimal(1)
    match left:
        case Binary(left=Binary(left=Function(name="getHours", operands=(_, *zone)))):
            yield from _clock(int(value), zone)
            return
        case Function(name="money", operands=(of, Literal(value=str() as currency))):
            step = Decimal(1).scaleb(-MINOR_DIGITS[currency])
        case Function(name="money", operands=(of,)):
            step = Decimal("0.01")
        case _:
            pass
    path = path_of(of)
    if path is None or path[0] not in ("args", "facts"):
        return
    money = schema.money.get(path[1:]) if schema and path[0] == "args" else None
    scale = Decimal(1)
    if money and money.unit is Unit.MINOR and step < 1:
        scale = 1 / step
    for shown in (value - step, Decimal(value), value + step):
        exact = shown * scale
        yield path, int(exact) if exact == exact.to_integral_value() and (scale != 1 or step == 1) else exact


def _clock(minutes: int, zone: Sequence[Node]) -> Iterator[tuple[Path, Json]]:
    name = zone[0].value if zone and isinstance(zone[0], Literal) else "UTC"
    local = _NOON.astimezone(ZoneInfo(str(name))).replace(hour=0, minute=0)
    for shift in (-1, 0):
        yield _NOW, (local + timedelta(minutes=minutes + shift)).astimezone(UTC).isoformat()


def _members(left: Node, right: Node) -> Iterator[tuple[Path, Json]]:
    match left:
        case Function(name="getDayOfWeek"):
            for shift in range(7):
                yield _NOW, (_NOON + timedelta(days=shift)).isoformat()
            return
        case Function(name="lowerAscii", operands=(of,)):
            path, is_loose = path_of(of), True
        case _:
            path, is_loose = path_of(left), False
    literals = [node for node, _ in walk(right) if isinstance(node, Literal)]
    for literal in literals if path else ():
        if isinstance(literal.value, str) and path:
            is_currency = path[-1] == "currency"
            yield path, literal.value.upper() if is_loose and is_currency else literal.value
    if path and literals:
        yield path, "CHF" if path[-1] == "currency" else "something-else"


def _span(node: Binary) -> timedelta | None:
    match node.right:
        case Function(name="duration", operands=(Literal(value=str() as text),)):
            return parse_span(text)
        case _:
            return None


def _starts(right: Binary, left: Node) -> Iterator[tuple[Path, Json]]:
    span = _span(right)
    match right.left:
        case Function(name="timestamp" | "date" as kind, operands=(of,)) if span and (path := path_of(of)):
            step = timedelta(days=1) if kind == "date" else timedelta(seconds=1)
            for start in (_NOON - span + step, _NOON - span, _NOON - span - step, _NOON + step):
                yield path, start.date().isoformat() if kind == "date" else start.isoformat()
        case _:
            return


def _parts(node: Binary) -> Iterator[tuple[Path, Json]]:
    """The share that "at most 20% of the price" allows of a price of 100, and one beyond."""
    match node:
        case Binary(
            left=Binary(left=part), right=Binary(left=whole, right=Literal(value=int() | Decimal() as percent))
        ):
            a, b = path_of(part), path_of(whole)
            if a and b:
                yield b, 100
                for value in (Decimal(percent), percent + Decimal("0.01")):
                    yield a, value
        case _:
            return
