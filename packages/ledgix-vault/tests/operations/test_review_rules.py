"""Who may approve, how many, for what reason, and what happens to a review that waits: `reviews/review.py`."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from vault_testing.house import APPROVED, REVIEWED, House, Template, told
from vault_testing.invariants import check_invariants

from ledgix_vault.errors import Conflict, Forbidden, Invalid, MissingScope, NotFound
from ledgix_vault.operations.decide_reviews import decide_reviews
from ledgix_vault.operations.list_reviews import ReviewOrder, list_reviews
from ledgix_vault.operations.manage_members import change_member_role
from ledgix_vault.operations.read_review import read_review, review_counts
from ledgix_vault.operations.second_reviewer import ask_second_reviewer
from ledgix_vault.operations.similar_decisions import similar_decisions
from ledgix_vault.operations.steps.deciding import Verdict
from ledgix_vault.reviews.review import ReviewStatus
from ledgix_vault.store.logs import read_entries
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.tenancy.people import Assurance, Role
from ledgix_vault.tenancy.scopes import Preset

pytestmark = pytest.mark.anyio
UNKNOWN = "00000000-0000-4000-8000-000000000000"


async def item(vault: House, asked: Any, by: Caller | None = None) -> Any:
    return await read_review(vault.core, by or vault.owner, str(asked["request_id"]))


async def second(vault: House, asked: Any, by: Caller, reason: str = "I know the customer.") -> Any:
    found, _ = await ask_second_reviewer(vault.core, by, str(asked["request_id"]), reason, None)
    return found


def newest_entry(vault: House) -> Any:
    return vault.core.store.read_and_wait(
        lambda connection: read_entries(connection, vault.owner.tenant_id, newest=1, published=0)
    )[0]


# People


async def test_a_person_decides_and_the_entry_says_who_in_which_role_and_how_surely(vault: House) -> None:
    reviewer = await vault.member(Role.REVIEWER)
    surely = replace(reviewer, assurance=Assurance.SECOND_FACTOR)
    asked = await vault.ask(REVIEWED)
    assert (await vault.approve(asked, by=surely))["status"] == "approved"
    entry = newest_entry(vault)
    assert entry["intent"]["decider"] == {"type": "person", "id": reviewer.person_id}
    assert entry["action_metadata"]["assurance"] == "second_factor"
    assert entry["action_metadata"]["acted_as"] == "reviewer"
    assert (await vault.poll(asked))["token"]


@pytest.mark.parametrize("role", [Role.POLICY_EDITOR, Role.AUDITOR, Role.DEVELOPER])
async def test_other_roles_decide_nothing(vault: House, role: Role) -> None:
    member, asked = await vault.member(role), await vault.ask(REVIEWED)
    for decide in (vault.approve, vault.deny):
        with pytest.raises((MissingScope, NotFound)):
            await decide(asked, by=member)
    assert told(vault, asked) == ["clearance.decided"]


async def test_a_persons_own_denial_is_a_cancel(vault: House) -> None:
    owner = await vault.member(Role.OWNER)
    asked = await vault.ask(REVIEWED, by=owner)
    cancelled = await vault.deny(asked, by=owner)
    assert (cancelled["outcome"], cancelled["reason"]) == ("cancelled", "Cancelled by the person who asked.")


async def test_changed_arguments_stand_beside_those_that_were_asked_for(vault: House) -> None:
    reviewer = await vault.member(Role.REVIEWER)
    asked = await vault.ask(REVIEWED, accepts=["changed_args"])
    await vault.approve(asked, by=reviewer, args={"amount": 50})
    intent = newest_entry(vault)["intent"]
    assert intent["request"]["tool_args"] == {"amount": REVIEWED}
    assert intent["decision"]["effective_args"] == {"amount": 50}
    shown = await item(vault, asked)
    assert (shown["tool_args"], shown["effective_args"]) == ({"amount": REVIEWED}, {"amount": 50})


# Separation of duties


async def refused(vault: House, asked: Any, by: Caller) -> str:
    """The code of the refusal, which the list tells beforehand."""
    shown = await item(vault, asked, by)
    with pytest.raises(Forbidden) as problem:
        await vault.approve(asked, by=by)
    assert (shown["can_approve"], shown["why_not"], shown["why_not_code"]) == (
        False,
        problem.value.detail,
        problem.value.code,
    )
    return problem.value.code


async def test_neither_the_asker_nor_the_person_it_acts_for_approves(vault: House) -> None:
    await vault.change(separation_of_duties=True)
    owner, reviewer = await vault.member(Role.OWNER), await vault.member(Role.REVIEWER)
    assert await refused(vault, await vault.ask(REVIEWED, by=owner), owner) == "separation_of_duties"
    for named in (" The-Reviewer@Example.com ", reviewer.person_id.upper()):
        asked = await vault.ask(REVIEWED, human_principal=named)
        assert await refused(vault, asked, reviewer) == "separation_of_duties"
        assert (await vault.approve(asked, by=owner))["status"] == "approved"
    assert (await vault.approve(await vault.ask(REVIEWED, human_principal=""), by=reviewer))["status"] == "approved"


async def test_who_edited_the_deciding_policy_does_not_approve_where_that_is_set(vault: House) -> None:
    writer, mover = await vault.key(Preset.FULL, "writer"), await vault.key(Preset.FULL, "mover")
    later, reviewer = await vault.key(Preset.FULL, "later"), await vault.member(Role.REVIEWER)
    version = await vault.draft("Amounts above 200 USD need review", by=writer)
    await vault.confirm(version.version, by=mover)
    await vault.activate(version.version, by=mover)
    asked = await vault.ask(REVIEWED)
    await vault.register("Amounts above 300 USD need review", by=later)
    assert (await vault.approve(await vault.ask(REVIEWED), by=later))["status"] == "approved"
    await vault.change(reviewer_not_policy_editor=True)
    for editor in (writer, mover, later):
        assert await refused(vault, asked, editor) == "reviewer_is_policy_editor"
    assert (await item(vault, asked, reviewer))["can_approve"]
    assert (await vault.approve(asked, by=reviewer))["status"] == "approved"


# Quorum


async def test_a_quorum_wants_each_role_and_a_key_has_none(vault: House) -> None:
    await vault.change(quorum=2, quorum_roles=["owner"])
    owner, reviewer = await vault.member(Role.OWNER), await vault.member(Role.REVIEWER)
    asked = await vault.ask(REVIEWED)
    for somebody in (reviewer, await vault.key(Preset.REVIEWER), await vault.key(Preset.FULL, "full")):
        assert (await vault.approve(asked, by=somebody))["status"] == "pending_review"
    shown = await item(vault, asked)
    assert (shown["approvals"], shown["missing_roles"]) == (3, ["owner"])
    assert [vote["role"] for vote in shown["approved_by"]].count("reviewer") == 1
    assert (await item(vault, asked, reviewer))["why_not_code"] == "already_approved"
    assert (await vault.approve(asked, by=owner))["status"] == "approved"


async def test_a_new_role_is_no_second_person(vault: House) -> None:
    await vault.change(quorum_roles=["owner", "reviewer"])
    boss, reviewer = await vault.member(Role.OWNER), await vault.member(Role.REVIEWER)
    asked = await vault.ask(REVIEWED)
    await vault.approve(asked, by=reviewer)
    await change_member_role(vault.core, boss, reviewer.person_id, Role.OWNER)
    promoted = replace(reviewer, role=Role.OWNER)
    assert (await vault.approve(asked, by=promoted))["status"] == "pending_review"
    assert (await vault.approve(asked, by=boss))["status"] == "approved"


async def test_arguments_are_changed_only_by_who_approves_alone(vault: House) -> None:
    await vault.change(quorum_roles=["owner"])
    owner, reviewer = await vault.member(Role.OWNER), await vault.member(Role.REVIEWER)
    asked = await vault.ask(REVIEWED, accepts=["changed_args"])
    alone = await vault.ask(REVIEWED, accepts=["changed_args"])
    with pytest.raises(Invalid, match="can't be changed"):
        await vault.approve(asked, by=reviewer, args={"amount": 50})
    await vault.approve(asked, by=reviewer)
    with pytest.raises(Invalid, match="can't be changed"):
        await vault.approve(asked, by=owner, args={"amount": 50})
    assert (await vault.approve(alone, by=owner, args={"amount": 50}))["status"] == "approved"


async def test_a_second_reviewer_is_one_more_and_whoever_asked_may_be_one(vault: House) -> None:
    one, two = await vault.member(Role.REVIEWER), await vault.member(Role.OWNER)
    asked = await vault.ask(REVIEWED)
    for _ in range(2):  # the same wish again
        shown = await second(vault, asked, one)
        assert (shown["quorum"], shown["second_requests"][0]["name"]) == (2, one.email)
    assert told(vault, asked) == ["clearance.decided", "review.second_requested"]
    assert newest_entry(vault)["action_metadata"]["review_reason"] == "I know the customer."
    assert (await vault.approve(asked, by=one))["status"] == "pending_review"
    assert (await vault.approve(asked, by=two))["status"] == "approved"
    with pytest.raises(Conflict):
        await second(vault, asked, two)
    check_invariants(vault, by_own_check=True)


async def test_a_quorum_has_a_largest_size(vault: House) -> None:
    await vault.change(quorum=10)
    asked = await vault.ask(REVIEWED)
    with pytest.raises(Conflict) as problem:
        await second(vault, asked, vault.owner)
    assert problem.value.code == "quorum_is_largest"


@given(acts=st.lists(st.sampled_from(["approve", "approve", "deny", "second"]), min_size=3, max_size=6))
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
def test_voters_at_the_same_time_come_to_exactly_one_end(template: Template, acts: list[str]) -> None:
    with template.copy() as house:
        asyncio.run(_vote_at_once(house, acts))


async def _vote_at_once(house: House, acts: list[str]) -> None:
    await house.change(quorum=2)
    asked = await house.ask(REVIEWED)
    voters = [await house.key(Preset.REVIEWER, f"voter {number}") for number in range(len(acts))]
    do: dict[str, Any] = {"approve": house.approve, "deny": house.deny, "second": lambda it, by: second(house, it, by)}
    found = await asyncio.gather(
        *(do[act](asked, by=voter) for act, voter in zip(acts, voters, strict=True)), return_exceptions=True
    )
    assert all(isinstance(each, dict | Conflict) for each in found)
    shown, events = await item(house, asked), told(house, asked)
    ended = shown["review_status"] != "pending"
    assert events.count("review.decided") == ended
    if shown["review_status"] == "approved":
        assert shown["approvals"] == shown["quorum"]
    check_invariants(house, by_own_check=True)


# Settings


@pytest.mark.parametrize(
    "wrong",
    [
        {"quorum_roles": ["auditor"]},
        {"quorum_roles": "owner"},
        {"quorum_roles": [["owner"]]},
        {"reason_required": "sometimes"},
        {"escalation_seconds": -1},
        {"escalation_seconds": True},
        {"reviewer_not_policy_editor": 1},
    ],
)
async def test_wrong_settings_are_named(vault: House, wrong: dict[str, object]) -> None:
    with pytest.raises(Invalid) as problem:
        await vault.change(**wrong)
    assert problem.value.path == f"$.{next(iter(wrong))}"


# Reasons


async def test_a_reason_is_asked_for_where_the_tenant_says_so(vault: House) -> None:
    reviewer = await vault.member(Role.REVIEWER)
    for required, refuses in (("never", ()), ("on_denial", (False,)), ("always", (True, False))):
        await vault.change(reason_required=required)
        for approved in (True, False):
            asked = await vault.ask(REVIEWED)
            if approved in refuses:
                for blank in ("", " \n"):
                    with pytest.raises(Invalid) as problem:
                        await vault.decide(asked, approved, by=reviewer, reason=blank)
                    assert (problem.value.path, problem.value.code) == ("$.review_reason", "review_reason_required")
                    with pytest.raises(Invalid):
                        await batch(vault, reviewer, [asked], Verdict(approved, blank))
            await vault.decide(asked, approved, by=reviewer, reason="Why." if approved in refuses else "")
    assert (await vault.deny(await vault.ask(REVIEWED), reason=""))["outcome"] == "cancelled"


# Escalation


async def test_a_review_is_escalated_once_and_only_while_it_waits(vault: House) -> None:
    await vault.change(escalation_seconds=60)
    waits, decided = await vault.ask(REVIEWED), await vault.ask(REVIEWED)
    await vault.approve(decided)
    vault.clock.advance(59)
    assert await vault.do_what_is_due() == 0
    vault.clock.advance(1)
    assert await vault.do_what_is_due() == 2
    vault.clock.advance(60)
    assert await vault.do_what_is_due() == 0
    assert told(vault, waits) == ["clearance.decided", "review.escalated"]
    assert told(vault, decided) == ["clearance.decided", "review.decided"]
    assert (await item(vault, waits))["escalated_at"]
    assert await review_counts(vault.core, vault.owner) == {"waiting": 1, "escalated": 1, "counted_up_to": 100}
    assert (await vault.approve(waits))["status"] == "approved"
    check_invariants(vault, by_own_check=True)


async def test_what_expires_first_is_not_escalated(vault: House) -> None:
    await vault.change(escalation_seconds=600, review_expiry_seconds=600)
    asked = await vault.ask(REVIEWED)
    vault.clock.advance(700)
    await vault.do_what_is_due()
    assert told(vault, asked) == ["clearance.decided", "review.expired"]


# Several together, and what was decided before


async def batch(vault: House, by: Caller, asked: list[Any], verdict: Verdict) -> list[str]:
    decided = await decide_reviews(vault.core, by, [str(each["request_id"]) for each in asked], verdict, None)
    return [
        each.problem.code if each.problem else str(each.clearance and each.clearance.decision.outcome)
        for each in decided
    ]


async def test_several_are_decided_each_by_itself(vault: House) -> None:
    reviewer = await vault.member(Role.REVIEWER)
    asked = [await vault.ask(REVIEWED) for _ in range(3)]
    foreign = await vault.ask(REVIEWED, by=vault.stranger)
    await vault.deny(asked[1], by=await vault.key(Preset.REVIEWER))
    several = [*asked, await vault.ask(APPROVED), foreign, {"request_id": "\0"}]
    for _ in range(2):  # the same decision again
        found = await batch(vault, reviewer, several, Verdict(True, "Recall."))
        already = "review_already_decided"
        assert found == ["approved", already, "approved", already, "not_found", "not_found"]
    assert told(vault, asked[0]) == ["clearance.decided", "review.decided"]
    tokens = {(await vault.poll(asked[number]))["token"] for number in (0, 2)}
    assert len(tokens) == 2
    for wrong in ([], [UNKNOWN[:-3] + f"{number:03}" for number in range(101)]):
        with pytest.raises(Invalid):
            await decide_reviews(vault.core, reviewer, wrong, Verdict(True, ""), None)


async def test_whoever_comes_second_hears_who_was_first_and_when(vault: House) -> None:
    one, two = await vault.member(Role.REVIEWER), await vault.member(Role.OWNER)
    asked = await vault.ask(REVIEWED)
    answers = await asyncio.gather(vault.approve(asked, by=one), vault.deny(asked, by=two), return_exceptions=True)
    (conflict,) = [each for each in answers if isinstance(each, Conflict)]
    assert f"{one.email} decided this at 20" in conflict.detail
    assert "already approved" in conflict.detail


async def test_earlier_decisions_of_the_same_tool_the_likest_first(vault: House) -> None:
    reviewer = await vault.member(Role.REVIEWER)
    like = await vault.ask(REVIEWED, agent_id="billing")
    await vault.approve(like, by=reviewer, reason="It broke.")
    for number in range(6):
        vault.clock.advance(1)
        await vault.decide(await vault.ask(REVIEWED + number), number % 2 == 0, by=reviewer)
    vault.clock.advance(1)
    await vault.deny(await vault.ask(REVIEWED, tool_name="another"), by=reviewer)
    found: Any = await similar_decisions(vault.core, reviewer, str((await _asked(vault))["request_id"]))
    assert len(found) == 5
    assert found[0]["request_id"] == like["request_id"]
    assert (found[0]["review_status"], found[0]["decided_by_name"]) == ("approved", reviewer.email)
    assert [each["tool_args"]["amount"] for each in found[1:]] == [455, 454, 453, 452]
    with pytest.raises(NotFound):
        await similar_decisions(vault.core, vault.stranger, str(like["request_id"]))


async def _asked(vault: House) -> Any:
    return await vault.ask(REVIEWED, agent_id="billing")


async def test_oldest_first_goes_on_in_pages(vault: House) -> None:
    asked = []
    for number in range(5):
        asked.append((await vault.ask(REVIEWED))["request_id"])
        vault.clock.advance(number)
    seen: list[Any] = []
    cursor = ""
    while True:
        page = await list_reviews(
            vault.core, vault.owner, status=ReviewStatus.PENDING, limit=2, cursor=cursor, order=ReviewOrder.OLDEST
        )
        seen += [review["request_id"] for review in page.reviews]
        if not (cursor := page.next_cursor):
            break
    assert sorted(seen[:2]) == sorted(asked[:2])
    assert seen[2:] == asked[2:]
