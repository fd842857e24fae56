"""Attestations: a log's key, vouched for by the key before it (contract section 6, "key").

The payload is CBOR: `active_from`, `attested_by` (the earlier key's identifier), `key_id`, `public_jwk` (as in the key
record), `type` = `key_attestation`, `version` = 1. The signature is the earlier key's, over the payload.

Status in a key record:

- `attested`: the payload and signature are there; whoever trusts the earlier key can trust this one.
- `initial`: there are none, a chain of trust starts here. A log's first key does; a later one only if the key before it
  was lost, and then nothing in the log itself says that the same Vault goes on.
"""

from __future__ import annotations

from dataclasses import dataclass

from ledgix.errors import FormatError, VerificationError
from ledgix.formats import cbor, jcs, json
from ledgix.formats.keys import PrivateKey, PublicKey, b64url, unb64url

ATTESTED = "attested"
INITIAL = "initial"


@dataclass(frozen=True, slots=True)
class Attestation:
    """The signed CBOR bytes, their signature, and the identifier of the earlier key."""

    payload: bytes
    signature: bytes
    key_id: str


def attest(key: PublicKey, active_from: str, by: PrivateKey) -> Attestation:
    """The word of an earlier key that `key` follows it from `active_from` on."""
    payload = _payload(key, active_from, by.kid)
    return Attestation(payload, by.sign(payload), by.kid)


def verify(attestation: Attestation, key: PublicKey, active_from: str, by: PublicKey) -> None:
    """Returns if `by` attested exactly this key from this time on; raises VerificationError."""
    if attestation.key_id != by.kid or by.kid == key.kid:
        raise VerificationError("the attestation names another key")
    if attestation.payload != _payload(key, active_from, by.kid):
        raise VerificationError("the attestation's payload says something else than the key record")
    by.verify(attestation.signature, attestation.payload)


def encode_public_jwk(key: PublicKey) -> str:
    """A key record's `public_jwk`: base64url of the JWK's JSON, which we write canonically."""
    return b64url(jcs.canonicalize({**key.jwk()}))


def decode_public_jwk(text: str) -> PublicKey:
    """The key under `public_jwk`; raises FormatError."""
    key = PublicKey.from_jwk(json.parse_object(unb64url(text)))
    if encode_public_jwk(key) != text:
        raise FormatError("public_jwk is not the one spelling of its key")
    return key


def _payload(key: PublicKey, active_from: str, attested_by: str) -> bytes:
    return cbor.encode(
        {
            "active_from": active_from,
            "attested_by": attested_by,
            "key_id": key.kid,
            "public_jwk": encode_public_jwk(key),
            "type": "key_attestation",
            "version": 1,
        }
    )
