"""A request for clearance: what an application asks, parsed once (contract section 2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec.structs import replace

from ledgix.formats import jcs
from ledgix.formats.json import Json, JsonObject
from ledgix_vault.clearance.counterparty import infer_destination
from ledgix_vault.errors import Invalid

LONGEST_TOOL_NAME = 256
CHANGED_ARGS = "changed_args"


class ClearanceRequest(msgspec.Struct, frozen=True):
    """The fields of contract section 2 with their defaults; unknown ones dropped, the destination filled in."""

    tool_name: str
    tool_args: JsonObject = msgspec.field(default_factory=dict)
    agent_id: str = "default-agent"
    session_id: str = ""
    context: JsonObject = msgspec.field(default_factory=dict)
    human_principal: str | None = None
    parent_jti: str | None = None
    destination_uri: str | None = None
    destination_provider: str | None = None
    destination_account_ref: str | None = None
    data_categories: tuple[str, ...] | None = None
    purpose: str | None = None
    processing_register_ref: str | None = None
    dataset_ref: str | None = None
    accepts: tuple[str, ...] = ()

    @classmethod
    def parse(cls, body: JsonObject) -> ClearanceRequest:
        """Reads a request body and infers what it leaves out; raises `Invalid` naming the field that is wrong."""
        request = cls.from_json(body)
        if request.destination_uri and request.destination_provider and request.destination_account_ref:
            return request
        inferred = infer_destination(request.tool_name, request.tool_args)
        missing: dict[str, Any] = {name: value for name, value in inferred.items() if not getattr(request, name)}
        return replace(request, **missing) if missing else request

    @classmethod
    def from_json(cls, stored: JsonObject) -> ClearanceRequest:
        """The request whose `to_json` this is, with nothing inferred: it reads the same however inference changes."""
        given = {name: read(stored, name) for name, read in _READERS.items() if name in stored or name in _REQUIRED}
        return cls(**given)

    def to_json(self) -> JsonObject:
        """All fields, as the ledger records them."""
        return {
            "accepts": list(self.accepts),
            "agent_id": self.agent_id,
            "context": self.context,
            "data_categories": None if self.data_categories is None else list(self.data_categories),
            "dataset_ref": self.dataset_ref,
            "destination_account_ref": self.destination_account_ref,
            "destination_provider": self.destination_provider,
            "destination_uri": self.destination_uri,
            "human_principal": self.human_principal,
            "parent_jti": self.parent_jti,
            "processing_register_ref": self.processing_register_ref,
            "purpose": self.purpose,
            "session_id": self.session_id,
            "tool_args": self.tool_args,
            "tool_name": self.tool_name,
        }

    @property
    def policy_hint(self) -> str | None:
        """The policy that the caller expects to decide; it never narrows (contract section 4)."""
        hint = self.context.get("policy_id")
        return hint if isinstance(hint, str) and hint else None

    @property
    def facts(self) -> JsonObject:
        """What the application says it knows (`context.facts`)."""
        facts = self.context.get("facts")
        return facts if isinstance(facts, dict) else {}

    def differences(self, other: ClearanceRequest) -> list[str]:
        """The fields in which a mint differs from its original; `""`, null, `[]` and absent are the same."""
        different = [
            name for name in _MINT_MUST_EQUAL if (getattr(self, name) or None) != (getattr(other, name) or None)
        ]
        if jcs.canonicalize(self.tool_args) != jcs.canonicalize(other.tool_args):
            different.append("tool_args")
        return different


_MINT_MUST_EQUAL = (
    "tool_name",
    "agent_id",
    "human_principal",
    "destination_uri",
    "destination_provider",
    "destination_account_ref",
    "data_categories",
    "purpose",
    "processing_register_ref",
    "dataset_ref",
)

_Reader = Callable[[JsonObject, str], Any]


def _tool_name(body: JsonObject, name: str) -> str:
    if name not in body:
        raise Invalid("is required: the name of the tool that is to be called", path=f"$.{name}")
    value = body[name]
    if not isinstance(value, str) or not 1 <= len(value) <= LONGEST_TOOL_NAME:
        raise Invalid(f"must be a string of 1 to {LONGEST_TOOL_NAME} characters", path=f"$.{name}")
    return value


def _object(body: JsonObject, name: str) -> JsonObject:
    value = body.get(name, {})
    if not isinstance(value, dict):
        raise Invalid("must be an object", path=f"$.{name}")
    return value


def _text(default: str) -> _Reader:
    def read(body: JsonObject, name: str) -> str:
        return _checked_text(body.get(name, default), f"$.{name}", "must be a string")

    return read


def _text_or_null(body: JsonObject, name: str) -> str | None:
    value = body.get(name)
    return None if value is None else _checked_text(value, f"$.{name}", "must be a string or null")


def _texts_or_null(body: JsonObject, name: str) -> tuple[str, ...] | None:
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, list):
        raise Invalid("must be a list of strings or null", path=f"$.{name}")
    return tuple(_checked_text(item, f"$.{name}[{i}]", "must be a string") for i, item in enumerate(value))


def _texts(body: JsonObject, name: str) -> tuple[str, ...]:
    if name in body and body[name] is None:
        raise Invalid("must be a list of strings", path=f"$.{name}")
    return _texts_or_null(body, name) or ()


def _checked_text(value: Json, path: str, message: str) -> str:
    if not isinstance(value, str):
        raise Invalid(message, path=path)
    return value


_READERS: dict[str, _Reader] = {
    "tool_name": _tool_name,
    "tool_args": _object,
    "agent_id": _text("default-agent"),
    "session_id": _text(""),
    "context": _object,
    "human_principal": _text_or_null,
    "parent_jti": _text_or_null,
    "destination_uri": _text_or_null,
    "destination_provider": _text_or_null,
    "destination_account_ref": _text_or_null,
    "data_categories": _texts_or_null,
    "purpose": _text_or_null,
    "processing_register_ref": _text_or_null,
    "dataset_ref": _text_or_null,
    "accepts": _texts,
}
_REQUIRED = ("tool_name",)
assert tuple(_READERS) == ClearanceRequest.__struct_fields__
