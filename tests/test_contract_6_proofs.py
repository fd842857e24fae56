"""Contract section 6: checkpoints and proofs, checked by an independent reading."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from reading import PROTECTED, cbor, climbed, root, sha256, signed_by, unbase64
from running_vault import RunningVault, Tenant, eventually, succeeded
from wire import MEDIUM, TOOL, UNKNOWN, problem

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
