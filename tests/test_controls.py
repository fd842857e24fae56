"""The kill switch, simulations and dry runs, over HTTP and on the command line, on a Vault that runs."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from running_vault import EXECUTABLE, Tenant, succeeded
from wire import LARGE, MEDIUM, SMALL, TOOL, problem

STRICT = {"rules": ["Refunds must not exceed $40"]}


def command(*arguments: str, **environment: str) -> Any:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("VAULT_", "LEDGIX_"))}
    done = subprocess.run(
        [EXECUTABLE, *arguments], capture_output=True, text=True, timeout=60, check=False, env=inherited | environment
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_from_suspension_to_release(refunds: Tenant) -> None:
    token = refunds.agent.ask(TOOL, SMALL)["token"]
    body = {"kind": "tool", "subject": "stripe_*", "reason": "Paid twice"}
    made = succeeded(refunds.full.post("/suspensions", body, once="k"))
    assert refunds.full.post("/suspensions", body, once="k").headers["Idempotency-Replayed"] == "true"
    assert refunds.full.read("/suspensions") == {"suspensions": [made]}
    problem(refunds.gateway.consume(token), 403, "suspended")
    asked = refunds.agent.ask(TOOL, SMALL)
    assert (asked["status"], asked["reason_code"]) == ("denied", "suspended")
    path = f"/suspensions/{made['suspension_id']}/release"
    ended = succeeded(refunds.full.post(path, {"reason": "Mended"}))
    assert (ended["release_reason"], ended["released_by"]) == ("Mended", refunds.full.key_id or ended["released_by"])
    assert refunds.full.read("/suspensions", status="released") == {"suspensions": [ended]}
    succeeded(refunds.gateway.consume(token))
    (suspended,), (released,) = refunds.events("tool.suspended"), refunds.events("tool.released")
    for event, reason in ((suspended, "Paid twice"), (released, "Mended")):
        assert event["action_metadata"]["suspension_id"] == made["suspension_id"]
        assert event["action_metadata"]["reason"] == reason
        assert event["intent"]["decider"]["type"] == "key"


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"kind": "person", "subject": "a", "reason": "b"}, "$.kind"),
        ({"subject": "a", "reason": "b"}, "$.kind"),
        ({"kind": "agent", "reason": "b"}, "$.subject"),
        ({"kind": "agent", "subject": 5, "reason": "b"}, "$.subject"),
        ({"kind": "agent", "subject": "a\u0000", "reason": "b"}, "$.subject"),
        ({"kind": "tenant", "subject": "a", "reason": "b"}, "$.subject"),
        ({"kind": "tenant"}, "$.reason"),
        ({"kind": "tenant", "reason": "x" * 1001}, "$.reason"),
    ],
)
def test_a_suspension_that_makes_no_sense(module_tenant: Tenant, body: Any, path: str) -> None:
    assert problem(module_tenant.full.post("/suspensions", body), 422, "invalid")["path"] == path


def test_who_may(module_tenant: Tenant) -> None:
    for key in (module_tenant.agent, module_tenant.gateway, module_tenant.reviewer, module_tenant.auditor):
        for response in (
            key.get("/suspensions"),
            key.post("/suspensions", {"kind": "tenant", "reason": "Stop"}),
            key.post("/suspensions/x/release", {"reason": "Go on"}),
            key.post("/policies/refunds/simulate", {"last": 1}),
            key.post("/clearance-dry-run", {"tool_name": TOOL}),
        ):
            problem(response, 403, "missing_scope")


def test_the_command_line_stops_a_vault_that_runs(refunds: Tenant) -> None:
    where = ("--data", str(refunds.vault.data), "--json")
    token = refunds.agent.ask(TOOL, SMALL)["token"]
    made = command("suspend", *where, "--tenant", refunds.tenant_id, "--everything", "--reason", "Stop")
    problem(refunds.gateway.consume(token), 403, "suspended")
    assert refunds.agent.ask("anything")["reason_code"] == "suspended"
    assert command("suspensions", *where, "--tenant", refunds.tenant_id)["suspensions"] == [made]
    command("release", made["suspension_id"], *where, "--reason", "Go on")
    succeeded(refunds.gateway.consume(token))
    assert refunds.events("tenant.suspended")[0]["intent"]["decider"]["type"] == "system"


def test_a_simulation_with_progress(refunds: Tenant) -> None:
    for args in (SMALL, MEDIUM, LARGE):
        refunds.agent.ask(TOOL, args)
    body = {**STRICT, "last": 100}
    found = succeeded(refunds.full.post("/policies/refunds/simulate", body))
    assert (found["examined"], found["changed"]) == (3, 2)
    http, secret = refunds.full.http, {"X-Vault-API-Key": refunds.full.secret}
    lines = http.post("/policies/refunds/simulate?stream=true", json=body, headers=secret)
    assert lines.headers["content-type"].startswith("application/x-ndjson")
    steps = [json.loads(line) for line in lines.text.splitlines()]
    assert steps == [{"examined": 3, "total": 3}, found]
    events = http.post("/policies/refunds/simulate", json=body, headers={**secret, "Accept": "text/event-stream"})
    assert events.text.startswith('event: progress\ndata: {"examined":3,"total":3}\n\nevent: result\ndata: {')
    refused = http.post("/policies/refunds/simulate?stream=true", json={"definition": "x", "last": 1}, headers=secret)
    assert refused.status_code == 422
    assert refused.json()["code"] == "policy_invalid"


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "$.last"),
        ({"last": 1, "calls": []}, "$.last"),
        ({"last": 0}, "$.last"),
        ({"last": 100_001}, "$.last"),
        ({"last": True}, "$.last"),
        ({"calls": []}, "$.calls"),
        ({"calls": [{"tool_name": "x"}, {"tool_name": ""}]}, "$.calls[1].tool_name"),
        ({"calls": [7]}, "$.calls[0]"),
        ({"last": 1, "version": 0}, "$.version"),
        ({"last": 1, "version": 1, "rules": []}, "$.version"),
        ({"last": 1, "definition": 7}, "$.definition"),
        ({"last": 1, "tools": [7]}, "$.tools[0]"),
    ],
)
def test_a_simulation_that_makes_no_sense(module_tenant: Tenant, body: Any, path: str) -> None:
    found = problem(module_tenant.full.post("/policies/refunds/simulate", body), 422, "invalid")
    assert found["path"] == path


def test_a_dry_run_tells_everything_and_leaves_nothing(refunds: Tenant) -> None:
    before = refunds.log_size()
    tried = succeeded(refunds.full.post("/clearance-dry-run", {"tool_name": TOOL, "tool_args": MEDIUM}))
    assert (tried["status"], tried["outcome"], tried["with_draft"]) == ("pending_review", "pending", False)
    assert "token" not in tried
    fired = [rule for rule in tried["trace"] if rule["result"] == "true"]
    assert fired[0]["conditions"][0]["values"] == {"amount": str(MEDIUM["amount"])}
    body = {"tool_name": TOOL, "tool_args": MEDIUM, "draft": {"policy_id": "refunds", **STRICT}}
    assert succeeded(refunds.full.post("/clearance-dry-run", body))["status"] == "denied"
    assert refunds.log_size() == before
    assert refunds.full.read("/reviews")["reviews"] == []


def test_the_command_line_simulates_on_a_vault_that_runs(refunds: Tenant, tmp_path: Path) -> None:
    for args in (SMALL, MEDIUM, LARGE):
        refunds.agent.ask(TOOL, args)
    asked = ("policies", "simulate", "refunds", "--rule", STRICT["rules"][0], "--json")
    near = command(*asked, "--data", str(refunds.vault.data), "--tenant", refunds.tenant_id)
    far = command(*asked, "--url", refunds.url, LEDGIX_VAULT_API_KEY=refunds.full.secret)
    assert near == far
    assert near["changed"] == 2
    calls = tmp_path / "calls.jsonl"
    calls.write_text("".join(json.dumps({"tool_name": TOOL, "tool_args": args}) + "\n" for args in (SMALL, LARGE)))
    far = command(*asked, "--url", refunds.url, "--file", str(calls), LEDGIX_VAULT_API_KEY=refunds.full.secret)
    assert (far["examined"], far["changed"]) == (2, 1)
