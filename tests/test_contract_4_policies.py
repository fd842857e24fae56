"""Contract section 4: registering policies, and how they cover tools and combine."""

from __future__ import annotations

from typing import Any

import pytest

from running_vault import Tenant, succeeded
from wire import TOOL, problem

EVERYTHING: dict[str, Any] = {"definition": "rules: [{id: all, effect: approve, when: []}]"}
ASKS: dict[str, Any] = {"definition": "rules: [{id: ask, effect: review, when: []}]"}
DENIES: dict[str, Any] = {"definition": "rules: [{id: never, effect: deny, when: []}]"}


def verdict(tenant: Tenant, tool: str = "t", args: dict[str, Any] | None = None, **more: Any) -> str:
    return str(tenant.agent.ask(tool, args, **more)["status"])


def decider(tenant: Tenant, **more: Any) -> str:
    """The policy that the decision names."""
    tenant.agent.ask("t", **more)
    return str(tenant.entries()[0]["policy_id"])


# Registering


def test_the_answer(tenant: Tenant) -> None:
    sentences = ["Refunds must not exceed $100", "be nice to people"]
    answer = tenant.register("p", description="d", rules=sentences, tools=[TOOL])
    assert (answer["policy_id"], answer["status"]) == ("p", "registered")
    assert "1 executable rule" in answer["message"]
    assert "be nice to people" in answer["message"]
    assert answer["uncompiled"] == ["be nice to people"]
    assert [rule["source"] for rule in answer["rules"]] == sentences[:1]
    (event,) = tenant.events("policy.activated")
    assert event["policy_id"] == "p"
    assert event["policy_version_id"] == answer["policy_version_id"]
    assert event["policy_content_hash"] == answer["policy_content_hash"]
    assert event["intent"]["decider"] == {"type": "key", "id": tenant.full.key_id}


def test_an_existing_id_gets_a_new_version_that_is_active_at_once(tenant: Tenant) -> None:
    first = tenant.register("p", **EVERYTHING, tools=["t"])
    asked = tenant.agent.ask("t")
    assert (asked["status"], asked["decided_policy_version_id"]) == ("approved", first["policy_version_id"])
    second = tenant.register("p", **DENIES, tools=["t"])
    assert second["policy_version_id"] != first["policy_version_id"]
    assert tenant.agent.ask("t")["decided_policy_version_id"] == second["policy_version_id"]
    assert verdict(tenant) == "denied"


def test_the_same_content_has_the_same_hash(tenant: Tenant, other: Tenant) -> None:
    one, two = (each.register("p", **EVERYTHING, tools=["t"])["policy_content_hash"] for each in (tenant, other))
    assert one == two
    assert other.register("p", **EVERYTHING, tools=["u"])["policy_content_hash"] != one


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "$.policy_id"),
        ({"policy_id": ""}, "$.policy_id"),
        ({"policy_id": "a\nb"}, "$.policy_id"),
        ({"policy_id": "p", "rules": "x"}, "$.rules"),
        ({"policy_id": "p", "rules": [1]}, "$.rules[0]"),
        ({"policy_id": "p", "tools": [None]}, "$.tools[0]"),
        ({"policy_id": "p", "description": 1}, "$.description"),
        ({"policy_id": "p", "definition": {}}, "$.definition"),
    ],
    ids=str,
)
def test_malformed_registrations(module_tenant: Tenant, body: dict[str, Any], path: str) -> None:
    assert problem(module_tenant.full.post("/register-policy", body), 422, "invalid")["path"] == path


def test_a_rule_that_does_not_type_check_names_line_column_and_fields(tenant: Tenant) -> None:
    schema = {"type": "object", "properties": {"amount": {"type": "number"}, "note": {"type": "string"}}}
    succeeded(tenant.full.put(f"/tool-schemas/{TOOL}", schema))
    definition = "rules:\n  - id: a\n    effect: approve\n    when:\n      - args.amuont <= 100\n"
    refused = tenant.full.post("/register-policy", {"policy_id": "p", "definition": definition, "tools": [TOOL]})
    body = problem(refused, 422, "policy_invalid")
    (flaw,) = body["problems"]
    assert (flaw["line"], flaw["column"]) == (5, 14)
    assert set(flaw["known_fields"]) == {"amount", "note"}
    assert tenant.events("policy.activated") == []


