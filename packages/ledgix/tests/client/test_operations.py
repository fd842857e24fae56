"""Everything but asking: mint, consume, policies, reviews, schemas, ledger; and that both clients can do it all."""

from __future__ import annotations

import inspect
import json

import pytest
from fake_vault import FakeVault

from ledgix.client import (
    AsyncLedgix,
    AsyncPendingReview,
    Ledgix,
    OutcomeReport,
    OutcomeToReport,
    PendingReview,
    ReportedOutcome,
)
from ledgix.client.errors import (
    AnswerInvalid,
    ArgumentsError,
    ClearanceDenied,
    ReviewPending,
    TokenError,
    TokenReplayed,
    VaultRefused,
)
from ledgix.errors import VerificationError

ARGS = {"amount": 45}


def test_mint_is_a_new_approval_of_the_same_call(vault: FakeVault) -> None:
    client = vault.client()
    original = client.request_clearance("t", ARGS, policy_id="refunds", purpose="refund", context={"a": 1})
    minted = client.mint(original, session_id="s-2")
    assert minted.is_approved
    assert minted.request_id != original.request_id
    assert minted.token != original.token
    sent = json.loads(next(seen.body for seen in vault.seen if seen.path == "/mint-token"))
    assert sent["session_id"] == "s-2"
    assert sent["policy_id"] == "refunds"
    assert sent["purpose"] == "refund"
    assert sent["original_request_id"] == original.request_id
    assert "context" not in sent


def test_mint_denied_by_the_rules_of_now_is_a_denial_and_a_mismatch_is_not(vault: FakeVault) -> None:
    client = vault.client()
    original = client.request_clearance("t", ARGS)
    vault.decide = lambda body: "denied"
    with pytest.raises(ClearanceDenied) as denied:
        client.mint(original)
    assert denied.value.reason_code == "policy_denied"
    vault.requests[original.request_id].body["tool_args"] = {}
    with pytest.raises(VaultRefused) as refused:
        client.mint(original)
    assert refused.value.code == "mint_mismatch"


def test_mint_needs_to_know_what_was_asked(vault: FakeVault) -> None:
    client = vault.client()
    original = client.request_clearance("t", ARGS)
    with pytest.raises(ArgumentsError):
        client.mint(client.clearance_status(original.request_id))


def test_a_retry_is_minted_from_what_was_used_meanwhile(vault: FakeVault) -> None:
    """After a restart the original is only known as the Vault tells of it: `denied`, its token used."""
    client = vault.client()
    original = client.request_clearance("t", ARGS)
    client.consume(original.token)
    client.report_outcome(request_id=original.request_id, outcome="unknown")
    told = client.clearance_status(original.request_id, request=original.request)
    assert not told.is_approved
    retry = client.mint(told)
    assert (retry.is_approved, retry.outcome, retry.reason_code) == (True, "approved", None)


def test_an_outcome_is_reported_once_for_good(vault: FakeVault) -> None:
    client = vault.client()
    clearance = client.request_clearance("t", ARGS)
    vault.lose_answer()
    told = client.report_outcome(jti=clearance.claims.jti, outcome="unknown", detail="no answer in 30 s")
    assert (told.request_id, told.jti) == (clearance.request_id, clearance.claims.jti)
    assert (told.outcome, told.detail) == (ReportedOutcome.UNKNOWN, "no answer in 30 s")
    sent = [seen for seen in vault.seen if seen.path == "/outcomes"]
    assert len(sent) == 2
    assert sent[0].headers["idempotency-key"] == sent[1].headers["idempotency-key"]
    assert client.report_outcome(request_id=clearance.request_id, outcome=ReportedOutcome.UNKNOWN).outcome == "unknown"
    with pytest.raises(VaultRefused) as refused:
        client.report_outcome(request_id=clearance.request_id, outcome="delivered")
    assert refused.value.code == "outcome_already_reported"


