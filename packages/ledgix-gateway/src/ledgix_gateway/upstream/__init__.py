"""The tools' servers: sending one call, once, and reading its answer as it comes.

Invariants:

- A call is written to one connection, once. Nothing is sent again, whatever the method: a token is for one call.
- Of a call that failed it is known whether a byte of it could have left (`NoAnswer`) or not (`NotSent`).
- A tool that doesn't answer is left alone for a while (`breaker`), before tokens are burned for calls to it.
"""
