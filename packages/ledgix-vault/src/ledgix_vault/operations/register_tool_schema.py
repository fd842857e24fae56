"""Registering what a tool's arguments look like; rules that no longer fit are refused together with the schema."""

from __future__ import annotations

from functools import partial

from ledgix.formats.json import JsonObject
from ledgix_vault.clearance.decision import decider_of
from ledgix_vault.errors import Invalid, PolicyInvalid
from ledgix_vault.operations.steps.tool_schemas import put_in_force
from ledgix_vault.policy.errors import PolicyError
from ledgix_vault.policy.schemas import ToolSchema
from ledgix_vault.policy.tools_list import LONGEST_TOOL_NAME
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome as Stored
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.vault import Vault


async def register_tool_schema(vault: Vault, caller: Caller, tool_name: str, json_schema: JsonObject) -> ToolSchema:
    """Stores the JSON Schema of a tool's arguments, replacing an earlier one.

    Raises `PolicyInvalid` when the schema can't be used, or when an active policy would not type-check against it.
    Durable on return, and in force for every decision from now on.
    """
    caller.require(Scope.SCHEMAS)
    if not 1 <= len(tool_name) <= LONGEST_TOOL_NAME or "\0" in tool_name:
        raise Invalid(f"must be 1 to {LONGEST_TOOL_NAME} characters", path="tool_name")
    try:
        parsed = ToolSchema.parse(tool_name, json_schema)
    except PolicyError as error:
        raise PolicyInvalid(str(error), problems=[problem.to_json() for problem in error.problems]) from error
    await vault.store.run(partial(_register, caller, parsed))
    return parsed


def _register(caller: Caller, parsed: ToolSchema, unit: Unit) -> Stored[None]:
    put_in_force(unit, caller.tenant_id, [parsed], decider_of(caller))
    return Stored(None)
