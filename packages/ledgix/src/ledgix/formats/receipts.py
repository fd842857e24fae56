"""Receipts: the Vault's signed word, given at once, that an event is in the log (contract section 6).

Invariants:

- A receipt binds the event hash, the leaf hash, the event's and the request's identifiers, the time of acceptance and
  the signing key.
- A verifier rebuilds the payload from the entry and compares bytes before it looks at the signature.
"""

from __future__ import annotations

from dataclasses import dataclass

from ledgix.errors import CborError, FormatError, VerificationError
from ledgix.formats import cbor
from ledgix.formats.json import JsonObject
from ledgix.formats.keys import PrivateKey, PublicKey, unb64url

ALGORITHM = "Ed25519"


@dataclass(frozen=True, slots=True)
class Receipt:
    """The signed CBOR bytes, their signature, and the key's identifier."""

    payload: bytes
    signature: bytes
    key_id: str


def sign(  # the six things that a receipt binds
    event_hash: bytes, leaf_hash: bytes, event_uuid: str, request_id: str, accepted_at: str, key: PrivateKey
) -> Receipt:
    """The receipt of one event; the hashes are raw bytes."""
    payload = _payload(leaf_hash.hex(), event_hash.hex(), event_uuid, request_id, accepted_at, key.kid)
    return Receipt(payload, key.sign(payload), key.kid)


def verify(entry: JsonObject, key: PublicKey) -> None:
    """Returns if the entry's receipt says what the entry says and `key` signed it; raises VerificationError."""
    text = {name: entry.get(name) for name in _ENTRY_MEMBERS}
    if not all(isinstance(value, str) for value in text.values()):
        raise VerificationError("the entry lacks receipt members")
    member = {name: str(value) for name, value in text.items()}
    if member["receipt_algorithm"] != ALGORITHM:
        raise VerificationError(f"the receipt's algorithm is {member['receipt_algorithm']!r}, expected {ALGORITHM}")
    if member["receipt_key_id"] != key.kid:
        raise VerificationError("the receipt names another key")
    try:
        stated = unb64url(member["receipt_payload"])
        signature = unb64url(member["receipt_signature"])
        payload = _payload(
            member["leaf_hash"],
            member["event_hash"],
            member["event_uuid"],
            member["request_id"],
            member["accepted_at"],
            key.kid,
        )
    except (FormatError, CborError) as error:
        raise VerificationError(f"the receipt is unreadable: {error}") from None
    if stated != payload:
        raise VerificationError("the receipt's payload says something else than the entry")
    key.verify(signature, payload)


_ENTRY_MEMBERS = (
    "receipt_algorithm",
    "receipt_key_id",
    "receipt_payload",
    "receipt_signature",
    "leaf_hash",
    "event_hash",
    "event_uuid",
    "request_id",
    "accepted_at",
)


def payload(
    event_hash: bytes, leaf_hash: bytes, event_uuid: str, request_id: str, accepted_at: str, key_id: str
) -> bytes:
    """The bytes that the receipt of an event signs; the hashes are raw."""
    return _payload(leaf_hash.hex(), event_hash.hex(), event_uuid, request_id, accepted_at, key_id)


def _payload(leaf_hash: str, event_hash: str, event_uuid: str, request_id: str, accepted_at: str, key_id: str) -> bytes:
    # In CBOR key order: by length, then by code point.
    return cbor.dumps_ordered(
        {
            "type": "event_receipt",
            "version": 1,
            "leaf_hash": leaf_hash,
            "event_hash": event_hash,
            "event_uuid": event_uuid,
            "request_id": request_id,
            "accepted_at": accepted_at,
            "receipt_key_id": key_id,
        }
    )
