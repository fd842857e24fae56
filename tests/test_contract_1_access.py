"""Contract section 1: who may what, and how errors look."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from running_vault import BOUND, REVOKED, Key, RunningVault, Tenant, succeeded
from wire import MEDIUM, SMALL, TOOL, UNKNOWN, problem

# Endpoint, body, and the scopes of which one is needed.
GUARDED: list[tuple[str, str, Any, set[str]]] = [
    ("POST", "/request-clearance", {"tool_name": "x"}, {"clearance"}),
    ("GET", f"/clearance-status/{UNKNOWN}", None, {"clearance"}),
    ("POST", "/mint-token", {"tool_name": "x", "original_request_id": UNKNOWN}, {"clearance"}),
    ("POST", "/consume-token", {"token": "x"}, {"consume"}),
    ("POST", "/register-policy", {"policy_id": "x"}, {"policy"}),
    ("GET", "/policies", None, {"policy", "ledger.full"}),
    ("GET", "/policies/x", None, {"policy", "ledger.full"}),
    ("GET", "/policies/x/versions", None, {"policy", "ledger.full"}),
    ("GET", "/policies/x/versions/1", None, {"policy", "ledger.full"}),
    ("GET", "/policies/x/diff?from=1&to=1", None, {"policy", "ledger.full"}),
    ("GET", "/policies/x/shadow-report", None, {"policy"}),
    ("POST", "/policies/x/versions", {"rules": []}, {"policy"}),
    ("GET", "/tool-schemas", None, {"schemas"}),
    ("GET", "/tool-schemas/x", None, {"schemas"}),
    ("PUT", "/tool-schemas/x", {"type": "object"}, {"schemas"}),
    ("POST", "/tool-schemas/import", {"tools_list": {"tools": []}}, {"schemas"}),
    ("GET", "/reviews", None, {"review"}),
    ("GET", "/reviews/counts", None, {"review"}),
    ("GET", f"/reviews/{UNKNOWN}", None, {"review"}),
    ("GET", f"/reviews/{UNKNOWN}/similar", None, {"review"}),
    ("POST", f"/reviews/{UNKNOWN}/second-reviewer", {}, {"review"}),
    ("POST", "/reviews/decisions", {"request_ids": [UNKNOWN], "approved": True}, {"review", "clearance"}),
    ("POST", f"/reviews/{UNKNOWN}/decision", {"approved": True}, {"review", "clearance"}),
    ("GET", "/review-settings", None, {"settings"}),
    ("GET", "/review-settings/preview", None, {"settings"}),
    ("PUT", "/review-settings", {}, {"settings"}),
    ("GET", "/judge-settings", None, {"settings"}),
    ("PUT", "/judge-settings", {}, {"settings"}),
    ("GET", "/ledger", None, {"ledger", "ledger.full"}),
    ("GET", "/ledger/checkpoints", None, {"ledger", "ledger.full"}),
    ("GET", "/ledger/verify", None, {"ledger", "ledger.full"}),
    ("GET", f"/ledger/proof/inclusion?request_id={UNKNOWN}", None, {"ledger", "ledger.full"}),
    ("GET", f"/ledger/proof/bundle?request_id={UNKNOWN}", None, {"ledger", "ledger.full"}),
    ("GET", "/ledger/proof/consistency?from=1&to=1", None, {"ledger", "ledger.full"}),
]
SCOPES = {
    "agent": {"clearance", "ledger"},
    "gateway": {"consume", "schemas"},
    "reviewer": {"review", "ledger", "ledger.full"},
    "auditor": {"ledger", "ledger.full", "report"},
}
OPEN = ["/health", "/ready", "/.well-known/jwks.json", "/docs", "/openapi.json"]
NAMES = [f"{method} {path}" for method, path, _, _ in GUARDED]
guarded = pytest.mark.parametrize(("method", "path", "body", "scopes"), GUARDED, ids=NAMES)


def send(key: Key, method: str, path: str, body: Any) -> Any:
    return key.send(method, path, json=body) if body is not None else key.send(method, path)


# Who is asking


@pytest.mark.parametrize("path", OPEN)
def test_open_without_a_key(module_tenant: Tenant, path: str) -> None:
    response = module_tenant.vault.http.get(path)
    assert response.status_code == 200
    assert response.content


@guarded
def test_without_a_good_key_401(module_tenant: Tenant, method: str, path: str, body: Any, scopes: set[str]) -> None:
    problem(module_tenant.vault.http.request(method, path, json=body), 401, "unauthenticated")
    for secret in ("", "lgx_" + "x" * 43, module_tenant.full.secret[:-1], "Bearer " + module_tenant.full.secret):
        problem(send(module_tenant.vault.key(secret), method, path, body), 401, "unauthenticated")
    problem(send(module_tenant.keys[REVOKED], method, path, body), 401, "unauthenticated")


@guarded
def test_a_wrong_scope_is_named(module_tenant: Tenant, method: str, path: str, body: Any, scopes: set[str]) -> None:
    for preset, granted in SCOPES.items():
        response = send(module_tenant.keys[preset], method, path, body)
        if granted & scopes:
            assert response.status_code != 403
        else:
            refused = problem(response, 403, "missing_scope")
            assert refused["scope"] in scopes
            assert refused["scope"] in refused["detail"]
    assert send(module_tenant.full, method, path, body).json().get("code") not in ("unauthenticated", "missing_scope")


def test_a_key_bound_to_agents_asks_for_no_other(refunds: Tenant) -> None:
    bound = refunds.keys[BOUND]
    approved = bound.ask(TOOL, SMALL, agent_id="billing-7")
    assert approved["status"] == "approved"
    call = {"tool_name": TOOL, "tool_args": SMALL}
    for agent_id in ("support-7", "billing", "xbilling-7", ""):
        problem(bound.post("/request-clearance", {**call, "agent_id": agent_id}), 403, "agent_not_allowed")
    problem(bound.post("/request-clearance", call), 403, "agent_not_allowed")  # the default agent isn't one of them
    mint = {**call, "original_request_id": approved["request_id"]}
    problem(bound.post("/mint-token", {**mint, "agent_id": "support-7"}), 403, "agent_not_allowed")
    assert succeeded(bound.post("/mint-token", {**mint, "agent_id": "billing-7"}))["token"]


# Own and other keys' requests


@pytest.mark.parametrize("stranger", ["agent_2", "full"])
def test_a_request_is_seen_by_the_key_that_asked_only(refunds: Tenant, stranger: str) -> None:
    """Also not by a key of the same tenant that may do everything."""
    asked = refunds.agent.ask(TOOL, SMALL)
    key, request_id = refunds.keys[stranger], asked["request_id"]
    problem(key.get(f"/clearance-status/{request_id}"), 404, "not_found")
    mint = {"tool_name": TOOL, "tool_args": SMALL, "original_request_id": request_id}
    problem(key.post("/mint-token", mint), 404, "not_found")
    assert refunds.agent.status(request_id)["token"] == asked["token"]


def test_the_successor_of_a_rotated_key_owns_its_requests(refunds: Tenant) -> None:
    asked = refunds.agent.ask(TOOL, SMALL)
    assert refunds.successor.status(asked["request_id"])["token"] == asked["token"]
    waiting = refunds.agent.ask(TOOL, MEDIUM)
    cancelled = succeeded(refunds.successor.decide(waiting["request_id"], approved=False))
    assert cancelled["reason_code"] == "cancelled_by_agent"


def test_foreign_and_unknown_ids_get_the_same_404(refunds: Tenant, other: Tenant) -> None:
    """Byte for byte, but for an id that the answer may repeat."""
    other.register_refunds()
    approved, waiting = other.agent.ask(TOOL, SMALL)["request_id"], other.agent.ask(TOOL, MEDIUM)["request_id"]
    event = other.entries()[0]["event_uuid"]
    call = {"tool_name": TOOL, "tool_args": SMALL}
    requests: list[tuple[str, Callable[[str], Any]]] = [
        (approved, lambda i: refunds.full.get(f"/clearance-status/{i}")),
        (approved, lambda i: refunds.full.post("/mint-token", {**call, "original_request_id": i})),
        (waiting, lambda i: refunds.full.decide(i, approved=True)),
        (waiting, lambda i: refunds.full.decide(i, approved=False)),
        (waiting, lambda i: refunds.agent.decide(i, approved=False)),
        (waiting, lambda i: refunds.agent.decide(i, approved=True)),
        (approved, lambda i: refunds.full.get("/ledger/proof/inclusion", request_id=i)),
        (approved, lambda i: refunds.full.get("/ledger/proof/bundle", request_id=i)),
        (event, lambda i: refunds.full.get("/ledger/proof/inclusion", event_uuid=i)),
        (event, lambda i: refunds.full.get("/ledger/proof/bundle", event_uuid=i)),
    ]
    for foreign, request in requests:
        seen = []
        for identifier in (foreign, str(uuid4())):
            answer = request(identifier)
            problem(answer, 404, "not_found")
            headers = {name: value for name, value in answer.headers.items() if name != "date"}
            seen.append((answer.content.replace(identifier.encode(), b"ID"), headers))
        assert seen[0] == seen[1]
    assert other.agent.status(waiting)["status"] == "pending_review"


# Deciding


def test_an_agent_key_never_approves(refunds: Tenant) -> None:
    own, foreign = refunds.agent.ask(TOOL, MEDIUM), refunds.agent_2.ask(TOOL, MEDIUM)
    refused = problem(refunds.agent.decide(own["request_id"], approved=True), 403, "missing_scope")
    assert refused["scope"] == "review"
    for approved in (True, False):
        problem(refunds.agent.decide(foreign["request_id"], approved=approved), 404, "not_found")
    for asked, key in ((own, refunds.agent), (foreign, refunds.agent_2)):
        assert key.status(asked["request_id"])["status"] == "pending_review"


@pytest.mark.parametrize("key", ["agent", "full"])
def test_a_denial_by_the_key_that_asked_is_a_cancel(refunds: Tenant, key: str) -> None:
    """Whatever its scopes; also of an approval that isn't consumed, which voids the token."""
    asker = refunds.keys[key]
    waiting, approved = asker.ask(TOOL, MEDIUM), asker.ask(TOOL, SMALL)
    for asked in (waiting, approved):
        answer = succeeded(asker.decide(asked["request_id"], approved=False, reason="no more"))
        assert (answer["status"], answer["outcome"], answer["reason_code"]) == (
            "denied",
            "cancelled",
            "cancelled_by_agent",
        )
        assert answer["token"] is None
        assert asker.status(asked["request_id"])["token"] is None
        assert succeeded(asker.decide(asked["request_id"], approved=False)) == answer
    problem(refunds.gateway.consume(approved["token"]), 401, "token_invalid")
    assert len(refunds.events("review.cancelled_by_agent")) == 2
    problem(refunds.reviewer.decide(waiting["request_id"], approved=True), 409, "review_already_decided")


