"""No operation reads or changes anything of another tenant: one case for each, and none is forgotten.

Each case gets a tenant that is asking and one that has something, and fails if the asking one notices.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import takewhile
from typing import Any
from uuid import uuid4

import pytest

from running_vault import Tenant, eventually, succeeded
from streams import following
from wire import MEDIUM, SMALL, TOOL, UNKNOWN, jti_of, problem

DENIES = {"definition": "rules: [{id: all, effect: deny, when: []}]", "tools": ["secret_tool"]}
Case = Callable[[Tenant, Tenant], None]
CASES: dict[str, Case] = {}
SECRET = "# Margins\n\nThe secret margins are 40 percent."


def case(operation: str) -> Callable[[Case], Case]:
    def add(function: Case) -> Case:
        CASES[operation] = function
        return function

    return add


def nothing_of(victim: Tenant, seen: Any) -> None:
    """Fails if the text names the other tenant, its key, or any of its requests or events."""
    text = str(seen)
    for entry in victim.entries():
        for name in ("event_uuid", "request_id", "event_hash", "receipt_key_id"):
            assert entry[name] not in text, name
    assert victim.tenant_id not in text


@pytest.fixture
def victim(other: Tenant) -> Tenant:
    """Has a policy with a draft, a schema, a document, a Confluence, requests, a review and settings of its own."""
    other.register_refunds()
    other.register("secret", definition="rules: [{id: all, effect: approve, when: []}]", tools=["secret_tool"])
    succeeded(other.full.put("/tool-schemas/secret_tool", {"type": "object"}))
    document = {"name": "secret.md", "text": SECRET, "format": "markdown", "document_id": "secret"}
    succeeded(other.full.post("/documents", document))
    succeeded(other.full.put("/confluence-settings", CONFLUENCE))
    succeeded(other.full.post("/policies/secret/versions", DENIES))
    other.set_reviews(quorum=1, review_expiry_seconds=1234)
    other.agent.ask(TOOL, SMALL)
    other.agent.ask(TOOL, MEDIUM)
    return other


@case("POST /request-clearance")
def _(asking: Tenant, victim: Tenant) -> None:
    """Another tenant's policies, schemas, settings, parents and idempotency keys have no say."""
    first = victim.agent.post("/request-clearance", {"tool_name": "secret_tool"}, once="k")
    assert first.json()["status"] == "approved"
    second = asking.agent.post("/request-clearance", {"tool_name": "secret_tool"}, once="k")
    assert succeeded(second)["reason_code"] == "no_matching_policy"
    nothing_of(victim, second.text)
    asking.register_refunds()
    child = asking.agent.ask(TOOL, SMALL, parent_jti=jti_of(victim.agent.ask(TOOL, SMALL)))
    assert child["reason_code"] == "delegation_invalid"
    unknown = asking.agent.ask(TOOL, SMALL, parent_jti=str(uuid4()))
    assert unknown["reason"] == child["reason"]


@case("GET /clearance-status/{request_id}")
def _(asking: Tenant, victim: Tenant) -> None:
    for entry in victim.events("clearance.decided"):
        problem(asking.full.get(f"/clearance-status/{entry['request_id']}"), 404, "not_found")


@case("POST /mint-token")
def _(asking: Tenant, victim: Tenant) -> None:
    asking.register_refunds()
    approved = victim.agent.ask(TOOL, SMALL)["request_id"]
    body = {"tool_name": TOOL, "tool_args": SMALL, "original_request_id": approved}
    problem(asking.full.post("/mint-token", body), 404, "not_found")
    assert victim.events("token.minted") == []


@case("POST /consume-token")
def _(asking: Tenant, victim: Tenant) -> None:
    token = victim.agent.ask(TOOL, SMALL)["token"]
    problem(asking.full.consume(token), 401, "token_invalid")
    succeeded(victim.gateway.consume(token))


@case("GET /.well-known/jwks.json")
def _(asking: Tenant, victim: Tenant) -> None:
    nothing_of(victim, asking.full.read("/.well-known/jwks.json"))


