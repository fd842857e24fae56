"""Putting a tool schema in force, in whatever transaction it comes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ledgix.formats import jcs
from ledgix.formats.events import EventKind
from ledgix_vault.clearance.decision import Decider
from ledgix_vault.errors import PolicyInvalid
from ledgix_vault.operations.steps.record import record_administration
from ledgix_vault.policy.draft import schema_problems
from ledgix_vault.policy.errors import Problem
from ledgix_vault.policy.model import PolicyDocument
from ledgix_vault.policy.schemas import ToolSchema
from ledgix_vault.store.administration import put_tool_schema
from ledgix_vault.store.unit import Unit


def put_in_force(unit: Unit, tenant_id: str, schemas: Sequence[ToolSchema], decider: Decider) -> None:
    """Stores all of them, with an event each; raises `PolicyInvalid` when an active policy would not type-check against
    one, and then none is stored."""
    active = unit.tenant(tenant_id).snapshot.policies
    _check_policies({schema.tool_name: schema for schema in schemas}, [policy.document for policy in active])
    for schema in schemas:
        put_tool_schema(unit, tenant_id, schema)
        record_administration(
            unit,
            tenant_id,
            EventKind.SCHEMA_REGISTERED,
            reason=f"The arguments of the tool {schema.tool_name} were registered.",
            decider=decider,
            metadata={"tool_name": schema.tool_name, "schema_hash": jcs.sha256_hex(schema.to_json())},
        )


def _check_policies(fresh: Mapping[str, ToolSchema], documents: Sequence[PolicyDocument]) -> None:
    found: list[tuple[str, Problem]] = [
        (document.policy_id, problem) for document in documents for problem in schema_problems(document, fresh)
    ]
    if found:
        policy_id, first = found[0]
        raise PolicyInvalid(
            f"The active policy {policy_id} does not fit this schema; change the policy first. {first.message}",
            problems=[problem.to_json() for _, problem in found],
        )
