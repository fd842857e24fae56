"""Registering what a tool's arguments look like; rules that no longer fit are refused together with the schema."""

from __future__ import annotations

from functools import partial

from ledgix.formats import jcs
from ledgix.formats.events import EventKind
from ledgix.formats.json import JsonObject
from ledgix_vault.clearance.decision import Decider, DeciderType
from ledgix_vault.errors import Invalid, PolicyInvalid
from ledgix_vault.operations.steps.record import record_administration
from ledgix_vault.policy.draft import schema_problems
from ledgix_vault.policy.errors import PolicyError
from ledgix_vault.policy.model import PolicyDocument
from ledgix_vault.policy.schemas import ToolSchema
from ledgix_vault.store.administration import put_tool_schema
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome as Stored
from ledgix_vault.tenancy.api_keys import ApiKey
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.vault import Vault

LONGEST_TOOL_NAME = 256


async def register_tool_schema(vault: Vault, caller: ApiKey, tool_name: str, json_schema: JsonObject) -> ToolSchema:
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


def _register(caller: ApiKey, parsed: ToolSchema, unit: Unit) -> Stored[None]:
    tenant_id = caller.tenant_id
    snapshot = unit.tenant(tenant_id).snapshot
    _check_policies(parsed, [active.document for active in snapshot.policies])
    put_tool_schema(unit, tenant_id, parsed)
    record_administration(
        unit,
        tenant_id,
        EventKind.SCHEMA_REGISTERED,
        reason=f"The arguments of the tool {parsed.tool_name} were registered.",
        decider=Decider(DeciderType.KEY, caller.key_id),
        metadata={"tool_name": parsed.tool_name, "schema_hash": jcs.sha256_hex(parsed.to_json())},
    )
    return Stored(None)


def _check_policies(fresh: ToolSchema, documents: list[PolicyDocument]) -> None:
    for document in documents:
        if problems := schema_problems(document, {fresh.tool_name: fresh}):
            raise PolicyInvalid(
                f"The active policy {document.policy_id} does not fit this schema; change the policy first."
                f" {problems[0].message}",
                problems=[problem.to_json() for problem in problems],
            )
