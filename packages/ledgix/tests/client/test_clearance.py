"""Asking, over the whole path: what may run, what is raised, what is sent."""

from __future__ import annotations

import pytest
from fake_vault import API_KEY, FakeVault

from ledgix.client import Outcome, Status
from ledgix.client.errors import (
    AnswerInvalid,
    ClearanceDenied,
    ReviewExpired,
    ReviewPending,
    ReviewTimedOut,
    TokenError,
    TokenMismatch,
    TokenReplayed,
    VaultRefused,
    VaultUnreachable,
)
from ledgix.errors import JsonError
from ledgix.formats import json
from ledgix.formats.keys import PrivateKey

ARGS = {"order_id": "A-1", "amount": 45.5}


def test_an_approval_comes_back_verified(vault: FakeVault) -> None:
    clearance = vault.client().request_clearance("stripe_refund", ARGS)
    assert clearance.is_approved
    assert clearance.status is Status.APPROVED
    assert clearance.outcome is Outcome.APPROVED
    assert clearance.claims is not None
    assert clearance.claims.tool == "stripe_refund"
    assert clearance.approved_args == json.from_python(ARGS)
    assert clearance.token not in repr(clearance)


def test_what_is_sent_is_exact_and_complete(vault: FakeVault) -> None:
    vault.client(agent_id="billing", session_id="s-1", principal_id="ann").request_clearance(
        "stripe_refund",
        {"amount": 45.0, "ratio": 0.1, "items": (1, 2)},
        policy_id="refunds",
        facts={"paid": True},
        purpose="refund",
        data_categories=["email"],
        accepts=["changed_args"],
    )
    sent = json.parse_object(vault.seen[0].body)
    assert sent == json.from_python(
        {
            "tool_name": "stripe_refund",
            "tool_args": {"amount": 45, "ratio": 0.1, "items": [1, 2]},
            "agent_id": "billing",
            "session_id": "s-1",
            "context": {"policy_id": "refunds", "facts": {"paid": True}},
            "human_principal": "ann",
            "purpose": "refund",
            "data_categories": ["email"],
            "accepts": ["changed_args"],
        }
    )


def test_the_token_keys_are_asked_for_without_the_api_key(vault: FakeVault) -> None:
    vault.client().request_clearance("t")
    by_path = {seen.path: seen.headers for seen in vault.seen}
    assert by_path["/request-clearance"]["x-vault-api-key"] == API_KEY
    assert "x-vault-api-key" not in by_path["/.well-known/jwks.json"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**53, object(), {1: "x"}, "\ud800", b"x"])
def test_a_value_without_an_exact_form_is_refused_before_anything_is_sent(vault: FakeVault, value: object) -> None:
    with pytest.raises(JsonError) as refused:
        vault.client().request_clearance("t", {"deep": [value]})
    assert str(refused.value).startswith("$.tool_args.deep[0]")
    assert vault.seen == []


def test_a_denial_says_why(vault: FakeVault) -> None:
    vault.decide = lambda body: "denied"
    with pytest.raises(ClearanceDenied) as denied:
        vault.client().request_clearance("t", ARGS)
    assert denied.value.reason == "by the test's rules"
    assert denied.value.reason_code == "policy_denied"
    assert denied.value.request_id == vault.only().request_id


def test_blocking_waits_for_the_person(vault: FakeVault) -> None:
    vault.decide = lambda body: "pending"
    vault.time.while_asleep = [lambda: None, lambda: vault.settle(vault.only().request_id, "approved")]
    clearance = vault.client().request_clearance("t", ARGS)
    assert clearance.is_approved
    assert vault.time.slept == [2.0, 2.0]


def test_a_reviewers_no_is_a_denial_and_an_expiry_is_not(vault: FakeVault) -> None:
    vault.decide = lambda body: "pending"
    vault.time.while_asleep = [lambda: vault.settle(vault.only().request_id, "denied")]
    with pytest.raises(ClearanceDenied) as denied:
        vault.client().request_clearance("t", ARGS)
    assert denied.value.reason_code == "review_denied"

    vault.requests.clear()
    vault.time.while_asleep = [lambda: vault.settle(vault.only().request_id, "expired")]
    with pytest.raises(ReviewExpired) as expired:
        vault.client().request_clearance("t", ARGS)
    assert not isinstance(expired.value, ClearanceDenied)


