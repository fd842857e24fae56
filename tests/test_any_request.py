"""Whatever JSON can say and the Vault takes in goes all the way: found again, minted, consumed, proven, restarted."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledgix.verify import verify_bundle
from running_vault import Tenant, succeeded
from wire import TOOL, well_formed

TEXT = st.text(max_size=8)
NUMBERS = st.integers(1 - 2**53, 2**53 - 1) | st.floats(-1e15, 1e15)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
NAMES = TEXT | st.sampled_from(["url", "account", "amount", "currency", "api_key"])
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=4)
NULLABLE = st.none() | TEXT
REQUESTS = st.fixed_dictionaries(
    {"tool_name": st.sampled_from([TOOL, "free"]) | st.text(min_size=1, max_size=9), "tool_args": OBJECTS},
    optional={
        "agent_id": TEXT,
        "session_id": TEXT,
        "context": OBJECTS,
        "human_principal": NULLABLE,
        "destination_uri": NULLABLE,
        "destination_provider": NULLABLE,
        "destination_account_ref": NULLABLE,
        "purpose": NULLABLE,
        "processing_register_ref": NULLABLE,
        "dataset_ref": NULLABLE,
        "data_categories": st.none() | st.lists(TEXT, max_size=3),
        "accepts": st.lists(TEXT, max_size=2),
    },
)


def test_any_request(refunds: Tenant) -> None:
    refunds.register("free", definition="rules: [{id: all, effect: approve, when: []}]", tools=["free"])

    @given(request=REQUESTS)
    @settings(max_examples=100, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
    def goes_all_the_way(request: dict[str, Any]) -> None:
        answer = well_formed(succeeded(refunds.agent.post("/request-clearance", request)))
        request_id = answer["request_id"]
        assert refunds.agent.status(request_id) == answer
        if answer["status"] == "denied":
            return
        if answer["status"] == "approved":
            succeeded(refunds.agent.post("/mint-token", {**request, "original_request_id": request_id}))
        else:
            succeeded(refunds.reviewer.decide(request_id, approved=True, reason=request["tool_name"]))
        token = refunds.agent.status(request_id)["token"]
        call = {name: request[name] for name in ("tool_name", "tool_args")}
        succeeded(refunds.gateway.consume(token, **call))
        bundle = refunds.auditor.get("/ledger/proof/bundle", request_id=request_id).content
        assert verify_bundle(bundle).request_id == request_id
        assert json.loads(bundle)["event"]["tool_args"] == request["tool_args"]

    goes_all_the_way()
    assert len(refunds.reviewer.read("/reviews", status="any", limit=500)["reviews"]) > 10
    assert refunds.full.read("/ledger/verify")["intact"]


KINDS: list[dict[str, Any]] = [
    {"type": "string", "enum": ["a", "\0"]},
    {"type": ["integer", "null"], "minimum": 1e-7},
    {"type": "array", "items": {"type": "boolean"}},
    {"type": "number", "x-ledgix-money": {"currency": "USD", "unit": "minor"}},
    {"type": "object", "properties": {"é": {}}, "additionalProperties": False},
]
PROPERTIES = st.dictionaries(st.text(max_size=5), st.sampled_from(KINDS), max_size=4)
SENTENCES = st.lists(
    st.sampled_from(["Refunds must not exceed $10", "note is required", "currency must be USD or EUR"]) | st.text(),
    max_size=3,
)
TOOLS = st.lists(st.sampled_from(["stripe_refund", "a*", "[", "*"]) | st.text(min_size=1, max_size=5), max_size=3)


def test_whatever_was_accepted_is_read_again_at_the_next_start(tenant: Tenant) -> None:
    """One policy or schema that can't be read again would keep the whole Vault from starting."""

    @given(tool=st.text(min_size=1, max_size=9), properties=PROPERTIES, rules=SENTENCES, tools=TOOLS, text=st.text())
    @settings(max_examples=60, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
    def register(tool: str, properties: dict[str, Any], rules: list[str], tools: list[str], text: str) -> None:
        tenant.full.put(f"/tool-schemas/{quote(tool, safe='')}", {"type": "object", "properties": properties})
        policy = {"policy_id": f"about {len(tool)}", "rules": rules, "tools": tools, "description": text}
        tenant.full.post("/register-policy", policy)

    register()
    asked = tenant.agent.ask("x")["request_id"]
    before = everything(tenant)
    assert len(tenant.events("policy.activated")) > 10
    assert len(tenant.events("schema.registered")) > 10
    tenant.vault.stop()
    tenant.vault.start()
    assert everything(tenant) == before
    assert tenant.agent.ask("x")["request_id"] != asked


def everything(tenant: Tenant) -> list[Any]:
    """What a tenant has, but for checkpoints, which may come meanwhile."""
    paths = ("/tool-schemas", "/review-settings", "/reviews?status=any")
    events = [(entry["event_uuid"], entry["event_hash"], entry["intent"]) for entry in tenant.entries()]
    return [events, *(tenant.full.read(path) for path in paths)]
