"""Runs the case files: why, policies, and for each call what is expected of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from ledgix.formats import json
from ledgix_vault.policy.call import EarlierCall
from ledgix_vault.policy.draft import draft_policy
from ledgix_vault.policy.evaluate import Call, Evaluation, evaluate
from ledgix_vault.policy.model import Effect
from ledgix_vault.policy.schemas import ToolSchema
from ledgix_vault.policy.snapshot import ActivePolicy, Snapshot

FILES = sorted((Path(__file__).parent / "cases").glob("*.yaml"))


def cases() -> Iterator[Any]:
    for file in FILES:
        for case in yaml.safe_load(file.read_text()):
            for i, asked in enumerate(case["calls"]):
                yield pytest.param(case, asked, id=f"{file.stem}: {case['why']} [{i}]")


@pytest.mark.parametrize(("case", "asked"), [*cases()])
def test_case(case: dict[str, Any], asked: dict[str, Any]) -> None:
    evaluation = evaluate(_snapshot(case), _call(asked["call"]))
    assert _found(evaluation, asked["expect"]) == asked["expect"], evaluation.reason


def _snapshot(case: dict[str, Any]) -> Snapshot:
    schemas = {
        name: ToolSchema.parse(name, json.from_python(schema))  # type: ignore[arg-type]
        for name, schema in case.get("schemas", {}).items()
    }
    documents = [
        draft_policy(
            policy_id=policy["id"],
            description="",
            sentences=policy.get("sentences", []),
            tools=policy.get("tools", []),
            definition=policy.get("definition"),
            schemas=schemas,
        )
        for policy in case["policies"]
    ]
    active = tuple(ActivePolicy(document, f"v-{document.policy_id}", 1) for document in documents)
    return Snapshot(1, active, schemas, Effect(case.get("default", "review")))


def _call(asked: dict[str, Any]) -> Call:
    known = {"tool", "args", "facts", "agent", "session", "human", "destination", "purpose", "data", "hint", "extra"}
    known |= {"register", "now", "earlier"}
    assert asked.keys() <= known
    return Call(
        tool_name=asked.get("tool", "stripe_refund"),
        args=json.from_python(asked.get("args", {})),  # type: ignore[arg-type]
        agent_id=asked.get("agent", "agent-1"),
        session_id=asked.get("session", ""),
        human_principal=asked.get("human"),
        facts=json.from_python(asked.get("facts", {})),  # type: ignore[arg-type]
        destination=asked.get("destination", {}),
        purpose=asked.get("purpose"),
        data_categories=asked.get("data"),
        hint=asked.get("hint"),
        extra_policy_ids=tuple(asked.get("extra", ())),
        register_ref=asked.get("register"),
        now=_microseconds(asked["now"]) if "now" in asked else None,
        session_calls=tuple(
            EarlierCall(earlier["tool"], json.from_python(earlier["args"]), 0)  # type: ignore[arg-type]
            for earlier in asked.get("earlier", ())
        ),
    )


def _microseconds(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp()) * 1_000_000


def _found(evaluation: Evaluation, expected: dict[str, Any]) -> dict[str, Any]:
    """What the evaluation says in the terms of the case; `reason` and `assumed` are parts of longer texts."""
    found: dict[str, Any] = {
        "verdict": str(evaluation.effect),
        "bucket": str(evaluation.bucket),
        "policy": evaluation.policy_id,
        "rules": list(evaluation.matched_rule_ids),
        "code": evaluation.reason_code,
        "category": evaluation.action_category,
        "cited": [citation["quote"] for citation in evaluation.citations],
        "reason": expected.get("reason") if expected.get("reason", "") in evaluation.reason else evaluation.reason,
        "assumed": [
            next((part for part in expected.get("assumed", ()) if part in text), text)
            for text in evaluation.assumptions
        ],
    }
    assert expected.keys() <= found.keys()
    return {name: found[name] for name in expected}
