"""The ledger, its proofs and keys, and health."""

from __future__ import annotations

from ledgix.formats.events import EventKind
from ledgix_vault.web.api.components.terms import (
    BOOLEAN,
    BUCKET,
    HASH,
    INTEGER,
    MOMENT,
    NUMBER,
    OBJECT,
    STRING,
    UUID,
    Schema,
    a_list,
    an_object,
    one_of,
    or_null,
    ref,
)

SHAPES: dict[str, Schema] = {
    "LedgerEntry": an_object(
        {
            "seq": INTEGER,
            "event_uuid": UUID,
            "request_id": UUID,
            "kind": one_of(*EventKind),
            "agent_id": STRING,
            "policy_id": STRING,
            "policy_version_id": STRING,
            "policy_content_hash": HASH,
            "intent_hash": HASH,
            "tool_name": STRING,
            "tool_args": OBJECT,
            "action_category": STRING,
            "action_metadata": OBJECT,
            "reason": STRING,
            "citations": a_list(OBJECT),
            "evidence_chunks": a_list(OBJECT),
            "confidence": NUMBER,
            "approved": BOOLEAN,
            "accepted_at": MOMENT,
            "canonical_version": INTEGER,
            "event_hash": HASH,
            "leaf_hash": HASH,
            "leaf_index": or_null(INTEGER),
            "checkpoint_id": or_null(INTEGER),
            "receipt_algorithm": one_of("Ed25519"),
            "receipt_key_id": STRING,
            "receipt_signature": STRING,
            "receipt_payload": STRING,
            "intent": OBJECT,
        },
        {
            "confidence_bucket": BUCKET,
            "decision_status": one_of("approved", "denied", "approved_pending_review"),
        },
    ),
    "LedgerEntries": an_object({"entries": a_list(ref("LedgerEntry"))}),
    "Checkpoint": an_object(
        {
            "checkpoint_id": INTEGER,
            "microblock_id": INTEGER,
            "tree_size": INTEGER,
            "root_hash": HASH,
            "checkpoint_hash": HASH,
            "prev_checkpoint_hash": HASH,
            "signature_algorithm": one_of("Ed25519"),
            "signer_key_id": STRING,
            "checkpoint_signature": STRING,
            "checkpoint_payload": STRING,
            "signed_at": MOMENT,
            "mmd_seconds": INTEGER,
            "export_target": STRING,
            "export_uri": STRING,
            "export_status": STRING,
        },
        {"exported_at": MOMENT},
    ),
    "Checkpoints": an_object({"checkpoints": a_list(ref("Checkpoint"))}),
    "LedgerCheck": an_object(
        {"intact": BOOLEAN, "verified_entries": INTEGER, "verified_checkpoints": INTEGER},
        {"latest_leaf_hash": HASH, "latest_checkpoint_hash": HASH, "error": STRING},
    ),
    "InclusionProof": an_object(
        {
            "event_uuid": UUID,
            "request_id": UUID,
            "event_hash": HASH,
            "leaf_hash": HASH,
            "leaf_index": INTEGER,
            "tree_size": INTEGER,
            "path": a_list(HASH),
            "checkpoint": ref("Checkpoint"),
        }
    ),
    "ConsistencyProof": an_object(
        {"from_checkpoint": ref("Checkpoint"), "to_checkpoint": ref("Checkpoint"), "path": a_list(HASH)}
    ),
    "ProofBundle": an_object(
        {
            "event": ref("LedgerEntry"),
            "inclusion": ref("InclusionProof"),
            "keys": a_list(ref("LedgerKey")),
            "related": a_list(an_object({"event_uuid": UUID, "kind": one_of(*EventKind)})),
        },
        {"consistency": ref("ConsistencyProof")},
    ),
    "Health": an_object({"status": STRING}),
    "LedgerKey": an_object(
        {
            "key_id": STRING,
            "algorithm": one_of("Ed25519"),
            "public_jwk": STRING,
            "active_from": MOMENT,
            "attestation_payload": STRING,
            "attestation_signature": STRING,
            "attestation_key_id": STRING,
            "attestation_status": one_of("initial", "attested"),
        },
        {"retired_at": MOMENT},
    ),
    "KeySet": an_object({"keys": a_list(ref("JsonWebKey"))}),
    "JsonWebKey": an_object(
        {
            "kty": one_of("OKP"),
            "crv": one_of("Ed25519"),
            "x": STRING,
            "kid": STRING,
            "use": one_of("sig"),
            "alg": one_of("EdDSA"),
        }
    ),
}
