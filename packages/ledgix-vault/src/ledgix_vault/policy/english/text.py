"""A sentence made comparable, and values spelled in it. Characters that could hide something are not understood."""

from __future__ import annotations

import re
from typing import Final

LONGEST: Final = 500
_SAME: Final = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "\u00a0": " ", "\t": " ", "\n": " ", "\r": " "})
_ALLOWED: Final = re.compile(r"[\x20-\x7e€£¥]+")
_BULLET: Final = re.compile(r"(?:[-*•]|[0-9]{1,3}[.)]) +")
_QUOTED: Final = re.compile(r'"([^"\\]{1,100})"|\'([^\'\\]{1,100})\'|`([^`\\]{1,100})`')
_CODE: Final = re.compile(r"[A-Z][A-Z0-9_-]*", re.ASCII)
_TOKEN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:@/+-]{0,99}", re.ASCII)


def clauses(sentence: str) -> list[str]:
    """The sentence, or the sentences, in `sentence`, without bullet and final stop; empty when it holds characters
    that a reader can't see or could mistake (zero-width, full-width, other scripts)."""
    flat = re.sub(r" +", " ", sentence.translate(_SAME)).strip(" ")
    if bullet := _BULLET.match(flat):
        flat = flat[bullet.end() :]
    if not flat or len(flat) > LONGEST or not _ALLOWED.fullmatch(flat):
        return []
    spoken = flat.lower() if flat.isupper() else flat  # where all is in capitals, capitals name no value
    return [clause.rstrip(".;").rstrip() for clause in re.split(r"(?<=[.;]) ", spoken)]


def value_of(word: str) -> str | None:
    """The value that `word` names beyond doubt: in quotes, a CODE, or something with a digit, `_`, `@` in it.
    A plain lower-case word ("valid", "verified") is a description, not a value."""
    if quoted := _QUOTED.fullmatch(word):
        inner: str = next(group for group in quoted.groups() if group is not None)
        return inner if inner == inner.strip() else None
    if _CODE.fullmatch(word):
        return word
    is_number = re.fullmatch(r"[0-9.+:/-]+", word) is not None
    if _TOKEN.fullmatch(word) and not is_number and re.search(r"[0-9_@]", word):
        return word
    return None


def listed(text: str, *, last: str) -> list[str] | None:
    """The items of "A, B or C"; `last` are the words, separated by |, that may stand before the last item."""
    parts = re.split(rf",? (?:{last}) ", text, flags=re.IGNORECASE)
    if len(parts) > 2 and "," in text:
        return None
    items = [item for part in parts[:1] for item in part.split(", ")] + parts[1:]
    return items if all(item and item == item.strip(" ,") for item in items) else None
