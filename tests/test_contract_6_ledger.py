"""Contract section 6: what the ledger shows, and that it can be proven, checked by an independent reading."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import cbor2
import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from running_vault import RunningVault, Tenant, eventually, succeeded
from wire import LARGE, MEDIUM, SMALL, TOOL, UNKNOWN, mint, problem

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
CHECKPOINT = {
    "checkpoint_id",
    "microblock_id",
    "tree_size",
    "root_hash",
    "checkpoint_hash",
    "prev_checkpoint_hash",
    "signature_algorithm",
    "signer_key_id",
    "checkpoint_signature",
    "checkpoint_payload",
    "signed_at",
    "mmd_seconds",
    "export_target",
    "export_uri",
    "export_status",
}
FreshVault = Callable[..., tuple[RunningVault, list[Tenant]]]
PROOFS = ("/ledger/proof/inclusion", "/ledger/proof/bundle")


@pytest.fixture
def busy(refunds: Tenant) -> Tenant:
    """A tenant whose log has every kind of event that section 6 tells apart."""
    approved = refunds.agent.ask(TOOL, {"amount": 45, "rate": 0.1, "note": "Grüße"}, session_id="s")
    succeeded(refunds.gateway.consume(approved["token"]))
    succeeded(mint(refunds, refunds.agent.ask(TOOL, SMALL)["request_id"]))
    refunds.agent.ask(TOOL, LARGE)
    for decision in (True, False):
        succeeded(refunds.reviewer.decide(refunds.agent.ask(TOOL, MEDIUM)["request_id"], approved=decision))
    succeeded(refunds.agent.decide(refunds.agent.ask(TOOL, MEDIUM)["request_id"], approved=False))
    refunds.set_reviews(quorum=2)
    succeeded(refunds.full.put("/tool-schemas/x", {"type": "object"}))
    return refunds


# An independent reading of the section's last part


def unbase64(text: str) -> bytes:
    assert "=" not in text
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def cbor(value: dict[str, Any]) -> bytes:
    def ordered(item: Any) -> Any:
        if isinstance(item, dict):
            return {key: ordered(item[key]) for key in sorted(item, key=lambda key: (len(key), key))}
        return [ordered(each) for each in item] if isinstance(item, list) else item

    return cbor2.dumps(ordered(value))


def doubles(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: doubles(item) for key, item in value.items()}
    if isinstance(value, list):
        return [doubles(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def event_hash(entry: dict[str, Any]) -> str:
    names = ("accepted_at", "agent_id", "approved", "canonical_version", "event_uuid", "intent_hash", "policy_id")
    plain = {name: entry[name] for name in (*names, "reason", "request_id", "tool_name")}
    numbers = {name: doubles(entry[name]) for name in ("citations", "evidence_chunks", "tool_args")}
    payload = cbor({**plain, **numbers, "confidence": float(entry["confidence"])})
    return hashlib.sha256(b"ledgix.audit.event.v1\0" + payload).hexdigest()


def sha256(*parts: bytes) -> str:
    return hashlib.sha256(b"".join(parts)).hexdigest()


def root(leaves: list[str]) -> str:
    if len(leaves) <= 1:
        return leaves[0] if leaves else ""
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha256(b"\1", bytes.fromhex(root(leaves[:split])), bytes.fromhex(root(leaves[split:])))


def signed_by(tenant: Tenant, key_id: str, signature: str, payload: bytes) -> None:
    keys = {key["kid"]: key for key in tenant.agent.read("/.well-known/jwks.json")["keys"]}
    Ed25519PublicKey.from_public_bytes(unbase64(keys[key_id]["x"])).verify(unbase64(signature), payload)


# Entries


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


# Checkpoints and proofs


def covered(tenant: Tenant) -> list[dict[str, Any]]:
    """All entries, once a checkpoint covers every one of them."""

    def look() -> list[dict[str, Any]] | None:
        entries = tenant.entries()
        return entries if all(entry["checkpoint_id"] is not None for entry in entries) else None

    return eventually(look)


def test_a_checkpoint_covers_everything_by_itself_soon(busy: Tenant) -> None:
    entries = covered(busy)
    assert [entry["leaf_index"] for entry in entries] == list(range(len(entries)))[::-1]
    newest = busy.agent.read("/ledger/checkpoints", limit=1)["checkpoints"][0]
    assert newest["tree_size"] == len(entries)
    assert newest["root_hash"] == root([entry["leaf_hash"] for entry in reversed(entries)])


def test_before_its_checkpoint_an_entry_has_no_place(fresh_vault: FreshVault) -> None:
    """On a Vault that signs once a minute, and at once when a proof is asked for."""
    _, (tenant,) = fresh_vault(checkpoint_interval=60, mmd_seconds=120)
    asked = tenant.agent.ask("x")["request_id"]
    assert all(entry["leaf_index"] is entry["checkpoint_id"] is None for entry in tenant.entries())
    assert tenant.agent.read("/ledger/checkpoints")["checkpoints"] == []
    verified = tenant.agent.read("/ledger/verify")
    assert (verified["intact"], verified["verified_checkpoints"]) == (True, 0)
    assert verified["verified_entries"] == len(tenant.entries())
    assert "latest_checkpoint_hash" not in verified
    problem(tenant.agent.get("/ledger/proof/consistency?from=1&to=1"), 404, "not_found")
    proof = tenant.agent.read("/ledger/proof/inclusion", request_id=asked)
    entry = tenant.entries()[0]
    assert (entry["leaf_index"], entry["checkpoint_id"]) == (proof["leaf_index"], 1)
    tenant.agent.ask("x")
    assert tenant.entries()[0]["leaf_index"] is None
    assert tenant.entries()[1]["leaf_index"] == proof["leaf_index"]


def test_no_growth_no_checkpoint(busy: Tenant) -> None:
    covered(busy)
    before = busy.agent.read("/ledger/checkpoints")
    for entry in busy.entries()[:3]:
        busy.agent.read("/ledger/proof/inclusion", event_uuid=entry["event_uuid"])
    assert busy.agent.read("/ledger/checkpoints") == before


def test_checkpoints_are_signed_and_chained(busy: Tenant) -> None:
    busy.agent.read("/ledger/proof/inclusion", request_id=busy.agent.ask("x")["request_id"])
    checkpoints = busy.agent.read("/ledger/checkpoints", limit=500)["checkpoints"][::-1]
    assert [each["checkpoint_id"] for each in checkpoints] == list(range(1, len(checkpoints) + 1))
    previous, size = "", 0
    for each in checkpoints:
        assert each.keys() == CHECKPOINT
        assert each["prev_checkpoint_hash"] == previous
        assert each["tree_size"] > size
        names = ("mmd_seconds", "prev_checkpoint_hash", "root_hash", "signed_at", "tree_size")
        stated = {"export_targets": [], "key_id": each["signer_key_id"], "type": "checkpoint", "version": 1}
        payload = cbor({**{name: each[name] for name in names}, **stated})
        assert unbase64(each["checkpoint_payload"]) == payload
        assert sha256(b"ledgix.audit.checkpoint.v1\0", payload) == each["checkpoint_hash"]
        assert (each["signature_algorithm"], each["mmd_seconds"]) == ("Ed25519", 30)
        assert each["export_target"] == each["export_uri"] == ""
        signed_by(busy, each["signer_key_id"], each["checkpoint_signature"], payload)
        previous, size = each["checkpoint_hash"], each["tree_size"]


def test_verify(busy: Tenant) -> None:
    entries = covered(busy)
    newest = busy.agent.read("/ledger/checkpoints", limit=1)["checkpoints"][0]
    assert busy.agent.read("/ledger/verify") == {
        "intact": True,
        "verified_entries": len(entries),
        "verified_checkpoints": newest["checkpoint_id"],
        "latest_leaf_hash": entries[0]["leaf_hash"],
        "latest_checkpoint_hash": newest["checkpoint_hash"],
    }


def test_inclusion(busy: Tenant) -> None:
    for entry in covered(busy):
        proof = busy.agent.read("/ledger/proof/inclusion", event_uuid=entry["event_uuid"])
        assert proof.keys() == {
            "event_uuid",
            "request_id",
            "event_hash",
            "leaf_hash",
            "leaf_index",
            "tree_size",
            "path",
            "checkpoint",
        }
        for name in ("event_uuid", "request_id", "event_hash", "leaf_hash", "leaf_index"):
            assert proof[name] == entry[name]
        assert proof["tree_size"] == proof["checkpoint"]["tree_size"]
        assert climbed(proof) == proof["checkpoint"]["root_hash"]


def climbed(proof: dict[str, Any]) -> str:
    """The root that a path leads to (RFC 9162, section 2.1.3.2)."""
    index, last, found = proof["leaf_index"], proof["tree_size"] - 1, bytes.fromhex(proof["leaf_hash"])
    for sibling in map(bytes.fromhex, proof["path"]):
        if index & 1 or index == last:
            found = bytes.fromhex(sha256(b"\1", sibling, found))
            while index and not index & 1:
                index, last = index >> 1, last >> 1
        else:
            found = bytes.fromhex(sha256(b"\1", found, sibling))
        index, last = index >> 1, last >> 1
    return found.hex()


def test_a_proof_of_a_request_is_that_of_its_newest_decision(refunds: Tenant) -> None:
    asked = refunds.agent.ask(TOOL, MEDIUM)["request_id"]

    def proven() -> str:
        bundle = refunds.auditor.read("/ledger/proof/bundle", request_id=asked)
        inclusion = refunds.auditor.read("/ledger/proof/inclusion", request_id=asked)
        assert bundle["event"]["event_uuid"] == bundle["inclusion"]["event_uuid"] == inclusion["event_uuid"]
        return str(bundle["event"]["kind"])

    assert proven() == "clearance.decided"
    succeeded(refunds.reviewer.decide(asked, approved=True))
    assert proven() == "review.decided"
    succeeded(refunds.gateway.consume(refunds.agent.status(asked)["token"]))
    assert proven() == "review.decided"
    bundle = refunds.auditor.read("/ledger/proof/bundle", request_id=asked)
    related = {each["kind"]: each["event_uuid"] for each in bundle["related"]}
    assert related.keys() == {"clearance.decided", "token.consumed"}
    for kind, event_uuid in related.items():
        other = refunds.auditor.read("/ledger/proof/bundle", event_uuid=event_uuid)
        assert (other["event"]["kind"], other["event"]["request_id"]) == (kind, asked)


def test_bundles(busy: Tenant) -> None:
    entry = covered(busy)[0]
    bundle = busy.auditor.read("/ledger/proof/bundle", event_uuid=entry["event_uuid"])
    assert bundle.keys() == {"event", "inclusion", "keys", "related"}  # no consistency: the checkpoint is the newest
    assert bundle["event"] == entry
    assert busy.agent.read("/ledger/proof/bundle", event_uuid=entry["event_uuid"])["event"] == {**entry, **PROTECTED}
    (key,) = bundle["keys"]
    assert key.keys() == {
        "key_id",
        "algorithm",
        "public_jwk",
        "active_from",
        "attestation_payload",
        "attestation_signature",
        "attestation_key_id",
        "attestation_status",
    }
    assert key["key_id"] == entry["receipt_key_id"]
    jwk = json.loads(unbase64(key["public_jwk"]))
    assert jwk in busy.agent.read("/.well-known/jwks.json")["keys"]
    assert all(value is not None for value in key.values())


def test_consistency(busy: Tenant) -> None:
    first = covered(busy)
    old = busy.agent.read("/ledger/checkpoints", limit=1)["checkpoints"][0]
    proof = busy.agent.read("/ledger/proof/inclusion", request_id=busy.agent.ask("x")["request_id"])
    new = proof["checkpoint"]
    answer = busy.agent.read("/ledger/proof/consistency", **{"from": old["checkpoint_id"], "to": new["checkpoint_id"]})
    assert answer.keys() == {"from_checkpoint", "to_checkpoint", "path"}
    assert (answer["from_checkpoint"], answer["to_checkpoint"]) == (old, new)
    assert answer["path"]
    assert old["tree_size"] == len(first)
    same = busy.agent.read("/ledger/proof/consistency", **{"from": new["checkpoint_id"], "to": new["checkpoint_id"]})
    assert same == {"from_checkpoint": new, "to_checkpoint": new, "path": []}


@pytest.mark.parametrize(
    ("query", "status", "path"),
    [
        ("from=2&to=1", 422, "from"),
        ("from=1", 422, "to"),
        ("to=1", 422, "from"),
        ("", 422, "from"),
        ("from=0&to=1", 422, "from"),
        ("from=-1&to=1", 422, "from"),
        ("from=a&to=1", 422, "from"),
        ("from=1&to=1.5", 422, "to"),
        ("from=1&to=99999999999999999999", 422, "to"),
        ("from=1&to=9007199254740991", 404, None),
        ("from=1000000&to=1000000", 404, None),
    ],
)
def test_consistency_that_there_is_not(module_tenant: Tenant, query: str, status: int, path: str | None) -> None:
    response = module_tenant.agent.get(f"/ledger/proof/consistency?{query}")
    body = problem(response, status, "invalid" if status == 422 else "not_found")
    assert body.get("path") == path


@pytest.mark.parametrize("path", PROOFS)
def test_proofs_that_there_are_not(module_tenant: Tenant, path: str) -> None:
    for identifier in (UNKNOWN, str(uuid4()), "x", "\0", "%", "x" * 5000):
        for name in ("request_id", "event_uuid"):
            problem(module_tenant.agent.get(path, **{name: identifier}), 404, "not_found")
    for nothing in ({}, {"request_id": ""}, {"event_uuid": ""}):
        problem(module_tenant.agent.get(path, **nothing), 422, "invalid")


def test_one_log_for_each_tenant(busy: Tenant, other: Tenant) -> None:
    foreign = {entry["event_uuid"] for entry in other.entries()}
    own = {entry["event_uuid"] for entry in busy.entries()}
    assert foreign
    assert own.isdisjoint(foreign)
    assert {entry["intent"]["tenant"] for entry in other.entries()} == {other.tenant_id}
    assert other.entries()[0]["receipt_key_id"] != busy.entries()[0]["receipt_key_id"]