def test_a_consumed_approval_cannot_be_cancelled(refunds: Tenant) -> None:
    asked = refunds.agent.ask(TOOL, SMALL)
    succeeded(refunds.gateway.consume(asked["token"]))
    problem(refunds.agent.decide(asked["request_id"], approved=False), 409, "token_already_consumed")
    assert refunds.events("review.cancelled_by_agent") == []


def test_a_key_with_review_may_approve_what_it_asked_unless_duties_are_separate(refunds: Tenant) -> None:
    asked = refunds.full.ask(TOOL, MEDIUM)
    assert succeeded(refunds.full.decide(asked["request_id"], approved=True))["status"] == "approved"
    refunds.set_reviews(separation_of_duties=True)
    asked = refunds.full.ask(TOOL, MEDIUM)
    problem(refunds.full.decide(asked["request_id"], approved=True), 403, "separation_of_duties")
    assert succeeded(refunds.reviewer.decide(asked["request_id"], approved=True))["status"] == "approved"


# Errors


def test_unknown_paths_and_methods_are_problems_too(vault: RunningVault) -> None:
    problem(vault.http.get("/nothing-here"), 404, "not_found")
    for method, path, allowed in (
        ("DELETE", "/ledger", "GET"),
        ("GET", "/request-clearance", "POST"),
        ("PUT", "/consume-token", "POST"),
        ("DELETE", "/mint-token", "POST"),
        ("POST", f"/clearance-status/{UNKNOWN}", "GET"),
    ):
        response = vault.http.request(method, path)
        problem(response, 405, "method_not_allowed")
        assert allowed in response.headers["allow"]


