"""An example of a call, made from its tool's schema: what somebody starts from and changes."""

from __future__ import annotations

from typing import Any

from ledgix.formats.json import Json, JsonObject
from ledgix_vault.policy.schemas import ToolSchema

DEEPEST = 4
_SAMPLES: dict[str, Json] = {"integer": 1, "number": 10, "string": "text", "boolean": True, "null": None}


def example_of(schema: ToolSchema | None) -> JsonObject:
    """Arguments of the kinds that the schema names; {} where it says nothing. They need not fit every rule of it."""
    made = _example(schema.schema, 0) if schema is not None else {}
    return made if isinstance(made, dict) else {}


def _example(schema: Any, depth: int) -> Json:
    if not isinstance(schema, dict) or depth > DEEPEST:
        return None
    for told in ("const", "default"):
        if told in schema:
            found: Json = schema[told]
            return found
    for listed in ("examples", "enum"):
        if isinstance(schema.get(listed), list) and schema[listed]:
            first: Json = schema[listed][0]
            return first
    kind = schema.get("type")
    kind = kind[0] if isinstance(kind, list) and kind else kind
    if kind == "object" or "properties" in schema:
        return {name: _example(inner, depth + 1) for name, inner in schema.get("properties", {}).items()}
    if kind == "array":
        return [_example(schema["items"], depth + 1)] if isinstance(schema.get("items"), dict) else []
    if kind in ("integer", "number") and "minimum" in schema:
        least: Json = schema["minimum"]
        return least if least else _SAMPLES[kind]
    return _SAMPLES.get(str(kind))
