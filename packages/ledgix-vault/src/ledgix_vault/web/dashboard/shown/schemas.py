"""What rules can rely on in the arguments of a tool."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ledgix.formats.json import Json, JsonObject
from ledgix_vault.policy.cel.types import Kind, Type
from ledgix_vault.policy.money import Unit
from ledgix_vault.policy.schemas import ToolSchema

_KINDS = {
    Kind.NUMBER: "number",
    Kind.STRING: "text",
    Kind.BOOL: "yes or no",
    Kind.LIST: "list",
    Kind.OBJECT: "object",
    Kind.NULL: "nothing",
}
DEEPEST = 4


@dataclass(frozen=True, slots=True)
class ShownArgument:
    """One argument; `depth` counts from 0."""

    name: str
    kind: str
    required: bool
    money: str
    description: str
    depth: int


def shown_arguments(schema: ToolSchema) -> list[ShownArgument]:
    """Every declared argument, those of objects below theirs."""
    return list(_arguments(schema, schema.schema, schema.args, (), 0))


def _arguments(
    schema: ToolSchema, declared: JsonObject, known: Type, path: tuple[str, ...], depth: int
) -> Iterator[ShownArgument]:
    properties, required = declared.get("properties"), declared.get("required")
    if not isinstance(properties, dict) or depth > DEEPEST:
        return
    for name, inner in properties.items():
        here = (*path, name)
        kind = (known.fields or {}).get(name)
        is_required = isinstance(required, list) and name in required
        told = inner.get("description") if isinstance(inner, dict) else None
        yield ShownArgument(
            name,
            _kind(kind, inner),
            is_required,
            _money(schema, here),
            told if isinstance(told, str) else "",
            depth,
        )
        if isinstance(inner, dict) and kind is not None and kind.kind is Kind.OBJECT:
            yield from _arguments(schema, inner, kind, here, depth + 1)


def _kind(known: Type | None, declared: Json) -> str:
    values = declared.get("enum") if isinstance(declared, dict) else None
    if isinstance(values, list) and values and all(isinstance(value, str) for value in values):
        shown = ", ".join(f"“{value}”" for value in values[:6])
        return f"one of {shown}{' …' if len(values) > 6 else ''}"
    if known is None or known.kind not in _KINDS:
        return "anything"
    items = known.items
    if known.kind is Kind.LIST and items is not None and items.kind in _KINDS:
        return f"list of {_KINDS[items.kind]}s" if items.kind is not Kind.STRING else "list of texts"
    return _KINDS[known.kind]


def _money(schema: ToolSchema, path: tuple[str, ...]) -> str:
    money = schema.money.get(path)
    if money is None:
        return ""
    unit = "cents (the smallest unit)" if money.unit is Unit.MINOR else "whole units"
    if money.currency:
        return f"money in {unit}, {money.currency}"
    return f"money in {unit}, its currency in {'.'.join(money.currency_field)}"
