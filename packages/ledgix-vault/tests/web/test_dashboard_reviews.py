"""The review queue's pages: what a reviewer sees, and that each decision does what the page says."""

from __future__ import annotations

import pytest
from vault_testing.house import REVIEWED, House, told
from vault_testing.visitor import signed_in, text_of

from ledgix_vault.tenancy.people import Role

pytestmark = pytest.mark.anyio


async def test_the_queue_is_oldest_first_with_the_call_in_words(vault: House) -> None:
    first = await vault.ask(tool_args={"amount": 450, "currency": "USD", "order": "A-1"}, agent_id="billing")
    vault.clock.advance(1)
    second = await vault.ask(REVIEWED)
    async with signed_in(vault, Role.REVIEWER) as (visitor, _):
        page = await visitor.get("/app/reviews")
    assert "stripe_refund 450.00 USD · order A-1" in text_of(page)
    assert page.text.index(first["request_id"]) < page.text.index(second["request_id"])
    assert "Reviews 2 waiting" in text_of(page)


async def test_an_empty_queue_says_what_will_happen(vault: House) -> None:
    async with signed_in(vault, Role.REVIEWER) as (visitor, _):
        assert "Nothing waits for you." in text_of(await visitor.get("/app/reviews"))


async def test_approving_gives_the_asker_its_token_and_names_the_person(vault: House) -> None:
    asked = await vault.ask(REVIEWED)
    async with signed_in(vault, Role.REVIEWER) as (visitor, member):
        here = f"/app/reviews/{asked['request_id']}"
        answer = await visitor.post(here, verdict="approve", review_reason="The customer is right.")
        assert (answer.status_code, answer.headers["location"]) == (303, here)
        page = text_of(await visitor.get(here))
    assert "Approved. The agent gets its token for exactly this call." in page
    assert f"By {member.email}" in page
    assert "The customer is right." in page
    assert (await vault.poll(asked))["token"]


async def test_a_denial_reaches_the_agent_with_its_reason(vault: House) -> None:
    asked = await vault.ask(REVIEWED)
    async with signed_in(vault, Role.REVIEWER) as (visitor, _):
        await visitor.post(f"/app/reviews/{asked['request_id']}", verdict="deny", review_reason="Wrong account.")
    assert (await vault.poll(asked))["reason"] == "Wrong account."


async def test_whoever_comes_second_is_told_and_changes_nothing(vault: House) -> None:
    asked = await vault.ask(REVIEWED)
    async with signed_in(vault, Role.REVIEWER) as (visitor, _):
        await vault.approve(asked)
        answer = await visitor.post(f"/app/reviews/{asked['request_id']}", verdict="deny", review_reason="No.")
    assert answer.status_code == 409
    assert "already approved" in text_of(answer)
    assert "approved" in text_of(answer)
    assert told(vault, asked).count("review.decided") == 1


async def test_changed_arguments_are_judged_again_and_both_are_shown(vault: House) -> None:
    asked = await vault.ask(REVIEWED, accepts=["changed_args"])
    here = f"/app/reviews/{asked['request_id']}"
    async with signed_in(vault, Role.REVIEWER) as (visitor, _):
        broken = await visitor.post(here, verdict="change", effective_args='{"amount": 1,}')
        assert (broken.status_code, "At $" in text_of(broken)) == (422, True)
        too_much = await visitor.post(here, verdict="change", effective_args='{"amount": 4500}')
        assert (too_much.status_code, "The policies deny this call now" in text_of(too_much)) == (409, True)
        assert (await visitor.post(here, verdict="change", effective_args='{"amount": 120}')).status_code == 303
        page = text_of(await visitor.get(here))
    assert "What may run instead" in page
    assert (await vault.poll(asked))["effective_args"] == {"amount": 120}


async def test_a_client_that_runs_what_it_sent_is_offered_no_changes(vault: House) -> None:
    asked = await vault.ask(REVIEWED)
    here = f"/app/reviews/{asked['request_id']}"
    async with signed_in(vault, Role.REVIEWER) as (visitor, _):
        assert "Approve with changes" not in text_of(await visitor.get(here))
        answer = await visitor.post(here, verdict="change", effective_args='{"amount": 120}')
    assert answer.status_code == 422


async def test_several_calls_are_decided_together_each_by_itself(vault: House) -> None:
    asked = [await vault.ask(REVIEWED, agent_id=f"agent-{number}") for number in range(3)]
    await vault.deny(asked[2], by=await vault.member(Role.OWNER))
    ids = [each["request_id"] for each in asked]
    async with signed_in(vault, Role.REVIEWER) as (visitor, _):
        page = text_of(await visitor.get("/app/reviews/batch?" + "&".join(f"id={each}" for each in ids)))
        assert all(f"agent-{number}" in page for number in range(3))
        answer = await visitor.post("/app/reviews/batch", id=ids, verdict="approve", review_reason="All the same.")
    assert answer.status_code == 409
    assert "2 calls decided. 1 call could not be decided" in text_of(answer)
    tokens = {(await vault.poll(each))["token"] for each in asked[:2]}
    assert len(tokens) == 2
    assert all(tokens)


