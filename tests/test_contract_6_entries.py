"""Contract section 6: what entries show and hide, checked by an independent reading."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import pytest
import rfc8785

from reading import cbor, event_hash, sha256, signed_by, unbase64
from running_vault import Tenant, eventually
from wire import MEDIUM, TOOL, problem

MIDPOINTS = {"extra_high": 0.95, "high": 0.85, "medium": 0.60, "low": 0.20, "none": 0.0}
ENTRY = {
    "seq",
    "event_uuid",
    "request_id",
    "agent_id",
    "policy_id",
    "policy_version_id",
    "policy_content_hash",
    "intent_hash",
    "tool_name",
    "tool_args",
    "action_category",
    "action_metadata",
    "reason",
    "citations",
    "evidence_chunks",
    "confidence",
    "approved",
    "accepted_at",
    "canonical_version",
    "event_hash",
    "leaf_hash",
    "leaf_index",
    "checkpoint_id",
    "receipt_algorithm",
    "receipt_key_id",
    "receipt_signature",
    "receipt_payload",
    "kind",
    "intent",
}
ENTRY = {
    "seq",
    "event_uuid",
    "request_id",
    "agent_id",
    "policy_id",
    "policy_version_id",
    "policy_content_hash",
    "intent_hash",
    "tool_name",
    "tool_args",
    "action_category",
    "action_metadata",
    "reason",
    "citations",
    "evidence_chunks",
    "confidence",
    "approved",
    "accepted_at",
    "canonical_version",
    "event_hash",
    "leaf_hash",
    "leaf_index",
    "checkpoint_id",
    "receipt_algorithm",
    "receipt_key_id",
    "receipt_signature",
    "receipt_payload",
    "kind",
    "intent",
}
DECIDED = {"confidence_bucket", "decision_status"}
PROTECTED = {
    "intent_hash": "",
    "reason": "",
    "tool_args": {},
    "action_metadata": {},
    "intent": {},
    "citations": [],
    "evidence_chunks": [],
}


def test_members_and_types_of_entries(busy: Tenant) -> None:
    for entry in busy.entries():
        decided = DECIDED if entry["intent"]["request"] is not None else set()
        assert entry.keys() == ENTRY | decided
        nullable = {"leaf_index", "checkpoint_id"}
        assert all(value is not None for name, value in entry.items() if name not in nullable)
        for name in ("event_uuid", "request_id"):
            assert str(UUID(entry[name])) == entry[name]
        for name in ("event_hash", "leaf_hash", "intent_hash"):
            assert re.fullmatch("[0-9a-f]{64}", entry[name])
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", entry["accepted_at"])
        assert entry["canonical_version"] == 1
        assert entry["approved"] is (entry.get("decision_status") == "approved")
        assert entry["confidence"] == MIDPOINTS[entry.get("confidence_bucket", "none")]


def test_hashes_and_receipts_of_entries(busy: Tenant) -> None:
    for entry in busy.entries():
        assert sha256(rfc8785.dumps(entry["intent"])) == entry["intent_hash"]
        assert event_hash(entry) == entry["event_hash"]
        assert sha256(b"\0", bytes.fromhex(entry["event_hash"])) == entry["leaf_hash"]
        names = ("accepted_at", "event_hash", "event_uuid", "leaf_hash", "receipt_key_id", "request_id")
        payload = cbor({**{name: entry[name] for name in names}, "type": "event_receipt", "version": 1})
        assert unbase64(entry["receipt_payload"]) == payload
        assert entry["receipt_algorithm"] == "Ed25519"
        signed_by(busy, entry["receipt_key_id"], entry["receipt_signature"], payload)


def test_intents(busy: Tenant) -> None:
    for entry in busy.entries():
        intent = entry["intent"]
        assert intent.keys() == {
            "v",
            "salt",
            "tenant",
            "kind",
            "request_id",
            "original_request_id",
            "request",
            "decision",
            "action_category",
            "action_metadata",
            "decider",
        }
        assert (intent["v"], intent["tenant"]) == (1, busy.tenant_id)
        assert re.fullmatch("[0-9a-f]{32}", intent["salt"])
        assert intent["decider"].keys() == {"type", "id"}
        assert intent["decider"]["type"] in {"engine", "judge", "person", "key", "system"}
        for name in ("kind", "request_id", "action_category", "action_metadata"):
            assert intent[name] == entry[name]
        if intent["decision"] is None:
            assert intent["request"] is None
            continue
        assert intent["decision"].keys() == {
            "status",
            "decision_status",
            "outcome",
            "reason_code",
            "confidence_bucket",
            "minimum_confidence_bucket",
            "policy_id",
            "policy_version_id",
            "policy_content_hash",
            "snapshot_hash",
            "matched_rule_ids",
            "assumptions",
            "effective_args",
        }
        assert intent["decision"]["decision_status"] == entry["decision_status"]
        assert intent["decision"]["matched_rule_ids"] == sorted(intent["decision"]["matched_rule_ids"])
        assert intent["request"]["tool_name"] == entry["tool_name"]
    assert len({entry["intent"]["salt"] for entry in busy.entries()}) == len(busy.entries())


def test_administrative_events(busy: Tenant) -> None:
    kinds = {
        "tenant.created",
        "key.created",
        "key.revoked",
        "key.rotated",
        "policy.activated",
        "settings.changed",
        "schema.registered",
    }
    found = [entry for entry in busy.entries() if entry["intent"]["request"] is None]
    assert {entry["kind"] for entry in found} == kinds
    for entry in found:
        assert DECIDED.isdisjoint(entry)
        expected = {
            "tool_name": entry["kind"],
            "action_category": entry["kind"],
            "tool_args": {},
            "agent_id": "",
            "approved": False,
            "confidence": 0.0,
            "policy_id": "refunds" if entry["kind"] == "policy.activated" else "",
        }
        assert {name: entry[name] for name in expected} == expected
    assert len({entry["request_id"] for entry in found}) == len(found)


def test_events_carry_the_requests_id_and_mints_one_of_their_own(busy: Tenant) -> None:
    by_kind: dict[str, list[dict[str, Any]]] = {}
    for entry in busy.entries():
        by_kind.setdefault(entry["kind"], []).append(entry)
    asked = {entry["request_id"] for entry in by_kind["clearance.decided"]}
    for kind in ("review.decided", "review.cancelled_by_agent", "token.consumed"):
        assert {entry["request_id"] for entry in by_kind[kind]} <= asked
    (minted,) = by_kind["token.minted"]
    assert minted["request_id"] not in asked
    assert minted["intent"]["original_request_id"] in asked


def test_the_redacted_view(busy: Tenant) -> None:
    redacted, full = (
        busy.agent.read("/ledger", limit=500)["entries"],
        busy.auditor.read("/ledger", limit=500)["entries"],
    )
    assert len(redacted) == len(full)
    for seen, whole in zip(redacted, full, strict=True):
        assert seen == {**whole, **PROTECTED, **{name: seen[name] for name in ("leaf_index", "checkpoint_id")}}
    assert b"secret-word" not in busy.agent.get("/ledger").content
    busy.agent.ask("x", {"secret-word": "secret-word"}, session_id="secret-word", purpose="secret-word")
    assert b"secret-word" not in busy.agent.get("/ledger").content
    assert b"secret-word" in busy.reviewer.get("/ledger").content


def test_newest_first_and_gapless(busy: Tenant) -> None:
    entries = busy.entries()
    seqs = [entry["seq"] for entry in entries]
    assert seqs == sorted(seqs, reverse=True)
    assert len(set(seqs)) == len(seqs)
    moments = [entry["accepted_at"] for entry in entries]
    assert moments == sorted(moments, reverse=True)


@pytest.mark.parametrize("path", ["/ledger", "/ledger/checkpoints"])
def test_limits_are_clamped_never_refused(busy: Tenant, path: str) -> None:
    member = path.rsplit("/", 1)[1].replace("ledger", "entries")
    eventually(lambda: busy.agent.read("/ledger/checkpoints")["checkpoints"])
    for limit, most in (
        (1, 1),
        (0, 1),
        (-5, 1),
        (2, 2),
        (500, 500),
        (501, 500),
        (10**9, 500),
        (-(10**30), 1),
        (10**30, 500),
    ):
        found = busy.agent.read(path, limit=limit)[member]
        assert 1 <= len(found) <= most
    assert busy.agent.read(path)[member]
    for limit in ("abc", "", "1.5", "1e3", "NaN", "null"):
        refused = busy.agent.get(path, limit=limit)
        assert problem(refused, 422, "invalid")["path"] == "limit"


def test_reviews_have_the_same_limits(refunds: Tenant) -> None:
    for _ in range(2):
        refunds.agent.ask(TOOL, MEDIUM)
    for limit, length in ((0, 1), (-5, 1), (1, 1), (10**30, 2)):
        assert len(refunds.reviewer.read("/reviews", limit=limit)["reviews"]) == length
