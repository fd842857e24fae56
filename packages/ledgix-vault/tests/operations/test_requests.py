"""Looking at requests: what is found by what, a bounded look at a time, what is kept back, and the figures."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, event
from vault_testing.house import House

from ledgix_vault.clearance.decision import DeciderType, Outcome
from ledgix_vault.clearance.decision_times import LONGER, Times, add_up_times, bound_of
from ledgix_vault.clearance.overview import Range, add_up, quantile
from ledgix_vault.clearance.reports import Reported
from ledgix_vault.clearance.searching import Sought, read_sought
from ledgix_vault.errors import Invalid, MissingScope, NotFound
from ledgix_vault.operations.read_ledger import Wanted, prove_bundle
from ledgix_vault.operations.read_overview import read_overview
from ledgix_vault.operations.read_request import read_request
from ledgix_vault.operations.search_requests import RequestPage, search_requests
from ledgix_vault.store import requests
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.tenancy.people import Role
from ledgix_vault.tenancy.scopes import Preset
from ledgix_vault.times import rfc3339

pytestmark = pytest.mark.anyio

RULES = ("Refunds must not exceed $500", "Amounts above 100 USD need review")


async def find(
    house: House, *, by: Caller | None = None, limit: int = 50, cursor: str = "", **sought: Any
) -> RequestPage:
    return await search_requests(house.core, by or house.owner, Sought(**sought), limit=limit, cursor=cursor)


async def found(house: House, **how: Any) -> list[str]:
    return [str(row["request_id"]) for row in (await find(house, **how)).requests]


async def test_what_is_found_by_what(vault: House) -> None:
    await vault.register(*RULES)
    small = str((await vault.ask(45, agent_id="billing-bot", session_id="s\0one"))["request_id"])
    large = str((await vault.ask(4500, agent_id="sales-bot"))["request_id"])
    facts = {"facts": {"subject": "Ünïque 100%_"}}
    other = str((await vault.ask(1, tool_name="send\0mail", context=facts))["request_id"])
    assert await found(vault) == [other, large, small]
    for sought, expected in [
        ({"tool": "stripe_refund"}, [large, small]),
        ({"tool": "stripe_*"}, [large, small]),
        ({"tool": "stripe"}, []),
        ({"tool": "send\0mail"}, [other]),
        ({"tool": "*"}, [other, large, small]),
        ({"agent_id": "billing-bot"}, [small]),
        ({"session_id": "s\0one"}, [small]),
        ({"session_id": "s"}, []),
        ({"outcome": Outcome.DENIED}, [large]),
        ({"outcome": Outcome.PENDING, "tool": "send*"}, [other]),
        ({"decided_by": DeciderType.ENGINE}, [other, large, small]),
        ({"decided_by": DeciderType.PERSON}, []),
        ({"policy_id": "refunds"}, [large, small]),
        ({"reason_code": "no_matching_policy"}, [other]),
        ({"text": "4500"}, [large]),
        ({"text": "Ünïque 100%_"}, [other]),
        ({"text": "100__"}, []),
        ({"text": "must not exceed"}, [large]),
        ({"text": small}, [small]),
        ({"text": "MUST NOT exceed"}, [large]),
        ({"text": "\0"}, [other, small]),
    ]:
        assert await found(vault, **sought) == expected, sought


async def test_a_range_of_time(vault: House) -> None:
    first = vault.clock()
    early = str((await vault.ask(1))["request_id"])
    vault.clock.advance(60)
    late = str((await vault.ask(1))["request_id"])
    assert await found(vault, since=first + 1) == [late]
    assert await found(vault, until=first + 1) == [early]
    assert await found(vault, since=first, until=first + 1) == [early]


async def test_pages_have_each_request_once(vault: House) -> None:
    await asyncio.gather(*(vault.ask(n) for n in range(5)))  # some at the same moment
    everything, page = await found(vault), await find(vault, limit=2)
    seen = [row["request_id"] for row in page.requests]
    while page.next_cursor:
        page = await find(vault, limit=2, cursor=page.next_cursor)
        seen += [row["request_id"] for row in page.requests]
    assert seen == everything
    assert len(seen) == len(set(seen)) == 5
    assert page.searched_to == ""


@pytest.mark.parametrize("sought", [{"tool": "rare"}, {"text": "4500"}])
async def test_a_look_is_bounded_and_goes_on(sought: Any, vault: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is missed, however few of many are found."""
    monkeypatch.setattr(requests, "EXAMINED", 2)
    monkeypatch.setattr(requests, "EXAMINED_FOR_TEXT", 2)
    wanted = str((await vault.ask(4500, tool_name="rare"))["request_id"])
    for _ in range(3):
        await vault.ask(1)
        vault.clock.advance(1)
    page = await find(vault, **sought)
    assert (page.requests, page.searched_to != "") == ([], True)
    page = await find(vault, **sought, cursor=page.next_cursor)
    assert [row["request_id"] for row in page.requests] == [wanted]


