"""Telling headings from lines where a format doesn't mark them: numbers, capitals, “Section” and “Article”."""

from __future__ import annotations

import re

LONGEST_LINE = 100
_NUMBERED = re.compile(r"(?:§\s*)?(\d{1,3}(?:\.\d{1,3}){0,5})[.)]?\s+(?=[A-Z0-9“\"(])")
_NAMED = re.compile(r"(section|article|chapter|part|annex|appendix|schedule)\s+([0-9]{1,3}|[IVXLC]{1,6}|[A-Z])\b", re.I)
_ENDS_A_SENTENCE = re.compile(r"[.;,:!?]\s*$")
_STARTS_AN_ITEM = re.compile(r"\s*(?:[-–•▪◦*·]|\(?[0-9a-z]{1,4}[.)]|\d+(?:\.\d+)+\.?)\s")


def heading_level(line: str) -> int | None:
    """The level of a heading that this line is by its looks; None if it is a line like others."""
    line = line.strip()
    if not 2 < len(line) <= LONGEST_LINE or "|" in line or _ENDS_A_SENTENCE.search(line):
        return None
    if numbered := _NUMBERED.match(line):
        return 1 + numbered[1].count(".") if len(line.split()) <= 12 else None
    if _NAMED.match(line):
        return 1
    letters = [character for character in line if character.isalpha()]
    return 1 if len(letters) > 4 and all(letter.isupper() for letter in letters) else None


def continues(before: str, line: str) -> bool:
    """Whether a printed line goes on with the sentence of the line before."""
    if not before or not line or _STARTS_AN_ITEM.match(line) or heading_level(line) or heading_level(before):
        return False
    return not before.rstrip().endswith((".", "!", "?", ":", ";")) and (len(before) > 40 or line[:1].islower())


def joined(lines: list[str]) -> str:
    """Printed lines as running text; a hyphen at the end of a line stays."""
    text = ""
    for line in lines:
        separator = "" if not text or text.endswith("-") else " "
        text += separator + line.strip()
    return text
