"""How the policy tests build a snapshot and ask it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from ledgix.formats import json
from ledgix_vault.policy.draft import draft_policy
from ledgix_vault.policy.evaluate import Call, Evaluation, evaluate
from ledgix_vault.policy.model import Effect, PolicyDocument
from ledgix_vault.policy.parts import Source
from ledgix_vault.policy.schemas import ToolSchema
from ledgix_vault.policy.snapshot import ActivePolicy, Snapshot


def draft(
    *sentences: str,
    policy_id: str = "refunds",
    tools: Sequence[str] = ("stripe_refund",),
    definition: str | None = None,
    schemas: Mapping[str, ToolSchema] | None = None,
    sources: Sequence[Source] = (),
    set_aside: Sequence[str] = (),
) -> PolicyDocument:
    return draft_policy(
        policy_id=policy_id,
        description="",
        sentences=sentences,
        tools=tools,
        definition=definition,
        schemas=schemas or {},
        sources=sources,
        set_aside=set_aside,
    )


def snapshot(
    *documents: PolicyDocument, schemas: Mapping[str, ToolSchema] | None = None, default: Effect = Effect.REVIEW
) -> Snapshot:
    policies = tuple(ActivePolicy(document, f"version-of-{document.policy_id}", 1) for document in documents)
    return Snapshot(1, policies, schemas or {}, default)


def call(args: object = None, **further: Any) -> Call:
    fields: dict[str, Any] = {
        "tool_name": "stripe_refund",
        "args": json.from_python(args or {}),
        "agent_id": "agent-1",
        "session_id": "",
        "human_principal": None,
        "facts": {},
        "destination": {},
        "purpose": None,
        "data_categories": None,
        "hint": None,
    }
    return Call(**(fields | further))


def decide(args: object, *documents: PolicyDocument, **further: Any) -> Evaluation:
    return evaluate(snapshot(*documents), call(args, **further))


def schema(tool_name: str = "stripe_refund", required: Sequence[str] = (), **properties: Any) -> dict[str, ToolSchema]:
    declared = json.from_python({"type": "object", "properties": properties, "required": list(required)})
    assert isinstance(declared, dict)
    return {tool_name: ToolSchema.parse(tool_name, declared)}


@pytest.fixture(name="draft")
def draft_fixture() -> Callable[..., PolicyDocument]:
    return draft


@pytest.fixture(name="snapshot")
def snapshot_fixture() -> Callable[..., Snapshot]:
    return snapshot


@pytest.fixture(name="call")
def call_fixture() -> Callable[..., Call]:
    return call


@pytest.fixture(name="decide")
def decide_fixture() -> Callable[..., Evaluation]:
    return decide


@pytest.fixture(name="schema")
def schema_fixture() -> Callable[..., dict[str, ToolSchema]]:
    return schema
