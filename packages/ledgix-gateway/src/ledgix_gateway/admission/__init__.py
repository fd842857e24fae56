"""Whether a call goes through. Nothing is forwarded without what this room hands out.

Invariants:

- An `Approval` exists only after the token was verified, was found to be for exactly this call, and was burned.
- A call without one is forwarded only where the configuration says so: an open route, or mode observe (`Unguarded`).
- A token of a call that is refused is never burned.
"""