async def test_what_moves_is_found_as_what_it_became(vault: House) -> None:
    await vault.register(*RULES)
    reviewer = await vault.member(Role.REVIEWER)
    asked = await vault.ask(450)
    assert await found(vault, outcome=Outcome.PENDING) == [asked["request_id"]]
    await vault.approve(asked, by=reviewer)
    assert await found(vault, outcome=Outcome.PENDING) == []
    assert await found(vault, outcome=Outcome.APPROVED, decided_by=DeciderType.PERSON) == [asked["request_id"]]


@pytest.mark.parametrize("cursor", ["x", "1_x", "-1_", "1" * 30 + "_01890000-0000-7000-8000-000000000000"])
async def test_a_cursor_of_somebody_else(cursor: str, vault: House) -> None:
    with pytest.raises(Invalid):
        await find(vault, cursor=cursor)


async def test_what_the_redacted_view_keeps_back(vault: House) -> None:
    """Neither shown, nor to be guessed by looking for it."""
    await vault.register(*RULES)
    agent = await vault.key(Preset.AGENT)
    asked = await vault.ask(4500, session_id="secret session", human_principal="ann@example.com")
    (row,) = (await find(vault, by=agent)).requests
    detail = await read_request(vault.core, agent, str(asked["request_id"]))
    for seen in (row, detail):
        for secret in ("4500", "secret session", "ann@example.com", "must not exceed"):
            assert secret not in str(seen)
        assert (seen["tool_args"], seen["reason"], seen["outcome"]) == ({}, "", "denied")
    assert (detail["redacted"], detail["request"], detail["decision"]) == (True, {}, {})
    for sought in ({"text": "4500"}, {"session_id": "secret session"}):
        with pytest.raises(MissingScope) as refused:
            await find(vault, by=agent, **sought)
        assert refused.value.scope == "ledger.full"
    assert await found(vault, by=agent, text=asked["request_id"]) == [asked["request_id"]]
    gateway = await vault.key(Preset.GATEWAY)
    for look in (find(vault, by=gateway), read_request(vault.core, gateway, str(asked["request_id"]))):
        with pytest.raises(MissingScope):
            await look


async def test_one_request_with_everything(vault: House) -> None:
    await vault.register(*RULES)
    agent, reviewer = await vault.key(Preset.AGENT), await vault.member(Role.REVIEWER)
    asked = await vault.ask(450, by=agent)
    await vault.approve(asked, by=reviewer, reason="Twice charged.")
    waiting = await read_request(vault.core, vault.owner, str(asked["request_id"]))
    assert waiting["token"]["state"] == "waiting"  # type: ignore[index, call-overload]
    fetched = await vault.poll(asked, by=agent)
    await vault.consume(fetched)
    await vault.checkpoint()
    detail: Any = await read_request(vault.core, vault.owner, str(asked["request_id"]))
    assert detail["token"]["state"] == "used"
    assert [step["kind"] for step in detail["timeline"]] == ["clearance.decided", "review.decided", "token.consumed"]
    assert [step["decider"]["type"] for step in detail["timeline"]][:2] == ["engine", "person"]
    assert detail["timeline"][1]["decider"]["name"] == (reviewer.name or reviewer.email)
    assert all(step["checkpoint_id"] == 1 for step in detail["timeline"])
    assert detail["review"]["decided_by_name"] == detail["timeline"][1]["decider"]["name"]
    assert detail["decision"]["trace"]
    assert str(fetched["token"]) not in str(detail)