def test_a_time_out_is_not_a_denial_and_the_review_can_still_be_approved(vault: FakeVault) -> None:
    vault.decide = lambda body: "pending"
    client = vault.client(review_timeout=5)
    with pytest.raises(ReviewTimedOut) as timed_out:
        client.request_clearance("t", ARGS)
    assert vault.time.slept == [2.0, 2.0, 1.0]
    vault.settle(timed_out.value.request_id, "approved")
    waited = client.wait(timed_out.value.request_id, request=timed_out.value.clearance.request)
    assert waited.is_approved


def test_detached_gives_a_handle_that_survives_a_restart(vault: FakeVault) -> None:
    vault.decide = lambda body: "pending"
    with pytest.raises(ReviewPending) as pending:
        vault.client(review_mode="detach").request_clearance("t", ARGS)
    handle = pending.value.review
    assert handle.status().status is Status.PENDING_REVIEW
    assert vault.time.slept == []

    vault.settle(handle.request_id, "approved")
    kept = handle.request.to_json()
    restarted = vault.client()
    again = restarted.pending_review(handle.request_id, request=type(handle.request).from_json(kept))
    assert again.wait().is_approved
    with pytest.raises(TokenReplayed):
        again.wait()


def test_status_is_a_look_and_no_use(vault: FakeVault) -> None:
    client = vault.client()
    clearance = client.request_clearance("t", ARGS)
    for _ in range(3):
        seen = client.clearance_status(clearance.request_id, request=clearance.request)
        assert seen.token == clearance.token
        assert seen.claims == clearance.claims


def test_cancel_takes_a_request_back(vault: FakeVault) -> None:
    vault.decide = lambda body: "pending"
    client = vault.client(review_mode="detach")
    with pytest.raises(ReviewPending) as pending:
        client.request_clearance("t", ARGS)
    cancelled = pending.value.review.cancel()
    assert cancelled.outcome is Outcome.CANCELLED
    assert not cancelled.is_approved
    with pytest.raises(ClearanceDenied) as denied:
        pending.value.review.wait()
    assert denied.value.reason_code == "cancelled_by_agent"


def test_an_absent_vault_costs_a_waiting_agent_time_only(vault: FakeVault) -> None:
    vault.decide = lambda body: "pending"
    client = vault.client()

    def trouble() -> None:
        vault.lose_request()
        vault.fail(502)
        vault.fail(429, retry_after="1")

    vault.time.while_asleep = [trouble, *[lambda: None] * 3, lambda: vault.settle(vault.only().request_id, "approved")]
    assert client.request_clearance("t", ARGS).is_approved
    assert vault.time.slept == [2.0] * 5


def test_waiting_ends_with_the_trouble_when_the_vault_stays_away(vault: FakeVault) -> None:
    for _ in range(10):
        vault.lose_request()
    with pytest.raises(VaultUnreachable):
        vault.client().wait("11111111-1111-4111-8111-111111111111", timeout=4)
    assert vault.time.seconds == 4


def test_waiting_for_an_unknown_request_ends_at_once(vault: FakeVault) -> None:
    with pytest.raises(VaultRefused) as refused:
        vault.client().wait("11111111-1111-4111-8111-111111111111")
    assert refused.value.status == 404
    assert vault.time.slept == []


# Attacks on the answer


@pytest.mark.parametrize(
    "change",
    [
        {"token": None},
        {"token": ""},
        {"token": 7},
        {"status": "APPROVED"},
        {"status": "approved_with_love"},
        {"status": None},
        {"decision_status": "denied"},
        {"decision_status": "approved_pending_review"},
        {"outcome": "denied"},
        {"outcome": "pending"},
        {"request_id": ""},
        {"request_id": 5},
        {"confidence_bucket": "sure"},
        {"requires_manual_review": "no"},
        {"effective_args": [1]},
        {"status": "denied", "decision_status": "denied"},
    ],
)
def test_a_malformed_answer_is_no_approval(vault: FakeVault, change: dict) -> None:
    vault.tamper_answer = lambda path, answer: {**answer, **change} if path == "/request-clearance" else answer
    with pytest.raises(AnswerInvalid):
        vault.client().request_clearance("t", ARGS)


@pytest.mark.parametrize("body", [b"", b"[]", b"approved", b'{"status":"approved","status":"denied"}', b"\xff"])
def test_an_unreadable_answer_is_no_approval(vault: FakeVault, body: bytes) -> None:
    vault.fail(200, body=body or b" ")
    with pytest.raises(AnswerInvalid):
        vault.client().request_clearance("t", ARGS)


