"""Contract sections 2 and 3: the token, minting, consuming, delegating."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from typing import Any

import jwt
import pytest

from running_vault import RunningVault, Tenant, succeeded
from wire import LARGE, MEDIUM, SMALL, TOOL, UNKNOWN, decoded, delegated, jti_of, mint, problem

CLAIMS = {
    "iss",
    "aud",
    "sub",
    "iat",
    "exp",
    "jti",
    "request_id",
    "tool",
    "agent_id",
    "session_id",
    "policy_id",
    "decision",
    "tool_args_hash",
    "tenant",
    "policy_version_id",
}


# Section 3


def test_the_token_and_its_claims(vault: RunningVault, refunds: Tenant) -> None:
    asked = refunds.agent.ask(TOOL, {"b": 1, "amount": 45, "a": "é"}, session_id="s", agent_id="a")
    header, claims = decoded(asked["token"])
    keys = {key["kid"]: key for key in succeeded(vault.http.get("/.well-known/jwks.json"))["keys"]}
    assert (header["alg"], header["typ"]) == ("EdDSA", "JWT")
    verified = jwt.decode(
        asked["token"],
        jwt.PyJWK(keys[header["kid"]]).key,
        algorithms=["EdDSA"],
        audience="ledgix-sdk",
        issuer="alcv-vault",
    )
    assert verified == claims
    assert claims.keys() == CLAIMS
    assert claims["exp"] - claims["iat"] == 300
    assert abs(claims["iat"] - time.time()) < 30
    expected = {
        "iss": "alcv-vault",
        "aud": "ledgix-sdk",
        "sub": "clearance",
        "decision": "approved",
        "request_id": asked["request_id"],
        "tool": TOOL,
        "agent_id": "a",
        "session_id": "s",
        "policy_id": "refunds",
        "tenant": refunds.tenant_id,
        "policy_version_id": asked["policy_version_id"],
        "tool_args_hash": hashlib.sha256('{"a":"é","amount":45,"b":1}'.encode()).hexdigest(),
    }
    assert {name: claims[name] for name in expected} == expected


def test_person_and_parent_stand_in_the_token_when_present(refunds: Tenant) -> None:
    parent = decoded(refunds.agent.ask(TOOL, SMALL)["token"])[1]
    child = refunds.agent.ask(TOOL, SMALL, human_principal="ann", parent_jti=parent["jti"])
    claims = decoded(child["token"])[1]
    assert claims.keys() == CLAIMS | {"human_principal", "parent_jti"}
    assert (claims["human_principal"], claims["parent_jti"]) == ("ann", parent["jti"])


def test_one_approval_one_token(refunds: Tenant) -> None:
    asked = refunds.agent.ask(TOOL, SMALL)
    assert {refunds.agent.status(asked["request_id"])["token"] for _ in range(3)} == {asked["token"]}
    again = refunds.agent.ask(TOOL, SMALL)
    assert decoded(again["token"])[1]["jti"] != decoded(asked["token"])[1]["jti"]


def test_tokens_are_stored_nowhere(vault: RunningVault, refunds: Tenant) -> None:
    token = refunds.agent.ask(TOOL, SMALL)["token"]
    succeeded(refunds.gateway.consume(token))
    secrets = [part.encode() for part in token.split(".")[1:]]
    for file in [*vault.data.rglob("*"), vault.data.with_suffix(".log")]:
        if file.is_file():
            content = file.read_bytes()
            assert not any(secret in content for secret in secrets), file


# Minting


def test_a_mint_is_a_new_decision(refunds: Tenant) -> None:
    original = refunds.agent.ask(TOOL, SMALL, session_id="s", context={"policy_id": "refunds", "facts": {"a": 1}})
    ignored = {"policy_id": "x", "policy_version_id": "x", "policy_content_hash": "x", "confidence_bucket": "low"}
    minted = succeeded(mint(refunds, original["request_id"], session_id="t", reason="r", **ignored))
    assert minted.keys() == {"token", "reason", "request_id"}
    assert minted["request_id"] != original["request_id"]
    claims = decoded(minted["token"])[1]
    assert claims["jti"] != decoded(original["token"])[1]["jti"]
    assert (claims["request_id"], claims["session_id"]) == (minted["request_id"], "t")
    (event,) = refunds.events("token.minted")
    assert event["request_id"] == minted["request_id"]
    assert event["intent"]["original_request_id"] == original["request_id"]
    assert event["intent"]["request"]["context"] == {"policy_id": "refunds", "facts": {"a": 1}}
    assert refunds.agent.status(minted["request_id"])["token"] == minted["token"]
    for token in (original["token"], minted["token"]):
        succeeded(refunds.gateway.consume(token))


def test_context_and_parent_come_from_the_original(refunds: Tenant) -> None:
    parent = decoded(refunds.agent.ask(TOOL, SMALL)["token"])[1]["jti"]
    original = refunds.agent.ask(TOOL, SMALL, parent_jti=parent, context={"facts": {"a": 1}})
    minted = succeeded(mint(refunds, original["request_id"], parent_jti="x", context={"facts": {"a": 2}}))
    assert decoded(minted["token"])[1]["parent_jti"] == parent
    assert refunds.events("token.minted")[0]["intent"]["request"]["context"] == {"facts": {"a": 1}}


DETAILS: dict[str, Any] = {
    "agent_id": "a",
    "human_principal": "ann",
    "destination_uri": "https://example.com",
    "destination_provider": "example",
    "destination_account_ref": "acct",
    "data_categories": ["email"],
    "purpose": "billing",
    "processing_register_ref": "r",
    "dataset_ref": "d",
}


@pytest.mark.parametrize("name", [*DETAILS, "tool_name", "tool_args"])
def test_a_mint_is_of_the_same_call(refunds: Tenant, name: str) -> None:
    refunds.register("wide", definition="rules: [{id: all, effect: approve, when: []}]", tools=[f"{TOOL}*"])
    original = refunds.agent.ask(TOOL, SMALL, **DETAILS)["request_id"]
    other = {"data_categories": ["name"], "tool_args": {"amount": 44}}.get(name, TOOL + "s")
    refused = mint(refunds, original, **{"args": SMALL, **DETAILS, name: other})
    assert name in problem(refused, 403, "mint_mismatch")["detail"]
    assert refunds.events("token.minted") == []
    succeeded(mint(refunds, original, **DETAILS))


def test_empty_null_and_absent_are_the_same_for_a_mint(refunds: Tenant) -> None:
    original = refunds.agent.ask(TOOL, SMALL, purpose="", data_categories=[])["request_id"]
    succeeded(mint(refunds, original, {"amount": 45.0}))
    succeeded(mint(refunds, original, purpose=None, data_categories=None, dataset_ref="", human_principal=""))


def test_what_cannot_be_minted_from(refunds: Tenant) -> None:
    """What a person decided, what nobody approved, what was taken back."""
    reviewed, denied, cancelled = (refunds.agent.ask(TOOL, args)["request_id"] for args in (MEDIUM, LARGE, SMALL))
    succeeded(refunds.reviewer.decide(reviewed, approved=True))
    succeeded(refunds.agent.decide(cancelled, approved=False))
    for request_id, args in ((reviewed, MEDIUM), (denied, LARGE), (cancelled, SMALL)):
        problem(mint(refunds, request_id, args), 403, "mint_not_possible")
    waiting = refunds.agent.ask(TOOL, MEDIUM)["request_id"]
    problem(mint(refunds, waiting, MEDIUM), 403, "mint_not_possible")
    problem(mint(refunds, UNKNOWN), 404, "not_found")
    missing = refunds.agent.post("/mint-token", {"tool_name": TOOL})
    assert problem(missing, 422, "invalid")["path"] == "$.original_request_id"


def test_a_used_approval_may_be_minted_again(refunds: Tenant) -> None:
    original = refunds.agent.ask(TOOL, SMALL)
    succeeded(refunds.gateway.consume(original["token"]))
    succeeded(mint(refunds, original["request_id"]))


def test_a_mint_is_evaluated_by_what_is_active_now(refunds: Tenant) -> None:
    original = refunds.agent.ask(TOOL, SMALL)["request_id"]
    refunds.register("ask", rules=["Refunds above 10 USD need review"], tools=[TOOL])
    refused = problem(mint(refunds, original), 403, "review_required")
    assert refunds.reviewer.read("/reviews")["reviews"] == []
    assert refunds.entries()[0]["request_id"] == refused["request_id"]
    refunds.register("ask", rules=["Refunds must not exceed $10"], tools=[TOOL])
    problem(mint(refunds, original), 403, "policy_denied")


# Consuming


def test_consumed_exactly_once(refunds: Tenant) -> None:
    asked = refunds.agent.ask(TOOL, SMALL)
    answer = succeeded(refunds.gateway.consume(asked["token"], tool_name=TOOL, tool_args=SMALL))
    claims = decoded(asked["token"])[1]
    assert answer == {
        "status": "consumed",
        "jti": claims["jti"],
        "request_id": asked["request_id"],
        "claims": claims,
    }
    problem(refunds.gateway.consume(asked["token"]), 409, "token_already_consumed")
    (event,) = refunds.events("token.consumed")
    assert event["request_id"] == asked["request_id"]


def test_another_call_burns_nothing(refunds: Tenant) -> None:
    token = refunds.agent.ask(TOOL, SMALL)["token"]
    problem(refunds.gateway.consume(token, tool_name="other"), 403, "token_tool_mismatch")
    for args in ({"amount": 46}, {}, {"amount": 45, "x": None}, {"amount": "45"}):
        problem(refunds.gateway.consume(token, tool_name=TOOL, tool_args=args), 403, "token_args_mismatch")
    for wrong in ({"tool_args": []}, {"tool_name": 1}):
        problem(refunds.gateway.consume(token, **wrong), 422, "invalid")
    succeeded(refunds.gateway.consume(token, tool_name=None, tool_args={"amount": 45.0}))


def test_another_tenants_token_burns_nothing(refunds: Tenant, other: Tenant) -> None:
    token = refunds.agent.ask(TOOL, SMALL)["token"]
    problem(other.gateway.consume(token), 401, "token_invalid")
    assert other.events("token.consumed") == []
    succeeded(refunds.gateway.consume(token))


def forged(token: str, header: dict[str, Any] | None = None, claims: dict[str, Any] | None = None) -> str:
    old_header, old_claims = decoded(token)
    parts = [{**old_header, **(header or {})}, {**old_claims, **(claims or {})}]
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join([*encoded, token.split(".")[2]])


def test_tokens_that_are_none(refunds: Tenant) -> None:
    token = refunds.agent.ask(TOOL, SMALL)["token"]
    head, body, signature = token.split(".")
    bad = [
        "x",
        "..",
        f"{head}.{body}.",
        f"{head}.{body}.{signature}=",
        f"{head}.{body}.{signature[:-2]}",
        f"{token}.{signature}",
        f" {token}",
        forged(token, claims={"tool": "other"}),
        forged(token, header={"alg": "none"}),
        forged(token, header={"alg": "HS256"}),
        forged(token, header={"kid": "other"}),
        jwt.encode(decoded(token)[1], "secret" * 8, algorithm="HS256", headers={"kid": decoded(token)[0]["kid"]}),
    ]
    for text in bad:
        problem(refunds.gateway.consume(text), 401, "token_invalid")
    for missing in ({}, {"token": ""}, {"token": None}, {"token": 5}):
        assert problem(refunds.gateway.post("/consume-token", missing), 422, "invalid")["path"] == "$.token"
    succeeded(refunds.gateway.consume(token))


def test_a_receipts_signature_is_no_token(refunds: Tenant) -> None:
    """Ledger keys are in the same list, and sign no tokens."""
    token = refunds.agent.ask(TOOL, SMALL)["token"]
    receipt_key = refunds.entries()[0]["receipt_key_id"]
    problem(refunds.gateway.consume(forged(token, header={"kid": receipt_key})), 401, "token_invalid")


# Delegation


def test_delegation_to_another_key_and_agent(refunds: Tenant) -> None:
    parent = refunds.agent.ask(TOOL, SMALL)
    succeeded(refunds.gateway.consume(parent["token"]))  # consumed is fine
    assert delegated(refunds, jti_of(parent))["status"] == "approved"


def test_the_parents_deciding_policy_speaks_too(refunds: Tenant) -> None:
    """It covers `stripe_refund` only, and is asked about the child's `pay` nevertheless."""
    refunds.register("free", definition="rules: [{id: all, effect: approve, when: []}]", tools=["pay"])
    parent = jti_of(refunds.agent.ask(TOOL, SMALL))
    assert refunds.agent_2.ask("pay", LARGE)["status"] == "approved"
    child = refunds.agent_2.ask("pay", LARGE, parent_jti=parent)
    assert (child["status"], child["reason_code"]) == ("denied", "policy_denied")


