"""One approval, one token; clients in the field run the tool unless they read `denied` (contract section 2)."""

from __future__ import annotations

import asyncio

import pytest
from vault_testing.house import APPROVED, DENIED, REVIEWED, TOOL, House, told

from ledgix.formats import jcs, tokens
from ledgix_vault.clearance.decision import SYSTEM
from ledgix_vault.errors import Forbidden, Invalid, MissingScope, NotFound
from ledgix_vault.operations.manage_api_keys import create_api_key, rotate_api_key
from ledgix_vault.operations.run_due_jobs import forget_old_keys
from ledgix_vault.tenancy.scopes import PRESETS, Preset

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("amount", "status", "outcome"),
    [(APPROVED, "approved", "approved"), (REVIEWED, "pending_review", "pending"), (DENIED, "denied", "denied")],
)
async def test_the_answer_says_what_was_decided(amount: int, status: str, outcome: str, vault: House) -> None:
    answer = await vault.ask(amount)
    pending = status == "pending_review"
    assert answer["status"] == status
    assert answer["outcome"] == outcome
    assert answer["decision_status"] == ("approved_pending_review" if pending else status)
    assert answer["requires_manual_review"] == pending
    assert (answer["token"] is not None) == (status == "approved")
    assert answer["policy_version_id"] is not None
    assert await vault.poll(answer) == answer
    assert told(vault, answer) == ["clearance.decided"]


async def test_the_token_says_what_was_approved(vault: House) -> None:
    answer = await vault.ask(human_principal="user-7", session_id="s-1", agent_id="agent-1")
    claims = tokens.verify(
        answer["token"], vault.core.token_keys(), issuer="alcv-vault", audience="ledgix-sdk", now=0
    ).to_json()
    seconds = vault.clock() // 1_000_000
    assert claims == {
        "iss": "alcv-vault",
        "aud": "ledgix-sdk",
        "sub": "clearance",
        "iat": seconds,
        "exp": seconds + 300,
        "jti": claims["jti"],
        "request_id": answer["request_id"],
        "tool": TOOL,
        "agent_id": "agent-1",
        "session_id": "s-1",
        "policy_id": "refunds",
        "decision": "approved",
        "tool_args_hash": jcs.sha256_hex({"amount": APPROVED}),
        "tenant": vault.owner.tenant_id,
        "policy_version_id": answer["policy_version_id"],
        "human_principal": "user-7",
    }


async def test_every_retry_and_every_poll_gives_the_same_bytes(vault: House) -> None:
    first = await vault.ask(key="k")
    for restart in (False, True):
        if restart:
            vault.reopen()
        vault.clock.advance(100)
        assert (await vault.ask(key="k"))["token"] == first["token"]
        assert (await vault.poll(first))["token"] == first["token"]
    assert told(vault, first) == ["clearance.decided"]


async def test_concurrent_retries_are_one_request(vault: House) -> None:
    answers = await asyncio.gather(*(vault.ask(key="k") for _ in range(32)))
    assert len({answer["token"] for answer in answers}) == 1
    assert [answer.replayed for answer in answers].count(False) == 1


async def test_concurrent_first_polls_after_a_review_give_identical_bytes(vault: House) -> None:
    asked = await vault.ask(REVIEWED)
    vault.clock.advance(3600)
    await vault.approve(asked)
    vault.clock.advance(3600)
    polls = await asyncio.gather(*(vault.poll(asked) for _ in range(16)))
    assert len({poll["token"] for poll in polls}) == 1
    vault.clock.advance(100)
    later = await vault.poll(asked)
    assert later["token"] == polls[0]["token"]
    claims = tokens.verify(later["token"], vault.core.token_keys(), issuer="alcv-vault", audience="ledgix-sdk", now=0)
    assert claims.exp == vault.clock() // 1_000_000 - 100 + 300  # it lives from the hand-out, not from the decision