def test_a_schema_that_an_active_policy_does_not_fit_is_refused(tenant: Tenant) -> None:
    definition = "rules: [{id: a, effect: approve, when: [args.amount <= 100]}]"
    tenant.register("p", definition=definition, tools=[TOOL])
    schema = {"type": "object", "properties": {"total": {"type": "number"}}, "additionalProperties": False}
    refused = problem(tenant.full.put(f"/tool-schemas/{TOOL}", schema), 422, "policy_invalid")
    assert "p" in refused["detail"]
    problem(tenant.full.get(f"/tool-schemas/{TOOL}"), 404, "not_found")


def test_tool_schemas(tenant: Tenant) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    for name in ("b", "a/b c", "é"):
        answer = succeeded(tenant.gateway.put(f"/tool-schemas/{name}", schema))
        assert answer == {"tool_name": name, "schema": schema}
        assert tenant.gateway.read(f"/tool-schemas/{name}") == answer
    listed = tenant.gateway.read("/tool-schemas")["tool_schemas"]
    assert [found["tool_name"] for found in listed] == ["a/b c", "b", "é"]
    problem(tenant.full.put("/tool-schemas/x", {"type": "nonsense"}), 422, "policy_invalid")
    assert len(tenant.events("schema.registered")) == 3


# Covering and combining


def test_tools_are_globs_and_none_means_all(tenant: Tenant) -> None:
    tenant.register("stripe", **DENIES, tools=["stripe_*"])
    assert verdict(tenant, "stripe_refund") == "denied"
    assert verdict(tenant, "slack_post") == "pending_review"
    tenant.register("all", **DENIES)
    assert verdict(tenant, "slack_post") == "denied"


def test_deny_over_review_over_approve_whatever_the_hint(tenant: Tenant) -> None:
    tenant.register("a", **EVERYTHING, tools=["t"])
    hint = {"context": {"policy_id": "a"}}
    assert verdict(tenant, **hint) == "approved"
    tenant.register("b", **ASKS, tools=["t"])
    assert verdict(tenant, **hint) == "pending_review"
    tenant.register("c", **DENIES, tools=["t"])
    assert verdict(tenant, **hint) == "denied"


def test_the_hint_picks_the_reported_policy_among_the_winners(tenant: Tenant) -> None:
    for policy_id in ("c", "b", "a"):
        tenant.register(policy_id, **EVERYTHING, tools=["t"])
    assert decider(tenant) == "a"
    assert decider(tenant, context={"policy_id": "c"}) == "c"
    tenant.register("b", **DENIES, tools=["t"])
    assert decider(tenant, context={"policy_id": "c"}) == "b"


def test_a_hint_that_covers_nothing_here_is_a_review(tenant: Tenant) -> None:
    tenant.register("a", **EVERYTHING, tools=["t"])
    tenant.register("elsewhere", **EVERYTHING, tools=["u"])
    for hint in ("unknown", "elsewhere"):
        assert verdict(tenant, context={"policy_id": hint}) == "pending_review"


def test_text_that_is_no_rule_sends_what_it_covers_to_review(tenant: Tenant) -> None:
    tenant.register("a", **EVERYTHING, tools=["t"])
    tenant.register("words", rules=["Be nice to people"], tools=["t"])
    asked = tenant.agent.ask("t")
    assert asked["status"] == "pending_review"
    assert any(citation["quote"] == "Be nice to people" for citation in asked["citations"])
    tenant.register("words", rules=["Be nice to people"], tools=["u"])
    assert verdict(tenant) == "approved"


def test_otherwise_approve_needs_rules_and_tools(tenant: Tenant) -> None:
    rule = "rules: [{id: big, effect: deny, when: [args.n > 5]}]\notherwise: approve"
    for policy, expected in (
        ({"definition": rule, "tools": ["t"]}, "approve"),
        ({"definition": rule}, "review"),
        ({"definition": rule, "tools": ["t"], "rules": ["Be nice"]}, "review"),
        ({"definition": "rules: []\notherwise: approve", "tools": ["t"]}, "review"),
        ({"definition": "rules: []\notherwise: deny", "tools": ["t"]}, "deny"),
    ):
        assert tenant.register("p", **policy)["otherwise"] == expected
    tenant.register("p", definition=rule, tools=["t"])
    assert [verdict(tenant, args=args) for args in ({"n": 5}, {"n": 6}, {}, {"n": None})] == [
        "approved",
        "denied",
        "pending_review",
        "pending_review",
    ]


