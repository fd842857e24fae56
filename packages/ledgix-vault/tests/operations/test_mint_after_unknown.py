"""The one retry of a call of which nobody can tell whether it was delivered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from vault_testing.house import REVIEWED, TOOL, House, told
from vault_testing.invariants import check_invariants

from ledgix_vault.clearance.reports import Reported
from ledgix_vault.errors import Conflict, Forbidden, NotFound
from ledgix_vault.operations.read_ledger import list_entries
from ledgix_vault.operations.read_limits import read_limits
from ledgix_vault.tenancy.scopes import Preset

pytestmark = pytest.mark.anyio

RETRIED = """
rules:
  - {id: large, effect: review, when: [args.amount > 100]}
  - {id: all, effect: approve, when: []}
limits: [{id: budget, sum: 'money(args.amount, "USD")', window: month, max: 1000}]
retry_after_unknown: true
"""
ONCE = RETRIED.replace("retry_after_unknown: true\n", "")


async def lost(vault: House, amount: int = 45) -> dict:
    """An approval whose call went out and was never heard of again."""
    await vault.register(definition=RETRIED)
    asked = await vault.ask(amount)
    await vault.consume(asked)
    await vault.report(asked, Reported.UNKNOWN, detail="no answer in 30 s")
    return asked


async def refused(vault: House, asked: dict, **call: object) -> str:
    with pytest.raises(Forbidden) as error:
        await vault.mint(asked, **call)
    return str(error.value.code)


async def test_one_retry_and_no_second(vault: House) -> None:
    asked = await lost(vault)
    retry = await vault.mint(asked, key="k")
    assert told(vault, retry) == ["token.minted"]
    (entry, *_) = await list_entries(vault.core, vault.owner, 1)
    assert entry["intent"]["original_request_id"] == asked["request_id"]
    assert entry["action_metadata"]["after_outcome"] == "unknown"
    assert (await vault.mint(asked, key="k"))["token"] == retry["token"]
    assert await refused(vault, asked) == "mint_after_unknown_used"
    assert await refused(vault, asked, key="k2") == "mint_after_unknown_used"
    await vault.consume(retry)
    assert await refused(vault, asked) == "mint_after_unknown_used"
    check_invariants(vault, by_own_check=True)


async def test_of_many_at_once_one_succeeds(vault: House) -> None:
    asked = await lost(vault)
    async with vault.held_writer():
        minting = asyncio.gather(*(vault.mint(asked, key=f"k{n}") for n in range(64)), return_exceptions=True)
        await asyncio.sleep(0)
    answers = await minting
    refusals = [answer for answer in answers if isinstance(answer, BaseException)]
    assert len(refusals) == 63
    assert {refusal.code for refusal in refusals} == {"mint_after_unknown_used"}
    assert sum(entry["kind"] == "token.minted" for entry in await list_entries(vault.core, vault.owner, 200)) == 1
    check_invariants(vault, by_own_check=True)


async def test_without_the_policys_word_nothing_is_minted_after_unknown(vault: House) -> None:
    """Not even what rules alone approved a moment ago: the same money may have moved already."""
    asked = await vault.ask()
    await vault.report(asked, Reported.UNKNOWN)
    assert await refused(vault, asked) == "mint_after_unknown_not_allowed"


async def test_the_version_that_is_active_now_allows_it(vault: House) -> None:
    asked = await lost(vault)
    await vault.register(definition=ONCE)
    assert await refused(vault, asked) == "mint_after_unknown_not_allowed"
    await vault.register(definition=RETRIED, tools=("another_tool",))
    assert await refused(vault, asked) == "mint_after_unknown_not_allowed"
    await vault.register(definition=RETRIED)
    assert (await vault.mint(asked))["token"]


async def test_another_policys_word_is_none(vault: House) -> None:
    await vault.register(definition=RETRIED, policy_id="zeal")
    asked = await vault.ask()  # `refunds` decides, and allows nothing
    await vault.report(asked, Reported.UNKNOWN)
    assert await refused(vault, asked) == "mint_after_unknown_not_allowed"


async def test_a_retired_policy_allows_nothing(vault: House) -> None:
    asked = await lost(vault)
    await vault.retire(2)
    assert await refused(vault, asked) == "mint_after_unknown_not_allowed"


async def test_every_policy_must_still_approve_and_a_refusal_uses_nothing_up(vault: House) -> None:
    asked = await lost(vault)
    await vault.register("Refunds must not exceed $10", policy_id="stricter")
    assert await refused(vault, asked) == "policy_denied"
    await vault.register("Amounts above 10 USD need review", policy_id="stricter")
    assert await refused(vault, asked) == "review_required"
    await vault.register("Refunds must not exceed $1000", policy_id="stricter")
    assert (await vault.mint(asked))["token"]
    check_invariants(vault, by_own_check=True)


async def test_a_suspension_stops_the_retry_and_uses_nothing_up(vault: House) -> None:
    asked = await lost(vault)
    suspension = await vault.suspend("tool", TOOL)
    assert await refused(vault, asked) == "suspended"
    await vault.release(suspension)
    assert (await vault.mint(asked))["token"]


@pytest.mark.parametrize("outcome", [Reported.DELIVERED, Reported.REFUSED])
async def test_other_outcomes_open_no_exception(outcome: Reported, new_vault: Callable[..., House]) -> None:
    vault = new_vault(mint_window=300)
    await vault.register(definition=RETRIED)
    asked = await vault.ask()
    await vault.consume(asked)
    vault.clock.advance(301)
    await vault.report(asked, outcome)
    assert await refused(vault, asked) == "mint_window_passed"
    reviewed = await vault.ask(REVIEWED)
    await vault.approve(reviewed, by=await vault.key(Preset.REVIEWER))
    await vault.poll(reviewed)
    await vault.report(reviewed, outcome)
    assert await refused(vault, reviewed, tool_args={"amount": REVIEWED}) == "mint_not_possible"


async def test_the_window_begins_with_the_report(vault: House) -> None:
    await vault.register(definition=RETRIED)
    asked, late = await vault.ask(), await vault.ask()
    vault.clock.advance(4000)
    await vault.report(asked, Reported.UNKNOWN)
    await vault.report(late, Reported.UNKNOWN)
    vault.clock.advance(300)
    assert (await vault.mint(asked))["token"]
    vault.clock.advance(1)
    assert await refused(vault, late) == "mint_window_passed"


async def test_what_a_person_approved_needs_rules_that_approve_now(vault: House) -> None:
    await vault.register(definition=RETRIED)
    asked = await vault.ask(REVIEWED)
    await vault.approve(asked, by=await vault.key(Preset.REVIEWER))
    await vault.poll(asked)
    await vault.report(asked, Reported.UNKNOWN)
    call = {"tool_args": {"amount": REVIEWED}}
    assert await refused(vault, asked, **call) == "review_required"
    await vault.register(definition=RETRIED.replace("> 100", "> 500"))
    assert (await vault.mint(asked, **call))["token"]


async def test_arguments_that_a_person_changed_are_never_retried(vault: House) -> None:
    await vault.register(definition=RETRIED)
    asked = await vault.ask(REVIEWED, accepts=["changed_args"])
    await vault.approve(asked, by=await vault.key(Preset.REVIEWER), args={"amount": 45})
    await vault.poll(asked)
    await vault.report(asked, Reported.UNKNOWN)
    for amount in (REVIEWED, 45):
        assert await refused(vault, asked, tool_args={"amount": amount}) == "mint_not_possible"


async def test_only_the_same_call_by_the_same_key(vault: House) -> None:
    asked = await lost(vault)
    assert await refused(vault, asked, tool_args={"amount": 46}) == "mint_mismatch"
    for somebody in (vault.stranger, await vault.key(Preset.AGENT)):
        with pytest.raises(NotFound):
            await vault.mint(asked, by=somebody)
    assert (await vault.mint(asked))["token"]


async def test_a_retry_starts_no_chain(vault: House) -> None:
    asked = await lost(vault)
    retry = await vault.mint(asked)
    assert await refused(vault, retry) == "mint_not_possible"
    await vault.report(retry, Reported.UNKNOWN)
    assert await refused(vault, retry) == "mint_not_possible"
    assert await refused(vault, asked) == "mint_after_unknown_used"


async def test_an_ordinary_mint_has_a_retry_of_its_own(vault: House) -> None:
    await vault.register(definition=RETRIED)
    asked = await vault.ask()
    minted = await vault.mint(asked)
    await vault.report(minted, Reported.UNKNOWN)
    assert (await vault.mint(minted))["token"]
    check_invariants(vault, by_own_check=True)


async def test_the_unknown_call_keeps_what_it_took_and_the_retry_takes_again(vault: House) -> None:
    asked = await lost(vault, 90)
    retry = await vault.mint(asked, tool_args={"amount": 90})
    assert await used(vault) == "180"
    await vault.report(retry, Reported.REFUSED)
    assert await used(vault) == "90"
    check_invariants(vault, by_own_check=True)


async def test_a_retry_beyond_the_budget_is_refused(vault: House) -> None:
    await vault.register(definition=RETRIED.replace("max: 1000", "max: 100"))
    asked = await vault.ask(60)
    await vault.report(asked, Reported.UNKNOWN)
    assert await refused(vault, asked, tool_args={"amount": 60}) == "spend_cap_exceeded"
    assert await used(vault) == "60"


async def test_the_report_stays_what_it_is(vault: House) -> None:
    asked = await lost(vault)
    before = await vault.report(asked, Reported.UNKNOWN)
    await vault.mint(asked)
    assert await vault.report(asked, Reported.UNKNOWN) == before
    with pytest.raises(Conflict):
        await vault.report(asked, Reported.DELIVERED)


async def used(vault: House) -> str:
    (limit,) = await read_limits(vault.core, vault.owner, keys=1)
    budgets: list = limit["budgets"]
    return str(budgets[0]["used"])
