"""Our client, sync and async, and the command line, against a running Vault."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import ledgix
from clients import ConnectOwn, detached, own_clients, settings_for
from ledgix import (
    AsyncLedgix,
    ClearanceDenied,
    Ledgix,
    ReviewExpired,
    ReviewPending,
    ReviewTimedOut,
    TokenError,
    TokenMismatch,
    TokenReplayed,
    VaultRefused,
    VaultUnreachable,
)
from ledgix.client.flow import Clock
from running_vault import Tenant, decide_soon, succeeded

APPROVED, REVIEWED, DENIED = {"amount": 45}, {"amount": 450}, {"amount": 4500}
TOOL = "stripe_refund"


@pytest.fixture
def connect(refunds: Tenant) -> Iterator[ConnectOwn]:
    with own_clients(refunds) as open_one:
        yield open_one


@pytest.fixture
def client(connect: ConnectOwn) -> Ledgix:
    return connect()


@pytest.fixture
def full(connect: ConnectOwn, refunds: Tenant) -> Ledgix:
    return connect(refunds.full)


@pytest.fixture
def reviewer(connect: ConnectOwn, refunds: Tenant) -> Ledgix:
    return connect(refunds.reviewer)


# Clearances


def test_approve_and_consume(client: Ledgix, full: Ledgix) -> None:
    clearance = client.request_clearance(TOOL, APPROVED, session_id="s-1")
    assert clearance.is_approved
    assert clearance.claims is not None
    assert (clearance.claims.tool, clearance.claims.session_id) == (TOOL, "s-1")
    with pytest.raises(VaultRefused) as mismatch:
        full.consume(str(clearance.token), tool_name=TOOL, tool_args=REVIEWED)
    assert mismatch.value.code == "token_args_mismatch"
    consumed = full.consume(str(clearance.token), tool_name=TOOL, tool_args=APPROVED)
    assert consumed.request_id == clearance.request_id
    with pytest.raises(TokenReplayed):
        full.consume(str(clearance.token))
    used = client.clearance_status(clearance.request_id)
    assert (used.is_approved, used.reason_code, used.outcome) == (
        False,
        "approval_used",
        ledgix.client.Outcome.APPROVED,
    )


def test_denied(client: Ledgix) -> None:
    with pytest.raises(ClearanceDenied) as denied:
        client.request_clearance(TOOL, DENIED, policy_id="refunds")
    assert denied.value.reason_code == "policy_denied"
    assert client.clearance_status(denied.value.request_id).citations


def test_a_review_blocks(client: Ledgix, reviewer: Ledgix, refunds: Tenant) -> None:
    person = decide_soon(refunds, approved=True)
    clearance = client.request_clearance(TOOL, REVIEWED)
    person.join()
    assert clearance.is_approved
    person = decide_soon(refunds, approved=False)
    with pytest.raises(ClearanceDenied, match="looked at it"):
        client.request_clearance(TOOL, REVIEWED)
    person.join()
    with pytest.raises(ReviewTimedOut):
        client.request_clearance(TOOL, REVIEWED, review_timeout=0.05)
    assert len(list(reviewer.reviews())) == 1
    assert len(list(reviewer.reviews(None, page_size=1))) == 3


def test_who_waits_is_told_and_needs_not_look(refunds: Tenant, connect: ConnectOwn) -> None:
    """With an interval that nobody would sit out, and also with a key that only asks."""
    made = succeeded(refunds.full.post("/api-keys", {"name": "asks", "scopes": ["clearance"]}))
    asks_only = refunds.vault.key(made["api_key"])

    async def wait_async() -> bool:
        patient = settings_for(refunds, asks_only, review_poll_interval=600, review_timeout=600)
        async with AsyncLedgix(patient) as client:
            return (await client.request_clearance(TOOL, REVIEWED)).is_approved

    client = connect(asks_only, review_poll_interval=600, review_timeout=600)
    began = time.monotonic()
    for wait in (lambda: client.request_clearance(TOOL, REVIEWED).is_approved, lambda: asyncio.run(wait_async())):
        person = decide_soon(refunds, approved=True)
        assert wait()
        person.join()
    assert time.monotonic() - began < 100


def test_a_review_that_expires(client: Ledgix, full: Ledgix) -> None:
    full.set_review_settings(review_expiry_seconds=1)
    with pytest.raises(ReviewExpired):
        client.request_clearance(TOOL, REVIEWED)


def test_a_detached_review(client: Ledgix, reviewer: Ledgix, connect: ConnectOwn) -> None:
    review = detached(client)
    assert review.status().is_open
    reviewer.decide_review(review.request_id, approved=True, reason="fine")
    looked = connect(jwt_leeway=0).clearance_status(review.request_id)  # another process, after a restart
    assert looked.is_approved
    approved = review.wait()
    assert approved.token == looked.token
    with pytest.raises(TokenReplayed):
        review.wait()


def test_a_detached_review_is_cancelled(client: Ledgix, reviewer: Ledgix) -> None:
    review = detached(client)
    assert review.cancel().reason_code == "cancelled_by_agent"
    with pytest.raises(ClearanceDenied):
        review.wait()
    with pytest.raises(VaultRefused) as late:
        reviewer.decide_review(review.request_id, approved=True)
    assert late.value.code == "review_already_decided"


def test_an_approval_is_taken_back(client: Ledgix, full: Ledgix) -> None:
    clearance = client.request_clearance(TOOL, APPROVED)
    client.cancel(clearance.request_id)
    with pytest.raises(TokenError):
        full.consume(str(clearance.token))


def test_approved_with_changed_arguments(client: Ledgix, full: Ledgix, reviewer: Ledgix) -> None:
    review = detached(client, accepts=["changed_args"])
    reviewer.decide_review(review.request_id, approved=True, effective_args={"amount": 400})
    approved = review.wait()
    assert approved.approved_args == {"amount": 400}
    assert full.consume(str(approved.token), tool_args={"amount": 400})
    unaware = detached(client)
    with pytest.raises(VaultRefused) as refused:
        reviewer.decide_review(unaware.request_id, approved=True, effective_args={"amount": 400})
    assert refused.value.code == "client_cannot_change_args"


def test_mint(client: Ledgix, full: Ledgix, reviewer: Ledgix) -> None:
    first = client.request_clearance(TOOL, APPROVED, context={"facts": {"vip": True}})
    second = client.mint(first, session_id="later")
    assert second.claims is not None
    assert (second.request_id != first.request_id, second.claims.session_id) == (True, "later")
    for clearance in (first, second):
        full.consume(str(clearance.token), tool_args=APPROVED)
    review = detached(client)
    reviewer.decide_review(review.request_id, approved=True)
    with pytest.raises((ClearanceDenied, VaultRefused)):
        client.mint(review.wait())
    full.register_policy("stop", ["Refunds must not exceed $10"], tools=[TOOL])
    with pytest.raises(ClearanceDenied) as denied:
        client.mint(second)
    assert denied.value.reason_code == "policy_denied"


def test_another_tenants_token_is_refused(connect: ConnectOwn, other: Tenant) -> None:
    other.register_refunds()
    with pytest.raises(TokenError):
        connect(other.agent).request_clearance(TOOL, APPROVED)  # configured with the wrong tenant
    foreign = other.agent.ask(TOOL, APPROVED)["token"]
    with pytest.raises(TokenError):
        connect().verify_token(foreign)


def test_delegation(client: Ledgix) -> None:
    parent = client.request_clearance(TOOL, APPROVED)
    assert parent.claims is not None
    child = client.request_clearance(TOOL, APPROVED, agent_id="sub-agent", parent_jti=parent.claims.jti)
    assert child.claims is not None
    assert child.claims.parent_jti == parent.claims.jti


# Administration


def test_policies_schemas_and_settings(full: Ledgix, client: Ledgix) -> None:
    registered = full.register_policy("gifts", ["Gifts must not exceed $50", "be nice"], tools=["send_gift"])
    assert "be nice" in registered.message
    schema = {"type": "object", "properties": {"amount": {"type": "number"}}}
    assert full.register_tool_schema("send/gift", schema).schema == schema
    assert full.tool_schema("send/gift").tool_name == "send/gift"
    assert [found.tool_name for found in full.tool_schemas()] == ["send/gift"]
    assert full.set_review_settings(quorum=2).answer["quorum"] == 2
    assert full.review_settings().minimum_confidence_bucket == "high"
    for refused in (client.tool_schemas, client.review_settings, client.review_page):
        with pytest.raises(VaultRefused) as forbidden:
            refused()
        assert (forbidden.value.status, forbidden.value.code) == (403, "missing_scope")


def test_the_life_of_a_policy_version(full: Ledgix, client: Ledgix) -> None:
    full.register_policy("eu/gifts", ["Refunds must not exceed $50"], tools=[TOOL])
    assert full.draft_policy_version("eu/gifts", rules=["Refunds must not exceed $5"], tools=[TOOL]).version == 2
    assert full.confirm_policy_version("eu/gifts", 2).state == "confirmed"
    assert full.shadow_policy_version("eu/gifts", 2).state == "shadow"
    client.request_clearance(TOOL, {"amount": 20})
    report = full.shadow_report("eu/gifts", last=10)
    assert (report.evaluated, report.differed, report.differences[0]["shadow"]) == (1, 1, "denied")
    assert full.activate_policy_version("eu/gifts", 2).state == "active"
    assert [each.version for each in full.policy_versions("eu/gifts", before=2)] == [1]
    assert "$5" in full.policy_difference("eu/gifts", 1, 2).text
    assert full.roll_back_policy("eu/gifts").version == 1
    assert full.roll_back_policy("eu/gifts", 2).version == 2
    assert full.retire_policy_version("eu/gifts", 2).state == "retired"
    found = full.policy("eu/gifts")
    assert (found.newest.version, found.active, found.shadow) == (2, None, None)
    assert found in full.policies()
    assert full.policy_version("eu/gifts", 2).answer["document"]
    marked = full.draft_policy_version("eu/gifts", rules=["Refunds must not exceed $5", "be nice"], tools=[TOOL])
    assert full.confirm_policy_version("eu/gifts", marked.version, set_aside=["be nice"]).version == marked.version + 1


def test_a_flawed_policy_names_line_and_column(full: Ledgix) -> None:
    with pytest.raises(VaultRefused, match="line 1") as refused:
        full.register_policy("bad", definition="rules: [{id: a, effect: approve, when: ['args.amount <=']}]")
    assert refused.value.code == "policy_invalid"


# Guards


def test_guard(client: Ledgix, full: Ledgix, reviewer: Ledgix) -> None:
    paid: list[tuple[str, float]] = []

    @ledgix.guard(tool=TOOL, client=client, review_mode="detach", facts=lambda seen: {"order": seen["order"]})
    def refund(order: str, amount: float) -> str:
        full.consume(str(ledgix.current_token()), tool_name=TOOL, tool_args={"order": order, "amount": amount})
        paid.append((order, amount))
        return "paid"

    assert refund("A-1", 45.5) == "paid"
    with pytest.raises(ClearanceDenied):
        refund("A-2", amount=4500)
    with pytest.raises(ReviewPending) as pending:
        refund("A-3", 450)
    with pytest.raises(ReviewPending):
        ledgix.resume(refund, pending.value.request_id, "A-3", 450)
    reviewer.decide_review(pending.value.request_id, approved=True)
    with pytest.raises(TokenMismatch):
        ledgix.resume(refund, pending.value.request_id, "A-3", 451)
    assert ledgix.resume(refund, pending.value.request_id, "A-3", 450) == "paid"
    assert paid == [("A-1", 45.5), ("A-3", 450)]
    with pytest.raises((TokenReplayed, ClearanceDenied)):
        ledgix.resume(refund, pending.value.request_id, "A-3", 450)
    assert ledgix.current_clearance() is None


def test_guard_with_changed_arguments(client: Ledgix, full: Ledgix, reviewer: Ledgix) -> None:
    @ledgix.guard(tool=TOOL, client=client, review_mode="detach", accepts=["changed_args"])
    def refund(amount: float) -> float:
        full.consume(str(ledgix.current_token()), tool_args={"amount": amount})
        return amount

    with pytest.raises(ReviewPending) as pending:
        refund(450)
    reviewer.decide_review(pending.value.request_id, approved=True, effective_args={"amount": 300.5})
    assert ledgix.resume(refund, pending.value.request_id, 450) == 300.5


def test_cleared_block(client: Ledgix) -> None:
    with ledgix.cleared(TOOL, APPROVED, client=client) as clearance:
        assert ledgix.current_token() == clearance.token
    with pytest.raises(ClearanceDenied), ledgix.cleared(TOOL, DENIED, client=client):
        pytest.fail("entered without an approval")


# Keys that are kept fresh


def test_an_edge_outlives_its_vault_as_long_as_its_keys_are_fresh(fresh_vault: Callable[..., Any]) -> None:
    running, (tenant,) = fresh_vault()
    tenant.register_refunds()
    passed = [0.0]
    clock = Clock(monotonic=lambda: passed[0])
    token = str(tenant.agent.ask(TOOL, APPROVED)["token"])
    with Ledgix(settings_for(tenant, jwks_ttl_seconds=100, max_retries=0), clock=clock) as edge:
        assert edge.refresh_keys()
        passed[0] = 90
        assert edge.refresh_keys()
        running.stop()
        passed[0] = 180  # the keys are 90 seconds old
        with pytest.raises(VaultUnreachable):
            edge.refresh_keys()
        assert edge.verify_token(token, once=False).tool == TOOL
        passed[0] = 190
        with pytest.raises(VaultUnreachable):
            edge.verify_token(token, once=False)
        running.start()
        assert edge.refresh_keys()
        assert edge.verify_token(token, once=False).tool == TOOL


# The same, asynchronously


def test_async_scenario(refunds: Tenant) -> None:
    async def scenario() -> None:
        async with (
            AsyncLedgix(settings_for(refunds, review_mode="detach")) as client,
            AsyncLedgix(settings_for(refunds, refunds.full)) as full,
        ):
            first = await client.request_clearance(TOOL, APPROVED)
            second = await client.mint(first)
            await asyncio.gather(*(full.consume(str(each.token)) for each in (first, second)))
            with pytest.raises(TokenReplayed):
                await full.consume(str(first.token))
            with pytest.raises(ClearanceDenied):
                await client.request_clearance(TOOL, DENIED)
            with pytest.raises(ReviewPending) as pending:
                await client.request_clearance(TOOL, REVIEWED)
            assert [review.request_id async for review in full.reviews()] == [pending.value.request_id]
            await full.decide_review(pending.value.request_id, approved=True)
            assert (await pending.value.review.wait()).is_approved
            with pytest.raises(ReviewPending) as pending:
                await client.request_clearance(TOOL, REVIEWED)
            await pending.value.review.cancel()
            bundle = await full.proof_bundle(second.request_id)
            assert bundle.report is not None
            assert bundle.report.kind == "token.minted"
            assert (await full.verify_ledger()).intact
            assert await async_guards(client, full)

    asyncio.run(scenario())


async def async_guards(client: AsyncLedgix, full: AsyncLedgix) -> bool:
    @ledgix.guard(tool=TOOL, client=client)
    async def refund(amount: float) -> float:
        await full.consume(str(ledgix.current_token()), tool_args={"amount": amount})
        return amount

    assert await asyncio.gather(*(refund(amount) for amount in (1, 2.5, 3))) == [1, 2.5, 3]
    with pytest.raises(ClearanceDenied):
        await refund(4500)
    with pytest.raises(ReviewPending) as pending:
        await refund(450)
    await full.decide_review(pending.value.request_id, approved=True)
    assert await ledgix.resume(refund, pending.value.review, 450) == 450
    async with ledgix.cleared(TOOL, APPROVED, client=client) as clearance:
        return clearance.is_approved
