"""The configuration file as frozen values: read once, checked completely, every error with its place.

Invariants:

- A member that nobody reads is an error, never ignored.
- Secrets stand in the environment or in files of their own, never in the configuration, and never show in a repr.
- What was read can be served: routes that cross, upstreams that nobody knows and methods that don't exist end here.
"""
