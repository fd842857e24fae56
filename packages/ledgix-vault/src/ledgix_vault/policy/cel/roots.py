"""What a condition may look at: the roots of its paths."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast

from ledgix_vault.policy.call import EarlierCall
from ledgix_vault.policy.cel import times
from ledgix_vault.policy.cel.inputs import Inputs, Unknown, Value
from ledgix_vault.policy.cel.operators import Read

_NO_CLOCK: Final = Unknown("the moment of the request isn't known here")


def _session_calls(inputs: Inputs) -> Value:
    call = inputs.call
    if not call.session_id:
        return Unknown("the call names no session")
    if call.session_calls is None:
        return Unknown("the earlier calls of the session aren't known here")
    found: list[Value] = [_earlier(earlier) for earlier in call.session_calls]
    return found


def _earlier(call: EarlierCall) -> Value:
    return {"tool": call.tool, "args": call.args, "at": times.moment(call.at)}


MOMENTARY: Final = frozenset(("now", "session"))
"""Roots that only the transaction knows: conditions that read them are evaluated inside it."""

ROOTS: Final[Mapping[str, Read]] = {
    "args": lambda inputs: inputs.args,
    "facts": lambda inputs: inputs.call.facts,
    "tables": lambda inputs: inputs.tables,
    "tool": lambda inputs: inputs.call.tool_name,
    "agent_id": lambda inputs: inputs.call.agent_id,
    "session_id": lambda inputs: inputs.call.session_id,
    "human_principal": lambda inputs: inputs.call.human_principal,
    "purpose": lambda inputs: inputs.call.purpose,
    "data_categories": lambda inputs: cast(Value, inputs.call.data_categories),
    "now": lambda inputs: _NO_CLOCK if inputs.call.now is None else times.moment(inputs.call.now),
    "session": lambda inputs: {"calls": _session_calls(inputs)},
    "destination": lambda inputs: {name: value for name, value in inputs.call.destination.items() if value},
}
