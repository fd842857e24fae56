"""Reviews end once, by whoever may end them, and never against a hard rule."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from vault_testing.house import APPROVED, DENIED, REVIEWED, Answer, House, told

from ledgix_vault.clearance.decision import SYSTEM
from ledgix_vault.errors import Conflict, Forbidden, Invalid, MissingScope, NotFound
from ledgix_vault.operations.list_reviews import list_reviews
from ledgix_vault.operations.manage_api_keys import rotate_api_key
from ledgix_vault.reviews.review import ReviewStatus
from ledgix_vault.tenancy.scopes import Preset

pytestmark = pytest.mark.anyio

DAY = 24 * 3600


async def test_an_approval_opens_the_way_and_carries_no_token(vault: House) -> None:
    reviewer = await vault.key(Preset.REVIEWER)
    asked = await vault.ask(REVIEWED)
    approved = await vault.approve(asked, by=reviewer, reason="Spoke to the customer.")
    assert approved["status"] == "approved"
    assert approved["token"] is None
    assert approved["reason"] == "Spoke to the customer."
    assert approved["policy_version_id"] is None  # it can't be minted again, so nobody may cache it
    assert approved["decided_policy_version_id"]
    assert told(vault, asked) == ["clearance.decided", "review.decided"]
    assert (await vault.poll(asked))["token"]


async def test_a_denial_ends_it(vault: House) -> None:
    reviewer = await vault.key(Preset.REVIEWER)
    asked = await vault.ask(REVIEWED)
    denied = await vault.deny(asked, by=reviewer)
    assert (denied["status"], denied["outcome"], denied["reason_code"]) == ("denied", "denied", "review_denied")
    assert (await vault.poll(asked))["status"] == "denied"


@pytest.mark.parametrize("approved", [True, False])
async def test_the_same_decision_again_gets_the_same_answer_and_the_opposite_a_conflict(
    approved: bool, vault: House
) -> None:
    reviewer, other = await vault.key(Preset.REVIEWER), await vault.key(Preset.REVIEWER, "other")
    asked = await vault.ask(REVIEWED)
    first = await vault.decide(asked, approved, by=reviewer)
    for somebody in (reviewer, other):
        assert await vault.decide(asked, approved, by=somebody) == first
        with pytest.raises(Conflict) as refused:
            await vault.decide(asked, not approved, by=somebody)
        assert refused.value.code == "review_already_decided"
    assert told(vault, asked) == ["clearance.decided", "review.decided"]


async def test_two_reviewers_who_disagree_settle_it_once(vault: House) -> None:
    one, two = await vault.key(Preset.REVIEWER), await vault.key(Preset.REVIEWER, "two")
    asked = await vault.ask(REVIEWED)
    results = await asyncio.gather(vault.approve(asked, by=one), vault.deny(asked, by=two), return_exceptions=True)
    assert [type(result) for result in results] == [Answer, Conflict]


async def test_an_agent_never_approves(vault: House) -> None:
    agent = await vault.key(Preset.AGENT)
    own, foreign = await vault.ask(REVIEWED, by=agent), await vault.ask(REVIEWED)
    with pytest.raises(MissingScope, match="review"):
        await vault.approve(own, by=agent)
    for decide in (vault.approve, vault.deny):
        with pytest.raises(NotFound):
            await decide(foreign, by=agent)
    for key in (await vault.key(Preset.GATEWAY), await vault.key(Preset.AUDITOR)):
        with pytest.raises(MissingScope, match="review"):
            await vault.approve(own, by=key)


@pytest.mark.parametrize("preset", [Preset.AGENT, Preset.FULL])
@pytest.mark.parametrize("amount", [REVIEWED, APPROVED])
async def test_the_askers_denial_is_a_cancel(amount: int, preset: Preset, vault: House) -> None:
    key = await vault.key(preset)
    asked = await vault.ask(amount, by=key)
    for _ in range(2):
        cancelled = await vault.deny(asked, by=key)
        assert (cancelled["status"], cancelled["outcome"]) == ("denied", "cancelled")
        assert cancelled["reason_code"] == "cancelled_by_agent"
    assert told(vault, asked) == ["clearance.decided", "review.cancelled_by_agent"]
    assert (await vault.poll(asked, by=key))["status"] == "denied"
    with pytest.raises(Conflict):
        await vault.approve(asked, by=vault.owner)


async def test_an_approval_in_review_can_be_cancelled_until_it_is_used(vault: House) -> None:
    asked = await vault.ask(REVIEWED)
    await vault.approve(asked)
    await vault.poll(asked)
    assert (await vault.deny(asked))["outcome"] == "cancelled"
    assert (await vault.poll(asked))["token"] is None

    used = await vault.ask()
    await vault.consume(used)
    with pytest.raises(Conflict) as refused:
        await vault.deny(used)
    assert refused.value.code == "token_already_consumed"
    assert told(vault, used) == ["clearance.decided", "token.consumed"]


async def test_what_is_denied_cannot_be_cancelled_into_something_else(vault: House) -> None:
    asked = await vault.ask(DENIED)
    assert (await vault.deny(asked))["outcome"] == "denied"
    assert told(vault, asked) == ["clearance.decided"]


async def test_a_review_that_the_rules_now_deny_cannot_be_approved(vault: House) -> None:
    asked = await vault.ask(REVIEWED)
    await vault.register("Refunds must not exceed $200")
    with pytest.raises(Conflict) as refused:
        await vault.approve(asked)
    assert refused.value.code == "policy_changed"
    assert (await vault.poll(asked))["status"] == "pending_review"
    await vault.register("Refunds must not exceed $2000")
    assert (await vault.approve(asked))["status"] == "approved"


async def test_changed_arguments_are_judged_too(vault: House) -> None:
    plain, open_minded = await vault.ask(REVIEWED), await vault.ask(REVIEWED, accepts=["changed_args"])
    with pytest.raises(Invalid) as invalid:
        await vault.approve(plain, args={"amount": 50})
    assert invalid.value.code == "client_cannot_change_args"
    with pytest.raises(Conflict) as refused:
        await vault.approve(open_minded, args={"amount": DENIED})
    assert refused.value.code == "policy_changed"
    approved = await vault.approve(open_minded, args={"amount": 50})
    assert approved["effective_args"] == {"amount": 50}
    assert await vault.approve(open_minded, args={"amount": 50.0}) == approved
    for other in (None, {"amount": 51}, {"amount": "50"}):
        with pytest.raises(Conflict):
            await vault.approve(open_minded, args=other)


@pytest.mark.parametrize("how", ["poll", "retry", "approve", "deny", "cancel", "worker"])
async def test_an_expiry_is_written_by_whoever_notices_it_first(how: str, vault: House) -> None:
    reviewer = await vault.key(Preset.REVIEWER)
    asked = await vault.ask(REVIEWED, key="k")
    vault.clock.advance(DAY)
    notice: dict[str, Callable[[], Any]] = {
        "poll": lambda: vault.poll(asked),
        "retry": lambda: vault.ask(REVIEWED, key="k"),
        "approve": lambda: vault.approve(asked, by=reviewer),
        "deny": lambda: vault.deny(asked, by=reviewer),
        "cancel": lambda: vault.deny(asked),
        "worker": vault.do_what_is_due,
    }
    for _ in range(2):
        if how in ("approve", "deny"):
            with pytest.raises(Conflict) as refused:
                await notice[how]()
            assert refused.value.code == "review_expired"
        else:
            await notice[how]()
        assert told(vault, asked) == ["clearance.decided", "review.expired"]
    answer = await vault.poll(asked)
    assert (answer["status"], answer["outcome"]) == ("denied", "expired")
    assert answer["reason_code"] == "review_expired"


async def test_one_moment_decides_between_decision_and_expiry(vault: House) -> None:
    in_time, late = await vault.ask(REVIEWED), await vault.ask(REVIEWED)
    vault.clock.advance(DAY - 0.000001)
    assert (await vault.approve(in_time))["status"] == "approved"
    vault.clock.advance(0.000001)
    with pytest.raises(Conflict):
        await vault.approve(late)


@pytest.mark.parametrize("first", ["approve", "poll", "worker", "cancel"])
async def test_races_with_the_expiry_have_one_end(first: str, vault: House) -> None:
    asked = await vault.ask(REVIEWED)
    vault.clock.advance(DAY)
    acts = {
        "approve": lambda: vault.approve(asked),
        "poll": lambda: vault.poll(asked),
        "worker": vault.do_what_is_due,
        "cancel": lambda: vault.deny(asked),
    }
    order = [first, *(name for name in acts if name != first)]
    await asyncio.gather(*(acts[name]() for name in order), return_exceptions=True)
    assert told(vault, asked) == ["clearance.decided", "review.expired"]


async def test_the_worker_expires_everything_that_is_due(vault: House) -> None:
    asked = [await vault.ask(REVIEWED) for _ in range(5)]
    await vault.approve(asked[0])
    vault.clock.advance(DAY)
    later = await vault.ask(REVIEWED)
    assert await vault.do_what_is_due() == 5
    assert await vault.do_what_is_due() == 0
    assert [told(vault, request)[-1] for request in asked] == ["review.decided"] + ["review.expired"] * 4
    assert told(vault, later) == ["clearance.decided"]


async def test_separation_of_duties(vault: House) -> None:
    asked = await vault.ask(REVIEWED)
    successor, _ = await rotate_api_key(vault.core, vault.owner.tenant_id, vault.owner.key_id, SYSTEM)
    await vault.change(separation_of_duties=True)
    for own in (vault.owner, successor):
        with pytest.raises(Forbidden) as refused:
            await vault.approve(asked, by=own)
        assert refused.value.code == "separation_of_duties"
    assert (await vault.approve(asked, by=await vault.key(Preset.REVIEWER)))["status"] == "approved"


async def test_without_it_a_key_with_the_scope_decides_its_own(vault: House) -> None:
    asked = await vault.ask(REVIEWED)
    assert (await vault.approve(asked))["status"] == "approved"


async def test_a_quorum_takes_distinct_voters(vault: House) -> None:
    await vault.change(quorum=2)
    one = await vault.key(Preset.REVIEWER)
    asked = await vault.ask(REVIEWED)
    first = await vault.approve(asked, by=one)
    assert first["status"] == "pending_review"
    successor, _ = await rotate_api_key(vault.core, vault.owner.tenant_id, one.key_id, SYSTEM)
    for again in (one, successor):  # the same vote a second time, and by the key's successor
        assert await vault.approve(asked, by=again) == first
    assert told(vault, asked) == ["clearance.decided", "review.voted"]
    page = await list_reviews(vault.core, vault.owner, status=ReviewStatus.PENDING, limit=5, cursor="")
    assert (page.reviews[0]["approvals"], page.reviews[0]["quorum"]) == (1, 2)
    assert (await vault.approve(asked, by=await vault.key(Preset.REVIEWER, "two")))["status"] == "approved"
    assert told(vault, asked) == ["clearance.decided", "review.voted", "review.decided"]


async def test_concurrent_votes_make_a_quorum_once(vault: House) -> None:
    await vault.change(quorum=3)
    asked = await vault.ask(REVIEWED)
    voters = [await vault.key(Preset.REVIEWER, f"voter {i}") for i in range(5)]
    answers = await asyncio.gather(*(vault.approve(asked, by=voter) for voter in voters))
    assert [answer["status"] for answer in answers] == ["pending_review"] * 2 + ["approved"] * 3
    assert told(vault, asked) == ["clearance.decided", "review.voted", "review.voted", "review.decided"]


async def test_a_quorum_approves_what_was_asked(vault: House) -> None:
    """Else the last voter's arguments would run with the votes of people who never saw them."""
    await vault.change(quorum=2)
    asked = await vault.ask(REVIEWED, accepts=["changed_args"])
    await vault.approve(asked)
    with pytest.raises(Invalid) as refused:
        await vault.approve(asked, by=await vault.key(Preset.REVIEWER), args={"amount": 999})
    assert refused.value.code == "quorum_cannot_change_args"