@case("POST /register-policy")
def _(asking: Tenant, victim: Tenant) -> None:
    """The same id in two tenants is two policies."""
    answer = asking.register("secret", definition="rules: [{id: all, effect: deny, when: []}]", tools=["secret_tool"])
    assert answer["version"] == 1
    assert victim.agent.ask("secret_tool")["status"] == "approved"


@case("POST /policies/{policy_id}/simulate")
def _(asking: Tenant, victim: Tenant) -> None:
    """Another tenant's policies, versions, schemas and requests aren't there to be simulated."""
    for draft in ({}, {"version": 1}):
        problem(asking.full.post("/policies/secret/simulate", {**draft, "last": 10}), 404, "not_found")
    body = {"definition": "rules: [{id: all, effect: approve, when: []}]", "last": 10}
    found = succeeded(asking.full.post("/policies/secret/simulate", body))
    assert (found["examined"], found["examples"]) == (0, [])
    asked = succeeded(
        asking.full.post("/policies/mine/simulate", {**body, "calls": [{"tool_name": "x"}], "last": None})
    )
    nothing_of(victim, asked)


@case("POST /clearance-dry-run")
def _(asking: Tenant, victim: Tenant) -> None:
    parent = jti_of(victim.agent.ask(TOOL, SMALL))
    tried = succeeded(asking.full.post("/clearance-dry-run", {"tool_name": "secret_tool"}))
    assert tried["reason_code"] == "no_matching_policy"
    child = succeeded(asking.full.post("/clearance-dry-run", {"tool_name": TOOL, "parent_jti": parent}))
    assert child["reason_code"] == "delegation_invalid"
    problem(
        asking.full.post("/clearance-dry-run", {"tool_name": "x", "draft": {"policy_id": "secret"}}), 404, "not_found"
    )
    nothing_of(victim, [tried, child])


@case("POST /policies/understand")
def _(asking: Tenant, victim: Tenant) -> None:
    """Another tenant's schema doesn't say what words mean."""
    declared = {"type": "object", "properties": {"launch code": {"type": "string"}}}
    succeeded(victim.full.put("/tool-schemas/secret_tool", declared))
    question = {"sentences": ["the launch code is required"], "tools": ["secret_tool"]}
    seen = [succeeded(each.full.post("/policies/understand", question)) for each in (asking, victim)]
    assert [answer["understandings"][0]["understood"] for answer in seen] == [False, True]
    nothing_of(victim, seen[0])


@case("GET /policies")
def _(asking: Tenant, victim: Tenant) -> None:
    assert asking.full.read("/policies") == {"policies": []}


@case("GET /policies/{policy_id}")
def _(asking: Tenant, victim: Tenant) -> None:
    problem(asking.full.get("/policies/secret"), 404, "not_found")


@case("GET /policies/{policy_id}/versions")
def _(asking: Tenant, victim: Tenant) -> None:
    problem(asking.full.get("/policies/secret/versions"), 404, "not_found")


@case("POST /policies/{policy_id}/versions")
def _(asking: Tenant, victim: Tenant) -> None:
    """The same id in two tenants is two policies."""
    assert succeeded(asking.full.post("/policies/secret/versions", DENIES))["version"] == 1
    assert len(victim.full.read("/policies/secret/versions")["versions"]) == 2


@case("GET /policies/{policy_id}/versions/{number}")
def _(asking: Tenant, victim: Tenant) -> None:
    problem(asking.full.get("/policies/secret/versions/1"), 404, "not_found")


def no_move(move: str, asking: Tenant, victim: Tenant) -> None:
    before = victim.full.read("/policies/secret/versions")
    for number in (1, 2):
        problem(asking.full.post(f"/policies/secret/versions/{number}/{move}"), 404, "not_found")
    assert victim.full.read("/policies/secret/versions") == before


@case("POST /policies/{policy_id}/versions/{number}/confirm")
def _(asking: Tenant, victim: Tenant) -> None:
    no_move("confirm", asking, victim)