RETRIED = "rules: [{id: all, effect: approve, when: []}]\nretry_after_unknown: true\n"


async def seen(vault: House, asked: Any) -> Any:
    return await read_request(vault.core, vault.owner, str(asked["request_id"]))


@pytest.mark.parametrize("outcome", Reported)
async def test_a_reported_outcome_with_who_said_so(outcome: Reported, vault: House) -> None:
    await vault.register(definition=RETRIED)
    asked, gateway = await vault.ask(), await vault.key(Preset.GATEWAY, "the edge")
    assert ((await seen(vault, asked))["reported"], (await seen(vault, asked))["retry"]) == (None, None)
    await vault.report(asked, outcome, by=gateway, detail="said the receiver")
    detail = await seen(vault, asked)
    assert (detail["reported"]["outcome"], detail["reported"]["detail"]) == (outcome, "said the receiver")
    assert detail["reported"]["reported_by"]["name"] == "the edge"
    step = detail["timeline"][-1]
    assert (step["kind"], step["outcome"], step["reason"]) == ("outcome.reported", outcome, "said the receiver")
    assert (detail["retry"] is not None) == (outcome is Reported.UNKNOWN)
    redacted: Any = await read_request(vault.core, await vault.key(Preset.AGENT), str(asked["request_id"]))
    assert (redacted["reported"]["outcome"], redacted["reported"]["detail"]) == (outcome, "")
    assert redacted["reported"]["reported_by"] == {}
    assert "said the receiver" not in str(redacted)


async def test_what_can_be_done_about_an_unknown_outcome(vault: House) -> None:
    asked = await vault.ask()
    await vault.report(asked, Reported.UNKNOWN)
    assert (await seen(vault, asked))["retry"] == {"state": "not_allowed", "until": None, "request_id": ""}
    await vault.register(definition=RETRIED)
    possible = (await seen(vault, asked))["retry"]
    assert (possible["state"], possible["until"]) == ("possible", rfc3339(vault.clock.now + 300_000_000))
    retry = await vault.mint(asked)
    assert (await seen(vault, asked))["retry"] == {"state": "used", "until": None, "request_id": retry["request_id"]}
    assert (await seen(vault, retry))["timeline"][0]["after_outcome"] == "unknown"
    await vault.report(retry, Reported.UNKNOWN)
    assert (await seen(vault, retry))["retry"]["state"] == "none"
    late = await vault.ask()
    await vault.report(late, Reported.UNKNOWN)
    vault.clock.advance(301)
    assert (await seen(vault, late))["retry"]["state"] == "over"


async def test_relatives(vault: House) -> None:
    await vault.register(*RULES)
    asked = await vault.ask(45)
    minted = await vault.mint(asked)
    detail: Any = await read_request(vault.core, vault.owner, str(asked["request_id"]))
    child = await vault.ask(45, parent_jti=detail["token"]["jti"])
    detail = await read_request(vault.core, vault.owner, str(asked["request_id"]))
    assert detail["related"] == {
        "minted_from": "",
        "mints": [minted["request_id"]],
        "parent": "",
        "children": [child["request_id"]],
    }
    of_mint: Any = await read_request(vault.core, vault.owner, str(minted["request_id"]))
    of_child: Any = await read_request(vault.core, vault.owner, str(child["request_id"]))
    assert of_mint["related"]["minted_from"] == of_child["related"]["parent"] == asked["request_id"]


async def test_another_tenants_request_is_as_one_that_is_not_there(vault: House) -> None:
    asked = await vault.ask(1)
    answers = []
    for request_id in (str(asked["request_id"]), "01890000-0000-7000-8000-000000000000", "x\0"):
        with pytest.raises(NotFound) as refused:
            await read_request(vault.core, vault.stranger, request_id)
        answers.append(str(refused.value))
    assert len(set(answers)) == 1
    assert await found(vault, by=vault.stranger) == []


