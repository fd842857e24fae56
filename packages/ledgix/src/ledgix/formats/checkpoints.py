"""Checkpoints: signed, chained statements of the log's size and root (contract section 6).

Invariants:

- A checkpoint's signature covers size, root, time, merge delay, the key and the hash of the checkpoint before it.
- Its hash is taken over the same bytes that are signed. `checkpoint_id`, `microblock_id` and the export members except
  `export_target` are labels: no signature covers them.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Self

from ledgix.errors import FormatError, VerificationError
from ledgix.formats import cbor, members
from ledgix.formats.json import JsonObject
from ledgix.formats.keys import PrivateKey, PublicKey, b64url, unb64url

ALGORITHM = "Ed25519"
_DOMAIN = b"ledgix.audit.checkpoint.v1\0"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One checkpoint with its signed bytes. Hashes are hex; `prev_checkpoint_hash` is `""` for a log's first."""

    checkpoint_id: int
    microblock_id: int
    tree_size: int
    root_hash: str
    prev_checkpoint_hash: str
    signed_at: str
    mmd_seconds: int
    signer_key_id: str
    signature: bytes
    payload: bytes
    checkpoint_hash: str
    export_target: str = ""
    export_uri: str = ""
    export_status: str = ""
    exported_at: str = ""

    def to_json(self) -> JsonObject:
        """The checkpoint as the wire has it; `exported_at` is left out until there is one."""
        found: JsonObject = {
            "checkpoint_id": self.checkpoint_id,
            "microblock_id": self.microblock_id,
            "tree_size": self.tree_size,
            "root_hash": self.root_hash,
            "checkpoint_hash": self.checkpoint_hash,
            "prev_checkpoint_hash": self.prev_checkpoint_hash,
            "signature_algorithm": ALGORITHM,
            "signer_key_id": self.signer_key_id,
            "checkpoint_signature": b64url(self.signature),
            "checkpoint_payload": b64url(self.payload),
            "signed_at": self.signed_at,
            "mmd_seconds": self.mmd_seconds,
            "export_target": self.export_target,
            "export_uri": self.export_uri,
            "export_status": self.export_status,
        }
        if self.exported_at:
            found["exported_at"] = self.exported_at
        return found

    @classmethod
    def from_json(cls, source: JsonObject) -> Self:
        """The checkpoint that the wire has; checks shapes, not truth. Raises FormatError."""
        if members.text(source, "signature_algorithm") != ALGORITHM:
            raise FormatError(f"signature_algorithm must be {ALGORITHM}")
        previous = members.text(source, "prev_checkpoint_hash")
        return cls(
            checkpoint_id=members.whole(source, "checkpoint_id", 1),
            microblock_id=members.whole(source, "microblock_id"),
            tree_size=members.whole(source, "tree_size", 1),
            root_hash=members.hash_hex(source, "root_hash"),
            prev_checkpoint_hash=members.check_hash_hex(previous, "prev_checkpoint_hash") if previous else "",
            signed_at=members.text(source, "signed_at"),
            mmd_seconds=members.whole(source, "mmd_seconds"),
            signer_key_id=members.text(source, "signer_key_id"),
            signature=unb64url(members.text(source, "checkpoint_signature")),
            payload=unb64url(members.text(source, "checkpoint_payload")),
            checkpoint_hash=members.hash_hex(source, "checkpoint_hash"),
            export_target=members.optional_text(source, "export_target"),
            export_uri=members.optional_text(source, "export_uri"),
            export_status=members.optional_text(source, "export_status"),
            exported_at=members.optional_text(source, "exported_at"),
        )


def sign(  # what a checkpoint states, in the order of the contract
    checkpoint_id: int,
    tree_size: int,
    root_hash: str,
    prev_checkpoint_hash: str,
    signed_at: str,
    mmd_seconds: int,
    key: PrivateKey,
    *,
    export_target: str = "",
) -> Checkpoint:
    """The signed checkpoint of a tree; its hash is the next one's `prev_checkpoint_hash`."""
    payload = _payload(tree_size, root_hash, prev_checkpoint_hash, signed_at, mmd_seconds, key.kid, export_target)
    return Checkpoint(
        checkpoint_id=checkpoint_id,
        microblock_id=checkpoint_id,
        tree_size=tree_size,
        root_hash=root_hash,
        prev_checkpoint_hash=prev_checkpoint_hash,
        signed_at=signed_at,
        mmd_seconds=mmd_seconds,
        signer_key_id=key.kid,
        signature=key.sign(payload),
        payload=payload,
        checkpoint_hash=hash_of(payload),
        export_target=export_target,
    )


def hash_of(payload: bytes) -> str:
    """The checkpoint hash of a payload."""
    return sha256(_DOMAIN + payload).hexdigest()


def verify(checkpoint: Checkpoint, key: PublicKey) -> None:
    """Returns if payload, hash and signature belong to what the checkpoint says; raises VerificationError."""
    if checkpoint.signer_key_id != key.kid:
        raise VerificationError("the checkpoint names another key")
    payload = _payload(
        checkpoint.tree_size,
        checkpoint.root_hash,
        checkpoint.prev_checkpoint_hash,
        checkpoint.signed_at,
        checkpoint.mmd_seconds,
        checkpoint.signer_key_id,
        checkpoint.export_target,
    )
    if checkpoint.payload != payload:
        raise VerificationError("the checkpoint's payload says something else than its members")
    if checkpoint.checkpoint_hash != hash_of(payload):
        raise VerificationError("the checkpoint's hash is not that of its payload")
    key.verify(checkpoint.signature, payload)


def _payload(
    tree_size: int,
    root_hash: str,
    prev_checkpoint_hash: str,
    signed_at: str,
    mmd_seconds: int,
    key_id: str,
    export_target: str,
) -> bytes:
    return cbor.encode(
        {
            "export_targets": [export_target] if export_target else [],
            "key_id": key_id,
            "mmd_seconds": mmd_seconds,
            "prev_checkpoint_hash": prev_checkpoint_hash,
            "root_hash": root_hash,
            "signed_at": signed_at,
            "tree_size": tree_size,
            "type": "checkpoint",
            "version": 1,
        }
    )
