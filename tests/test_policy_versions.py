"""The life of a policy version over HTTP: draft, confirm, activate, shadow, retire, roll back."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from running_vault import Tenant, succeeded
from wire import REPLAYED, SMALL, TOOL, problem

STRICT: dict[str, Any] = {"rules": ["Refunds must not exceed $10"], "tools": [TOOL]}
ODD_IDS = ["eu/refunds", "a/versions/1/activate", "a b", "100%", "%2F", "a%2Fb", "?x=1#y", "ü–✓", "..", "a//b", "diff"]


def move(tenant: Tenant, number: int, what: str, policy: str = "refunds", body: Any = None, **more: Any) -> Any:
    return tenant.full.post(f"/policies/{quote(policy, safe='')}/versions/{number}/{what}", body, **more)


def test_from_draft_to_rollback(refunds: Tenant) -> None:
    drafted = succeeded(refunds.full.post("/policies/refunds/versions", STRICT))
    assert (drafted["version"], drafted["state"]) == (2, "draft")
    assert drafted["document"]["sentences"] == STRICT["rules"]
    problem(move(refunds, 2, "activate"), 409, "policy_state")
    assert succeeded(move(refunds, 2, "confirm"))["confirmed_by"] == refunds.full.key_id
    active = succeeded(move(refunds, 2, "activate", body={}))
    assert active["state"] == "active"
    assert refunds.agent.ask(TOOL, SMALL)["decided_policy_version_id"] == active["policy_version_id"]
    versions = refunds.full.read("/policies/refunds/versions")["versions"]
    assert [(each["version"], each["state"]) for each in versions] == [(2, "active"), (1, "retired")]
    assert versions[0]["replaced"] == versions[1]["policy_version_id"]
    assert refunds.full.read("/policies/refunds/versions", limit=1, before=2)["versions"] == versions[1:]
    back = succeeded(refunds.full.post("/policies/refunds/rollback"))
    assert (back["version"], back["state"]) == (1, "active")
    assert refunds.agent.ask(TOOL, SMALL)["status"] == "approved"
    problem(refunds.full.post("/policies/refunds/rollback"), 409, "nothing_before")
    succeeded(refunds.full.post("/policies/refunds/rollback", {"version": 2}))
    succeeded(move(refunds, 2, "retire"))
    (listed,) = refunds.full.read("/policies")["policies"]
    assert (listed["newest"]["version"], listed["active"], listed["shadow"]) == (2, None, None)
    assert refunds.full.read("/policies/refunds") == listed


def test_a_document_sends_to_review_until_a_person_settles_it(refunds: Tenant) -> None:
    page = {"name": "Refund policy", "text": "# Refunds\n\nA refund is at most ten dollars.", "format": "markdown"}
    succeeded(refunds.full.post("/documents", {**page, "document_id": "refund-policy"}))
    drafted = succeeded(
        refunds.full.post("/policies/refunds/versions", {**STRICT, "sources": [{"document_id": "refund-policy"}]})
    )
    assert drafted["open_text"] == ["the document Refund policy"]
    succeeded(move(refunds, 2, "confirm"))
    succeeded(move(refunds, 2, "activate"))
    small = {"amount": 5, "currency": "USD"}
    waiting = refunds.agent.ask(TOOL, small)
    assert (waiting["status"], waiting["confidence_bucket"]) == ("pending_review", "none")
    assert "the document Refund policy" in waiting["reason"]
    problem(refunds.full.send("DELETE", "/documents/refund-policy"), 409, "document_in_use")
    drafted = succeeded(
        refunds.full.post(
            "/policies/refunds/versions", {**STRICT, "sources": [{"document_id": "refund-policy", "version": 1}]}
        )
    )
    settled = succeeded(move(refunds, drafted["version"], "confirm", body={"settle": ["refund-policy"]}))
    succeeded(move(refunds, settled["version"], "activate"))
    answer = refunds.agent.ask(TOOL, small)
    assert (answer["status"], answer["confidence_bucket"]) == ("approved", "high")


def test_the_same_key_moves_once(refunds: Tenant) -> None:
    first = refunds.full.post("/policies/refunds/versions", STRICT, once="d")
    again = refunds.full.post("/policies/refunds/versions", STRICT, once="d")
    assert (again.json(), again.headers[REPLAYED]) == (first.json(), "true")
    for what in ("confirm", "activate", "retire"):
        first, again = (move(refunds, 2, what, once=what) for _ in range(2))
        assert (again.json(), again.headers[REPLAYED]) == (first.json(), "true")


def test_what_changes(refunds: Tenant) -> None:
    succeeded(refunds.full.post("/policies/refunds/versions", STRICT))
    found = refunds.full.read("/policies/refunds/diff", **{"from": 1, "to": 2})
    assert (found["from"]["version"], found["to"]["version"]) == (1, 2)
    assert STRICT["rules"][0] in found["text"]
    assert found["changes"]
    problem(refunds.full.get("/policies/refunds/diff", **{"from": 1, "to": 3}), 404, "not_found")
    problem(refunds.full.get("/policies/refunds/diff", **{"from": 1}), 422, "invalid")


def test_a_shadow_and_its_report(refunds: Tenant) -> None:
    problem(refunds.full.get("/policies/refunds/shadow-report"), 404, "no_shadow")
    succeeded(refunds.full.post("/policies/refunds/versions", STRICT))
    succeeded(move(refunds, 2, "confirm"))
    succeeded(move(refunds, 2, "shadow"))
    asked = refunds.agent.ask(TOOL, SMALL)
    assert asked["status"] == "approved"
    (said,) = refunds.entries(limit=1)[0]["action_metadata"]["shadow"]
    assert (said["version"], said["outcome"]) == (2, "denied")
    assert refunds.agent.read("/ledger", limit=1)["entries"][0]["action_metadata"] == {}  # a protected field
    report = refunds.full.read("/policies/refunds/shadow-report", last=10)
    (difference,) = report["differences"]
    assert (difference["decided"], difference["shadow"], difference["count"]) == ("approved", "denied", 1)
    assert difference["request_ids"] == [asked["request_id"]]


def test_two_people(refunds: Tenant) -> None:
    refunds.set_reviews(two_person_activation=True)
    registered = refunds.register("refunds", **STRICT)
    assert (registered["status"], registered["state"]) == ("registered", "draft")
    assert "two people" in registered["message"]
    assert refunds.agent.ask(TOOL, SMALL)["status"] == "approved"
    succeeded(move(refunds, 2, "confirm"))
    problem(move(refunds, 2, "activate"), 403, "second_person_needed")


@pytest.mark.parametrize("policy_id", ODD_IDS)
def test_an_id_may_hold_anything_printable(tenant: Tenant, policy_id: str) -> None:
    place = "/policies/" + quote(policy_id, safe="").replace(".", "%2E")
    tenant.register(policy_id, definition="rules: [{id: all, effect: approve, when: []}]", tools=["t"])
    assert tenant.full.read(place)["policy_id"] == policy_id
    denies = {"definition": "rules: [{id: all, effect: deny, when: []}]", "tools": ["t"]}
    drafted = succeeded(tenant.full.post(f"{place}/versions", denies))
    assert (drafted["policy_id"], drafted["version"]) == (policy_id, 2)
    for what in ("confirm", "activate"):
        succeeded(tenant.full.post(f"{place}/versions/2/{what}"))
    assert tenant.agent.ask("t")["status"] == "denied"
    succeeded(tenant.full.post(f"{place}/rollback"))
    assert tenant.full.read(f"{place}/versions/1")["state"] == "active"
    assert [each["policy_id"] for each in tenant.full.read("/policies")["policies"]] == [policy_id]


@pytest.mark.parametrize("place", ["/policies/%FF", "/policies/a%00b", "/policies/nobody/versions", "/policies/x/y/z"])
def test_what_is_no_policy(module_tenant: Tenant, place: str) -> None:
    problem(module_tenant.full.get(place), 404, "not_found")


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"policy_id": "other"}, "$.policy_id"),
        ({"rules": [1]}, "$.rules[0]"),
        ({"sources": {}}, "$.sources"),
        ({"sources": [{}]}, "$.sources[0].document_id"),
        ({"sources": [{"document_id": "d", "version": "1"}]}, "$.sources[0].version"),
        ({"sources": [{"document_id": "nowhere"}]}, "$.sources[0].document_id"),
        ({"set_aside": ["never said"]}, "$.set_aside[0]"),
    ],
    ids=str,
)
def test_malformed_drafts(module_tenant: Tenant, body: dict[str, Any], path: str) -> None:
    assert problem(module_tenant.full.post("/policies/p/versions", body), 422, "invalid")["path"] == path


def test_malformed_moves(refunds: Tenant) -> None:
    for number in ("0", "x", str(2**31)):
        problem(refunds.full.get(f"/policies/refunds/versions/{number}"), 422, "invalid")
    assert problem(move(refunds, 1, "confirm", body={"set_aside": ["x"]}), 422, "invalid")["path"] == "$.set_aside[0]"
    assert problem(move(refunds, 1, "confirm", body={"settle": ["x"]}), 422, "invalid")["path"] == "$.settle[0]"
    refused = refunds.full.post("/policies/refunds/rollback", {"version": "1"})
    assert problem(refused, 422, "invalid")["path"] == "$.version"


def test_all_of_it_needs_the_scope(refunds: Tenant) -> None:
    for place in ("", "/refunds", "/refunds/versions", "/refunds/versions/1", "/refunds/shadow-report"):
        problem(refunds.agent.get(f"/policies{place}"), 403, "missing_scope")
    problem(refunds.agent.get("/policies/refunds/diff", **{"from": 1, "to": 1}), 403, "missing_scope")
    # Whoever may read the whole ledger may read what decided; whoever only asks must not learn how far they may go.
    for place in ("", "/refunds", "/refunds/versions", "/refunds/versions/1"):
        succeeded(refunds.auditor.get(f"/policies{place}"))
    succeeded(refunds.auditor.get("/policies/refunds/diff", **{"from": 1, "to": 1}))
    moves = [f"versions/1/{what}" for what in ("confirm", "activate", "shadow", "retire")]
    for place in ("versions", "rollback", *moves):
        problem(refunds.reviewer.post(f"/policies/refunds/{place}", {}), 403, "missing_scope")
    problem(refunds.full.post("/policies/refunds/versions/1/vanish"), 404, "not_found")