@pytest.mark.parametrize("path", ["/request-clearance", "/register-policy", "/consume-token"])
def test_too_large_413(tenant: Tenant, path: str) -> None:
    head = b'{"policy_id":"p","token":"t","tool_name":"x","unknown":"'
    for extra, status in ((0, 200), (1, 413)):
        body = head + b"x" * (256 * 1024 - len(head) - 2 + extra) + b'"}'
        response = tenant.full.post(path, body)
        if status == 413 or path == "/consume-token":
            problem(response, 413 if extra else 401, "too_large" if extra else "token_invalid")
        else:
            assert response.status_code == status
    chunked = tenant.full.send("POST", path, content=iter([b"x" * 65536] * 8))
    problem(chunked, 413, "too_large")


def test_a_large_declared_body_is_refused_before_it_is_sent(vault: RunningVault, tenant: Tenant) -> None:
    with socket.create_connection(("127.0.0.1", vault.port), timeout=10) as line:
        head = f"POST /request-clearance HTTP/1.1\r\nHost: x\r\nX-Vault-API-Key: {tenant.full.secret}\r\n"
        line.sendall(f"{head}Content-Length: 999999999\r\n\r\n".encode())
        assert line.recv(100).startswith(b"HTTP/1.1 413 ")


def test_invalid_names_the_path(tenant: Tenant) -> None:
    for body, path in (
        (b"", "$"),
        (b"[]", "$"),
        (b"{", "$"),
        (b"\xff", "$"),
        ({}, "$.tool_name"),
        ({"tool_name": ""}, "$.tool_name"),
        ({"tool_name": "x" * 257}, "$.tool_name"),
        ({"tool_name": "x", "tool_args": []}, "$.tool_args"),
        ({"tool_name": "x", "data_categories": ["a", 1]}, "$.data_categories[1]"),
        (b'{"tool_name":"x","tool_args":{"items":[{},{"amount":NaN}]}}', "$.tool_args.items[1].amount"),
    ):
        assert problem(tenant.agent.post("/request-clearance", body), 422, "invalid")["path"] == path


