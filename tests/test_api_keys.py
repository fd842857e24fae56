"""API keys through the API: handing out, rotating and revoking, each by who may."""

from __future__ import annotations

from typing import Any

import pytest

from running_vault import Key, Tenant, succeeded
from wire import REPLAYED, SMALL, TOOL, moment, problem

AGENT = {"name": "bot", "preset": "agent"}


def hand_out(tenant: Tenant, **wanted: Any) -> tuple[dict[str, Any], Key]:
    """A new key: what the answer says, and the key itself."""
    made = succeeded(tenant.full.post("/api-keys", {**AGENT, **wanted}))
    return made, tenant.vault.key(made["api_key"], made["key_id"])


def listed(tenant: Tenant) -> dict[str, dict[str, Any]]:
    return {each["key_id"]: each for each in tenant.full.read("/api-keys")["api_keys"]}


def test_a_key_is_shown_once_and_works_at_once(refunds: Tenant) -> None:
    made, key = hand_out(refunds, agent_ids=["billing-*"], expires_in_days=30)
    assert (made["preset"], made["scopes"], made["state"]) == ("agent", ["clearance", "ledger"], "active")
    assert (moment(made["expires_at"]) - moment(made["created_at"])).days in (29, 30)
    assert key.ask(TOOL, SMALL, agent_id="billing-1")["status"] == "approved"
    problem(key.post("/request-clearance", {"tool_name": TOOL, "agent_id": "sales"}), 403, "agent_not_allowed")
    row = listed(refunds)[made["key_id"]]
    assert row["last_used_at"] >= made["created_at"]
    for text in (str(listed(refunds)), str(refunds.entries()), refunds.vault.log()):
        assert made["api_key"] not in text
    (event,) = [each for each in refunds.events("key.created") if each["action_metadata"]["key_id"] == made["key_id"]]
    assert event["action_metadata"]["expires_at"] == made["expires_at"]
    assert event["intent"]["decider"] == {"type": "key", "id": refunds.full.key_id}


def test_a_replay_names_the_key_without_its_secret(tenant: Tenant) -> None:
    answers = [tenant.full.post("/api-keys", AGENT, once="once") for _ in range(2)]
    first, again = map(succeeded, answers)
    assert first["key_id"] == again["key_id"]
    assert "api_key" in first
    assert "api_key" not in again
    assert answers[1].headers[REPLAYED] == "true"
    problem(tenant.full.post("/api-keys", {**AGENT, "name": "another"}, once="once"), 422, "idempotency_key_reused")


def test_a_rotated_key_owns_what_the_old_one_asked(refunds: Tenant) -> None:
    made, old = hand_out(refunds, scopes=["clearance"], preset=None)
    asked = old.ask(TOOL, SMALL)
    answer = succeeded(refunds.full.post(f"/api-keys/{made['key_id']}/rotate", {"overlap_seconds": 3600}))
    fresh = refunds.vault.key(answer["api_key"])
    assert (answer["replaces"], answer["scopes"], answer["preset"]) == (made["key_id"], ["clearance"], None)
    assert fresh.status(asked["request_id"])["token"] == asked["token"]
    assert old.status(asked["request_id"])["token"] == asked["token"]
    old_row = listed(refunds)[made["key_id"]]
    assert old_row["state"] == "active"
    assert 3590 < (moment(old_row["expires_at"]) - moment(answer["created_at"])).total_seconds() <= 3600
    succeeded(refunds.full.post(f"/api-keys/{made['key_id']}/rotate", {"overlap_seconds": 0}))
    problem(old.get("/ledger"), 401, "unauthenticated")
    assert listed(refunds)[made["key_id"]]["state"] == "expired"
    problem(refunds.full.post(f"/api-keys/{made['key_id']}/rotate"), 409, "key_expired")
    for wrong in (-1, "x", 1.5, True):
        path = f"/api-keys/{answer['key_id']}/rotate"
        assert (
            problem(refunds.full.post(path, {"overlap_seconds": wrong}), 422, "invalid")["path"] == "$.overlap_seconds"
        )


