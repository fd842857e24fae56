"""Conditions: a subset of CEL, exact and three-valued.

`parse` turns text into a tree (`tree`), `check` finds type errors against what is known of the arguments (`types`),
`compile` turns a tree into a closure over one call's `Inputs` that gives True, False or `Unknown`.
"""
