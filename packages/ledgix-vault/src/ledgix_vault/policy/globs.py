"""Which tools a pattern means: `*` is any characters, `?` is one; everything else is itself, case included."""

from __future__ import annotations

from collections.abc import Iterable

LONGEST_GLOB = 256


def matches(pattern: str, name: str) -> bool:
    """Whether `pattern` means the whole of `name`; never worse than len(pattern) × len(name) steps."""
    at = here = 0
    star, resume = -1, 0
    while here < len(name):
        if at < len(pattern) and pattern[at] == "*":
            star, resume = at, here
            at += 1
        elif at < len(pattern) and pattern[at] in ("?", name[here]):
            at += 1
            here += 1
        elif star >= 0:
            resume += 1
            at, here = star + 1, resume
        else:
            return False
    return all(character == "*" for character in pattern[at:])


def covers(patterns: Iterable[str], name: str) -> bool:
    """Whether any of `patterns` means `name`; no patterns at all mean every tool."""
    empty = True
    for pattern in patterns:
        if matches(pattern, name):
            return True
        empty = False
    return empty


def is_literal(pattern: str) -> bool:
    """Whether the pattern means exactly one tool name."""
    return "*" not in pattern and "?" not in pattern
