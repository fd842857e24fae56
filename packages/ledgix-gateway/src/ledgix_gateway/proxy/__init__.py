"""The reverse proxy: an ASGI application that forwards what was admitted, and nothing else.

Invariants:

- Forwarding takes a `Passage`: an Approval, or the configuration's word that this call needs none.
- The bytes that are forwarded are the bytes whose arguments were compared.
- The tool's own credential is added to approved calls only.
- Every request ends in one place, with its verdict (`Visit.ended`).
"""
