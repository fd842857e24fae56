"""`ledgix-python` 0.4.0, exactly as published, against a running Vault."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ledgix_python
import pytest
from ledgix_python import (
    ClearanceDeniedError,
    LedgixClient,
    ManualReviewTimeoutError,
    PolicyRegistration,
    PolicyRegistrationError,
    ReplayDetectedError,
    ReviewPendingError,
    VaultConnectionError,
    VaultContext,
)

from clients import ConnectPublished, published_clients, refund
from running_vault import Tenant, decide_soon, succeeded

APPROVED, REVIEWED, DENIED = 45, 450, 4500


@pytest.fixture
def connect(refunds: Tenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ConnectPublished]:
    monkeypatch.chdir(tmp_path)  # the client reads `.env` from the working directory
    with published_clients(refunds) as open_one:
        yield open_one


@pytest.fixture
def client(connect: ConnectPublished) -> LedgixClient:
    return connect()


# Clearances


def test_approved(client: LedgixClient, refunds: Tenant) -> None:
    clearance = client.request_clearance(refund(APPROVED, session_id="s-1"))
    assert clearance.status == clearance.decision_status == "approved"
    assert clearance.is_approved
    assert clearance.token
    assert clearance.policy_version_id
    entry = client.fetch_ledger()[0]
    assert (entry.request_id, entry.approved, entry.decision_status) == (clearance.request_id, True, "approved")
    assert succeeded(refunds.gateway.consume(clearance.token))["request_id"] == clearance.request_id


def test_denied(client: LedgixClient) -> None:
    with pytest.raises(ClearanceDeniedError) as denied:
        client.request_clearance(refund(DENIED))
    assert denied.value.reason
    assert client.fetch_ledger()[0].request_id == denied.value.request_id


def test_a_review_blocks_until_it_is_approved(client: LedgixClient, refunds: Tenant) -> None:
    person = decide_soon(refunds, approved=True, reason="a good customer")
    clearance = client.request_clearance(refund(REVIEWED))
    person.join()
    assert clearance.status == "approved"
    assert clearance.reason == "a good customer"
    assert succeeded(refunds.gateway.consume(str(clearance.token), tool_args={"amount": REVIEWED}))


def test_a_review_blocks_until_it_is_denied(client: LedgixClient, refunds: Tenant) -> None:
    person = decide_soon(refunds, approved=False, reason="a bad idea")
    with pytest.raises(ClearanceDeniedError, match="a bad idea"):
        client.request_clearance(refund(REVIEWED))
    person.join()


def test_a_review_that_nobody_decides_in_the_clients_time(connect: ConnectPublished) -> None:
    with pytest.raises(ManualReviewTimeoutError):
        connect(review_timeout=0.1).request_clearance(refund(REVIEWED))


def test_a_review_that_expires_is_a_denial(connect: ConnectPublished, refunds: Tenant) -> None:
    refunds.set_reviews(review_expiry_seconds=1)
    with pytest.raises(ClearanceDeniedError, match="expired"):
        connect(review_poll_interval=0.1).request_clearance(refund(REVIEWED))
    assert [entry["request_id"] for entry in refunds.events("review.expired")]


def test_a_detached_review_is_waited_for(connect: ConnectPublished, refunds: Tenant) -> None:
    client = connect(review_mode="detach")
    with pytest.raises(ReviewPendingError) as pending:
        client.request_clearance(refund(REVIEWED))
    succeeded(refunds.reviewer.decide(pending.value.pending_approval.request_id, approved=True))
    clearance = pending.value.pending_approval.wait(timeout=10)
    assert client.verify_token(str(clearance.token))["request_id"] == clearance.request_id


def test_a_detached_review_is_denied(connect: ConnectPublished, refunds: Tenant) -> None:
    with pytest.raises(ReviewPendingError) as pending:
        connect(review_mode="detach").request_clearance(refund(REVIEWED))
    approval = pending.value.pending_approval
    succeeded(refunds.reviewer.decide(approval.request_id, approved=False, reason="no"))
    with pytest.raises(ClearanceDeniedError, match="no"):
        approval.wait(timeout=10)


def test_a_detached_review_is_cancelled(connect: ConnectPublished, refunds: Tenant) -> None:
    with pytest.raises(ReviewPendingError) as pending:
        connect(review_mode="detach").request_clearance(refund(REVIEWED))
    approval = pending.value.pending_approval
    approval.cancel()
    (event,) = refunds.events("review.cancelled_by_agent")
    assert event["request_id"] == approval.request_id
    with pytest.raises(ClearanceDeniedError):
        approval.wait(timeout=10)
    late = refunds.reviewer.decide(approval.request_id, approved=True)
    assert (late.status_code, late.json()["code"]) == (409, "review_already_decided")


def test_the_decision_cache_mints(connect: ConnectPublished, refunds: Tenant) -> None:
    client = connect(decision_cache_enabled=True, session_id="first")
    first = client.request_clearance(refund(APPROVED))
    second = client.request_clearance(refund(APPROVED, session_id="second"))
    assert second.token != first.token
    assert second.request_id != first.request_id
    assert len(refunds.events("token.minted")) == 1
    for clearance in (first, second):
        succeeded(refunds.gateway.consume(str(clearance.token)))


def test_what_a_person_approved_is_never_cached(connect: ConnectPublished, refunds: Tenant) -> None:
    client = connect(decision_cache_enabled=True)
    for _ in range(2):
        person = decide_soon(refunds, approved=True)
        assert client.request_clearance(refund(REVIEWED)).policy_version_id is None
        person.join()
    assert refunds.events("token.minted") == []


def test_a_cached_decision_is_refused_once_the_policy_denies(connect: ConnectPublished, refunds: Tenant) -> None:
    client = connect(decision_cache_enabled=True)
    client.request_clearance(refund(APPROVED))
    refunds.register("stop", rules=["Refunds must not exceed $10"], tools=["stripe_refund"])
    with pytest.raises(VaultConnectionError, match=r"HTTP 403.*policy_denied"):
        client.request_clearance(refund(APPROVED))


def test_a_replayed_token_is_refused(client: LedgixClient) -> None:
    clearance = client.request_clearance(refund(APPROVED))
    with pytest.raises(ReplayDetectedError):  # the client verified it once itself
        client.verify_token(str(clearance.token))


def test_a_delegated_client(connect: ConnectPublished, refunds: Tenant) -> None:
    approved = connect().request_clearance(refund(APPROVED))
    sub_agent = connect(agent_id="sub-agent")
    jti = sub_agent.verify_token(str(approved.token))["jti"]
    with sub_agent.create_delegated_client(jti) as delegated:
        child = delegated.request_clearance(refund(APPROVED, agent_id="sub-agent"))
    assert sub_agent.verify_token(str(child.token))["parent_jti"] == jti
    with sub_agent.create_delegated_client("unknown") as orphan, pytest.raises(ClearanceDeniedError):
        orphan.request_clearance(refund(APPROVED))
    assert refunds.entries()[0]["intent"]["decision"]["reason_code"] == "delegation_invalid"


def test_the_acting_person_is_recorded(connect: ConnectPublished, refunds: Tenant) -> None:
    client = connect(principal_id="auth0|42")
    token = str(client.request_clearance(refund(APPROVED)).token)
    assert succeeded(refunds.gateway.consume(token))["claims"]["human_principal"] == "auth0|42"


def test_a_wrong_key(connect: ConnectPublished, refunds: Tenant) -> None:
    client = connect(refunds.vault.key("lgx_" + "x" * 43))
    with pytest.raises(VaultConnectionError, match="HTTP 401"):
        client.request_clearance(refund(APPROVED))


@pytest.mark.parametrize("amount", ["50", None, True, -5, [50], {"value": 50}])
def test_arguments_that_no_rule_approves(connect: ConnectPublished, amount: Any) -> None:
    with pytest.raises((ReviewPendingError, ClearanceDeniedError)):
        connect(review_mode="detach").request_clearance(refund(amount))


# Policies


def test_register_policy(connect: ConnectPublished, refunds: Tenant) -> None:
    policy = PolicyRegistration(
        policy_id="gifts", description="Gifts", rules=["Gifts must not exceed $50", "be nice"], tools=["send_gift"]
    )
    answer = connect(refunds.full).register_policy(policy)
    assert (answer.policy_id, answer.status) == ("gifts", "registered")
    assert "be nice" in answer.message
    with pytest.raises(PolicyRegistrationError, match="HTTP 403"):
        connect().register_policy(policy)


# The same, asynchronously


def test_async_scenario(connect: ConnectPublished, refunds: Tenant) -> None:
    client = connect(refunds.full, decision_cache_enabled=True)

    async def scenario() -> None:
        async with client:
            first = await client.arequest_clearance(refund(APPROVED))
            second = await client.arequest_clearance(refund(APPROVED))
            assert first.token != second.token
            with pytest.raises(ReplayDetectedError):
                await client.averify_token(str(first.token))
            with pytest.raises(ClearanceDeniedError):
                await client.arequest_clearance(refund(DENIED))
            person = decide_soon(refunds, approved=True)
            assert (await client.arequest_clearance(refund(REVIEWED))).is_approved
            await asyncio.to_thread(person.join)
            answer = await client.aregister_policy(PolicyRegistration(policy_id="p", tools=["x"]))
            assert answer.status == "registered"
            bundle = await client.afetch_ledger_proof_bundle(second.request_id)
            assert (await client.averify_ledger_proof_bundle(bundle)).intact
            inclusion = await client.afetch_ledger_inclusion_proof(first.request_id)
            newest = (await client.afetch_ledger_checkpoints())[0].checkpoint_id
            consistency = await client.afetch_ledger_consistency_proof(inclusion.checkpoint.checkpoint_id, newest)
            assert consistency.to_checkpoint.checkpoint_id == newest
            result = await client.averify_ledger_proof(await client.afetch_ledger(500), None)
            assert result.intact, result.error

    asyncio.run(scenario())


def test_async_detached(connect: ConnectPublished, refunds: Tenant) -> None:
    client = connect(review_mode="detach")

    async def ask() -> Any:
        with pytest.raises(ReviewPendingError) as pending:
            await client.arequest_clearance(refund(REVIEWED))
        return pending.value.pending_approval

    async def scenario() -> None:
        async with client:
            approval = await ask()
            succeeded(refunds.reviewer.decide(approval.request_id, approved=True))
            assert (await approval.wait_async(timeout=10)).status == "approved"
            approval = await ask()
            await approval.acancel()
            with pytest.raises(ClearanceDeniedError):
                await approval.wait_async(timeout=10)

    asyncio.run(scenario())


# Guards


@pytest.fixture
def configured(refunds: Tenant) -> Iterator[LedgixClient]:
    client = ledgix_python.configure(
        vault_url=refunds.url, vault_api_key=refunds.agent.secret, review_mode="detach", agent_id="finance-agent"
    )
    yield client
    client.close()


@pytest.mark.usefixtures("configured")
def test_enforce(refunds: Tenant) -> None:
    seen: list[str] = []
    pending: list[Any] = []

    @ledgix_python.enforce(tool_name="stripe_refund", policy_id="refunds", on_review_pending=pending.append)
    def pay_back(amount: float, note: str = "") -> str:
        seen.append(str(ledgix_python.current_token()))
        return f"paid {amount}"

    assert pay_back(amount=45.5, note="for a friend") == "paid 45.5"
    claims = succeeded(refunds.gateway.consume(seen[0]))["claims"]
    assert (claims["agent_id"], claims["policy_id"]) == ("finance-agent", "refunds")
    with pytest.raises(ClearanceDeniedError):
        pay_back(amount=DENIED)
    with pytest.raises(ReviewPendingError):
        pay_back(amount=REVIEWED)
    assert len(seen) == len(pending) == 1
    assert ledgix_python.current_clearance() is None


def test_enforce_async(configured: LedgixClient) -> None:
    @ledgix_python.enforce(tool_name="stripe_refund")
    async def pay_back(amount: float) -> str | None:
        return ledgix_python.current_token()

    async def scenario() -> None:
        assert await pay_back(amount=45)
        with pytest.raises(ClearanceDeniedError):
            await pay_back(amount=DENIED)
        await configured.aclose()

    asyncio.run(scenario())


def test_vault_context(client: LedgixClient) -> None:
    with VaultContext(client, "stripe_refund", {"amount": 45}, policy_id="refunds") as entered:
        assert entered.clearance is not None
        assert entered.clearance.token
    with pytest.raises(ClearanceDeniedError), VaultContext(client, "stripe_refund", {"amount": DENIED}):
        pytest.fail("entered without an approval")