@case("POST /policies/{policy_id}/versions/{number}/activate")
def _(asking: Tenant, victim: Tenant) -> None:
    no_move("activate", asking, victim)


@case("POST /policies/{policy_id}/versions/{number}/shadow")
def _(asking: Tenant, victim: Tenant) -> None:
    no_move("shadow", asking, victim)


@case("POST /policies/{policy_id}/versions/{number}/retire")
def _(asking: Tenant, victim: Tenant) -> None:
    no_move("retire", asking, victim)


@case("POST /policies/{policy_id}/rollback")
def _(asking: Tenant, victim: Tenant) -> None:
    problem(asking.full.post("/policies/secret/rollback"), 409, "nothing_before")
    problem(asking.full.post("/policies/secret/rollback", {"version": 1}), 404, "not_found")
    assert victim.agent.ask("secret_tool")["status"] == "approved"


@case("GET /policies/{policy_id}/diff")
def _(asking: Tenant, victim: Tenant) -> None:
    problem(asking.full.get("/policies/secret/diff", **{"from": 1, "to": 2}), 404, "not_found")


@case("GET /policies/{policy_id}/shadow-report")
def _(asking: Tenant, victim: Tenant) -> None:
    succeeded(victim.full.post("/policies/secret/versions/2/confirm"))
    succeeded(victim.full.post("/policies/secret/versions/2/shadow"))
    problem(asking.full.get("/policies/secret/shadow-report"), 404, "no_shadow")
    problem(asking.full.get("/policies/secret/shadow-report", version=2), 404, "not_found")


@case("GET /tool-schemas")
def _(asking: Tenant, victim: Tenant) -> None:
    assert asking.full.read("/tool-schemas") == {"tool_schemas": []}


@case("GET /tool-schemas/{tool_name}")
def _(asking: Tenant, victim: Tenant) -> None:
    problem(asking.full.get("/tool-schemas/secret_tool"), 404, "not_found")


@case("PUT /tool-schemas/{tool_name}")
def _(asking: Tenant, victim: Tenant) -> None:
    succeeded(asking.full.put("/tool-schemas/secret_tool", {"type": "object", "description": "mine"}))
    assert victim.full.read("/tool-schemas/secret_tool")["schema"] == {"type": "object"}


@case("POST /outcomes")
def _(asking: Tenant, victim: Tenant) -> None:
    approved = victim.agent.ask(TOOL, SMALL)
    for named in ({"request_id": approved["request_id"]}, {"jti": jti_of(approved)}):
        problem(asking.full.post("/outcomes", {"outcome": "refused", **named}), 404, "not_found")
    assert victim.events("outcome.reported") == []


@case("POST /outcomes/batch")
def _(asking: Tenant, victim: Tenant) -> None:
    asking.register_refunds(TOOL)
    theirs, ours = victim.agent.ask(TOOL, SMALL), asking.agent.ask(TOOL, SMALL)
    reports = [{"outcome": "refused", "jti": jti_of(each)} for each in (theirs, ours)]
    refused, recorded = succeeded(asking.full.post("/outcomes/batch", {"reports": reports}))["results"]
    assert refused["problem"]["code"] == "not_found"
    assert recorded["recorded"]["request_id"] == ours["request_id"]
    assert victim.events("outcome.reported") == []


@case("GET /limits")
def _(asking: Tenant, victim: Tenant) -> None:
    """The same policy in two tenants has two budgets."""
    rules = "rules: [{id: all, effect: approve, when: []}]\nlimits: [{id: once, window: 24h, max: 1}]\n"
    for tenant in (asking, victim):
        tenant.register("limited", definition=rules, tools=["limited_tool"])
    assert victim.agent.ask("limited_tool")["status"] == "approved"
    (limit,) = asking.full.read("/limits")["limits"]
    assert limit["budgets"] == []
    assert asking.agent.ask("limited_tool")["status"] == "approved"


