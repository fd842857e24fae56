"""From a message's bytes to the exact tool call that it asks for.

Invariants:

- The name and the arguments that are cleared are read from the client's own bytes by the strict reader, which refuses
  duplicate members, numbers that a double would change, and halves of surrogate pairs.
- They are equal to what the SDK read from the same bytes, which is what goes to the server.
- A call has no members beside those that MCP knows, so nothing travels along unseen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ledgix.errors import FormatError
from ledgix.formats import jcs
from ledgix.formats import json as exact
from ledgix.formats.json import JsonObject

_ENVELOPE_DEPTH: Final = 3  # the message, its params, and the arguments themselves
_MEMBERS: Final = frozenset({"name", "arguments", "_meta", "task", "inputResponses", "requestState"})


class CallRefused(Exception):
    """The message asks for no call that could be cleared; nothing was asked and nothing ran."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call as the client's bytes have it. `params` is what goes to the server, the same values."""

    name: str
    arguments: JsonObject
    params: Mapping[str, Any]


def read_call(raw: bytes, params: Mapping[str, Any]) -> ToolCall:
    """The call in the message `raw`, whose `params` the SDK read as given. Raises CallRefused."""
    if unknown := sorted(set(params) - _MEMBERS):
        raise CallRefused("call_malformed", f"$.params.{unknown[0]} is not known to MCP; leave it out")
    if not isinstance(params.get("_meta", {}), dict):
        raise CallRefused("call_malformed", "$.params._meta must be an object")
    try:
        message = exact.parse_object(raw, max_depth=exact.MAX_DEPTH + _ENVELOPE_DEPTH)
        said = message.get("params")
        read_by_sdk = exact.from_python(params.get("arguments") or {})
    except FormatError as error:
        raise CallRefused("arguments_not_exact", str(error)) from None
    if not isinstance(said, dict):
        raise CallRefused("call_malformed", "$.params must be an object")
    name, arguments = said.get("name"), said.get("arguments")
    if not isinstance(name, str) or not name or name != params.get("name"):
        raise CallRefused("call_malformed", "$.params.name must be the name of a tool")
    arguments = {} if arguments is None else arguments
    if not isinstance(arguments, dict):
        raise CallRefused("call_malformed", "$.params.arguments must be an object")
    if jcs.canonicalize(arguments) != jcs.canonicalize(read_by_sdk):
        raise CallRefused("arguments_not_exact", "$.params.arguments means different things to different readers")
    return ToolCall(name, arguments, params)