async def test_a_retry_hands_out_what_a_review_approved(vault: House) -> None:
    asked = await vault.ask(REVIEWED, key="k")
    assert asked["token"] is None
    await vault.approve(asked)
    retried = await vault.ask(REVIEWED, key="k")
    assert retried["status"] == "approved"
    assert (await vault.poll(asked))["token"] == retried["token"]


@pytest.mark.parametrize("via_review", [False, True])
async def test_a_used_approval_reads_as_denied(via_review: bool, vault: House) -> None:
    asked = await vault.ask(REVIEWED if via_review else APPROVED, key="k")
    if via_review:
        await vault.approve(asked)
        asked = await vault.poll(asked)
    await vault.consume(asked)
    for answer in (await vault.poll(asked), await vault.ask(REVIEWED if via_review else APPROVED, key="k")):
        assert answer["status"] == answer["decision_status"] == "denied"
        assert answer["reason_code"] == "approval_used"
        assert answer["outcome"] == "approved"
        assert answer["token"] is None


async def test_a_lapsed_approval_reads_as_denied(vault: House) -> None:
    asked = await vault.ask(key="k")
    vault.clock.advance(299)
    assert (await vault.poll(asked))["token"] == asked["token"]
    vault.clock.advance(1)
    for answer in (await vault.poll(asked), await vault.ask(key="k")):
        assert answer["status"] == answer["decision_status"] == "denied"
        assert answer["reason_code"] == "approval_lapsed"
        assert answer["outcome"] == "approved"
        assert answer["token"] is None


async def test_a_reviewed_approval_that_nobody_fetched_lapses(vault: House) -> None:
    await vault.change(review_expiry_seconds=600)
    asked = await vault.ask(REVIEWED)
    await vault.approve(asked)
    vault.clock.advance(600)
    answer = await vault.poll(asked)
    assert answer["status"] == "denied"
    assert answer["reason_code"] == "approval_lapsed"


async def test_only_the_key_that_asked_sees_its_request(vault: House) -> None:
    agent, other = await vault.key(Preset.AGENT), await vault.key(Preset.AGENT, "other")
    asked = await vault.ask(by=agent)
    for somebody in (other, vault.owner, vault.stranger):
        with pytest.raises(NotFound):
            await vault.poll(asked, by=somebody)
        with pytest.raises(NotFound):
            await vault.mint(asked, by=somebody)
    assert (await vault.poll(asked, by=agent))["token"] == asked["token"]


async def test_a_rotated_key_owns_what_the_old_one_asked(vault: House) -> None:
    tenant_id = vault.owner.tenant_id
    agent = await vault.key(Preset.AGENT)
    asked, reviewed = await vault.ask(by=agent), await vault.ask(REVIEWED, by=agent)
    first, _ = await rotate_api_key(vault.core, tenant_id, agent.key_id, SYSTEM)
    second, _ = await rotate_api_key(vault.core, tenant_id, first.key_id, SYSTEM)
    assert (await vault.poll(asked, by=second))["token"] == asked["token"]
    assert (await vault.mint(asked, by=second))["token"]
    assert (await vault.deny(reviewed, by=second))["reason_code"] == "cancelled_by_agent"
    vault.reopen()
    assert (await vault.poll(asked, by=first))["token"] == asked["token"]


async def test_a_key_may_be_bound_to_agents(vault: House) -> None:
    scopes = PRESETS[Preset.AGENT]
    key, _ = await create_api_key(vault.core, vault.owner.tenant_id, "bound", scopes, ("billing-*",), SYSTEM)
    assert (await vault.ask(by=key, agent_id="billing-7"))["status"] == "approved"
    with pytest.raises(Forbidden) as refused:
        await vault.ask(by=key, agent_id="sales-7")
    assert refused.value.code == "agent_not_allowed"


async def test_asking_needs_the_scope(vault: House) -> None:
    for preset in (Preset.GATEWAY, Preset.REVIEWER, Preset.AUDITOR):
        key, nobody = await vault.key(preset), {"request_id": "x"}
        for ask in (vault.ask(by=key), vault.poll(nobody, by=key), vault.mint(nobody, by=key)):
            with pytest.raises(MissingScope, match="clearance"):
                await ask