@case("POST /tool-schemas/import")
def _(asking: Tenant, victim: Tenant) -> None:
    """Neither another tenant's schemas nor its policies have a say, and its schema stays."""
    tools = [{"name": "secret_tool", "inputSchema": {"type": "object", "description": "mine"}}]
    answer = succeeded(asking.full.post("/tool-schemas/import", {"tools_list": {"tools": tools}}))
    assert answer["registered"] == ["secret_tool"]
    assert victim.full.read("/tool-schemas/secret_tool")["schema"] == {"type": "object"}


CONFLUENCE = {"base_url": "https://secret.example/wiki", "email": "secret@example.com", "token": "secret token"}


@case("POST /documents")
def _(asking: Tenant, victim: Tenant) -> None:
    """The same id in two tenants is two documents, and the same bytes are no hint."""
    body = {"name": "secret.md", "text": SECRET, "format": "markdown", "document_id": "secret"}
    answer = succeeded(asking.full.post("/documents", body, once="d"))
    assert answer["version"] == 1
    assert answer["document_version_id"] not in str(victim.full.read("/documents"))
    assert victim.full.read("/documents/secret")["versions"][0]["newest"]


@case("GET /documents")
def _(asking: Tenant, victim: Tenant) -> None:
    assert asking.full.read("/documents") == {"documents": []}


@case("GET /documents/search")
def _(asking: Tenant, victim: Tenant) -> None:
    assert victim.full.read("/documents/search", q="secret margins")["clauses"]
    assert asking.full.read("/documents/search", q="secret margins") == {"clauses": []}
    assert asking.full.read("/documents/search", tool="secret_tool", covering=True) == {"clauses": []}
    problem(asking.full.get("/documents/search", q="margins", policy_id="secret"), 404, "not_found")


@case("POST /documents/confluence")
def _(asking: Tenant, victim: Tenant) -> None:
    """Another tenant's connection is nobody's."""
    problem(asking.full.post("/documents/confluence", {"page_id": "1"}), 409, "confluence_not_set")


@case("GET /documents/{document_id}")
def _(asking: Tenant, victim: Tenant) -> None:
    problem(asking.full.get("/documents/secret"), 404, "not_found")


@case("DELETE /documents/{document_id}")
def _(asking: Tenant, victim: Tenant) -> None:
    problem(asking.full.send("DELETE", "/documents/secret"), 404, "not_found")
    assert victim.full.read("/documents/secret")["versions"]


@case("GET /documents/{document_id}/versions/{version}")
def _(asking: Tenant, victim: Tenant) -> None:
    problem(asking.full.get("/documents/secret/versions/1"), 404, "not_found")


@case("GET /documents/{document_id}/versions/{version}/text")
def _(asking: Tenant, victim: Tenant) -> None:
    problem(asking.full.get("/documents/secret/versions/1/text"), 404, "not_found")


@case("GET /documents/{document_id}/versions/{version}/original")
def _(asking: Tenant, victim: Tenant) -> None:
    problem(asking.full.get("/documents/secret/versions/1/original"), 404, "not_found")


@case("GET /confluence-settings")
def _(asking: Tenant, victim: Tenant) -> None:
    problem(asking.full.get("/confluence-settings"), 404, "not_found")


@case("PUT /confluence-settings")
def _(asking: Tenant, victim: Tenant) -> None:
    succeeded(asking.full.put("/confluence-settings", CONFLUENCE | {"base_url": "https://mine.example"}))
    assert victim.full.read("/confluence-settings")["base_url"] == CONFLUENCE["base_url"]


@case("GET /reviews")
def _(asking: Tenant, victim: Tenant) -> None:
    """Also with a cursor that the other tenant was given."""
    victim.agent.ask(TOOL, MEDIUM)
    cursor = victim.full.read("/reviews", limit=1)["next_cursor"]
    assert cursor
    for query in ({"status": "any"}, {"status": "any", "cursor": cursor}, {"cursor": f"999999999999999999_{UNKNOWN}"}):
        assert asking.full.read("/reviews", **query)["reviews"] == []


