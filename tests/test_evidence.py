"""Evidence that a running Vault gives, as both clients and the command line check it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ledgix_python import ClearanceRequest, ReviewPendingError

from clients import ConnectOwn, ConnectPublished, detached, own_clients, published_clients, refund
from ledgix import Ledgix, VerificationError
from running_vault import Tenant, succeeded
from wire import SMALL, TOOL

LEDGIX = str(Path(sys.executable).with_name("ledgix"))


@pytest.fixture
def published(refunds: Tenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ConnectPublished]:
    monkeypatch.chdir(tmp_path)  # the client reads `.env` from the working directory
    with published_clients(refunds) as open_one:
        yield open_one


@pytest.fixture
def own(refunds: Tenant) -> Iterator[ConnectOwn]:
    with own_clients(refunds) as open_one:
        yield open_one


@pytest.fixture
def client(own: ConnectOwn) -> Ledgix:
    return own()


@pytest.fixture
def full(own: ConnectOwn, refunds: Tenant) -> Ledgix:
    return own(refunds.full)


@pytest.fixture
def reviewer(own: ConnectOwn, refunds: Tenant) -> Ledgix:
    return own(refunds.reviewer)


# As the published client checks it


def test_fetch_ledger_redacted_and_full(published: ConnectPublished, refunds: Tenant) -> None:
    clearance = published().request_clearance(refund(45))
    redacted, full = published().fetch_ledger()[0], published(refunds.auditor).fetch_ledger()[0]
    assert redacted.event_uuid == full.event_uuid
    assert redacted.request_id == full.request_id == clearance.request_id
    assert redacted.tool_args == {}
    assert redacted.intent_hash == redacted.reason == ""
    assert full.tool_args == {"amount": 45}
    assert full.intent_hash
    assert full.confidence_bucket == clearance.confidence_bucket


@pytest.mark.parametrize("preset", ["agent", "auditor"], ids=["redacted", "full"])
def test_verify_ledger_proof_over_the_whole_log(published: ConnectPublished, refunds: Tenant, preset: str) -> None:
    asked = [published().request_clearance(refund(amount)) for amount in (45, 1.5, 99.99)]
    client = published(refunds.keys[preset])
    client.fetch_ledger_inclusion_proof(asked[-1].request_id)  # from here on a checkpoint covers everything
    entries, checkpoints = client.fetch_ledger(500), client.fetch_ledger_checkpoints(500)
    result = client.verify_ledger_proof(entries, checkpoints)
    assert result.intact, result.error
    assert result.verified_entries == checkpoints[0].tree_size == len(entries)
    assert result.verified_checkpoints == len(checkpoints)
    assert ("redacted" in (result.coverage_note or "")) is (preset == "agent")


def test_verify_ledger_proof_fetches_by_itself(published: ConnectPublished, refunds: Tenant) -> None:
    published().request_clearance(refund(45))
    result = published(refunds.auditor).verify_ledger_proof()
    assert result.intact, result.error


@pytest.mark.parametrize("preset", ["agent", "auditor"], ids=["redacted", "full"])
def test_a_proof_bundle_is_intact(published: ConnectPublished, refunds: Tenant, preset: str) -> None:
    clearance = published().request_clearance(refund(45))
    client = published(refunds.keys[preset])
    bundle = client.fetch_ledger_proof_bundle(clearance.request_id)
    assert bundle.event.request_id == clearance.request_id
    result = client.verify_ledger_proof_bundle(bundle)
    assert result.intact, result.error
    assert client.verify_ledger_proof_bundle(json.loads(bundle.model_dump_json())).intact


@pytest.mark.parametrize("preset", ["agent", "auditor"], ids=["redacted", "full"])
def test_an_altered_bundle_is_not_intact(published: ConnectPublished, refunds: Tenant, preset: str) -> None:
    clearance = published().request_clearance(refund(45))
    client = published(refunds.keys[preset])
    bundle = client.fetch_ledger_proof_bundle(clearance.request_id)
    bundle.event.accepted_at = bundle.event.accepted_at.replace("20", "19", 1)
    assert not client.verify_ledger_proof_bundle(bundle).intact


def test_every_event_of_the_path_proves(published: ConnectPublished, refunds: Tenant) -> None:
    """Also with decimals, texts beyond ASCII, nested arguments and citations inside the hashed bytes."""
    refunds.register("notes", rules=["Notes are never funny"], tools=["note"])
    args = {"text": "Grüße 🎉\u2028", "deep": [{"n": [0.1, 1e-7, -0.5, 12345678901]}], "amount": 3}
    client = published(refunds.full, review_mode="detach")
    with pytest.raises(ReviewPendingError):
        client.request_clearance(ClearanceRequest(tool_name="note", tool_args=args))
    clearance = client.request_clearance(refund(45))
    succeeded(refunds.full.consume(str(clearance.token)))
    for entry in client.fetch_ledger():
        if entry.request_id == clearance.request_id or entry.tool_name == "note":
            assert client.verify_ledger_proof_bundle(client.fetch_ledger_proof_bundle(entry.request_id)).intact


def test_published_inclusion_and_consistency_proofs(published: ConnectPublished, refunds: Tenant) -> None:
    client = published()
    first = client.fetch_ledger_inclusion_proof(client.request_clearance(refund(45)).request_id)
    second = client.fetch_ledger_inclusion_proof(client.request_clearance(refund(45)).request_id)
    assert second.checkpoint.tree_size > first.checkpoint.tree_size
    for proof in (first, second):
        assert client._verify_inclusion_proof(
            proof.leaf_hash, proof.leaf_index, proof.tree_size, proof.path, proof.checkpoint.root_hash
        )
    old, new = first.checkpoint, second.checkpoint
    consistency = client.fetch_ledger_consistency_proof(old.checkpoint_id, new.checkpoint_id)
    assert client._verify_consistency_proof(
        old.tree_size, new.tree_size, old.root_hash, new.root_hash, consistency.path
    )
    assert client.fetch_ledger_consistency_proof(new.checkpoint_id, new.checkpoint_id).path == []
    assert client.fetch_ledger_manifests()[0].checkpoint_id >= new.checkpoint_id


# As our client and the command line check it


def test_ledger_and_proofs(client: Ledgix, full: Ledgix) -> None:
    first = client.request_clearance(TOOL, SMALL)
    proof = full.inclusion_proof(first.request_id)
    full.consume(str(first.token))
    consumed = full.ledger(limit=1)[0]
    assert (consumed.kind, consumed.request_id) == ("token.consumed", first.request_id)
    newer = full.inclusion_proof(event_uuid=consumed.event_uuid)
    old, new = proof.checkpoint.checkpoint_id, newer.checkpoint.checkpoint_id
    assert full.consistency_proof(old, new).path
    assert full.checkpoints(limit=1)[0].checkpoint_id >= new
    verified = full.verify_ledger()
    assert verified.intact, verified.error
    assert verified.verified_entries >= proof.tree_size


@pytest.mark.parametrize("preset", ["agent", "auditor"], ids=["redacted", "full"])
def test_a_bundle_passes_the_command_line(own: ConnectOwn, refunds: Tenant, preset: str, tmp_path: Path) -> None:
    clearance = own().request_clearance(TOOL, SMALL)
    bundle = own(refunds.keys[preset]).proof_bundle(clearance.request_id)
    assert bundle.report is not None
    assert bundle.report.redacted is (preset == "agent")
    file = tmp_path / "bundle.json"
    file.write_bytes(bundle.raw)
    good = verify_by_command_line(file)
    assert good.returncode == 0, good.stdout + good.stderr
    assert json.loads(good.stdout)["intact"] is True
    file.write_bytes(bundle.raw.replace(b'"tool_name":"stripe_refund"', b'"tool_name":"stripe_refunD"', 1))
    if preset == "auditor":  # a redacted view does not prove the tool's name
        bad = verify_by_command_line(file)
        assert bad.returncode == 1
        assert json.loads(bad.stdout)["intact"] is False


def test_a_bundle_of_every_kind_of_event(client: Ledgix, full: Ledgix, reviewer: Ledgix) -> None:
    """Requests, reviews, cancels, mints, consumption, and what administrators do."""
    approved = client.request_clearance(TOOL, {"amount": 45, "note": "Grüße 🎉", "rate": 0.1})
    full.consume(str(client.mint(approved).token))
    for verdict in (True, False):
        reviewer.decide_review(detached(client).request_id, approved=verdict)
    detached(client).cancel()
    full.set_review_settings(separation_of_duties=True)
    full.register_tool_schema("x", {"type": "object"})
    entries = full.ledger(500)
    assert {entry.kind for entry in entries} == {
        "clearance.decided",
        "key.created",
        "key.revoked",
        "key.rotated",
        "policy.activated",
        "review.cancelled_by_agent",
        "review.decided",
        "schema.registered",
        "settings.changed",
        "tenant.created",
        "token.consumed",
        "token.minted",
    }
    for entry in entries:
        bundle = full.proof_bundle(event_uuid=entry.event_uuid)  # raises VerificationError if a step fails
        assert bundle.report is not None
        assert bundle.report.kind == entry.kind


def test_the_deepest_and_the_largest_arguments(client: Ledgix, full: Ledgix, reviewer: Ledgix) -> None:
    """What the Vault takes in, it can also show, and every reader can read: answers are deeper than requests."""
    deep: dict[str, object] = {}
    for _ in range(30):  # the body itself and `tool_args` are the other two levels
        deep = {"d": deep}
    large = {"text": "\x01" * 40_000}  # six bytes each
    for args in (deep, large):
        review = detached(client, args=args, accepts=["changed_args"])
        assert next(full.reviews()).answer["tool_args"] == args
        reviewer.decide_review(review.request_id, approved=True, effective_args=args)
        approved = review.wait()
        assert approved.effective_args == args
        full.consume(str(approved.token), tool_args=args)
        assert full.ledger(limit=1)[0].answer["tool_args"] == args
        assert full.proof_bundle(review.request_id).report is not None


def test_a_pinned_key_that_is_not_the_logs(client: Ledgix) -> None:
    clearance = client.request_clearance(TOOL, SMALL)
    with pytest.raises(VerificationError):
        client.proof_bundle(clearance.request_id, pinned_keys=["another"])


def verify_by_command_line(file: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LEDGIX, "verify", str(file), "--json"], capture_output=True, text=True, timeout=60, check=False
    )
