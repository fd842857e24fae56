"""Contract section 6, "Hashes", read a second time: without `ledgix.formats`, so that no mistake is made twice."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from running_vault import Tenant

PROTECTED = {
    "intent_hash": "",
    "reason": "",
    "tool_args": {},
    "action_metadata": {},
    "intent": {},
    "citations": [],
    "evidence_chunks": [],
}


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
