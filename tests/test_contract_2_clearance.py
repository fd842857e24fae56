"""Contract section 2: asking for a clearance, the answer, reviews and time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from running_vault import Tenant, succeeded
from wire import LARGE, MEDIUM, SMALL, TOOL, moment, problem, well_formed

# The answer


def test_approved(refunds: Tenant) -> None:
    answer = well_formed(refunds.agent.ask(TOOL, SMALL))
    assert (answer["status"], answer["outcome"], answer["reason_code"]) == ("approved", "approved", None)
    assert answer["policy_version_id"] == answer["decided_policy_version_id"]
    seconds = (moment(answer["expires_at"]) - datetime.now(UTC)).total_seconds()
    assert 290 < seconds <= 300
    assert well_formed(refunds.agent.status(answer["request_id"])) == answer


def test_denied(refunds: Tenant) -> None:
    answer = well_formed(refunds.agent.ask(TOOL, LARGE))
    assert (answer["status"], answer["outcome"], answer["reason_code"]) == ("denied", "denied", "policy_denied")
    assert answer["citations"]
    citation = answer["citations"][0]
    assert citation["policy_id"] == "refunds"
    assert citation["policy_version_id"] == answer["decided_policy_version_id"]
    assert citation["quote"] == "Refunds must not exceed $1000"
    assert citation["rule_id"]
    assert well_formed(refunds.agent.status(answer["request_id"])) == answer


def test_pending_review(refunds: Tenant) -> None:
    answer = well_formed(refunds.agent.ask(TOOL, MEDIUM))
    assert (answer["status"], answer["outcome"]) == ("pending_review", "pending")
    assert answer["requires_manual_review"] is True
    assert well_formed(refunds.agent.status(answer["request_id"])) == answer


def test_nothing_covers_the_tool(tenant: Tenant) -> None:
    answer = well_formed(tenant.agent.ask("unheard_of"))
    assert (answer["status"], answer["reason_code"]) == ("pending_review", "no_matching_policy")
    assert answer["policy_version_id"] is answer["policy_content_hash"] is answer["decided_policy_version_id"] is None
    assert answer["citations"] == []
    tenant.set_reviews(default_verdict="deny")
    answer = well_formed(tenant.agent.ask("unheard_of"))
    assert (answer["status"], answer["reason_code"]) == ("denied", "no_matching_policy")


def test_confidence_below_the_tenants_minimum_goes_to_a_person(refunds: Tenant) -> None:
    """$ without a currency argument is an assumption, so the bucket is `high`."""
    assert refunds.agent.ask(TOOL, SMALL)["confidence_bucket"] == "high"
    refunds.set_reviews(minimum_confidence_bucket="extra_high")
    answer = well_formed(refunds.agent.ask(TOOL, SMALL))
    assert (answer["status"], answer["minimum_confidence_bucket"]) == ("pending_review", "extra_high")
    typed = {"type": "object", "properties": {"n": {"type": "number"}}, "required": ["n"]}
    succeeded(refunds.full.put("/tool-schemas/typed", typed))
    rules = "rules: [{id: small, effect: approve, when: [args.n <= 100]}]"
    refunds.register("typed", definition=rules, tools=["typed"])
    answer = well_formed(refunds.agent.ask("typed", {"n": 1}))
    assert (answer["status"], answer["confidence_bucket"]) == ("approved", "extra_high")


def test_the_ledger_says_the_same(refunds: Tenant) -> None:
    for args in (SMALL, MEDIUM, LARGE):
        answer = refunds.agent.ask(TOOL, args)
        entry = refunds.entries()[0]
        assert (entry["kind"], entry["request_id"]) == ("clearance.decided", answer["request_id"])
        assert entry["decision_status"] == answer["decision_status"]
        assert entry["confidence_bucket"] == answer["confidence_bucket"]
        assert entry["reason"] == answer["reason"]
        assert entry["policy_version_id"] == answer["decided_policy_version_id"]
        decision = entry["intent"]["decision"]
        assert {name: decision[name] for name in ("status", "outcome", "reason_code")} == {
            name: answer[name] for name in ("status", "outcome", "reason_code")
        }


# The request


def recorded(tenant: Tenant) -> dict[str, Any]:
    request: dict[str, Any] = tenant.entries()[0]["intent"]["request"]
    return request


def test_defaults(tenant: Tenant) -> None:
    succeeded(tenant.agent.post("/request-clearance", {"tool_name": "x"}))
    assert recorded(tenant) == {
        "tool_name": "x",
        "tool_args": {},
        "agent_id": "default-agent",
        "session_id": "",
        "context": {},
        "human_principal": None,
        "parent_jti": None,
        "destination_uri": None,
        "destination_provider": None,
        "destination_account_ref": None,
        "data_categories": None,
        "purpose": None,
        "processing_register_ref": None,
        "dataset_ref": None,
        "accepts": [],
    }


def test_everything_given_and_unknown_fields_dropped(tenant: Tenant) -> None:
    given: dict[str, Any] = {
        "tool_name": "x" * 256,
        "tool_args": {"a": [1, {"b": None}]},
        "agent_id": "a",
        "session_id": "s",
        "context": {"policy_id": "p", "facts": {"order": "open"}, "history": ["hello"]},
        "human_principal": "ann",
        "destination_uri": "https://example.com",
        "destination_provider": "example",
        "destination_account_ref": "acct",
        "data_categories": ["email", "name"],
        "purpose": "billing",
        "processing_register_ref": "r",
        "dataset_ref": "d",
        "accepts": ["changed_args", "something_new"],
    }
    succeeded(tenant.agent.post("/request-clearance", {**given, "unknown": 1, "approved": True, "token": "x"}))
    assert recorded(tenant) == {**given, "parent_jti": None}


NULLABLE = (
    "human_principal",
    "parent_jti",
    "destination_uri",
    "destination_provider",
    "destination_account_ref",
    "data_categories",
    "purpose",
    "processing_register_ref",
    "dataset_ref",
)


def test_null_is_absent_where_the_contract_says_so(tenant: Tenant) -> None:
    tenant.agent.ask("x", **dict.fromkeys(NULLABLE))
    assert all(recorded(tenant)[name] is None for name in NULLABLE)


def test_null_is_refused_elsewhere(tenant: Tenant) -> None:
    for name in ("tool_name", "tool_args", "agent_id", "session_id", "context", "accepts"):
        refused = tenant.agent.post("/request-clearance", {"tool_name": "x", name: None})
        assert problem(refused, 422, "invalid")["path"] == f"$.{name}"


def test_texts_are_texts(tenant: Tenant) -> None:
    for name in ("tool_name", "agent_id", "session_id", *NULLABLE):
        for wrong in (1, True, {}, *([] if name == "data_categories" else [[]])):
            refused = tenant.agent.post("/request-clearance", {"tool_name": "x", name: wrong})
            assert problem(refused, 422, "invalid")["path"] == f"$.{name}"


def test_the_destination_is_inferred_when_absent(tenant: Tenant) -> None:
    tenant.agent.ask(TOOL, {"account": "acct_1"})
    known = {name: value for name, value in recorded(tenant).items() if name.startswith("destination")}
    assert known == {
        "destination_uri": "https://api.stripe.com",
        "destination_provider": "stripe",
        "destination_account_ref": "acct_1",
    }
    tenant.agent.ask(TOOL, {"account": "acct_1"}, destination_provider="mine")
    assert recorded(tenant)["destination_provider"] == "mine"


def test_a_long_address_is_taken_in_and_shown_again(tenant: Tenant) -> None:
    """Clients in the field send the address of a call as its destination, and the body alone has a limit."""
    address = "https://example.com/?signature=" + "x" * 20_000
    asked = tenant.agent.ask("http_get", {"url": address}, session_id=address, purpose=address)
    assert recorded(tenant)["destination_uri"] == address
    assert tenant.agent.status(asked["request_id"]) == asked
    (review,) = tenant.reviewer.read("/reviews")["reviews"]
    assert review["tool_args"] == {"url": address}


def test_numbers_go_by_value(tenant: Tenant) -> None:
    body = b'{"tool_name":"x","tool_args":{"a":45.0,"b":4.5e1,"c":-0,"d":-0.0,"e":0.10,"f":1E2,"g":9007199254740991}}'
    succeeded(tenant.agent.post("/request-clearance", body))
    assert b'"tool_args":{"a":45,"b":45,"c":0,"d":0,"e":0.1,"f":100,"g":9007199254740991}' in (
        tenant.full.get("/ledger", limit=1).content
    )


def deep(levels: int) -> bytes:
    """A body of so many levels, its own two included."""
    return b'{"tool_name":"x","tool_args":' + b'{"a":' * (levels - 2) + b"{}" + b"}" * (levels - 2) + b"}"


@pytest.mark.parametrize(
    ("args", "path"),
    [
        (b'{"amount":100.00000000000000001}', "$.tool_args.amount"),
        (b'{"amount":1e400}', "$.tool_args.amount"),
        (b'{"amount":9007199254740992}', "$.tool_args.amount"),
        (b'{"amount":-9007199254740993}', "$.tool_args.amount"),
        (b'{"amount":1e21}', "$.tool_args.amount"),
        (b'{"amount":NaN}', "$.tool_args.amount"),
        (b'{"a":[0,-Infinity]}', "$.tool_args.a[1]"),
        (b'{"a":{"x":1,"x":1}}', "$.tool_args.a"),
        (b'{"a":"\\ud800"}', "$.tool_args.a"),
        (b'{"a":"\\udc00\\ud800"}', "$.tool_args.a"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_two_readers_could_read_differently_is_refused(tenant: Tenant, args: bytes, path: str) -> None:
    refused = tenant.agent.post("/request-clearance", b'{"tool_name":"x","tool_args":' + args + b"}")
    assert problem(refused, 422, "invalid")["path"].startswith(path)
    assert tenant.events("clearance.decided") == []


def test_nesting(tenant: Tenant) -> None:
    assert tenant.agent.post("/request-clearance", deep(32)).status_code == 200
    refused = problem(tenant.agent.post("/request-clearance", deep(33)), 422, "invalid")
    assert refused["path"].startswith("$.tool_args.a")