def test_several_outcomes_are_reported_at_once(vault: FakeVault) -> None:
    client = vault.client()
    first, second = client.request_clearance("t", ARGS), client.request_clearance("t", ARGS)
    client.report_outcome(request_id=first.request_id, outcome="unknown")
    recorded, refused, unknown = client.report_outcomes(
        [
            OutcomeToReport("delivered", jti=second.claims.jti, detail="200"),
            OutcomeToReport(ReportedOutcome.REFUSED, request_id=first.request_id),
            OutcomeToReport("delivered", jti="nobody's"),
        ]
    )
    assert isinstance(recorded, OutcomeReport)
    assert (recorded.request_id, recorded.outcome) == (second.request_id, "delivered")
    assert isinstance(refused, VaultRefused)
    assert (refused.status, refused.code) == (409, "outcome_already_reported")
    assert isinstance(unknown, VaultRefused)
    assert unknown.code == "not_found"
    with pytest.raises(ArgumentsError, match="one of the two"):
        client.report_outcomes([OutcomeToReport("delivered")])


def test_a_report_names_one_approval_and_a_known_outcome(vault: FakeVault) -> None:
    client = vault.client()
    for named in ({}, {"request_id": "a", "jti": "b"}, {"request_id": ""}):
        with pytest.raises(ArgumentsError, match="one of the two"):
            client.report_outcome(outcome="delivered", **named)
    with pytest.raises(ArgumentsError, match="delivered, refused, unknown"):
        client.report_outcome(request_id="a", outcome="lost")
    assert vault.seen == []


def test_a_token_is_consumed_once(vault: FakeVault) -> None:
    client = vault.client()
    clearance = client.request_clearance("t", ARGS)
    with pytest.raises(VaultRefused) as mismatch:
        client.consume(clearance.token, tool_name="other")
    assert mismatch.value.code == "token_tool_mismatch"
    consumed = client.consume(clearance.token, tool_name="t", tool_args=ARGS)
    assert consumed.jti == clearance.claims.jti
    assert consumed.claims["tool"] == "t"
    with pytest.raises(TokenReplayed):
        client.consume(clearance.token)
    with pytest.raises(TokenError) as invalid:
        client.consume("forged")
    assert invalid.value.code == "token_invalid"


def test_a_lost_answer_to_consume_burns_once_and_answers_the_same(vault: FakeVault) -> None:
    client = vault.client()
    clearance = client.request_clearance("t", ARGS)
    vault.lose_answer()
    assert client.consume(clearance.token).request_id == clearance.request_id


def test_policies_settings_and_schemas(vault: FakeVault) -> None:
    client = vault.client()
    registered = client.register_policy("refunds", ["Refunds must not exceed $100"], tools=["stripe_*"])
    assert (registered.policy_id, registered.status) == ("refunds", "registered")
    assert registered.answer["rules"] == []
    assert client.set_review_settings(minimum_confidence_bucket="low").minimum_confidence_bucket == "low"
    assert client.review_settings().answer["quorum"] == 1
    schema = {"type": "object", "properties": {"amount": {"type": "number", "maximum": 99.5}}}
    client.register_tool_schema("pay/out now", schema)
    assert "/tool-schemas/pay%2Fout%20now" in vault.paths()
    assert client.tool_schema("pay/out now").schema["type"] == "object"
    assert [known.tool_name for known in client.tool_schemas()] == ["pay/out now"]


def test_all_tools_of_an_mcp_server(vault: FakeVault) -> None:
    client = vault.client()
    listed = {"tools": [{"name": "pay", "inputSchema": {"type": "object"}}]}
    assert client.import_tool_schemas(listed).registered == ("pay",)
    again = client.import_tool_schemas(listed, money={"pay": {}})
    assert (again.registered, again.unchanged, again.is_partial) == ((), ("pay",), False)
    bodies = [json.loads(seen.body) for seen in vault.seen if seen.path == "/tool-schemas/import"]
    assert bodies == [{"tools_list": listed}, {"tools_list": listed, "money": {"pay": {}}}]


