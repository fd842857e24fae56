"""Registering all tools that an MCP server lists: all of them, or none."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from ledgix.formats import json
from ledgix.formats.json import Json, JsonObject
from ledgix_vault.clearance.decision import Decider, decider_of
from ledgix_vault.errors import PolicyInvalid
from ledgix_vault.jsontext import encode_text
from ledgix_vault.operations.steps.tool_schemas import put_in_force
from ledgix_vault.policy.errors import PolicyError
from ledgix_vault.policy.tools_list import ToolsList, changed, read_tools_list
from ledgix_vault.store.idempotency import IdempotencyKey
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome as Stored
from ledgix_vault.store.writer import Replayed
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.vault import Vault


@dataclass(frozen=True, slots=True)
class Imported:
    """Names of tools: stored now, stored already with the same content, and without declared arguments.

    `is_partial`: the server has further tools on a further page.
    """

    registered: tuple[str, ...]
    unchanged: tuple[str, ...]
    skipped: tuple[str, ...]
    is_partial: bool

    def to_json(self) -> JsonObject:
        return {
            "registered": list(self.registered),
            "unchanged": list(self.unchanged),
            "skipped": list(self.skipped),
            "is_partial": self.is_partial,
        }


async def import_tool_schemas(
    vault: Vault, caller: Caller, tools_list: Json, money: Json, key: IdempotencyKey | None
) -> tuple[JsonObject, bool]:
    """Registers what changed, with an event for each tool; the answer (`Imported` as JSON), and whether it is a replay.

    Raises `PolicyInvalid` naming every tool and place that can't be used, or that an active policy doesn't fit; then
    nothing changed. Durable on return, and in force for every decision from now on.
    """
    caller.require(Scope.SCHEMAS)
    decider = decider_of(caller)
    stored = await vault.store.run(partial(_import, caller.tenant_id, tools_list, money, decider), key)
    if isinstance(stored, Replayed):
        return json.parse_object(stored.reference.encode()), True
    return stored.to_json(), False


async def import_for_tenant(vault: Vault, tenant_id: str, tools_list: Json, money: Json, decider: Decider) -> Imported:
    """The same for whoever may do everything with this Vault's data anyway."""
    stored = await vault.store.run(partial(_import, tenant_id, tools_list, money, decider), None)
    assert isinstance(stored, Imported)  # without a key there is no replay
    return stored


def _import(tenant_id: str, tools_list: Json, money: Json, decider: Decider, unit: Unit) -> Stored[Imported]:
    registered = unit.tenant(tenant_id).snapshot.schemas
    try:
        listed = read_tools_list(tools_list, money, registered)
    except PolicyError as error:
        raise PolicyInvalid(
            f"No tool was registered. {error}", problems=[problem.to_json() for problem in error.problems]
        ) from error
    fresh = tuple(changed(listed, registered))
    put_in_force(unit, tenant_id, fresh, decider)
    answer = _answer(listed, {schema.tool_name for schema in fresh})
    return Stored(answer, reference=encode_text(answer.to_json()))


def _answer(listed: ToolsList, fresh: set[str]) -> Imported:
    names = [schema.tool_name for schema in listed.schemas]
    return Imported(
        registered=tuple(name for name in names if name in fresh),
        unchanged=tuple(name for name in names if name not in fresh),
        skipped=listed.skipped,
        is_partial=listed.is_partial,
    )