async def test_nothing_is_decided_by_looking(vault: House) -> None:
    asked = await vault.ask(REVIEWED)
    async with signed_in(vault, Role.REVIEWER) as (visitor, _):
        for path in ("/app/reviews", f"/app/reviews/{asked['request_id']}?verdict=approve", "/app/reviews?status=any"):
            assert (await visitor.get(path)).status_code == 200
        assert (await visitor.post(f"/app/reviews/{asked['request_id']}")).status_code == 422
    assert told(vault, asked) == ["clearance.decided"]


@pytest.mark.parametrize("role", [Role.POLICY_EDITOR, Role.AUDITOR, Role.DEVELOPER])
async def test_who_doesnt_review_sees_no_queue(role: Role, vault: House) -> None:
    asked = await vault.ask(REVIEWED)
    async with signed_in(vault, role) as (visitor, _):
        for path in ("/app/reviews", f"/app/reviews/{asked['request_id']}"):
            assert (await visitor.get(path)).status_code == 403
        answer = await visitor.post(f"/app/reviews/{asked['request_id']}", verdict="approve")
        assert answer.status_code in (403, 404)  # somebody else's request looks like none
    assert told(vault, asked) == ["clearance.decided"]


async def test_another_tenants_review_looks_like_none(vault: House) -> None:
    asked = await vault.ask(REVIEWED)
    async with signed_in(vault, Role.OWNER, email="boss@example.com", tenant=1) as (visitor, _):
        pages = [await visitor.get(f"/app/reviews/{each}") for each in (asked["request_id"], "nothing")]
        assert [page.status_code for page in pages] == [404, 404]
        assert text_of(pages[0]) == text_of(pages[1])
        answer = await visitor.post(f"/app/reviews/{asked['request_id']}", verdict="approve")
        assert answer.status_code == 404
        assert (await visitor.get(f"/app/reviews/batch?id={asked['request_id']}")).status_code == 404
        assert asked["request_id"] not in (await visitor.get("/app/reviews")).text


async def test_where_a_reason_is_needed_nothing_is_decided_without(vault: House) -> None:
    await vault.change(reason_required="always")
    asked = [await vault.ask(REVIEWED) for _ in range(2)]
    here = f"/app/reviews/{asked[0]['request_id']}"
    async with signed_in(vault, Role.REVIEWER) as (visitor, _):
        answer = await visitor.post(here, verdict="deny")
        assert (answer.status_code, "say why" in text_of(answer)) == (422, True)
        ids = [each["request_id"] for each in asked]
        answer = await visitor.post("/app/reviews/batch", id=ids, verdict="approve")
        assert (answer.status_code, "say why" in text_of(answer)) == (422, True)
    assert told(vault, asked[0]) == ["clearance.decided"]


async def test_a_second_reviewer_is_asked_for_and_the_page_counts(vault: House) -> None:
    asked = await vault.ask(REVIEWED)
    here = f"/app/reviews/{asked['request_id']}"
    async with signed_in(vault, Role.REVIEWER) as (visitor, member), signed_in(vault, Role.OWNER) as (second, _):
        await visitor.post(f"{here}/second-reviewer", review_reason="A lot of money.")
        page = text_of(await visitor.get(here))
        assert "0 of 2 approvals so far" in page
        assert f"{member.email} asked for one more reviewer: “A lot of money.”" in page
        await visitor.post(here, verdict="approve")
        assert "Somebody else has to approve, too." in text_of(await visitor.get(here))
        await second.post(here, verdict="approve")
        assert "How it ended" in text_of(await second.get(here))
    assert (await vault.poll(asked))["status"] == "approved"


async def test_who_may_not_approve_is_told_why_and_has_no_button(vault: House) -> None:
    await vault.change(separation_of_duties=True)
    async with signed_in(vault, Role.REVIEWER) as (visitor, member):
        asked = await vault.ask(REVIEWED, human_principal=member.email)
        page = await visitor.get(f"/app/reviews/{asked['request_id']}")
        assert 'value="approve"' not in page.text
        assert 'value="deny"' in page.text
        answer = await visitor.post(f"/app/reviews/{asked['request_id']}", verdict="approve")
    assert answer.status_code == 403


async def test_similar_calls_and_how_they_were_decided_stand_beside(vault: House) -> None:
    await vault.deny(await vault.ask(460), by=await vault.member(Role.OWNER), reason="A duplicate.")
    asked = await vault.ask(REVIEWED)
    async with signed_in(vault, Role.REVIEWER) as (visitor, _):
        page = text_of(await visitor.get(f"/app/reviews/{asked['request_id']}"))
    assert "Similar calls before amount 460 “A duplicate.”" in page
