"""What a tool's arguments look like: JSON Schema, with our annotation for money.

`"x-ledgix-money": {"currency": "USD" | {"field": "currency"}, "unit": "minor" | "major"}` stands beside the `type` of
a number. Nothing is ever fetched: a `$ref` points into the same schema or the schema is refused. Patterns run on a
linear-time engine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final, Protocol

import jsonschema_rs

from ledgix.formats import jcs
from ledgix.formats.json import Json, JsonObject
from ledgix_vault.policy.cel.inputs import spell
from ledgix_vault.policy.cel.types import ANY, BOOL, NULL, NUMBER, STRING, Kind, Type
from ledgix_vault.policy.errors import PolicyError, Problem
from ledgix_vault.policy.money import MINOR_DIGITS, Money, Path, Unit

MONEY: Final = "x-ledgix-money"
LARGEST = 256 * 1024
DEEPEST = 24
MOST_MISFITS = 5


class _Validator(Protocol):
    def is_valid(self, instance: Any) -> bool: ...
    def iter_errors(self, instance: Any) -> Iterator[jsonschema_rs.ValidationError]: ...


@dataclass(frozen=True)
class ToolSchema:
    """One tool's registered schema. `money` has the declared money fields by their path below the arguments."""

    tool_name: str
    schema: JsonObject = field(repr=False)
    args: Type = field(repr=False)
    money: Mapping[Path, Money]
    _validator: _Validator = field(repr=False, compare=False)

    @classmethod
    def parse(cls, tool_name: str, schema: JsonObject) -> ToolSchema:
        """Raises PolicyError when this isn't a JSON Schema of an object, or a money annotation makes no sense."""
        problems = list(_problems(schema))
        if problems:
            raise PolicyError([Problem(message, where=where) for where, message in problems])
        return cls(tool_name, schema, type_of(schema), MappingProxyType(_money_fields(schema)), _validator(schema))

    def to_json(self) -> JsonObject:
        """The schema as it was registered."""
        return self.schema

    @cached_property
    def content_hash(self) -> str:
        """64 hex characters."""
        return jcs.sha256_hex(self.schema)

    def check(self, args: JsonObject) -> list[str]:
        """What in `args` doesn't fit, for people; empty when all fits. Exact for integers and decimals."""
        if self._validator.is_valid(args):
            return []
        found: list[str] = []
        for error in self._validator.iter_errors(args):
            if len(found) == MOST_MISFITS:
                found.append("and more")
                break
            found.append(_misfit(error))
        return found


def type_of(schema: Json) -> Type:
    """The type that conditions are checked against; whatever isn't plain is ANY."""
    if not isinstance(schema, dict) or schema.keys() & {"$ref", "$dynamicRef", "anyOf", "oneOf", "allOf", "if", "not"}:
        return ANY
    match _kind_name(schema):
        case "object":
            return _object_type(schema)
        case "array":
            return Type(Kind.LIST, items=type_of(schema.get("items")))
        case "string":
            return STRING
        case "integer" | "number":
            return NUMBER
        case "boolean":
            return BOOL
        case "null":
            return NULL
        case _:
            return ANY


def _kind_name(schema: JsonObject) -> Json:
    """The declared type; "null" beside another type doesn't count, since null is unknown to every condition."""
    kinds = schema.get("type")
    if isinstance(kinds, list):
        kinds = [kind for kind in kinds if kind != "null"] or ["null"]
        return kinds[0] if len(kinds) == 1 else None
    if kinds is None and "properties" in schema:
        return "object"
    return kinds


def _object_type(schema: JsonObject) -> Type:
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return Type(Kind.OBJECT)
    further = schema.get("additionalProperties", False)
    is_open = further is not False or "patternProperties" in schema
    return Type(Kind.OBJECT, fields={name: type_of(inner) for name, inner in properties.items()}, is_open=is_open)


def _problems(schema: JsonObject) -> Iterator[tuple[str, str]]:
    """Every flaw, as (place, message)."""
    if schema.get("type") != "object":
        yield "type", 'the arguments of a tool are an object: `"type": "object"`'
    if len(jcs.canonicalize(schema)) > LARGEST:
        yield "", f"a tool schema has at most {LARGEST // 1024} KiB"
        return
    flaws = list(_reference_flaws(schema))
    yield from flaws
    if flaws:
        return
    try:
        _validator(schema)
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        yield "", f"no valid JSON Schema: {str(error).splitlines()[0][:300]}"
        return
    yield from _money_flaws(schema)