def test_what_cannot_be_delegated_from(refunds: Tenant, other: Tenant) -> None:
    other.register_refunds()
    cancelled = refunds.agent.ask(TOOL, SMALL)
    succeeded(refunds.agent.decide(cancelled["request_id"], approved=False))
    for jti in ("unknown", jti_of(other.agent.ask(TOOL, SMALL)), jti_of(cancelled)):
        child = delegated(refunds, jti)
        assert (child["status"], child["reason_code"]) == ("denied", "delegation_invalid")


def test_five_deep(refunds: Tenant) -> None:
    jti = jti_of(refunds.agent.ask(TOOL, SMALL))
    for _ in range(5):
        jti = jti_of(delegated(refunds, jti))
    assert delegated(refunds, jti)["reason_code"] == "delegation_invalid"


def test_a_delegated_call_in_review_is_decided_with_the_parents_policy(refunds: Tenant) -> None:
    """Also when a person approves it later: the parent's rules are hard rules."""
    refunds.register("ask", definition="rules: [{id: all, effect: review, when: []}]", tools=["pay"])
    parent = jti_of(refunds.agent.ask(TOOL, SMALL))
    child = refunds.agent_2.ask("pay", MEDIUM, parent_jti=parent)
    assert child["status"] == "pending_review"
    refunds.register("refunds", rules=["Refunds must not exceed $100"], tools=[TOOL])
    problem(refunds.reviewer.decide(child["request_id"], approved=True), 409, "policy_changed")
