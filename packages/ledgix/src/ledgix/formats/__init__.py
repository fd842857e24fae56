"""The bytes on which all parties must agree. Pure: no clock, no files, no network.

Everything that is hashed or signed has one explicit encoder here:

- `json`, `jcs`, `cbor`: exact values, and the two encodings that hashes are taken over
- `tree`, `proofs`: the RFC 6962 log and what proves that something is in it
- `keys`, `attestations`, `tokens`: Ed25519 keys, who vouches for them, and the approval token
- `events`, `intents`, `receipts`, `checkpoints`: what a log holds and what its owner signs
- `bundles`: one event with everything that proves it
"""