async def test_one_denial_ends_a_quorum(vault: House) -> None:
    await vault.change(quorum=2)
    asked = await vault.ask(REVIEWED)
    await vault.approve(asked)
    assert (await vault.deny(asked, by=await vault.key(Preset.REVIEWER)))["reason_code"] == "review_denied"


async def test_a_review_keeps_the_quorum_it_was_opened_with(vault: House) -> None:
    asked = await vault.ask(REVIEWED)
    await vault.change(quorum=2)
    assert (await vault.approve(asked))["status"] == "approved"


async def test_the_queue_is_newest_first_in_pages(vault: House) -> None:
    asked = []
    for i in range(7):
        asked.append((await vault.ask(REVIEWED))["request_id"])
        vault.clock.advance(i % 2)  # some at the same moment
    seen, cursor = [], ""
    while True:
        page = await list_reviews(vault.core, vault.owner, status=ReviewStatus.PENDING, limit=3, cursor=cursor)
        seen += [review["request_id"] for review in page.reviews]
        if not (cursor := page.next_cursor):
            break
    assert sorted(seen) == sorted(asked)
    assert len(seen) == 7
    for bad in ("x", "1_", "1_\0", "99999999999999999999_x", "_", "1_x"):
        with pytest.raises(Invalid):
            await list_reviews(vault.core, vault.owner, status=None, limit=3, cursor=bad)


async def test_the_queue_tells_time(vault: House) -> None:
    """A review past its time is no longer pending, whether or not anybody has written that down."""

    async def queue(status: ReviewStatus) -> int:
        return len((await list_reviews(vault.core, vault.owner, status=status, limit=9, cursor="")).reviews)

    asked = await vault.ask(REVIEWED)
    assert (await queue(ReviewStatus.PENDING), await queue(ReviewStatus.EXPIRED)) == (1, 0)
    vault.clock.advance(DAY)
    assert (await queue(ReviewStatus.PENDING), await queue(ReviewStatus.EXPIRED)) == (0, 1)
    await vault.poll(asked)
    assert (await queue(ReviewStatus.PENDING), await queue(ReviewStatus.EXPIRED)) == (0, 1)
