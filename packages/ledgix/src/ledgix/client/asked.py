"""The clearance request as the application means it: exact arguments, frozen, and able to survive a restart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TypedDict

from ledgix.client.errors import ArgumentsError
from ledgix.client.settings import ClientSettings
from ledgix.formats import jcs
from ledgix.formats import json as exact
from ledgix.formats.json import Json, JsonObject

CHANGED_ARGS = "changed_args"
"""In `accepts`: "I run the arguments that the answer carries", so a reviewer may approve with changes."""


class Circumstances(TypedDict, total=False):
    """What may be said about every call of a tool (contract section 2). None is the same as absent."""

    agent_id: str | None
    session_id: str | None
    parent_jti: str | None
    destination_uri: str | None
    destination_provider: str | None
    destination_account_ref: str | None
    data_categories: Sequence[str] | None
    purpose: str | None
    processing_register_ref: str | None
    dataset_ref: str | None
    accepts: Sequence[str] | None


class CallDetails(Circumstances, total=False):
    """What may be said about one call beside its name and arguments."""

    policy_id: str | None  # a hint; becomes context.policy_id
    facts: Mapping[str, object] | None  # what the application knows; becomes context.facts
    context: Mapping[str, object] | None
    human_principal: str | None


_OPTIONAL = (
    "human_principal",
    "parent_jti",
    "destination_uri",
    "destination_provider",
    "destination_account_ref",
    "data_categories",
    "purpose",
    "processing_register_ref",
    "dataset_ref",
    "accepts",
)


@dataclass(frozen=True, slots=True)
class ClearanceRequest:
    """One question to the Vault. `to_json` is the body of POST /request-clearance; `from_json` reads it back."""

    tool_name: str
    tool_args: JsonObject
    agent_id: str
    session_id: str
    context: JsonObject
    optional: JsonObject  # the members of _OPTIONAL that were given

    @classmethod
    def build(
        cls, settings: ClientSettings, tool_name: str, tool_args: Mapping[str, object] | None, details: CallDetails
    ) -> ClearanceRequest:
        """Raises JsonError, naming the path, for a value whose exact JSON form doesn't exist: nothing is rounded."""
        unknown = sorted(set(details) - set(CallDetails.__annotations__))
        if unknown:
            raise ArgumentsError(f"a clearance request has no {', '.join(unknown)}")
        given: dict[str, object] = {name: details.get(name) for name in _OPTIONAL}
        given["human_principal"] = given["human_principal"] or settings.principal_id or None
        agent_id, session_id = details.get("agent_id"), details.get("session_id")
        body: dict[str, object] = {
            "tool_name": tool_name,
            "tool_args": dict(tool_args or {}),
            "agent_id": settings.agent_id if agent_id is None else agent_id,
            "session_id": settings.session_id if session_id is None else session_id,
            "context": _context(details),
            **{name: value for name, value in given.items() if value is not None},
        }
        return cls.from_json(body)

    @classmethod
    def from_json(cls, body: Mapping[str, object]) -> ClearanceRequest:
        """The request whose `to_json` this was."""
        value = exact.from_python(dict(body))
        assert isinstance(value, dict)
        return cls(
            tool_name=_text(value, "tool_name"),
            tool_args=_object(value, "tool_args"),
            agent_id=_text(value, "agent_id"),
            session_id=_text(value, "session_id"),
            context=_object(value, "context"),
            optional={name: value[name] for name in _OPTIONAL if value.get(name) is not None},
        )

    def to_json(self) -> JsonObject:
        """All that was said; absent members are left out."""
        named: JsonObject = {item.name: getattr(self, item.name) for item in fields(self) if item.name != "optional"}
        return {**named, **self.optional}

    @property
    def accepts_changed_args(self) -> bool:
        """Whether the approval may be for other arguments than those asked for."""
        accepts = self.optional.get("accepts")
        return isinstance(accepts, list) and CHANGED_ARGS in accepts

    @property
    def tool_args_hash(self) -> str:
        """What the token of an unchanged approval carries."""
        return jcs.sha256_hex(self.tool_args)


def _context(details: CallDetails) -> dict[str, object]:
    context = dict(details.get("context") or {})
    for name in ("policy_id", "facts"):
        value = details.get(name)
        if value is None:
            continue
        if name in context:
            raise ArgumentsError(f"{name} stands twice: as an argument of its own and in context")
        context[name] = dict(value) if isinstance(value, Mapping) else value
    return context


def _text(body: JsonObject, name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str):
        raise ArgumentsError(f"{name} must be a string")
    return value


def _object(body: JsonObject, name: str) -> dict[str, Json]:
    value = body.get(name)
    if not isinstance(value, dict):
        raise ArgumentsError(f"{name} must be an object")
    return value
