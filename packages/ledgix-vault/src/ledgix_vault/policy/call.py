"""One tool call, as policies see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ledgix.formats.json import JsonObject


@dataclass(frozen=True, slots=True)
class Call:
    """`hint` is the policy that the caller expects to decide; `extra_policy_ids` are evaluated too, whatever they
    cover: a delegated call answers to its parent's policy as well."""

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