def _reference_flaws(schema: JsonObject) -> Iterator[tuple[str, str]]:
    pending: list[tuple[str, Json, int]] = [("", schema, 1)]
    while pending:
        where, part, depth = pending.pop()
        if depth > DEEPEST:
            yield where, f"nested more than {DEEPEST} deep"
            continue
        if isinstance(part, list):
            pending.extend((f"{where}[{i}]", inner, depth + 1) for i, inner in enumerate(part))
        if not isinstance(part, dict):
            continue
        for name in ("$ref", "$dynamicRef", "$recursiveRef"):
            if isinstance(target := part.get(name), str) and not target.startswith("#"):
                yield f"{where}.{name}".lstrip("."), "a reference must point into the same schema: `#/$defs/…`"
        pending.extend((f"{where}.{name}".lstrip("."), inner, depth + 1) for name, inner in part.items())


def _validator(schema: JsonObject) -> _Validator:
    return jsonschema_rs.validator_for(schema, offline=True, pattern_options=jsonschema_rs.RegexOptions())


def _misfit(error: jsonschema_rs.ValidationError) -> str:
    place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.instance_path)
    message = error.message if len(error.message) <= 200 else error.message[:199] + "…"
    return f"{place.lstrip('.')}: {message}" if place else message


def _fields(schema: JsonObject, path: Path = ()) -> Iterator[tuple[Path, JsonObject]]:
    """Every declared member of the arguments, nested objects included, with its path."""
    properties = schema.get("properties")
    if isinstance(properties, dict):
        for name, inner in properties.items():
            if isinstance(inner, dict):
                yield (*path, name), inner
                yield from _fields(inner, (*path, name))


def _money_fields(schema: JsonObject) -> dict[Path, Money]:
    return {path: _money(inner[MONEY]) for path, inner in _fields(schema) if MONEY in inner}


def _money(annotation: Json) -> Money:
    assert isinstance(annotation, dict)
    unit, currency = Unit(str(annotation["unit"])), annotation["currency"]
    if isinstance(currency, dict):
        return Money(unit, currency_field=tuple(str(currency["field"]).split(".")))
    return Money(unit, currency=str(currency))


def _money_flaws(schema: JsonObject) -> Iterator[tuple[str, str]]:
    declared = dict(_fields(schema))
    annotated = sum(1 for _ in _annotations(schema))
    for path, inner in declared.items():
        if MONEY in inner:
            yield from ((".".join(path), flaw) for flaw in _annotation_flaws(inner, declared))
            annotated -= 1
    if annotated:
        yield "", f"`{MONEY}` stands beside a number in `properties`, of the arguments or of an object in them"


def _annotations(schema: Json) -> Iterator[None]:
    if isinstance(schema, dict):
        if MONEY in schema:
            yield None
        for name, inner in schema.items():
            if name != MONEY:
                yield from _annotations(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from _annotations(inner)


def _annotation_flaws(inner: JsonObject, declared: Mapping[Path, JsonObject]) -> Iterator[str]:
    annotation = inner[MONEY]
    if type_of(inner).kind is not Kind.NUMBER:
        yield "money is a number or an integer"
    if not isinstance(annotation, dict) or annotation.keys() != {"currency", "unit"}:
        yield f'`{MONEY}` is {{"currency": …, "unit": …}}'
        return
    if annotation["unit"] not in list(Unit):
        yield f'the unit is "major" (whole dollars) or "minor" (cents), not {spell(annotation["unit"])}'
    match annotation["currency"]:
        case str() as code if code in MINOR_DIGITS:
            pass
        case {"field": str() as name, **rest} if not rest:
            if type_of(declared.get(tuple(name.split("."))) or {"type": "null"}).kind is not Kind.STRING:
                yield f"the currency field `{name}` is no declared string"
        case other:
            yield f'the currency is a code like "USD" or {{"field": "…"}}, not {spell(other)}'
