"""A judge, end to end: a Vault in its own process, a model's server with the real protocols, and both clients."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ledgix_python import ClearanceDeniedError, ClearanceRequest, ManualReviewTimeoutError
from vault_testing.fake_model import API_KEY, MODEL, FakeModel, Mode, denies, fake_model

from clients import own_clients, published_clients, settings_for
from ledgix import AsyncLedgix, ClearanceDenied, ReviewTimedOut
from running_vault import RunningVault, Tenant, eventually, succeeded
from wire import well_formed

GIFT, ARGS = "send_gift", {"amount": 20}
TEXT = "Gifts are for customers who had to wait unreasonably long."
POLICY = "judge: {may: approve, when: ['args.amount <= 50'], times: 3}"
Open = Callable[..., tuple[RunningVault, list[Tenant]]]


@pytest.fixture
def model() -> Iterator[FakeModel]:
    with fake_model() as running:
        yield running


@pytest.fixture(params=["openai", "anthropic"])
def tenant(request: pytest.FixtureRequest, fresh_vault: Open, model: FakeModel) -> Tenant:
    """A tenant whose gifts a judge may approve."""
    _, (one,) = fresh_vault(judge_hosts=model.host, judge_deadline=5)
    one.register("gifts", rules=[TEXT], definition=POLICY, tools=[GIFT])
    one.set_reviews(minimum_confidence_bucket="medium")
    shown = succeeded(one.full.put("/judge-settings", model.settings(request.param)))
    assert (shown["api_key"], shown["model"]) == ("********", MODEL)
    return one


def gift() -> ClearanceRequest:
    return ClearanceRequest(tool_name=GIFT, tool_args=ARGS)


def test_the_published_client_waits_for_the_judge(
    tenant: Tenant, model: FakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the client reads `.env` from the working directory
    with published_clients(tenant) as connect:
        client = connect()
        clearance = client.request_clearance(gift())
        assert (clearance.status, clearance.is_approved) == ("approved", True)
        assert succeeded(tenant.gateway.consume(str(clearance.token), tool_args=ARGS))
        model.brain = denies
        with pytest.raises(ClearanceDeniedError, match="The policy forbids it"):
            client.request_clearance(gift())
        model.mode = Mode.DROPS
        with pytest.raises(ManualReviewTimeoutError):
            connect(review_timeout=3).request_clearance(gift())
        assert len(tenant.reviewer.read("/reviews")["reviews"]) == 1


def test_our_client_waits_for_the_judge(tenant: Tenant, model: FakeModel) -> None:
    with own_clients(tenant) as connect:
        client = connect()
        clearance = client.request_clearance(GIFT, ARGS)
        assert clearance.is_approved
        assert clearance.citations[0]["quote"] == TEXT
        assert succeeded(tenant.gateway.consume(str(clearance.token), tool_args=ARGS))
        model.brain = denies
        with pytest.raises(ClearanceDenied) as denied:
            client.request_clearance(GIFT, ARGS)
        assert denied.value.reason_code == "judge_denied"
        model.mode = Mode.FAILS
        with pytest.raises(ReviewTimedOut):
            client.request_clearance(GIFT, ARGS, review_timeout=3)


def test_our_async_client_waits_for_the_judge(tenant: Tenant) -> None:
    async def ask() -> Any:
        async with AsyncLedgix(settings_for(tenant)) as client:
            return await client.request_clearance(GIFT, ARGS)

    assert asyncio.run(ask()).is_approved


def test_the_ledger_tells_both_steps(tenant: Tenant, model: FakeModel) -> None:
    asked = well_formed(tenant.agent.ask(GIFT, ARGS))
    assert (asked["status"], asked["requires_manual_review"]) == ("processing", False)
    approved = eventually(lambda: _unless_processing(tenant, asked["request_id"]))
    assert well_formed(approved)["status"] == "approved"
    first, second = sorted(tenant.events("clearance.decided"), key=lambda entry: entry["seq"])
    assert (first["intent"]["decision"]["status"], second["intent"]["decision"]["status"]) == ("processing", "approved")
    assert (first["approved"], second["approved"]) == (False, True)
    assert second["intent"]["decider"] == {"type": "judge", "id": MODEL}
    assert second["action_metadata"]["judgement"]["finding"] == "allowed"
    assert API_KEY not in str(tenant.entries())
    assert tenant.full.read("/ledger/verify")["intact"]
    bundle = tenant.full.read("/ledger/proof/bundle", request_id=asked["request_id"])
    assert bundle["event"]["event_uuid"] == second["event_uuid"]


@pytest.mark.parametrize("tenant", ["openai"], indirect=True)  # it takes as long as a lease
def test_a_vault_that_is_killed_while_the_judge_thinks(tenant: Tenant, model: FakeModel) -> None:
    model.mode = Mode.HANGS
    asked = tenant.agent.ask(GIFT, ARGS)
    eventually(lambda: model.asked)
    tenant.vault.kill()
    model.mode = Mode.NORMAL
    tenant.vault.start()
    assert tenant.agent.status(asked["request_id"])["status"] in ("processing", "approved")
    assert eventually(lambda: _unless_processing(tenant, asked["request_id"]))["status"] == "approved"


def _unless_processing(tenant: Tenant, request_id: str) -> dict[str, Any] | None:
    answer = tenant.agent.status(request_id)
    return None if answer["status"] == "processing" else answer