@case("POST /reviews/{request_id}/decision")
def _(asking: Tenant, victim: Tenant) -> None:
    (review,) = victim.full.read("/reviews")["reviews"]
    for approved in (True, False):
        problem(asking.full.decide(review["request_id"], approved=approved), 404, "not_found")
    assert victim.agent.status(review["request_id"])["status"] == "pending_review"


@case("GET /reviews/counts")
def _(asking: Tenant, victim: Tenant) -> None:
    assert victim.full.read("/reviews/counts")["waiting"]
    assert asking.full.read("/reviews/counts")["waiting"] == 0


@case("GET /reviews/{request_id}")
def _(asking: Tenant, victim: Tenant) -> None:
    (review,) = victim.full.read("/reviews")["reviews"]
    problem(asking.full.get(f"/reviews/{review['request_id']}"), 404, "not_found")


@case("GET /reviews/{request_id}/similar")
def _(asking: Tenant, victim: Tenant) -> None:
    (review,) = victim.full.read("/reviews")["reviews"]
    problem(asking.full.get(f"/reviews/{review['request_id']}/similar"), 404, "not_found")


@case("POST /reviews/{request_id}/second-reviewer")
def _(asking: Tenant, victim: Tenant) -> None:
    (review,) = victim.full.read("/reviews")["reviews"]
    problem(asking.full.post(f"/reviews/{review['request_id']}/second-reviewer", {}), 404, "not_found")
    assert victim.full.read("/reviews")["reviews"][0]["quorum"] == review["quorum"]


@case("POST /reviews/decisions")
def _(asking: Tenant, victim: Tenant) -> None:
    (review,) = victim.full.read("/reviews")["reviews"]
    for approved in (True, False):
        body = {"request_ids": [review["request_id"], UNKNOWN], "approved": approved}
        results = succeeded(asking.full.post("/reviews/decisions", body))["results"]
        assert {result["code"] for result in results} == {"not_found"}
    assert victim.agent.status(review["request_id"])["status"] == "pending_review"


@case("GET /review-settings")
def _(asking: Tenant, victim: Tenant) -> None:
    assert asking.full.read("/review-settings")["review_expiry_seconds"] != 1234


@case("GET /review-settings/preview")
def _(asking: Tenant, victim: Tenant) -> None:
    before = asking.full.read("/review-settings/preview")["decided"]
    victim.agent.ask(TOOL, MEDIUM)
    assert asking.full.read("/review-settings/preview")["decided"] == before


@case("PUT /review-settings")
def _(asking: Tenant, victim: Tenant) -> None:
    asking.set_reviews(review_expiry_seconds=77)
    assert victim.full.read("/review-settings")["review_expiry_seconds"] == 1234


@case("GET /suspensions")
def _(asking: Tenant, victim: Tenant) -> None:
    made = succeeded(victim.full.post("/suspensions", {"kind": "tenant", "reason": "Stop"}))
    ended = succeeded(victim.full.post(f"/suspensions/{made['suspension_id']}/release", {"reason": "Go on"}))
    assert ended["released_at"]
    succeeded(victim.full.post("/suspensions", {"kind": "tenant", "reason": "Stop"}))
    for status in ("standing", "released"):
        assert asking.full.read("/suspensions", status=status) == {"suspensions": []}


@case("POST /suspensions")
def _(asking: Tenant, victim: Tenant) -> None:
    """Whoever stops everything stops his own."""
    succeeded(asking.full.post("/suspensions", {"kind": "tenant", "reason": "Stop"}))
    assert asking.agent.ask("secret_tool")["reason_code"] == "suspended"
    assert victim.agent.ask("secret_tool")["status"] == "approved"


@case("POST /suspensions/{suspension_id}/release")
def _(asking: Tenant, victim: Tenant) -> None:
    made = succeeded(victim.full.post("/suspensions", {"kind": "tenant", "reason": "Stop"}))
    problem(asking.full.post(f"/suspensions/{made['suspension_id']}/release", {"reason": "Go on"}), 404, "not_found")
    assert victim.agent.ask("secret_tool")["reason_code"] == "suspended"


