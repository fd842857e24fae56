"""What decides is itself a fact: versioned, in force at once, in the ledger, and remembered under its key."""

from __future__ import annotations

import asyncio

import pytest
from vault_testing.house import APPROVED, REVIEWED, TOOL, House

from ledgix.formats import json
from ledgix_vault.errors import Invalid, MissingScope, PolicyInvalid
from ledgix_vault.operations.read_ledger import list_entries
from ledgix_vault.operations.register_tool_schema import register_tool_schema
from ledgix_vault.tenancy.scopes import Preset

pytestmark = pytest.mark.anyio

DEFINITION = """
rules:
  - id: small
    effect: approve
    tools: [stripe_refund]
    when: ["args.amount <= 10", "args.amount >= 0"]
"""


async def newest_event(vault: House) -> dict:
    return (await list_entries(vault.core, vault.owner, 1))[0]


async def test_a_new_version_is_in_force_at_once_and_for_good(vault: House) -> None:
    first = await vault.ask(APPROVED)
    active = await vault.register("Refunds must not exceed $10")
    assert active.version == 2
    for _ in range(2):
        answer = await vault.ask(APPROVED)
        assert answer["status"] == "denied"
        assert answer["decided_policy_version_id"] == active.version_id != first["policy_version_id"]
        vault.reopen()


async def test_its_event_names_it(vault: House) -> None:
    active = await vault.register("Refunds must not exceed $10")
    event = await newest_event(vault)
    assert event["kind"] == "policy.activated"
    assert event["policy_id"] == "refunds"
    assert event["policy_version_id"] == active.version_id
    assert event["policy_content_hash"] == active.document.content_hash
    assert event["intent"]["decider"] == {"type": "key", "id": vault.owner.key_id}


async def test_concurrent_registrations_are_versions_in_a_row(vault: House) -> None:
    active = await asyncio.gather(*(vault.register(f"Refunds must not exceed ${n}") for n in range(10, 20)))
    assert sorted(version.version for version in active) == list(range(2, 12))
    newest = max(active, key=lambda version: version.version)
    assert (await vault.ask(APPROVED))["decided_policy_version_id"] == newest.version_id


async def test_a_retry_registers_nothing_new(vault: House) -> None:
    first = await vault.register("Refunds must not exceed $10", key="k")
    await vault.register("Refunds must not exceed $20")
    again = await vault.register("Refunds must not exceed $10", key="k")
    assert (again.version_id, again.version) == (first.version_id, first.version)
    assert (await vault.ask(15))["status"] == "approved"  # and brings nothing back


async def test_a_retry_is_answered_although_a_schema_came_in_between(vault: House) -> None:
    rules = "rules:\n  - {id: r, effect: deny, tools: [stripe_refund], when: ['args.comment == \"x\"']}\n"
    first = await vault.register(definition=rules, key="k")
    await vault.register("Refunds must not exceed $20")
    schema = {"type": "object", "properties": {"amount": {"type": "number"}}, "additionalProperties": False}
    parsed = json.from_python(schema)
    assert isinstance(parsed, dict)
    await register_tool_schema(vault.core, vault.owner, TOOL, parsed)
    again = await vault.register(definition=rules, key="k")
    assert again.version_id == first.version_id


async def test_what_does_not_compile_changes_nothing(vault: House) -> None:
    for definition in ("rules: [", "rules: [{id: a, effect: deny, when: ['args.amount >']}]"):
        with pytest.raises(PolicyInvalid) as refused:
            await vault.register(definition=definition)
        assert refused.value.problems
    with pytest.raises(Invalid):
        await vault.register("Refunds must not exceed $10", policy_id="a\0b")
    with pytest.raises(PolicyInvalid):
        await vault.register("Refunds must not exceed $10", policy_id="")
    assert (await vault.ask(APPROVED))["status"] == "approved"


async def test_a_definition_decides(vault: House) -> None:
    await vault.register(definition=DEFINITION)
    assert (await vault.ask(10))["status"] == "approved"
    assert (await vault.ask(11))["status"] == "pending_review"


async def test_settings_that_stay_leave_no_event(vault: House) -> None:
    changed = await vault.change(quorum=2)
    assert changed.quorum == 2
    before = vault.core.store.log(vault.owner.tenant_id).integrator.size
    assert await vault.change(quorum=2) == changed
    assert vault.core.store.log(vault.owner.tenant_id).integrator.size == before
    vault.reopen()
    assert vault.core.store.tenant(vault.owner.tenant_id).settings == changed
    for wrong in (
        {"quorum": 0},
        {"quorum": True},
        {"default_verdict": "approve"},
        {"quorum_roles": ["auditor"]},
        {"review_expiry_seconds": 1.5},
    ):
        with pytest.raises(Invalid):
            await vault.change(**wrong)


async def test_deciding_needs_the_scope(vault: House) -> None:
    for preset in (Preset.AGENT, Preset.GATEWAY, Preset.REVIEWER, Preset.AUDITOR):
        key = await vault.key(preset)
        with pytest.raises(MissingScope, match="policy"):
            await vault.register("Refunds must not exceed $10", by=key)
        with pytest.raises(MissingScope, match="settings"):
            await vault.change(by=key, quorum=2)


async def test_a_change_while_many_ask_divides_them_cleanly(vault: House) -> None:
    """Every answer names the version that decided it, and that version says so."""
    tightening = [vault.register("Refunds must not exceed $10") for _ in range(2)]
    asking = [vault.ask(APPROVED) for _ in range(20)] + [vault.ask(REVIEWED) for _ in range(5)]
    results = await asyncio.gather(*asking[:10], tightening[0], *asking[10:], tightening[1])
    strict = {results[10].version_id, results[-1].version_id}
    for answer in (*results[:10], *results[11:-1]):
        assert (answer["status"] == "denied") == (answer["decided_policy_version_id"] in strict)