async def test_another_body_under_the_same_key_is_refused(vault: House) -> None:
    first = await vault.ask(key="k")
    with pytest.raises(Invalid) as refused:
        await vault.ask(46, key="k")
    assert refused.value.code == "idempotency_key_reused"
    assert (await vault.ask(key="k"))["request_id"] == first["request_id"]


async def test_keys_are_forgotten_after_a_day(vault: House) -> None:
    first = await vault.ask(key="k")
    vault.clock.advance(24 * 3600)
    assert await forget_old_keys(vault.core) == 0
    assert (await vault.ask(key="k"))["request_id"] == first["request_id"]
    vault.clock.advance(1)
    assert await forget_old_keys(vault.core) >= 1
    assert (await vault.ask(key="k"))["request_id"] != first["request_id"]


async def test_the_snapshot_that_counts_is_the_transactions(vault: House) -> None:
    """The call is evaluated before the transaction; a policy that was registered in between must decide it."""
    async with vault.held_writer():
        tightening = asyncio.create_task(vault.register("Refunds must not exceed $10"))
        await asyncio.sleep(0)
        asking = asyncio.create_task(vault.ask(APPROVED))
    active = await tightening
    answer = await asking
    assert answer["status"] == "denied"
    assert answer["decided_policy_version_id"] == active.version_id


async def test_the_settings_that_count_are_the_transactions(vault: House) -> None:
    async with vault.held_writer():
        changing = asyncio.create_task(vault.change(minimum_confidence_bucket="extra_high"))
        await asyncio.sleep(0)
        asking = asyncio.create_task(vault.ask(APPROVED))
    await changing
    answer = await asking
    assert answer["status"] == "pending_review"
    assert answer["reason_code"] == "low_confidence"
    assert answer["minimum_confidence_bucket"] == "extra_high"


async def test_what_no_policy_covers_goes_to_a_person(vault: House) -> None:
    answer = await vault.ask(tool_name="delete_everything")
    assert answer["status"] == "pending_review"
    assert answer["reason_code"] == "no_matching_policy"
    await vault.change(default_verdict="deny")
    assert (await vault.ask(tool_name="delete_everything"))["status"] == "denied"


NUL = "a\0b"


async def test_texts_may_hold_any_character(vault: House) -> None:
    """PostgreSQL's text knows no NUL, so nothing that callers write stands in it as such."""
    answer = await vault.ask(
        tool_name=TOOL,
        tool_args={"amount": REVIEWED, NUL: NUL, "\U0001f600": ["\x7f", "\u2028"]},
        agent_id=NUL,
        session_id=NUL,
        context={"policy_id": NUL, "facts": {NUL: NUL}},
        human_principal=NUL,
        destination_uri=NUL,
        destination_provider=NUL,
        destination_account_ref=NUL,
        data_categories=[NUL],
        purpose=NUL,
        processing_register_ref=NUL,
        dataset_ref=NUL,
        accepts=[NUL, "changed_args"],
        key=NUL,
    )
    approved = await vault.approve(answer, reason=NUL, args={"amount": 50, NUL: NUL}, key=NUL)
    assert approved["reason"] == NUL
    assert (await vault.poll(answer))["effective_args"] == {"amount": 50, NUL: NUL}
    assert (await vault.ask(tool_name=NUL))["status"] == "pending_review"
    await vault.register(NUL, "Amounts above 100 USD need review", tools=(NUL,))


async def test_no_id_is_anything_but_unknown(vault: House) -> None:
    for unknown in (NUL, "", "x" * 5000, "' OR 1=1 --", "01234567-89ab-7cde-8f01-23456789abcd"):
        nobody = {"request_id": unknown}
        for look_up in (vault.poll, vault.approve, vault.deny, vault.mint):
            with pytest.raises(NotFound):
                await look_up(nobody)
        if unknown:
            assert (await vault.ask(parent_jti=unknown[:2048]))["reason_code"] == "delegation_invalid"
