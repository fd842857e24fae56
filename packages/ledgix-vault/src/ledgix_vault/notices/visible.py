"""Text that people decide by: whatever is in it can be seen."""

from __future__ import annotations

import unicodedata

_HIDDEN = frozenset({"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"})


def visible(text: str) -> str:
    """The text with whatever can't be seen written out: `\\u202e` for a sign that turns the line around."""
    return "".join(
        sign if sign == "\n" or unicodedata.category(sign) not in _HIDDEN else f"\\u{ord(sign):04x}" for sign in text
    )
