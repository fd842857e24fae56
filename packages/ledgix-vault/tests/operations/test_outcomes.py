"""What became of an approved call: reported once, for good, and a refused call takes nothing."""

from __future__ import annotations

import pytest
from vault_testing.house import REVIEWED, House, idempotency, told

from ledgix_vault.clearance.reports import Reported
from ledgix_vault.errors import Conflict, Invalid, MissingScope, NotFound, VaultError
from ledgix_vault.operations.read_limits import read_limits
from ledgix_vault.operations.report_outcome import report_outcome
from ledgix_vault.operations.report_outcomes import report_outcomes
from ledgix_vault.operations.steps.reporting import Told
from ledgix_vault.tenancy.scopes import Preset

pytestmark = pytest.mark.anyio

LIMITED = """
rules: [{id: all, effect: approve, tools: [stripe_refund], when: []}]
limits: [{id: budget, sum: 'money(args.amount, "USD")', window: month, max: 100}]
"""


async def test_a_refused_call_gives_back(vault: House) -> None:
    await vault.register(definition=LIMITED)
    asked = await vault.ask(100)
    assert (await vault.ask(1))["status"] == "denied"
    gateway = await vault.key(Preset.GATEWAY)
    await vault.consume(asked, by=gateway)
    first = await vault.report(asked, Reported.REFUSED, by=gateway, detail="no such charge")
    assert (first["outcome"], first["detail"]) == ("refused", "no such charge")
    assert await vault.report(asked, Reported.REFUSED, by=gateway) == first
    assert (await vault.ask(100))["status"] == "approved"
    assert (await vault.ask(1))["status"] == "denied"


@pytest.mark.parametrize("outcome", [Reported.DELIVERED, Reported.UNKNOWN])
async def test_other_outcomes_give_nothing_back(outcome: Reported, vault: House) -> None:
    await vault.register(definition=LIMITED)
    asked = await vault.ask(100)
    await vault.report(asked, outcome)
    assert (await vault.ask(1))["status"] == "denied"
    for other in set(Reported) - {outcome}:
        with pytest.raises(Conflict) as refused:
            await vault.report(asked, other)
        assert refused.value.code == "outcome_already_reported"
    assert (await vault.ask(1))["status"] == "denied"


async def test_a_report_uses_the_token_up(vault: House) -> None:
    await vault.register(definition=LIMITED)
    asked = await vault.ask(100)
    await vault.report(asked, Reported.REFUSED)
    assert told(vault, asked) == ["clearance.decided", "token.consumed", "outcome.reported"]
    with pytest.raises(Conflict) as used:
        await vault.consume(asked)
    assert used.value.code == "token_already_consumed"
    assert (await vault.poll(asked))["reason_code"] == "approval_used"


async def test_an_expired_token_gives_nothing_back_until_somebody_says_refused(vault: House) -> None:
    await vault.register(definition=LIMITED)
    asked = await vault.ask(100)
    vault.clock.advance(301)
    assert (await vault.ask(1))["status"] == "denied"
    await vault.report(asked, Reported.REFUSED)
    assert told(vault, asked) == ["clearance.decided", "outcome.reported"]
    assert (await vault.ask(100))["status"] == "approved"


async def test_only_what_was_handed_out(vault: House) -> None:
    pending = await vault.ask(REVIEWED)
    denied = await vault.ask(4500)
    waiting = await vault.ask(REVIEWED)
    await vault.approve(waiting, by=await vault.key(Preset.REVIEWER))
    cancelled = await vault.ask()
    await vault.deny(cancelled)
    for asked in (pending, denied, waiting, cancelled):
        with pytest.raises(Conflict) as refused:
            await vault.report(asked, Reported.REFUSED)
        assert refused.value.code == "outcome_without_approval"
    await vault.poll(waiting)
    await vault.report(waiting, Reported.DELIVERED)


async def test_who_may_report(vault: House) -> None:
    asked = await vault.ask()
    with pytest.raises(MissingScope):
        await vault.report(asked, Reported.REFUSED, by=await vault.key(Preset.AGENT))
    with pytest.raises(NotFound):
        await vault.report(asked, Reported.REFUSED, by=vault.stranger)
    jti = (await vault.consume(asked))["jti"]
    answer, _ = await report_outcome(vault.core, vault.owner, Told(Reported.UNKNOWN, jti=jti), None)
    assert answer["request_id"] == asked["request_id"]


async def test_several_are_recorded_each_by_itself(vault: House) -> None:
    first, second = await vault.ask(), await vault.ask()
    await vault.report(first, Reported.UNKNOWN)
    reports = [
        Told(Reported.DELIVERED, request_id=first["request_id"]),
        Told(Reported.DELIVERED, "the tool answered 200", second["request_id"]),
        Told(Reported.REFUSED, jti="no such thing"),
        Told(Reported.UNKNOWN, request_id=first["request_id"]),
    ]
    gateway, key = await vault.key(Preset.GATEWAY), "batch"

    async def report() -> list[str]:
        found = await report_outcomes(vault.core, gateway, reports, idempotency(gateway, "/outcomes/batch", key, {}))
        return [each.code if isinstance(each, VaultError) else str(each["outcome"]) for each in found]

    assert await report() == ["outcome_already_reported", "delivered", "not_found", "unknown"]
    assert await report() == ["outcome_already_reported", "delivered", "not_found", "unknown"]  # a retry
    assert told(vault, second) == ["clearance.decided", "token.consumed", "outcome.reported"]
    with pytest.raises(MissingScope):
        await report_outcomes(vault.core, await vault.key(Preset.AGENT), reports, None)


@pytest.mark.parametrize("count", [0, 101])
async def test_how_many_at_once(count: int, vault: House) -> None:
    with pytest.raises(Invalid):
        await report_outcomes(vault.core, vault.owner, [Told(Reported.UNKNOWN, jti="x")] * count, None)


async def test_how_full_the_budgets_are(vault: House) -> None:
    await vault.register(definition=LIMITED.replace("window", "per: [agent_id], window"))
    for agent, amount in (("a", 10), ("b", 60), ("b", 10), ("c", 100)):
        await vault.ask(amount, agent_id=agent)
    (limit,) = await read_limits(vault.core, vault.owner, keys=2)
    assert limit["budgets"] == [
        {"per": {"agent_id": "c"}, "used": "100", "remaining": "0"},
        {"per": {"agent_id": "b"}, "used": "70", "remaining": "30"},
    ]
    assert (limit["total_budgets"], limit["window"], limit["next_period_at"]) == (
        3,
        "month UTC",
        "2026-06-01T00:00:00.000000Z",
    )
    vault.clock.advance(31 * 86_400)
    (limit,) = await read_limits(vault.core, vault.owner, keys=100)
    assert {budget["used"] for budget in limit["budgets"]} == {"0"}
    with pytest.raises(MissingScope):
        await read_limits(vault.core, await vault.key(Preset.AGENT), keys=1)
