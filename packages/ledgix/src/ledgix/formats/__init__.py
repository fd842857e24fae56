"""The bytes on which all parties must agree. Pure: no clock, no files, no network.

Everything that is hashed or signed has one explicit encoder here:

- `json`, `jcs`, `cbor`: exact values, and the two encodings that hashes are taken over
- `tree`: the RFC 6962 log with its proofs
- `keys`, `tokens`: Ed25519 keys and the approval token
- `events`, `receipts`, `checkpoints`, `bundles`: what a log holds and hands out
"""