def test_an_error_about_a_request_carries_its_id(refunds: Tenant) -> None:
    """Here: a mint that the rules refuse by now is a decision of its own."""
    asked = refunds.agent.ask(TOOL, SMALL)
    refunds.register("stop", rules=["Refunds must not exceed $10"], tools=[TOOL])
    mint = {"tool_name": TOOL, "tool_args": SMALL, "original_request_id": asked["request_id"]}
    refused = problem(refunds.agent.post("/mint-token", mint), 403, "policy_denied")
    assert refused["request_id"] != asked["request_id"]
    assert refunds.agent.status(refused["request_id"])["status"] == "denied"


# Keys


def test_jwks_without_and_with_a_key(vault: RunningVault, tenant: Tenant, other: Tenant) -> None:
    public = succeeded(vault.http.get("/.well-known/jwks.json"))["keys"]
    own, others = (key.read("/.well-known/jwks.json")["keys"] for key in (tenant.agent, other.agent))
    for jwk in own:
        assert {name: jwk[name] for name in ("kty", "crv", "use", "alg")} == {
            "kty": "OKP",
            "crv": "Ed25519",
            "use": "sig",
            "alg": "EdDSA",
        }
        assert jwk.keys() == {"kty", "crv", "x", "kid", "use", "alg"}
    signers = {entry["receipt_key_id"] for entry in tenant.entries()}
    assert {jwk["kid"] for jwk in own} == {jwk["kid"] for jwk in public} | signers
    assert signers.isdisjoint(jwk["kid"] for jwk in others)
    problem(vault.key("wrong").get("/.well-known/jwks.json"), 401, "unauthenticated")


def test_the_api_keys_secret_is_stored_nowhere(vault: RunningVault, tenant: Tenant) -> None:
    tenant.agent.ask("x")
    for file in [*vault.data.rglob("*"), vault.data.with_suffix(".log")]:
        if file.is_file():
            assert tenant.agent.secret.encode() not in file.read_bytes()


def test_ids_are_uuids(tenant: Tenant) -> None:
    assert UUID(tenant.agent.ask("x")["request_id"])