async def test_the_figures_of_an_overview(vault: House) -> None:
    await vault.register(*RULES)
    reviewer = await vault.member(Role.REVIEWER)
    await vault.ask(45, agent_id="a")
    await vault.ask(4500, agent_id="a")
    asked = [await vault.ask(450, agent_id="b") for _ in range(3)]
    vault.clock.advance(90)
    await vault.approve(asked[0], by=reviewer)
    vault.clock.advance(100)
    await vault.deny(asked[1], by=reviewer)
    seen: Any = await read_overview(vault.core, vault.owner, Range.DAY)
    assert seen["outcomes"] == {"pending": 1, "approved": 2, "denied": 2, "expired": 0, "cancelled": 0}
    assert (seen["requests"], seen["decided"], seen["decided_without_a_person"]) == (5, 4, 2)
    assert (seen["reviews"]["waiting"], seen["reviews"]["decided"]) == (1, 2)
    assert (seen["reviews"]["median_seconds"], seen["reviews"]["p90_seconds"]) == (90, 190)
    assert [(each["name"], each["requests"]) for each in seen["agents"]] == [("b", 3), ("a", 2)]
    assert [each["name"] for each in seen["tools"]] == ["stripe_refund"]
    assert len(seen["steps"]) == 24
    assert sum(step["denied"] for step in seen["steps"]) == 2
    vault.clock.advance(25 * 3600)
    assert (await read_overview(vault.core, vault.owner, Range.DAY))["requests"] == 0
    for wider, steps in ((Range.WEEK, 28), (Range.MONTH, 30)):
        seen = await read_overview(vault.core, vault.owner, wider)
        assert (seen["requests"], len(seen["steps"])) == (5, steps)


async def test_how_long_decisions_took(vault: House) -> None:
    """Within bounds, from the operation's look at the clock to the end of its group; a denial and a review count."""
    await vault.register(*RULES)
    for step, amounts in ((0, [45] * 10), (2500, [4500]), (40_000_000, [450])):
        vault.clock.step = step
        for amount in amounts:
            await vault.ask(amount)
        vault.clock.step = 0
    seen: Any = await read_overview(vault.core, vault.owner, Range.DAY)
    rules, judge = seen["decision_times"]["rules"], seen["decision_times"]["judge"]
    assert (rules["measured"], rules["median_within_ms"]) == (12, 1)
    assert rules["p95_within_ms"] >= 40_000
    assert sum(step["measured"] for step in rules["steps"]) == 12
    assert [step["median_within_ms"] for step in rules["steps"] if step["measured"]] != []
    assert (judge["measured"], judge["median_within_ms"], judge["p95_within_ms"]) == (0, None, None)
    assert len(rules["steps"]) == len(judge["steps"]) == 24
    stranger: Any = await read_overview(vault.core, vault.stranger, Range.DAY)
    assert stranger["decision_times"]["rules"]["measured"] == 0


async def test_a_mint_is_timed_too_and_a_retry_is_not(vault: House) -> None:
    await vault.register(*RULES)
    asked = await vault.ask(45)
    await vault.mint(asked)
    await vault.ask(4500, key="once")
    await vault.ask(4500, key="once")
    seen: Any = await read_overview(vault.core, vault.owner, Range.DAY)
    assert seen["decision_times"]["rules"]["measured"] == 3


def test_a_time_counts_at_the_bound_that_it_does_not_exceed() -> None:
    named = {took: bound_of(took) for took in (-5, 0, 1000, 1001, 2000, 7_000_000, 7_000_001, 10**14)}
    assert named == {
        -5: "1",
        0: "1",
        1000: "1",
        1001: "2",
        2000: "2",
        7_000_000: "7000",
        7_000_001: "10000",
        10**14: LONGER,
    }


@given(st.lists(st.integers(0, 10**11), min_size=1))
def test_no_figure_is_better_than_what_was(took: list[int]) -> None:
    """Each is the smallest bound that the true quantile doesn't exceed."""
    times = Times.of(Counter(map(bound_of, took)))
    assert times.measured == len(took)
    for share, within in ((0.5, times.median_within), (0.95, times.p95_within)):
        truly = quantile(took, share)
        assert truly is not None
        assert bound_of(truly) == (LONGER if within is None else str(within))