def invited(tenant: Tenant) -> str:
    answer = succeeded(tenant.full.post("/members/invitations", {"email": "mine@example.com", "role": "auditor"}))
    return str(answer["invitation_id"])


@case("GET /members")
def _(asking: Tenant, victim: Tenant) -> None:
    invited(victim)
    assert "mine@example.com" not in asking.full.get("/members").text


@case("POST /members/invitations")
def _(asking: Tenant, victim: Tenant) -> None:
    """An address that another tenant invited is free here, and its key for retries means nothing."""
    body = {"email": "both@example.com", "role": "auditor"}
    there = succeeded(victim.full.post("/members/invitations", body, once="k"))
    here = succeeded(asking.full.post("/members/invitations", body, once="k"))
    assert here["invitation_id"] != there["invitation_id"]
    assert here["link"] is not None


@case("DELETE /members/invitations/{invitation_id}")
def _(asking: Tenant, victim: Tenant) -> None:
    problem(asking.full.send("DELETE", f"/members/invitations/{invited(victim)}"), 404, "not_found")
    assert victim.full.read("/members")["invitations"][0]["state"] == "pending"


def no_member_of(victim: Tenant) -> str:
    """Tenants of these tests have no people of their own: an id from the ledger is as foreign."""
    return str(victim.entries()[0]["event_uuid"])


@case("PUT /members/{person_id}")
def _(asking: Tenant, victim: Tenant) -> None:
    problem(asking.full.put(f"/members/{no_member_of(victim)}", {"role": "owner"}), 404, "not_found")


@case("DELETE /members/{person_id}")
def _(asking: Tenant, victim: Tenant) -> None:
    problem(asking.full.send("DELETE", f"/members/{no_member_of(victim)}"), 404, "not_found")


@case("GET /ledger")
def _(asking: Tenant, victim: Tenant) -> None:
    nothing_of(victim, asking.full.read("/ledger", limit=500))


@case("GET /ledger/checkpoints")
def _(asking: Tenant, victim: Tenant) -> None:
    victim.full.read("/ledger/proof/inclusion", event_uuid=victim.entries()[0]["event_uuid"])
    newest = victim.full.read("/ledger/checkpoints")["checkpoints"][0]
    seen = asking.full.get("/ledger/checkpoints", limit=500).text
    assert newest["checkpoint_hash"] not in seen
    nothing_of(victim, seen)


@case("GET /ledger/verify")
def _(asking: Tenant, victim: Tenant) -> None:
    assert asking.full.read("/ledger/verify")["verified_entries"] == len(asking.entries())


@case("GET /ledger/proof/inclusion")
def _(asking: Tenant, victim: Tenant) -> None:
    no_proof("/ledger/proof/inclusion", asking, victim)


@case("GET /requests")
def _(asking: Tenant, victim: Tenant) -> None:
    """Neither by name nor by id, nor by what was asked."""
    wanted = victim.events("clearance.decided")[0]["request_id"]
    for looked_for in ({}, {"tool": TOOL}, {"text": "amount"}, {"text": wanted}, {"outcome": "pending"}):
        assert asking.full.read("/requests", **looked_for)["requests"] == []
    assert victim.full.read("/requests", text=wanted)["requests"] != []


@case("GET /requests/{request_id}")
def _(asking: Tenant, victim: Tenant) -> None:
    for entry in victim.events("clearance.decided"):
        problem(asking.full.get(f"/requests/{entry['request_id']}"), 404, "not_found")


@case("GET /overview")
def _(asking: Tenant, victim: Tenant) -> None:
    seen = asking.full.read("/overview", range="30d")
    assert (seen["requests"], seen["tools"], seen["agents"]) == (0, [], [])
    assert seen["reviews"]["waiting"] == 0
    nothing_of(victim, seen)


def webhook_of(victim: Tenant) -> str:
    hooks = succeeded(victim.full.put("/notification-settings", {"webhooks": [{"url": "https://theirs.invalid/x"}]}))
    return str(hooks["webhooks"][0]["webhook_id"])


