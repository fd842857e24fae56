"""`policies diff` and `policies apply` against a running Vault, as a pipeline would run them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from running_vault import Tenant, succeeded
from wire import problem

BIN = Path(sys.executable).parent
POLICY = """
policy_id: gifts
description: Gifts to customers.
tools: [send_gift]
rules:
  - {id: small, effect: approve, when: [args.amount <= 20, args.amount >= 0]}
"""
SCHEMA = {"type": "object", "properties": {"amount": {"type": "number"}}, "required": ["amount"]}
CASES = "- {why: small, call: {tool_name: send_gift, tool_args: {amount: 20}}, expect: approve}\n"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    found = tmp_path / "policies"
    for part in ("schemas", "cases"):
        (found / part).mkdir(parents=True)
    (found / "gifts.yaml").write_text(POLICY)
    (found / "schemas" / "send_gift.json").write_text(json.dumps(SCHEMA))
    (found / "cases" / "gifts.yaml").write_text(CASES)
    return found


def run(tenant: Tenant, command: str, directory: Path, *more: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LEDGIX_VAULT_API_KEY": tenant.full.secret}
    return subprocess.run(
        [BIN / "ledgix-vault", "policies", command, directory, "--url", tenant.url, *more],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment,
    )


def test_applying_twice_changes_nothing_the_second_time(tenant: Tenant, directory: Path) -> None:
    before = run(tenant, "diff", directory)
    assert (before.returncode, "policy gifts: new" in before.stdout) == (1, True), before
    assert "+ rule small" in before.stdout
    dry = run(tenant, "apply", directory, "--dry-run")
    assert (dry.returncode, dry.stdout) == (0, before.stdout)
    applied = run(tenant, "apply", directory)
    assert applied.returncode == 0, applied
    assert "schema send_gift: registered" in applied.stdout
    assert "policy gifts: Version 1 is active" in applied.stdout
    assert tenant.agent.ask("send_gift", {"amount": 20})["status"] == "approved"
    entries = tenant.log_size()
    again = run(tenant, "apply", directory)
    assert (again.returncode, "Nothing differs." in again.stdout) == (0, True), again
    assert run(tenant, "diff", directory).returncode == 0
    assert tenant.log_size() == entries


def test_a_change_is_shown_and_applied(tenant: Tenant, directory: Path) -> None:
    assert run(tenant, "apply", directory).returncode == 0
    (directory / "gifts.yaml").write_text(POLICY.replace("<= 20", "<= 25"))
    shown = json.loads(run(tenant, "diff", directory, "--json").stdout)
    (policy,) = shown["policies"]
    assert (policy["policy_id"], policy["new"]) == ("gifts", False)
    assert [(change["part"], change["name"]) for change in policy["changes"]] == [("rules", "small")]
    assert "args.amount <= 25" in policy["text"]
    assert run(tenant, "apply", directory).returncode == 0
    assert tenant.full.read("/policies/gifts")["active"]["version"] == 2


def test_a_failing_case_or_a_flaw_sends_nothing(tenant: Tenant, directory: Path) -> None:
    (directory / "cases" / "gifts.yaml").write_text(CASES.replace("approve", "deny"))
    refused = run(tenant, "apply", directory)
    assert (refused.returncode, "1 cases fail" in refused.stderr) == (1, True), refused
    (directory / "gifts.yaml").write_text(POLICY.replace("args.amount <= 20", "args.amuont <= 20"))
    refused = run(tenant, "apply", directory)
    assert refused.returncode == 1
    assert "gifts.yaml:6:" in refused.stderr
    assert "amuont" in refused.stderr
    problem(tenant.full.get("/policies/gifts"), 404, "not_found")


def test_two_people_get_a_draft(tenant: Tenant, directory: Path) -> None:
    tenant.set_reviews(two_person_activation=True)
    applied = run(tenant, "apply", directory)
    assert applied.returncode == 0, applied
    assert "draft" in applied.stdout
    again = run(tenant, "apply", directory)
    assert (again.returncode, "Version 1 is a draft" in again.stdout) == (0, True), again
    gifts = tenant.full.read("/policies/gifts")
    assert (gifts["active"], gifts["newest"]["version"]) == (None, 1)


def test_after_a_rollback_or_a_retirement_it_applies_again(tenant: Tenant, directory: Path) -> None:
    assert run(tenant, "apply", directory).returncode == 0
    (directory / "gifts.yaml").write_text(POLICY.replace("<= 20", "<= 25"))
    assert run(tenant, "apply", directory).returncode == 0
    succeeded(tenant.full.post("/policies/gifts/rollback"))
    assert "Version 3 is active" in run(tenant, "apply", directory).stdout
    succeeded(tenant.full.post("/policies/gifts/versions/3/retire"))
    assert "Version 4 is active" in run(tenant, "apply", directory).stdout
    assert run(tenant, "diff", directory).returncode == 0


def test_documents_are_not_lost(tenant: Tenant, directory: Path) -> None:
    assert run(tenant, "apply", directory).returncode == 0
    succeeded(tenant.full.post("/documents", {"name": "gifts", "text": "Be generous.", "document_id": "gifts"}))
    body = {"definition": "rules: [{id: a, effect: deny, when: []}]", "tools": ["send_gift"]}
    succeeded(tenant.full.post("/policies/gifts/versions", {**body, "sources": [{"document_id": "gifts"}]}))
    for move in ("confirm", "activate"):
        succeeded(tenant.full.post(f"/policies/gifts/versions/2/{move}"))
    refused = run(tenant, "apply", directory)
    assert (refused.returncode, "rests on documents" in refused.stderr) == (1, True), refused
    assert tenant.full.read("/policies/gifts")["active"]["version"] == 2


def test_without_a_key_it_says_which(tenant: Tenant, directory: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "LEDGIX_VAULT_API_KEY"}
    done = subprocess.run(
        [BIN / "ledgix-vault", "policies", "diff", directory, "--url", tenant.url],
        capture_output=True, text=True, timeout=60, check=False, env=environment,
    )  # fmt: skip
    assert (done.returncode, "LEDGIX_VAULT_API_KEY" in done.stderr) == (1, True)
