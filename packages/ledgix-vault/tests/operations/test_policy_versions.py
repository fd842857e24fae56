"""The life of a policy version: what each state allows, who may move it, and that two at once never both win."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from vault_testing.house import APPROVED, REVIEWED, TOOL, House
from vault_testing.invariants import check_invariants

from ledgix.formats import json
from ledgix_vault.errors import Conflict, Forbidden, Invalid, MissingScope, NotFound, PolicyInvalid
from ledgix_vault.operations.compare_policy_versions import compare_policy_versions
from ledgix_vault.operations.read_ledger import list_entries
from ledgix_vault.operations.read_policies import read_policy_list, read_versions, shadow_report
from ledgix_vault.operations.register_tool_schema import register_tool_schema
from ledgix_vault.policy.versions import VersionState, confirmation_hash
from ledgix_vault.tenancy.scopes import Preset

pytestmark = pytest.mark.anyio

STRICT = "Refunds must not exceed $10"
NO_RULE = "Be kind to customers."
OTHER_SCHEMA = {"type": "object", "properties": {"amount": {"type": "number"}}}
WITHOUT_AMOUNT = {"type": "object", "properties": {"n": {"type": "number"}}, "additionalProperties": False}


async def events(vault: House, most: int = 1) -> list[dict[str, Any]]:
    return await list_entries(vault.core, vault.owner, most)


async def states(vault: House) -> dict[int, str]:
    versions = await read_versions(vault.core, vault.owner, "refunds", limit=100, before=None)
    return {version.version: str(version.state) for version in versions}


async def confirmed(vault: House, *sentences: str) -> int:
    draft = await vault.draft(*sentences or (STRICT,))
    return (await vault.confirm(draft.version)).version


async def put_schema(vault: House, schema: dict[str, Any]) -> None:
    parsed = json.from_python(schema)
    assert isinstance(parsed, dict)
    await register_tool_schema(vault.core, vault.owner, TOOL, parsed)


async def test_a_version_lives_from_draft_to_retired(vault: House) -> None:
    """Nothing is decided by it before it is active, and each step is an event that names it."""
    draft = await vault.draft(STRICT)
    assert (draft.version, draft.state) == (2, VersionState.DRAFT)
    assert (await vault.ask())["status"] == "approved"
    await vault.confirm(2)
    assert (await vault.ask())["status"] == "approved"
    active = await vault.activate(2)
    assert (await vault.ask())["decided_policy_version_id"] == active.version_id == draft.version_id
    assert await states(vault) == {1: "retired", 2: "active"}
    await vault.retire(2)
    assert (await vault.ask())["reason_code"] == "no_matching_policy"
    told = [entry for entry in await events(vault, 50) if entry["policy_version_id"] == draft.version_id]
    kinds = [entry["kind"] for entry in reversed(told) if entry["kind"].startswith("policy.")]
    assert kinds == ["policy.drafted", "policy.confirmed", "policy.activated", "policy.retired"]
    for entry in told:
        assert (entry["policy_id"], entry["policy_content_hash"]) == ("refunds", draft.document.content_hash)
    vault.reopen()
    assert await states(vault) == {1: "retired", 2: "retired"}
    check_invariants(vault, by_own_check=True)


async def test_a_confirmation_says_what_was_confirmed(vault: House) -> None:
    version = await vault.confirm((await vault.draft(STRICT)).version)
    schemas = vault.core.store.tenant(vault.owner.tenant_id).snapshot.schemas
    (event,) = await events(vault)
    assert event["action_metadata"]["confirmation_hash"] == confirmation_hash(version.document, schemas)
    assert version.confirmation_hash == confirmation_hash(version.document, schemas)
    await put_schema(vault, OTHER_SCHEMA)
    schemas = vault.core.store.tenant(vault.owner.tenant_id).snapshot.schemas
    assert version.confirmation_hash != confirmation_hash(version.document, schemas)


@pytest.mark.parametrize("move", ["activate", "shadow"])
async def test_what_was_confirmed_with_other_schemas_is_confirmed_again(move: str, vault: House) -> None:
    number = await confirmed(vault)
    await put_schema(vault, OTHER_SCHEMA)
    with pytest.raises(Conflict) as outdated:
        await getattr(vault, move)(number)
    assert outdated.value.code == "confirmation_outdated"
    await vault.confirm(number)
    await getattr(vault, move)(number)
    check_invariants(vault, by_own_check=True)


async def test_what_does_not_fit_the_schemas_of_now_is_neither_confirmed_nor_activated(vault: House) -> None:
    await vault.retire(1)
    number = await confirmed(vault)
    waiting = await vault.draft(definition="rules: [{id: a, effect: deny, when: ['args.amount > 1']}]")
    await put_schema(vault, WITHOUT_AMOUNT)
    with pytest.raises(PolicyInvalid, match="fit"):
        await vault.confirm(waiting.version)
    with pytest.raises(Conflict):
        await vault.activate(number)


@pytest.mark.parametrize("move", ["activate", "shadow"])
async def test_a_draft_gets_no_say_unconfirmed(move: str, vault: House) -> None:
    draft = await vault.draft(STRICT)
    with pytest.raises(Conflict) as refused:
        await getattr(vault, move)(draft.version)
    assert refused.value.code == "policy_state"


async def test_what_is_retired_comes_back_by_rollback_only(vault: House) -> None:
    number = await confirmed(vault)
    await vault.retire(number)
    for move in (vault.confirm, vault.activate, vault.shadow, vault.roll_back):
        with pytest.raises(Conflict) as refused:
            await move(number)
        assert refused.value.code == "policy_state"
    assert (await vault.ask())["status"] == "approved"


async def test_doing_again_what_is_done_leaves_no_event(vault: House) -> None:
    number = await confirmed(vault)
    spare = await confirmed(vault, "Refunds must not exceed $20")
    for move, which in (
        (vault.confirm, number),
        (vault.activate, number),
        (vault.shadow, spare),
        (vault.retire, spare),
        (vault.roll_back, 1),
    ):
        first = await move(which)
        size = vault.core.store.log(vault.owner.tenant_id).integrator.size
        assert await move(which) == first
        assert vault.core.store.log(vault.owner.tenant_id).integrator.size == size


async def test_marks_make_the_version_that_is_confirmed(vault: House) -> None:
    draft = await vault.draft(STRICT, NO_RULE)
    assert draft.document.open_text == (NO_RULE,)
    marked = await vault.confirm(draft.version, set_aside=(NO_RULE,))
    assert (marked.version, marked.state) == (3, VersionState.CONFIRMED)
    assert marked.document.open_text == ()
    assert str(marked.document.otherwise) == "approve"  # as it was written, now that nothing is left open
    assert (await states(vault))[draft.version] == "draft"
    await vault.activate(3)
    answer = await vault.ask(5)
    assert (answer["status"], answer["confidence_bucket"]) == ("approved", "high")
    for marks in ({"set_aside": ("never said",)}, {"settle": ("no document",)}):
        with pytest.raises(Invalid):
            await vault.confirm(draft.version, **marks)
    check_invariants(vault, by_own_check=True)


async def test_rolling_back_walks_to_what_was_active_before(vault: House) -> None:
    for amount in (20, 30):
        await vault.activate(await confirmed(vault, f"Refunds must not exceed ${amount}"))
    assert (await vault.roll_back()).version == 2
    assert (await events(vault))[0]["kind"] == "policy.rolled_back"
    assert (await vault.ask(15))["status"] == "approved"
    assert (await vault.ask(25))["status"] == "denied"
    assert (await vault.roll_back()).version == 1
    with pytest.raises(Conflict) as nothing:
        await vault.roll_back()
    assert nothing.value.code == "nothing_before"
    assert (await vault.roll_back(3)).version == 3
    fourth = await confirmed(vault)
    await vault.activate(fourth)
    assert (await vault.roll_back()).version == 3
    check_invariants(vault, by_own_check=True)


async def test_a_retired_policy_comes_back_by_name(vault: House) -> None:
    await vault.retire(1)
    with pytest.raises(Conflict):
        await vault.roll_back()
    await vault.roll_back(1)
    assert (await vault.ask())["status"] == "approved"


async def test_of_two_activations_at_once_one_wins(vault: House) -> None:
    one, other = await confirmed(vault), await confirmed(vault, "Refunds must not exceed $20")
    async with vault.held_writer():
        both = [asyncio.create_task(vault.activate(number)) for number in (one, other)]
    results = await asyncio.gather(*both, return_exceptions=True)
    won = [result for result in results if not isinstance(result, BaseException)]
    (lost,) = [result for result in results if isinstance(result, Conflict)]
    assert lost.code == "policy_moved"
    assert list((await states(vault)).values()).count("active") == len(won) == 1
    check_invariants(vault, by_own_check=True)


async def test_two_rollbacks_at_once_go_back_once(vault: House) -> None:
    for amount in (20, 30):
        await vault.activate(await confirmed(vault, f"Refunds must not exceed ${amount}"))
    async with vault.held_writer():
        both = [asyncio.create_task(vault.roll_back()) for _ in range(2)]
    results = await asyncio.gather(*both, return_exceptions=True)
    assert sorted(isinstance(result, Conflict) for result in results) == [False, True]
    assert (await states(vault))[2] == "active"


async def test_moves_all_at_once_leave_one_active_and_one_shadow(vault: House) -> None:
    numbers = [await confirmed(vault, f"Refunds must not exceed ${amount}") for amount in (20, 30, 40)]
    moves = [move(number) for number in numbers for move in (vault.activate, vault.shadow, vault.retire)]
    await asyncio.gather(*moves, vault.roll_back(), vault.register(STRICT), return_exceptions=True)
    found = list((await states(vault)).values())
    assert found.count("active") == 1
    assert found.count("shadow") <= 1
    check_invariants(vault, by_own_check=True)


# Two people


async def test_where_two_people_are_asked_for_no_author_activates(vault: House) -> None:
    await vault.change(two_person_activation=True)
    second = await vault.key(Preset.FULL, "second")
    registered = await vault.register(STRICT)
    assert registered.state is VersionState.DRAFT
    assert (await events(vault))[0]["kind"] == "policy.drafted"
    assert (await vault.ask())["status"] == "approved"
    await vault.confirm(registered.version)
    with pytest.raises(Forbidden) as refused:
        await vault.activate(registered.version)
    assert refused.value.code == "second_person_needed"
    await vault.activate(registered.version, by=second)
    assert (await vault.ask())["status"] == "denied"
    assert (await vault.roll_back()).version == 1  # whoever sees that it is wrong acts alone


async def test_whoever_marked_text_is_an_author_too(vault: House) -> None:
    await vault.change(two_person_activation=True)
    second, third = await vault.key(Preset.FULL, "second"), await vault.key(Preset.FULL, "third")
    draft = await vault.draft(STRICT, NO_RULE)
    marked = await vault.confirm(draft.version, by=second, set_aside=(NO_RULE,))
    assert marked.authors == (vault.owner.lineage, second.lineage)
    for author in (vault.owner, second):
        with pytest.raises(Forbidden):
            await vault.activate(marked.version, by=author)
    assert (await vault.activate(marked.version, by=third)).activated_by == third.key_id


# Shadows


async def test_a_shadow_is_recorded_and_never_enforced(vault: House) -> None:
    number = await confirmed(vault)
    shadow = await vault.shadow(number)
    before = vault.core.store.tenant(vault.owner.tenant_id).snapshot
    asked = await vault.ask(APPROVED, key="k")
    assert asked["status"] == "approved"
    (entry,) = await events(vault)
    (said,) = entry["action_metadata"]["shadow"]
    assert said["policy_version_id"] == shadow.version_id
    assert said["policy_content_hash"] == shadow.document.content_hash
    assert (said["effect"], said["outcome"], said["reason_code"]) == ("deny", "denied", "policy_denied")
    assert said["matched_rule_ids"] == ["r1"]
    assert STRICT in said["reason"]
    assert entry["intent"]["decision"]["snapshot_hash"] == before.hash
    assert await vault.ask(APPROVED, key="k") == asked
    minted = await vault.mint(asked)
    assert minted["status"] == "approved"
    assert (await vault.ask(REVIEWED))["status"] == "pending_review"
    await vault.ask(5)
    await vault.ask(tool_name="another")  # neither covers it
    assert "shadow" not in (await events(vault))[0]["action_metadata"]
    report = await shadow_report(vault.core, vault.owner, "refunds", number=None, last=100)
    assert (report["evaluated"], report["agreed"], report["differed"]) == (4, 1, 3)
    counts = {(found["decided"], found["shadow"]): found["count"] for found in report["differences"]}
    assert counts == {("approved", "denied"): 2, ("pending", "denied"): 1}
    assert asked["request_id"] in report["differences"][0]["request_ids"]
    fewer = await shadow_report(vault.core, vault.owner, "refunds", number=number, last=1)
    assert (fewer["evaluated"], fewer["agreed"]) == (1, 1)
    vault.reopen()
    check_invariants(vault, by_own_check=True)


async def test_a_new_shadow_sends_the_old_one_back(vault: House) -> None:
    first, second = await confirmed(vault), await confirmed(vault, "Refunds must not exceed $20")
    await vault.shadow(first)
    await vault.shadow(second)
    assert await states(vault) == {1: "active", first: "confirmed", second: "shadow"}
    await vault.activate(second)
    assert await states(vault) == {1: "retired", first: "confirmed", second: "active"}
    await vault.ask()
    assert "shadow" not in (await events(vault))[0]["action_metadata"]
    with pytest.raises(NotFound):
        await shadow_report(vault.core, vault.owner, "refunds", number=None, last=10)
    check_invariants(vault, by_own_check=True)


async def test_a_decision_made_before_a_shadow_came_is_made_again(vault: House) -> None:
    number = await confirmed(vault)
    async with vault.held_writer():
        shadowing = asyncio.create_task(vault.shadow(number))
        asking = asyncio.create_task(vault.ask())
    await asyncio.gather(shadowing, asking)
    recorded = [entry for entry in await events(vault, 2) if entry["kind"] == "clearance.decided"]
    became = [entry for entry in await events(vault, 2) if entry["kind"] == "policy.shadowed"]
    assert ("shadow" in recorded[0]["action_metadata"]) == (recorded[0]["seq"] > became[0]["seq"])


async def test_a_shadow_for_a_tool_that_nothing_covers(vault: House) -> None:
    draft = await vault.draft(STRICT, policy_id="wider", tools=("another",))
    assert draft.version == 1
    listed = await read_policy_list(vault.core, vault.owner)
    assert [(each.newest.policy_id, each.active is None) for each in listed] == [("refunds", False), ("wider", True)]


# Reading, scopes, tenants


async def test_what_changes_between_two_versions(vault: House) -> None:
    await vault.draft(STRICT)
    _, _, found = await compare_policy_versions(vault.core, vault.owner, "refunds", 1, 2)
    assert STRICT in found.text
    with pytest.raises(NotFound):
        await compare_policy_versions(vault.core, vault.owner, "refunds", 1, 9)


async def test_every_move_needs_the_scope_and_stays_in_its_tenant(vault: House) -> None:
    number = await confirmed(vault)
    reviewer = await vault.key(Preset.REVIEWER)
    for move in (vault.confirm, vault.activate, vault.shadow, vault.retire, vault.roll_back):
        with pytest.raises(MissingScope, match="policy"):
            await move(number, by=reviewer)
        with pytest.raises(NotFound):
            await move(number, by=vault.stranger)
        with pytest.raises(NotFound):
            await move(99)
    with pytest.raises(MissingScope):
        await vault.draft(STRICT, by=reviewer)
    assert (await states(vault))[number] == "confirmed"


async def test_a_document_that_is_not_there_is_refused(vault: House) -> None:
    with pytest.raises(Invalid):
        await vault.draft(STRICT, set_aside=("never said",))