@case("GET /notification-settings")
def _(asking: Tenant, victim: Tenant) -> None:
    webhook_of(victim)
    seen = asking.full.read("/notification-settings")
    assert seen["webhooks"] == []
    nothing_of(victim, seen)


@case("PUT /notification-settings")
def _(asking: Tenant, victim: Tenant) -> None:
    """Neither an id nor an address of theirs leads to their webhook or its secret."""
    theirs = webhook_of(victim)
    before = victim.full.read("/notification-settings")
    named = {"webhook_id": theirs, "url": "https://mine.invalid/x"}
    for webhook_id in (theirs, str(uuid4())):
        answer = asking.full.put("/notification-settings", {"webhooks": [named | {"webhook_id": webhook_id}]})
        problem(answer, 422, "invalid")
    mine = succeeded(asking.full.put("/notification-settings", {"webhooks": [{"url": "https://theirs.invalid/x"}]}))
    assert mine["webhooks"][0]["webhook_id"] != theirs
    assert victim.full.read("/notification-settings") == before


@case("POST /notification-settings/test")
def _(asking: Tenant, victim: Tenant) -> None:
    theirs = webhook_of(victim)
    for webhook_id in (theirs, str(uuid4())):
        sent = asking.full.post("/notification-settings/test", {"channel": "webhook", "webhook_id": webhook_id})
        problem(sent, 404, "not_found")


@case("POST /notification-settings/webhooks/{webhook_id}/rotate-secret")
def _(asking: Tenant, victim: Tenant) -> None:
    theirs = webhook_of(victim)
    before = victim.full.read("/notification-settings")
    for webhook_id in (theirs, str(uuid4())):
        path = f"/notification-settings/webhooks/{webhook_id}/rotate-secret"
        problem(asking.full.post(path, {}), 404, "not_found")
    assert victim.full.read("/notification-settings") == before


@case("GET /notification-deliveries")
def _(asking: Tenant, victim: Tenant) -> None:
    webhook_of(victim)
    victim.agent.ask(TOOL, MEDIUM)
    eventually(lambda: victim.full.read("/notification-deliveries")["deliveries"])
    seen = asking.full.read("/notification-deliveries")
    assert seen == {"deliveries": [], "next_cursor": ""}


@case("GET /judge-settings")
def _(asking: Tenant, victim: Tenant) -> None:
    succeeded(victim.full.put("/judge-settings", {"model": "theirs", "api_key": "sk-theirs"}))
    seen = asking.full.read("/judge-settings")
    assert (seen["model"], seen["api_key"]) == ("", "")
    nothing_of(victim, seen)


@case("GET /single-sign-on")
def _(asking: Tenant, victim: Tenant) -> None:
    succeeded(victim.full.put("/single-sign-on", {"client_id": "theirs", "client_secret": "hidden"}))
    seen = asking.full.read("/single-sign-on")
    assert (seen["client_id"], seen["client_secret"]) == ("", "")
    assert "hidden" not in str(victim.full.read("/single-sign-on"))


@case("PUT /single-sign-on")
def _(asking: Tenant, victim: Tenant) -> None:
    before = succeeded(victim.full.put("/single-sign-on", {"client_id": "theirs"}))
    succeeded(asking.full.put("/single-sign-on", {"client_id": "mine", "allowed_domains": ["example.com"]}))
    assert victim.full.read("/single-sign-on") == before


@case("PUT /judge-settings")
def _(asking: Tenant, victim: Tenant) -> None:
    before = succeeded(victim.full.put("/judge-settings", {"model": "theirs"}))
    succeeded(asking.full.put("/judge-settings", {"model": "mine", "may": "lower"}))
    assert victim.full.read("/judge-settings") == before


@case("GET /api-keys")
def _(asking: Tenant, victim: Tenant) -> None:
    listed = {each["key_id"] for each in asking.full.read("/api-keys")["api_keys"]}
    assert listed.isdisjoint(each["key_id"] for each in victim.full.read("/api-keys")["api_keys"])


