"""One tool call, as policies see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ledgix.formats.json import JsonObject


@dataclass(frozen=True, slots=True)
class EarlierCall:
    """A call of the same session that was approved before. `args` are those that could run, `at` is in µs."""

    tool: str
    args: JsonObject
    at: int


@dataclass(frozen=True, slots=True)
class Call:
    """`now` (µs) and `session_calls` are None outside of the transaction that decides. `hint` is the policy that the
    caller expects to decide; `extra_policy_ids` are evaluated too, whatever they cover: a delegated call answers to its
    parent's policy as well."""

    tool_name: str
    args: JsonObject
    agent_id: str
    session_id: str
    human_principal: str | None
    facts: JsonObject
    destination: Mapping[str, str]
    purpose: str | None
    data_categories: Sequence[str] | None
    hint: str | None
    extra_policy_ids: tuple[str, ...] = ()
    now: int | None = None
    session_calls: tuple[EarlierCall, ...] | None = None
    register_ref: str | None = None  # the processing register that the call says it is under