@pytest.mark.parametrize("missing", ["status", "decision_status", "reason", "request_id", "confidence_bucket"])
def test_a_missing_member_is_no_approval(vault: FakeVault, missing: str) -> None:
    vault.tamper_answer = lambda path, answer: {name: answer[name] for name in answer if name != missing}
    with pytest.raises(AnswerInvalid, match=missing):
        vault.client().request_clearance("t", ARGS)


@pytest.mark.parametrize(
    "claims",
    [
        {"tool": "stripe_payout"},
        {"agent_id": "somebody-else"},
        {"tool_args_hash": "0" * 64},
        {"request_id": "22222222-2222-4222-8222-222222222222"},
    ],
)
def test_an_approval_of_another_call_is_no_approval(vault: FakeVault, claims: dict) -> None:
    vault.tamper_claims = lambda genuine: {**genuine, **claims}
    with pytest.raises(TokenMismatch):
        vault.client().request_clearance("t", ARGS)


def test_a_token_by_another_key_is_no_approval(vault: FakeVault) -> None:
    vault.token_key = PrivateKey.generate()
    with pytest.raises(TokenError) as error:
        vault.client().request_clearance("t", ARGS)
    assert error.value.code == "token_invalid"


def test_the_same_approval_twice_is_one_approval(vault: FakeVault) -> None:
    client = vault.client()
    first = client.request_clearance("t", ARGS)
    same = vault.answer(vault.only(), with_token=True)
    vault.tamper_answer = lambda path, answer: same if path == "/request-clearance" else answer
    with pytest.raises(TokenReplayed):
        client.request_clearance("t", ARGS)
    with pytest.raises(TokenReplayed):
        vault.client().request_clearance("t", ARGS)  # another client of the same process
    assert first.is_approved


def test_another_request_answered_by_status_is_refused(vault: FakeVault) -> None:
    client = vault.client()
    one, two = client.request_clearance("t", ARGS), client.request_clearance("t", {})
    other = vault.answer(vault.requests[two.request_id], with_token=True)
    vault.tamper_answer = lambda path, answer: other if path.startswith("/clearance-status") else answer
    with pytest.raises(AnswerInvalid, match="answered about"):
        client.clearance_status(one.request_id)


def test_changed_arguments_need_consent(vault: FakeVault) -> None:
    def change(path: str, answer: dict) -> dict:
        return {**answer, "effective_args": {"amount": 1}} if path == "/request-clearance" else answer

    vault.tamper_answer = change
    for verify in (True, False):
        with pytest.raises(AnswerInvalid, match="other arguments"):
            vault.client(verify_jwt=verify).request_clearance("t", ARGS)


def test_changed_arguments_with_consent_are_those_of_the_token(vault: FakeVault) -> None:
    vault.decide = lambda body: "pending"
    smaller = {"order_id": "A-1", "amount": 20}
    vault.time.while_asleep = [
        lambda: vault.settle(vault.only().request_id, "approved", effective_args=smaller),
    ]
    clearance = vault.client().request_clearance("t", ARGS, accepts=["changed_args"])
    assert clearance.approved_args == smaller
    vault.requests.clear()
    vault.tamper_claims = lambda claims: {**claims, "tool_args_hash": clearance.request.tool_args_hash}
    vault.time.while_asleep = [
        lambda: vault.settle(vault.only().request_id, "approved", effective_args=smaller),
    ]
    with pytest.raises(TokenMismatch, match="arguments"):
        vault.client().request_clearance("t", ARGS, accepts=["changed_args"])


def test_processing_with_a_decided_outcome_is_waited_for(vault: FakeVault) -> None:
    undelivered = {"status": "processing", "decision_status": "approved_pending_review", "token": None}
    vault.tamper_answer = lambda path, answer: {**answer, **undelivered} if "request-clearance" in path else answer
    assert vault.client().request_clearance("t", ARGS).is_approved
    assert vault.time.slept == [2.0]


def test_an_older_vault_without_our_fields_is_understood(vault: FakeVault) -> None:
    ours = {"outcome", "effective_args", "citations", "expires_at", "decided_policy_version_id"}
    vault.tamper_answer = lambda path, answer: {name: answer[name] for name in answer if name not in ours}
    assert vault.client().request_clearance("t", ARGS).outcome is Outcome.APPROVED
