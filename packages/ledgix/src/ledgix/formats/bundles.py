"""Proof bundles: one event with everything that proves it, as the wire has it (contract section 6).

Reading checks shapes only; whether the evidence holds is decided in `ledgix.verify`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from ledgix.errors import FormatError
from ledgix.formats import json, members
from ledgix.formats.attestations import ATTESTED, INITIAL, Attestation, decode_public_jwk, encode_public_jwk
from ledgix.formats.checkpoints import Checkpoint
from ledgix.formats.events import STORED_DEPTH
from ledgix.formats.json import JsonObject
from ledgix.formats.keys import PublicKey, b64url, unb64url

ALGORITHM = "Ed25519"
BUNDLE_DEPTH = STORED_DEPTH + 4


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """One ledger key as the wire publishes it; `attestations` explains who vouches for it."""

    key: PublicKey
    active_from: str
    retired_at: str = ""
    attestation: Attestation | None = None

    def to_json(self) -> JsonObject:
        """The record; `retired_at` is left out while the key is active."""
        by = self.attestation
        found: JsonObject = {
            "key_id": self.key.kid,
            "algorithm": ALGORITHM,
            "public_jwk": encode_public_jwk(self.key),
            "active_from": self.active_from,
            "attestation_payload": b64url(by.payload) if by else "",
            "attestation_signature": b64url(by.signature) if by else "",
            "attestation_key_id": by.key_id if by else "",
            "attestation_status": ATTESTED if by else INITIAL,
        }
        if self.retired_at:
            found["retired_at"] = self.retired_at
        return found

    @classmethod
    def from_json(cls, source: JsonObject) -> Self:
        """The record; raises FormatError unless `key_id` is the thumbprint of the key itself."""
        if members.text(source, "algorithm") != ALGORITHM:
            raise FormatError(f"algorithm must be {ALGORITHM}")
        key = decode_public_jwk(members.text(source, "public_jwk"))
        if members.text(source, "key_id") != key.kid:
            raise FormatError(f"key_id must be the thumbprint of the key, {key.kid}")
        by = Attestation(
            payload=unb64url(members.optional_text(source, "attestation_payload")),
            signature=unb64url(members.optional_text(source, "attestation_signature")),
            key_id=members.optional_text(source, "attestation_key_id"),
        )
        attested = bool(by.payload and by.signature and by.key_id)
        status = members.optional_text(source, "attestation_status")
        if status != (ATTESTED if attested else INITIAL) or attested != bool(by.payload or by.signature or by.key_id):
            raise FormatError(f"attestation_status {status!r} doesn't fit what attests the key")
        return cls(
            key=key,
            active_from=members.text(source, "active_from"),
            retired_at=members.optional_text(source, "retired_at"),
            attestation=by if attested else None,
        )


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """That an event is in the tree of a checkpoint; hashes are hex, `path` leads from the leaf to the root."""

    event_uuid: str
    request_id: str
    event_hash: str
    leaf_hash: str
    leaf_index: int
    tree_size: int
    path: tuple[str, ...]
    checkpoint: Checkpoint

    def to_json(self) -> JsonObject:
        """The proof as the wire has it."""
        return {
            "event_uuid": self.event_uuid,
            "request_id": self.request_id,
            "event_hash": self.event_hash,
            "leaf_hash": self.leaf_hash,
            "leaf_index": self.leaf_index,
            "tree_size": self.tree_size,
            "path": list(self.path),
            "checkpoint": self.checkpoint.to_json(),
        }

    @classmethod
    def from_json(cls, source: JsonObject) -> Self:
        """The proof that the wire has; raises FormatError."""
        return cls(
            event_uuid=members.text(source, "event_uuid"),
            request_id=members.text(source, "request_id"),
            event_hash=members.hash_hex(source, "event_hash"),
            leaf_hash=members.hash_hex(source, "leaf_hash"),
            leaf_index=members.whole(source, "leaf_index"),
            tree_size=members.whole(source, "tree_size", 1),
            path=members.hash_path(source, "path"),
            checkpoint=Checkpoint.from_json(members.obj(source, "checkpoint")),
        )


@dataclass(frozen=True, slots=True)
class ConsistencyProof:
    """That the tree of one checkpoint extends that of an earlier one."""

    from_checkpoint: Checkpoint
    to_checkpoint: Checkpoint
    path: tuple[str, ...]

    def to_json(self) -> JsonObject:
        """The proof as the wire has it."""
        return {
            "from_checkpoint": self.from_checkpoint.to_json(),
            "to_checkpoint": self.to_checkpoint.to_json(),
            "path": list(self.path),
        }

    @classmethod
    def from_json(cls, source: JsonObject) -> Self:
        """The proof that the wire has; raises FormatError."""
        return cls(
            from_checkpoint=Checkpoint.from_json(members.obj(source, "from_checkpoint")),
            to_checkpoint=Checkpoint.from_json(members.obj(source, "to_checkpoint")),
            path=members.hash_path(source, "path"),
        )


@dataclass(frozen=True, slots=True)
class Bundle:
    """An event's entry with its proofs and the log's keys; without `consistency` when its checkpoint is the newest."""

    event: JsonObject
    inclusion: InclusionProof
    consistency: ConsistencyProof | None
    keys: tuple[KeyRecord, ...]

    def to_json(self) -> JsonObject:
        """The bundle as the wire has it."""
        found: JsonObject = {"event": self.event, "inclusion": self.inclusion.to_json()}
        if self.consistency is not None:
            found["consistency"] = self.consistency.to_json()
        found["keys"] = [record.to_json() for record in self.keys]
        return found

    @classmethod
    def from_json(cls, source: JsonObject) -> Self:
        """The bundle that the wire has; raises FormatError, naming the part."""
        consistency = source.get("consistency")
        return cls(
            event=members.obj(source, "event"),
            inclusion=InclusionProof.from_json(members.obj(source, "inclusion")),
            consistency=None if consistency is None else ConsistencyProof.from_json(members.obj(source, "consistency")),
            keys=tuple(KeyRecord.from_json(record) for record in members.objects(source, "keys")),
        )

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """The bundle of a JSON text; raises FormatError."""
        return cls.from_json(json.parse_object(raw, max_depth=BUNDLE_DEPTH))


def bundle(
    event: JsonObject,
    inclusion: InclusionProof,
    consistency: ConsistencyProof | None,
    keys: Iterable[KeyRecord],
) -> JsonObject:
    """The bundle's JSON."""
    return Bundle(event, inclusion, consistency, tuple(keys)).to_json()


def inclusion(event: JsonObject, path: Sequence[bytes], checkpoint: Checkpoint, leaf_index: int) -> InclusionProof:
    """The inclusion proof of an entry from raw path hashes."""
    return InclusionProof(
        event_uuid=members.text(event, "event_uuid"),
        request_id=members.text(event, "request_id"),
        event_hash=members.text(event, "event_hash"),
        leaf_hash=members.text(event, "leaf_hash"),
        leaf_index=leaf_index,
        tree_size=checkpoint.tree_size,
        path=tuple(node.hex() for node in path),
        checkpoint=checkpoint,
    )


def consistency(older: Checkpoint, newer: Checkpoint, path: Sequence[bytes]) -> ConsistencyProof:
    """The consistency proof between two checkpoints from raw path hashes."""
    return ConsistencyProof(older, newer, tuple(node.hex() for node in path))
