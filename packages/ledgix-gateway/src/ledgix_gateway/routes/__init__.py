"""Which tool a request is a call of, and with which arguments. Pure.

Invariants:

- A path has exactly one reading, or it is refused before any route is looked for.
- What no route names is refused: default deny.
- Whatever reaches the tool as input (path, query, body, named headers) is an argument, or the request is refused.
- An argument comes from one place.
"""