@case("POST /api-keys")
def _(asking: Tenant, victim: Tenant) -> None:
    """The same name and Idempotency-Key in two tenants are two keys."""
    wanted = {"name": "bot", "preset": "agent"}
    made = [succeeded(tenant.full.post("/api-keys", wanted, once="k")) for tenant in (victim, asking)]
    assert made[0]["key_id"] != made[1]["key_id"]
    assert made[1]["key_id"] not in str(victim.full.read("/api-keys"))


def no_key(asking: Tenant, victim: Tenant, method: str, path: str) -> None:
    before = victim.full.read("/api-keys")["api_keys"]
    unknown = problem(asking.full.send(method, path.format(UNKNOWN)), 404, "not_found")["detail"]
    for key in before:
        found = problem(asking.full.send(method, path.format(key["key_id"])), 404, "not_found")["detail"]
        assert found.replace(key["key_id"], UNKNOWN) == unknown
    assert [key["state"] for key in victim.full.read("/api-keys")["api_keys"]] == [key["state"] for key in before]


@case("POST /api-keys/{key_id}/rotate")
def _(asking: Tenant, victim: Tenant) -> None:
    no_key(asking, victim, "POST", "/api-keys/{}/rotate")


@case("POST /api-keys/{key_id}/revoke")
def _(asking: Tenant, victim: Tenant) -> None:
    no_key(asking, victim, "POST", "/api-keys/{}/revoke")


@case("DELETE /api-keys/{key_id}")
def _(asking: Tenant, victim: Tenant) -> None:
    no_key(asking, victim, "DELETE", "/api-keys/{}")


@case("GET /events")
def _(asking: Tenant, victim: Tenant) -> None:
    """The asking tenant's log from its beginning, with what the other one does meanwhile."""
    with following(asking.full, after=-1) as stream:
        victim.agent.ask(TOOL, SMALL)
        asking.set_reviews(quorum=2)
        seen = list(takewhile(lambda event: event["kind"] != "settings.changed", stream))
    assert [event["event_uuid"] for event in seen] == [entry["event_uuid"] for entry in asking.entries()[:0:-1]]
    nothing_of(victim, seen)
    for request_id in (victim.entries()[0]["request_id"], UNKNOWN):
        problem(asking.full.get("/events", request_id=request_id), 404, "not_found")


@case("GET /ledger/proof/bundle")
def _(asking: Tenant, victim: Tenant) -> None:
    no_proof("/ledger/proof/bundle", asking, victim)
    entry = asking.entries()[0]
    nothing_of(victim, asking.full.read("/ledger/proof/bundle", event_uuid=entry["event_uuid"]))


def no_proof(path: str, asking: Tenant, victim: Tenant) -> None:
    for entry in victim.entries():
        for name in ("request_id", "event_uuid"):
            problem(asking.full.get(path, **{name: entry[name]}), 404, "not_found")


@case("GET /ledger/proof/consistency")
def _(asking: Tenant, victim: Tenant) -> None:
    """Checkpoint ids count in each tenant: the same id is another checkpoint."""
    hashes = []
    for tenant in (asking, victim):
        tenant.full.read("/ledger/proof/inclusion", event_uuid=tenant.entries()[0]["event_uuid"])
        proof = tenant.full.read("/ledger/proof/consistency", **{"from": 1, "to": 1})
        hashes.append(proof["to_checkpoint"]["checkpoint_hash"])
    assert hashes[0] != hashes[1]


NOTHING_OF_A_TENANT = {"GET /health", "GET /ready"}


def test_no_operation_is_forgotten(tenant: Tenant) -> None:
    paths = tenant.full.description.document["paths"]
    operations = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    assert operations == CASES.keys() | NOTHING_OF_A_TENANT


@pytest.mark.parametrize("operation", CASES)
def test_another_tenant_notices_nothing(operation: str, tenant: Tenant, victim: Tenant) -> None:
    CASES[operation](tenant, victim)
