"""What the shapes are made of."""

from __future__ import annotations

from typing import Any

from ledgix.formats.events import ConfidenceBucket
from ledgix_vault.policy.model import Effect

Schema = dict[str, Any]

STRING: Schema = {"type": "string"}
BOOLEAN: Schema = {"type": "boolean"}
INTEGER: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
OBJECT: Schema = {"type": "object"}
NULL: Schema = {"type": "null"}
UUID: Schema = {"type": "string", "format": "uuid"}
MOMENT: Schema = {"type": "string", "format": "date-time", "description": "RFC 3339, UTC"}
HASH: Schema = {"type": "string", "pattern": "^([0-9a-f]{64})?$", "description": "SHA-256, hex"}


def ref(name: str) -> Schema:
    """A reference to a component."""
    return {"$ref": f"#/components/schemas/{name}"}


def or_null(schema: Schema) -> Schema:
    """That, or null."""
    return {"anyOf": [schema, NULL]}


def a_list(item: Schema) -> Schema:
    """A list of those."""
    return {"type": "array", "items": item}


def one_of(*values: str) -> Schema:
    """One of a closed set of strings."""
    return {"type": "string", "enum": list(values)}


def an_object(required: dict[str, Schema], optional: dict[str, Schema] | None = None) -> Schema:
    """An object with these members."""
    return {"type": "object", "properties": {**required, **(optional or {})}, "required": list(required)}


BUCKET = one_of(*ConfidenceBucket)
EFFECT = one_of(*Effect)
TEXT_OR_NULL = or_null(STRING)
TOOL_NAME = {"type": "string", "minLength": 1, "maxLength": 256}
REQUEST_FIELDS: dict[str, Schema] = {
    "tool_args": {**OBJECT, "description": "The exact arguments of the call"},
    "agent_id": {**STRING, "default": "default-agent"},
    "session_id": {**STRING, "default": ""},
    "context": {**OBJECT, "description": "policy_id is a hint; facts is what the application knows"},
    "human_principal": TEXT_OR_NULL,
    "parent_jti": TEXT_OR_NULL,
    "destination_uri": TEXT_OR_NULL,
    "destination_provider": TEXT_OR_NULL,
    "destination_account_ref": TEXT_OR_NULL,
    "data_categories": or_null(a_list(STRING)),
    "purpose": TEXT_OR_NULL,
    "processing_register_ref": TEXT_OR_NULL,
    "dataset_ref": TEXT_OR_NULL,
    "accepts": a_list(STRING),
}
