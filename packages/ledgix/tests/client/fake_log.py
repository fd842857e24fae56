"""The log of the Vault in memory: real events, receipts, checkpoints and proofs."""

from __future__ import annotations

import uuid
from typing import Any

from ledgix.formats import bundles, checkpoints, events, receipts, tree
from ledgix.formats.bundles import KeyRecord
from ledgix.formats.keys import PrivateKey

TENANT = "acme"
ACCEPTED_AT = "2026-01-01T00:00:00.000000Z"
UNSAID = {
    **dict.fromkeys(("human_principal", "parent_jti", "destination_uri", "destination_provider", "data_categories")),
    **dict.fromkeys(("destination_account_ref", "purpose", "processing_register_ref", "dataset_ref")),
    "accepts": [],
}


class FakeLog:
    def __init__(self) -> None:
        self.ledger_key = PrivateKey.from_seed(b"l" * 32)
        self.log: list[tuple[events.SealedEvent, int]] = []

    def record(self, asked: Any) -> None:
        status = {"pending": "pending_review"}.get(asked.outcome, asked.outcome)
        decision = events.build_decision(
            status=status,
            decision_status="approved_pending_review" if asked.outcome == "pending" else status,
            outcome=asked.outcome,
            reason_code=asked.reason_code,
            confidence_bucket="extra_high",
            minimum_confidence_bucket="high",
            policy_id="refunds",
            policy_version_id=None,
            policy_content_hash=None,
            snapshot_hash="00" * 32,
            matched_rule_ids=[],
            assumptions=[],
            effective_args=asked.effective_args,
        )
        intent = events.build_intent(
            salt=uuid.uuid4().hex,
            tenant=TENANT,
            kind="clearance.decided",
            request_id=asked.request_id,
            request={**UNSAID, **asked.body},
            decision=decision,
            action_category="clearance.decided",
            action_metadata={},
            decider_type="engine",
            decider_id="",
        )
        event = events.Event(str(uuid.uuid4()), ACCEPTED_AT, asked.reason, intent)
        self.log.append((events.seal(event), len(self.log)))

    def tile(self, level: int, index: int, width: int) -> bytes:
        assert (level, index) == (0, 0)
        return b"".join(sealed.leaf_hash for sealed, _ in self.log[:width])

    def entry(self, index: int) -> dict:
        sealed, seq = self.log[index]
        event = sealed.event
        receipt = receipts.sign(
            sealed.event_hash,
            sealed.leaf_hash,
            event.event_uuid,
            event.intent["request_id"],
            event.accepted_at,
            self.ledger_key,
        )
        return events.entry(sealed, seq=seq, leaf_index=index, checkpoint_id=1, receipt=receipt)

    def checkpoint(self, size: int) -> checkpoints.Checkpoint:
        root = tree.root_at(size, self).hex()
        return checkpoints.sign(size, size, root, "", ACCEPTED_AT, 30, self.ledger_key)

    def inclusion(self, request_id: str) -> bundles.InclusionProof:
        index = next(i for i, (sealed, _) in enumerate(self.log) if sealed.event.intent["request_id"] == request_id)
        path = tree.inclusion_proof(index, len(self.log), self)
        return bundles.inclusion(self.entry(index), path, self.checkpoint(len(self.log)), index)

    def bundle(self, request_id: str) -> dict:
        inclusion = self.inclusion(request_id)
        record = KeyRecord(self.ledger_key.public, ACCEPTED_AT)
        return bundles.bundle(self.entry(inclusion.leaf_index), inclusion, None, [record])
