"""Receipts: the Vault's signed word, given at once, that an event is in the log (contract section 6).

Invariants:

- A receipt binds the event hash, the leaf hash, the event's and the request's identifiers, the time of acceptance and
  the signing key.
- A verifier rebuilds the payload from the entry and compares bytes before it looks at the signature.
"""

from __future__ import annotations

from dataclasses import dataclass

from ledgix.errors import FormatError, VerificationError
from ledgix.formats import cbor, members
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
    signed = payload(event_hash, leaf_hash, event_uuid, request_id, accepted_at, key.kid)
    return Receipt(signed, key.sign(signed), key.kid)


def payload(
    event_hash: bytes, leaf_hash: bytes, event_uuid: str, request_id: str, accepted_at: str, key_id: str
) -> bytes:
    """The bytes that a receipt's signature covers: to rebuild a stored receipt, or to check one."""
    # In CBOR key order: by length, then by code point.
    return cbor.dumps_ordered(
        {
            "type": "event_receipt",
            "version": 1,
            "leaf_hash": leaf_hash.hex(),
            "event_hash": event_hash.hex(),
            "event_uuid": event_uuid,
            "request_id": request_id,
            "accepted_at": accepted_at,
            "receipt_key_id": key_id,
        }
    )


def verify(entry: JsonObject, key: PublicKey) -> None:
    """Returns if the entry's receipt says what the entry says and `key` signed it; raises VerificationError."""
    try:
        if members.text(entry, "receipt_algorithm") != ALGORITHM:
            raise VerificationError(f"the receipt's algorithm must be {ALGORITHM}")
        if members.text(entry, "receipt_key_id") != key.kid:
            raise VerificationError("the receipt names another key")
        signature = unb64url(members.text(entry, "receipt_signature"))
        stated = unb64url(members.text(entry, "receipt_payload"))
        expected = payload(
            event_hash=bytes.fromhex(members.hash_hex(entry, "event_hash")),
            leaf_hash=bytes.fromhex(members.hash_hex(entry, "leaf_hash")),
            event_uuid=members.text(entry, "event_uuid"),
            request_id=members.text(entry, "request_id"),
            accepted_at=members.text(entry, "accepted_at"),
            key_id=key.kid,
        )
    except FormatError as error:
        raise VerificationError(f"the receipt can't be read: {error}") from None
    if stated != expected:
        raise VerificationError("the receipt's payload says something else than the entry")
    key.verify(signature, expected)