def test_times_of_hours_and_of_days() -> None:
    hour = 494_445
    rows = [(hour - 1, "1", 3), (hour, "5", 1), (hour + 1, "5", 1)]
    times = add_up_times(Range.DAY, hour, rows)
    assert times.whole == Times(5, 1, 5)
    assert times.steps[-2:] == (Times(3, 1, 1), Times(2, 5, 5))
    assert set(times.steps[:-2]) == {Times(0, None, None)}


async def test_budgets_that_all_share(vault: House) -> None:
    limits = """
rules: [{id: all, effect: approve, when: []}]
limits:
  - {id: whole, sum: 'money(args.amount, "USD")', window: month, max: 1000}
  - {id: each, sum: 'money(args.amount, "USD")', per: [agent_id], window: month, max: 1000}
"""
    await vault.register(definition=limits)
    await vault.ask(100)
    seen: Any = await read_overview(vault.core, vault.owner, Range.DAY)
    assert [(budget["limit_id"], budget["budgets"][0]["used"]) for budget in seen["budgets"]] == [("whole", "100")]
    agent = await vault.key(Preset.AGENT)
    assert (await read_overview(vault.core, agent, Range.DAY))["budgets"] == []


def test_quantiles() -> None:
    assert [quantile([], 0.5), quantile([7], 0.9)] == [None, 7]
    assert [quantile(range(1, 11), share) for share in (0.5, 0.9, 1)] == [5, 9, 10]


@pytest.mark.parametrize("span", list(Range))
def test_every_hour_of_a_range_belongs_to_one_step(span: Range) -> None:
    hour = 494_445
    rows = [(at, "approved", "engine", 1) for at in range(span.first_hour(hour), hour + 1)]
    totals = add_up(span, hour, rows)
    assert totals.requests == len(rows) <= span.hours
    full = [sum(step.values()) for step in totals.steps]
    assert set(full[:-1]) == {span.step}
    assert 1 <= full[-1] <= span.step


@pytest.mark.parametrize(
    "asked",
    [
        {"outcome": "fine"},
        {"decided_by": "me"},
        {"since": "yesterday"},
        {"until": "2026-01-31T09:00:00"},
        {"text": "x" * 1001},
    ],
)
def test_what_nobody_can_look_for(asked: dict[str, str]) -> None:
    with pytest.raises(Invalid) as refused:
        read_sought(asked)
    assert refused.value.path in asked


@pytest.mark.parametrize("template", ["sqlite"], indirect=True)
async def test_looking_at_one_request_walks_through_nothing(vault: House) -> None:
    """SQLite finds what belongs to a request by an index, however long the log is."""
    await vault.register(*RULES)
    asked = await vault.ask(450)
    await vault.approve(asked)
    await vault.checkpoint()
    engine, statements = vault.core.store.database.reader, []

    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        statements.append((statement, parameters))

    async def sign_now(_: str) -> None:
        await vault.checkpoint()

    event.listen(engine, "before_cursor_execute", note)
    try:
        await read_request(vault.core, vault.owner, str(asked["request_id"]))
        await prove_bundle(vault.core, vault.owner, Wanted(str(asked["request_id"])), sign_now)
        await read_overview(vault.core, vault.owner, Range.MONTH)
    finally:
        event.remove(engine, "before_cursor_execute", note)
    plans = [plan for statement, parameters in statements for plan in explained(engine, statement, parameters)]
    assert len(plans) > 10
    for table in ("event", "clearance", "review"):
        walks = re.compile(rf"SCAN {table}\b|SEARCH {table} .*\(tenant_id=\?\)")
        assert not [plan for plan in plans if walks.search(plan)]


def explained(engine: Engine, statement: str, parameters: Any) -> list[str]:
    if not statement.lstrip().startswith("SELECT"):
        return []
    with engine.connect() as connection:
        return [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