def test_a_revoked_key_is_unknown_at_once(tenant: Tenant) -> None:
    for method, path in (("POST", "/api-keys/{}/revoke"), ("DELETE", "/api-keys/{}")):
        made, key = hand_out(tenant)
        key.read("/ledger")
        ended = [succeeded(tenant.full.send(method, path.format(made["key_id"]))) for _ in range(2)]
        assert ended[0] == ended[1]
        assert ended[0]["state"] == "revoked"
        problem(key.get("/ledger"), 401, "unauthenticated")
        problem(tenant.full.post(f"/api-keys/{made['key_id']}/rotate"), 409, "key_revoked")
    assert len(tenant.events("key.revoked")) == 3  # one came with the tenant


def test_nobody_hands_out_what_they_lack(tenant: Tenant) -> None:
    for name in ("agent", "gateway", "reviewer", "auditor"):
        asking = tenant.keys[name]
        for answer in (
            asking.get("/api-keys"),
            asking.post("/api-keys", AGENT),
            asking.post(f"/api-keys/{tenant.agent_2.key_id}/rotate"),
            asking.post(f"/api-keys/{tenant.agent_2.key_id}/revoke"),
        ):
            assert problem(answer, 403, "missing_scope")["scope"] == "settings"
    _, manager = hand_out(tenant, preset=None, scopes=["settings", "clearance"])
    succeeded(manager.post("/api-keys", {"name": "x", "scopes": ["clearance"]}))
    assert problem(manager.post("/api-keys", AGENT), 403, "missing_scope")["scope"] == "ledger"
    for verb in ("rotate", "revoke"):
        refused = problem(manager.post(f"/api-keys/{tenant.reviewer.key_id}/{verb}"), 403, "missing_scope")
        assert refused["scope"] == "ledger"
    assert tenant.reviewer.get("/ledger").status_code == 200


@pytest.mark.parametrize(
    ("wanted", "path"),
    [
        ({"preset": "agent"}, "$.name"),
        ({"name": "x"}, "$.preset"),
        ({"name": "x", "preset": "agent", "scopes": ["ledger"]}, "$.preset"),
        ({"name": "x", "preset": "everything"}, "$.preset"),
        ({"name": "x", "preset": 7}, "$.preset"),
        ({"name": "x", "scopes": ["everything"]}, "$.scopes"),
        ({"name": "x", "scopes": "ledger"}, "$.scopes"),
        ({"name": "x", "scopes": [7]}, "$.scopes"),
        ({**AGENT, "agent_ids": "x"}, "$.agent_ids"),
        ({**AGENT, "agent_ids": [7]}, "$.agent_ids"),
        ({**AGENT, "expires_in_days": 0}, "$.expires_in_days"),
        ({**AGENT, "expires_in_days": True}, "$.expires_in_days"),
        ({**AGENT, "expires_in_days": "90"}, "$.expires_in_days"),
        ({**AGENT, "expires_in_days": 9, "expires_at": "2030-01-01T00:00:00Z"}, "$.expires_at"),
        ({**AGENT, "expires_at": "2020-01-01T00:00:00Z"}, "$.expires_at"),
        ({**AGENT, "expires_at": "2030-01-01"}, "$.expires_at"),
        ({**AGENT, "expires_at": "2030-02-31T00:00:00Z"}, "$.expires_at"),
        ({**AGENT, "expires_at": "0001-01-01T00:00:00+23:59"}, "$.expires_at"),
        ({**AGENT, "expires_at": 7}, "$.expires_at"),
    ],
)
def test_what_is_no_key(module_tenant: Tenant, wanted: dict[str, Any], path: str) -> None:
    assert problem(module_tenant.full.post("/api-keys", wanted), 422, "invalid")["path"] == path


def test_an_end_is_said_in_any_offset(tenant: Tenant) -> None:
    made, _ = hand_out(tenant, expires_at="2030-01-01T02:00:00+02:00")
    assert made["expires_at"] == "2030-01-01T00:00:00.000000Z"
