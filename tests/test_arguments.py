"""Under "approve amount ≤ 100 and ≥ 0", exactly the right arguments are approved, whatever form the others take.

The bytes below are sent as they are. What isn't approved is refused as malformed, denied, or goes to a person.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from running_vault import Tenant, succeeded
from wire import TOOL

DEFINITION = """
rules:
  - id: small
    effect: approve
    when: [args.amount >= 0, args.amount <= 100]
"""
SENTENCES = ["Refunds must not exceed $100"]
SCHEMA = {"type": "object", "properties": {"amount": {"type": "number"}}, "required": ["amount"]}
STRICT_SCHEMA = {**SCHEMA, "additionalProperties": False}

GOOD = ["0", "-0", "-0.0", "0.01", "1", "45.5", "99.99", "100", "100.0", "1e2", "1E+2", "1000e-1", "0.1e3", "1e-7"]
BAD = [
    "null",
    "true",
    "false",
    '"50"',
    '" 50"',
    '"50 "',
    '"5O"',
    '""',
    '"1e1"',
    '"0x32"',
    '"٥٠"',
    '"NaN"',
    "-5",
    "-0.01",
    "-1e-9",
    "100.01",
    "100.00000000000001",
    "100.00000000000000001",
    "101",
    "1e3",
    "1e400",
    "-1e400",
    "1e-400",
    "9007199254740991",
    "9007199254740992",
    "-9007199254740993",
    "9" * 400,
    "NaN",
    "Infinity",
    "-Infinity",
    "[]",
    "{}",
    "[50]",
    "[[50]]",
    '{"amount":50}',
    '{"value":50}',
    "0x32",
    "050",
    "+50",
    "50.",
    ".5",
    "5_0",
    "1e",
    "--5",
    "50,",
    "'50'",
    "undefined",
    "",
]
WHOLE = [  # the whole `tool_args`
    "{}",
    '{"Amount":50}',
    '{"AMOUNT":50}',
    '{"amount ":50}',
    '{" amount":50}',
    '{"amount\\u200b":50}',
    '{"amount\\u0000":50}',
    '{"аmount":50}',  # a Cyrillic letter
    '{"amt":50}',
    '{"args":{"amount":50}}',
    '{"refund":{"amount":50}}',
    '{"amount":50,"amount":50}',
    '{"amount":50,"amount":5000}',
    '{"amount":5000,"amount":50}',
    '{"amount":50,"\\u0061mount":5000}',
    '[{"amount":50}]',
    "[]",
    "null",
    '"amount=50"',
    "50",
]


def approves(tenant: Tenant, tool_args: str) -> bool:
    """Whether a token was given out for these arguments."""
    body = f'{{"tool_name":"{TOOL}","tool_args":{tool_args}}}'.encode()
    response = tenant.agent.post("/request-clearance", body)
    assert response.status_code in (200, 422), response.text[:300]
    answer = response.json()
    approved = response.status_code == 200 and answer["status"] == "approved"
    assert (answer.get("token") is not None) is approved
    return approved


@pytest.fixture(scope="module")
def tenants(new_tenant: Callable[[], Tenant]) -> dict[str, Tenant]:
    """The same rule in five ways."""
    found: dict[str, Tenant] = {}
    for name, schema, policy in (
        ("definition", None, {"definition": DEFINITION}),
        ("definition, schema", SCHEMA, {"definition": DEFINITION}),
        ("definition, strict schema", STRICT_SCHEMA, {"definition": DEFINITION}),
        ("plain English", None, {"rules": SENTENCES}),
        ("plain English, schema", SCHEMA, {"rules": SENTENCES}),
    ):
        tenant = found[name] = new_tenant()
        if schema is not None:
            succeeded(tenant.full.put(f"/tool-schemas/{TOOL}", schema))
        registered = tenant.register("small", **policy, tools=[TOOL])
        assert registered["uncompiled"] == []
    return found


WAYS = ["definition", "definition, schema", "definition, strict schema", "plain English", "plain English, schema"]


@pytest.mark.parametrize("way", WAYS)
def test_the_right_ones_are_approved(tenants: dict[str, Tenant], way: str) -> None:
    assert [text for text in GOOD if not approves(tenants[way], f'{{"amount":{text}}}')] == []


@pytest.mark.parametrize("way", WAYS)
def test_none_of_the_others_is(tenants: dict[str, Tenant], way: str) -> None:
    assert [text for text in BAD if approves(tenants[way], f'{{"amount":{text}}}')] == []
    assert [text for text in WHOLE if approves(tenants[way], text)] == []


def test_nor_by_a_mint_or_a_review_with_changes(tenant: Tenant) -> None:
    """The other two ways to a token look at the arguments again."""
    tenant.register("small", definition=DEFINITION, tools=[TOOL])
    original = tenant.agent.ask(TOOL, {"amount": 50})["request_id"]
    waiting = tenant.agent.ask(TOOL, {"amount": 500}, accepts=["changed_args"])["request_id"]
    tenant.register("limit", definition="rules: [{id: big, effect: deny, when: [args.amount > 1000]}]", tools=[TOOL])
    for text in ('{"amount":"50"}', '{"amount":1e400}', '{"amount":50,"amount":50}', "{}"):
        body = f'{{"tool_name":"{TOOL}","tool_args":{text},"original_request_id":"{original}"}}'
        assert tenant.agent.post("/mint-token", body.encode()).status_code in (403, 422)
    for text in ('{"amount":5000}', '{"amount":1e400}', '{"amount":50,"amount":50}', "[]"):
        body = f'{{"approved":true,"effective_args":{text}}}'
        assert tenant.reviewer.post(f"/reviews/{waiting}/decision", body.encode()).status_code in (409, 422)
    assert tenant.agent.status(waiting)["status"] == "pending_review"


def test_a_currency_that_does_not_agree(tenants: dict[str, Tenant]) -> None:
    tenant = tenants["plain English"]
    for currency, approved in (('"USD"', True), ('"EUR"', False), ("null", False), ("5", False), ('""', False)):
        assert approves(tenant, f'{{"amount":50,"currency":{currency}}}') is approved


def test_what_is_recorded_is_what_was_sent(tenants: dict[str, Tenant]) -> None:
    """By value: the hash in the token means the same to every reader."""
    tenant = tenants["definition"]
    for text in ("-0.0", "1e-7", "45.50", "1e2"):
        assert approves(tenant, f'{{"amount":{text}}}')
        assert tenant.entries()[0]["tool_args"]["amount"] == float(text)
