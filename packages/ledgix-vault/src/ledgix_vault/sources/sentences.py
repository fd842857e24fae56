"""The sentences of a text, as people would read them: paragraphs are joined, bullets and headings stand alone."""

from __future__ import annotations

import re
from typing import Final

_BULLET: Final = re.compile(r"^\s*(?:[-*•‣◦–]|\(?[0-9]{1,3}[.)]|\(?[a-z][.)]|[0-9]{1,2}(?:\.[0-9]{1,2})+\.?)\s+")
_END: Final = re.compile(r"""(?:(?<=[.!?;])|(?<=[.!?;]["”’)]))\s+(?=["“‘(]?[A-Z0-9$€£])""")
_SHORT: Final = re.compile(
    r"(?:^|[\s(])(?:e\.g|i\.e|cf|vs|no|nos|art|sec|para|approx|inc|ltd|co|corp|mr|mrs|ms|dr|st|[A-Za-z])\.$",
    re.IGNORECASE,
)
LONGEST: Final = 2000


def sentences_in(text: str) -> list[str]:
    """In order, each on one line and without its bullet; what is longer than 2,000 characters is left out."""
    found: list[str] = []
    for block in _blocks(text):
        found.extend(sentence for sentence in _split(block) if _says_something(sentence))
    return found


def _blocks(text: str) -> list[str]:
    """Paragraphs and items of lists, each as one line."""
    blocks: list[list[str]] = [[]]
    for line in text.splitlines():
        if not line.strip():
            blocks.append([])
            continue
        if _BULLET.match(line):
            blocks.append([])
        blocks[-1].append(_BULLET.sub("", line).strip())
    return [" ".join(block) for block in blocks if block]


def _split(block: str) -> list[str]:
    parts: list[str] = []
    for part in _END.split(block):
        if parts and _SHORT.search(parts[-1]):
            parts[-1] = f"{parts[-1]} {part}"
        else:
            parts.append(part)
    return [part.strip() for part in parts]


def _says_something(sentence: str) -> bool:
    return 1 < len(sentence) <= LONGEST and any(character.isalpha() for character in sentence)