@pytest.mark.parametrize("request_id", ["../ledger", "a/b", "a?b", "%2e%2e", ".."])
def test_an_id_can_not_lead_elsewhere(vault: FakeVault, request_id: str) -> None:
    with pytest.raises(VaultRefused):
        vault.client().clearance_status(request_id)
    assert vault.seen[0].path.startswith("/clearance-status/")
    assert vault.seen[0].path.count("/") == 2
    with pytest.raises(ArgumentsError):
        vault.client().clearance_status("")


def test_reviews_come_page_after_page(vault: FakeVault) -> None:
    vault.decide = lambda body: "pending"
    client = vault.client(review_mode="detach")
    for _ in range(5):
        with pytest.raises(ReviewPending):
            client.request_clearance("t", ARGS)
    listed = list(client.reviews(page_size=2))
    assert {review.request_id for review in listed} == set(vault.requests)
    assert len(vault.paths("/reviews")) == 3
    decided = client.decide_review(listed[0].request_id, approved=True, reason="fine")
    assert decided.outcome == "approved"
    assert not decided.is_approved


def test_ledger_views(vault: FakeVault) -> None:
    client = vault.client()
    for amount in range(3):
        clearance = client.request_clearance("t", {"amount": amount})
    newest = client.ledger(limit=10)[0]
    assert newest.request_id == clearance.request_id
    assert newest.approved
    assert newest.kind == "clearance.decided"
    assert client.checkpoints()[0].tree_size == 3
    assert client.verify_ledger().intact
    assert client.verify_ledger().error is None
    assert client.inclusion_proof(clearance.request_id).leaf_index == 2
    consistency = client.consistency_proof(2, 3)
    assert (consistency.from_checkpoint.tree_size, consistency.to_checkpoint.tree_size) == (2, 3)
    with pytest.raises(ArgumentsError):
        client.inclusion_proof()


def test_a_proof_bundle_is_verified_here(vault: FakeVault) -> None:
    client = vault.client()
    clearance = client.request_clearance("t", ARGS)
    client.request_clearance("t", {})
    proof = client.proof_bundle(clearance.request_id, pinned_keys={vault.ledger_key.kid})
    assert proof.report is not None
    assert proof.report.intact
    assert client.proof_bundle(clearance.request_id, verify=False).report is None


def test_a_bundle_that_does_not_hold_or_was_not_asked_for_is_refused(vault: FakeVault) -> None:
    client = vault.client()
    first, second = client.request_clearance("t", ARGS), client.request_clearance("t", {})
    vault.tamper_answer = lambda path, answer: {**answer, "event": {**answer["event"], "reason": "another"}}
    with pytest.raises(VerificationError):
        client.proof_bundle(first.request_id)
    vault.tamper_answer = lambda path, answer: vault.bundle(second.request_id)
    with pytest.raises(AnswerInvalid, match="another event"):
        client.proof_bundle(first.request_id, verify=False)


def test_both_clients_offer_the_same(vault: FakeVault) -> None:
    for sync, other in ((Ledgix, AsyncLedgix), (PendingReview, AsyncPendingReview)):
        expected = {name: value for name, value in vars(sync).items() if not name.startswith("_") and name != "close"}
        for name, function in expected.items():
            assert (
                inspect.signature(function).parameters.keys()
                == inspect.signature(getattr(other, name)).parameters.keys()
            ), name
            twin = getattr(other, name)
            assert name == "pending_review" or inspect.iscoroutinefunction(twin) or inspect.isasyncgenfunction(twin)


def test_no_secret_shows(vault: FakeVault) -> None:
    client = vault.client()
    clearance = client.request_clearance("t", ARGS)
    for shown in (repr(client), repr(client.settings), repr(clearance), repr(clearance.request)):
        assert "vk_test" not in shown
        assert clearance.token not in shown
