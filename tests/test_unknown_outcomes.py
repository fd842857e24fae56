"""A call went out and nobody can tell what became of it: reported and retried once, by either client and by many."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from clients import ConnectOwn, own_clients, settings_for
from ledgix import AsyncLedgix, Clearance, ClearanceRequest, Ledgix, VaultRefused
from ledgix.client import ReportedOutcome
from running_vault import Tenant, succeeded
from wire import SMALL, TOOL, jti_of, mint, problem

DEFINITION = "rules: [{id: small, effect: approve, when: [args.amount <= 100]}]\nretry_after_unknown: true\n"
DETAIL = "the payment service closed the connection"


@pytest.fixture
def forgiving(tenant: Tenant) -> Tenant:
    """A tenant whose policy allows a retry."""
    tenant.register("refunds", definition=DEFINITION, tools=[TOOL])
    return tenant


@pytest.fixture
def connect(forgiving: Tenant) -> Iterator[ConnectOwn]:
    with own_clients(forgiving) as open_one:
        yield open_one


def lost(client: Ledgix, edge: Ledgix) -> Clearance:
    """An approval whose call was let through and never answered."""
    clearance = client.request_clearance(TOOL, SMALL)
    edge.consume(str(clearance.token), tool_name=TOOL, tool_args=SMALL)
    edge.report_outcome(request_id=clearance.request_id, outcome="unknown", detail=DETAIL)
    return clearance


def test_of_64_retries_at_once_one_is_given(forgiving: Tenant, connect: ConnectOwn) -> None:
    original = lost(connect(), connect(forgiving.gateway)).request_id
    start = Barrier(64)

    def retry(_: int) -> Any:
        start.wait(timeout=30)
        return mint(forgiving, original)

    with ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(retry, range(64)))
    (given,) = [answer for answer in answers if answer.status_code == 200]
    for answer in answers:
        if answer is not given:
            problem(answer, 403, "mint_after_unknown_used")
    (entry,) = forgiving.events("token.minted")
    assert entry["intent"]["original_request_id"] == original
    assert entry["action_metadata"]["after_outcome"] == "unknown"
    assert succeeded(forgiving.gateway.consume(given.json()["token"]))["request_id"] == given.json()["request_id"]


def test_the_client_retries_once(forgiving: Tenant, connect: ConnectOwn) -> None:
    client, edge = connect(), connect(forgiving.gateway)
    original = lost(client, edge)
    retry = client.mint(original)
    assert (retry.is_approved, retry.request_id != original.request_id) == (True, True)
    edge.consume(str(retry.token), tool_name=TOOL, tool_args=SMALL)
    assert edge.report_outcome(jti=str(retry.claims and retry.claims.jti), outcome="delivered").outcome == "delivered"
    for again in (original, retry):
        with pytest.raises(VaultRefused) as refused:
            client.mint(again)
        assert refused.value.code in {"mint_after_unknown_used", "mint_not_possible"}
    assert client.clearance_status(original.request_id).reason_code == "approval_used"


def test_after_a_restart_the_request_is_enough(forgiving: Tenant, connect: ConnectOwn) -> None:
    original = lost(connect(), connect(forgiving.gateway))
    assert original.request is not None
    kept = (original.request_id, original.request.to_json())
    restarted, asked = connect(), ClearanceRequest.from_json(kept[1])
    told = restarted.clearance_status(kept[0], request=asked)
    assert not told.is_approved
    assert restarted.mint(told).is_approved


def test_an_outcome_is_told_once_for_good(forgiving: Tenant, connect: ConnectOwn) -> None:
    client, edge = connect(), connect(forgiving.gateway)
    original = lost(client, edge)
    again = edge.report_outcome(jti=str(original.claims and original.claims.jti), outcome=ReportedOutcome.UNKNOWN)
    assert (again.request_id, again.detail) == (original.request_id, DETAIL)
    with pytest.raises(VaultRefused) as refused:
        edge.report_outcome(request_id=original.request_id, outcome="delivered")
    assert refused.value.code == "outcome_already_reported"
    with pytest.raises(VaultRefused) as refused:
        client.report_outcome(request_id=original.request_id, outcome="unknown")
    assert refused.value.code == "missing_scope"


def test_asynchronously(forgiving: Tenant) -> None:
    async def scenario() -> None:
        async with (
            AsyncLedgix(settings_for(forgiving)) as client,
            AsyncLedgix(settings_for(forgiving, forgiving.gateway)) as edge,
        ):
            assert await edge.refresh_keys()
            original = await client.request_clearance(TOOL, SMALL)
            await edge.verify_token(str(original.token))
            told = await edge.report_outcome(request_id=original.request_id, outcome="unknown", detail=DETAIL)
            assert (told.jti, told.outcome) == (original.claims and original.claims.jti, "unknown")
            retries = await asyncio.gather(*(client.mint(original) for _ in range(8)), return_exceptions=True)
            assert sum(isinstance(retry, Clearance) for retry in retries) == 1

    asyncio.run(scenario())


def test_without_the_policys_word_there_is_no_retry(refunds: Tenant) -> None:
    asked = refunds.agent.ask(TOOL, SMALL)
    report = {"jti": jti_of(asked), "outcome": "unknown"}
    succeeded(refunds.gateway.post("/outcomes", report))
    problem(mint(refunds, asked["request_id"]), 403, "mint_after_unknown_not_allowed")