def test_facts_that_the_application_knows(tenant: Tenant) -> None:
    rules = "rules: [{id: open, effect: approve, when: [facts.status == 'open']}]"
    tenant.register("p", definition=rules, tools=["t"])
    for facts, expected in (
        ({"status": "open"}, "approved"),
        ({"status": "paid"}, "pending_review"),
        ({}, "pending_review"),
    ):
        assert verdict(tenant, context={"facts": facts}) == expected


REFUND_TOOL = {
    "name": TOOL,
    "inputSchema": {
        "type": "object",
        "properties": {"amount": {"type": "integer"}, "currency": {"type": "string"}},
        "required": ["amount", "currency"],
    },
}
CENTS = {TOOL: {"amount": {"currency": {"field": "currency"}, "unit": "minor"}}}


def test_the_tools_of_an_mcp_server_are_registered_together(tenant: Tenant) -> None:
    """Once: a retry is a replay, and the same list again changes nothing, the declared money included."""
    body = {"tools_list": {"tools": [REFUND_TOOL, {"name": "ping"}], "nextCursor": "2"}, "money": CENTS}
    first = tenant.full.post("/tool-schemas/import", body, once="k")
    assert succeeded(first) == {
        "registered": [TOOL],
        "unchanged": [],
        "skipped": ["ping"],
        "is_partial": True,
    }
    retried = tenant.full.post("/tool-schemas/import", body, once="k")
    assert succeeded(retried) == succeeded(first)
    assert retried.headers["Idempotency-Replayed"] == "true"
    again = succeeded(tenant.gateway.post("/tool-schemas/import", {"tools_list": {"tools": [REFUND_TOOL]}}))
    assert (again["registered"], again["unchanged"]) == ([], [TOOL])
    assert len(tenant.events("schema.registered")) == 1
    tenant.register("p", rules=["Refunds must not exceed $100"], tools=[TOOL])
    answers = [tenant.agent.ask(TOOL, {"amount": cents, "currency": "USD"})["status"] for cents in (10_000, 10_001)]
    assert answers == ["approved", "denied"]
    assert tenant.agent.ask(TOOL, {"amount": 5, "currency": 5})["status"] == "pending_review"
    assert tenant.agent.ask(TOOL, {"amount": 5})["status"] == "pending_review"


def test_one_tool_that_cannot_be_used_refuses_the_whole_list(tenant: Tenant) -> None:
    bad = {"name": "bad", "inputSchema": {"type": "array"}}
    refused = tenant.full.post("/tool-schemas/import", {"tools_list": {"tools": [REFUND_TOOL, bad]}})
    (flaw,) = problem(refused, 422, "policy_invalid")["problems"]
    assert flaw["where"] == "tools[1] (bad): inputSchema.type"
    assert tenant.full.read("/tool-schemas") == {"tool_schemas": []}
    assert problem(tenant.full.post("/tool-schemas/import", {}), 422, "invalid")["path"] == "$.tools_list"


def test_a_list_that_an_active_policy_does_not_fit_is_refused(tenant: Tenant) -> None:
    tenant.register("p", definition="rules: [{id: a, effect: approve, when: [args.total <= 100]}]", tools=[TOOL])
    other = {"name": "other", "inputSchema": {"type": "object"}}
    refused = tenant.full.post("/tool-schemas/import", {"tools_list": {"tools": [other, REFUND_TOOL]}})
    assert problem(refused, 422, "policy_invalid")["problems"][0]["known_fields"] == ["amount", "currency"]
    assert tenant.full.read("/tool-schemas") == {"tool_schemas": []}


def test_sentences_name_declared_facts_by_words(tenant: Tenant) -> None:
    body = {"policy_id": "orders", "tools": ["cancel_order"], "rules": ["The order status must be open"]}
    left = succeeded(tenant.full.post("/register-policy", body))
    assert left["uncompiled"] == body["rules"]
    facts = {"order_status": {"enum": ["open", "delivered"]}}
    assert succeeded(tenant.full.post("/register-policy", {**body, "facts": facts}))["uncompiled"] == []
    for status, verdict in (("open", "approved"), ("delivered", "denied")):
        answer = tenant.agent.ask("cancel_order", context={"facts": {"order_status": status}})
        assert answer["status"] == verdict
    assert tenant.agent.ask("cancel_order")["status"] == "pending_review"
    problem(tenant.full.post("/register-policy", {**body, "facts": {"x": {"type": "thing"}}}), 422, "policy_invalid")
