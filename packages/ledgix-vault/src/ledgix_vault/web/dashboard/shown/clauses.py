"""A document's text as sentences to choose from, each marked if the Vault understands it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ledgix_vault.policy.english import Understanding
from ledgix_vault.policy.words import rule_in_words
from ledgix_vault.sources.sentences import sentences_in
from ledgix_vault.store.documents import StoredChunk

PART = 40
"""Chunks on one page."""


@dataclass(frozen=True, slots=True)
class ShownClause:
    """`words` are the rules that it would become; empty when it isn't understood."""

    text: str
    words: tuple[str, ...]

    @property
    def is_understood(self) -> bool:
        return bool(self.words)


@dataclass(frozen=True, slots=True)
class ShownChunk:
    """`heading` only where it differs from the chunk before."""

    ordinal: int
    page: int | None
    heading: tuple[str, ...]
    clauses: tuple[ShownClause, ...]


def shown_chunks(
    chunks: Sequence[StoredChunk], understand: Callable[[Sequence[str]], Sequence[Understanding]]
) -> list[ShownChunk]:
    """Sentence by sentence, headings apart."""
    split = [_sentences(chunk) for chunk in chunks]
    asked = list(dict.fromkeys(text for texts in split for text in texts))
    found = {each.sentence: _words(each) for each in understand(asked)}
    shown: list[ShownChunk] = []
    before: tuple[str, ...] = ()
    for chunk, texts in zip(chunks, split, strict=True):
        heading = chunk.chunk.heading
        clauses = tuple(ShownClause(text, found[text]) for text in texts)
        shown.append(ShownChunk(chunk.ordinal, chunk.chunk.page, () if heading == before else heading, clauses))
        before = heading
    return shown


def _sentences(chunk: StoredChunk) -> list[str]:
    """Without the headings that it begins with, numbered or not."""
    headings = {text for heading in chunk.chunk.heading for text in (heading, *sentences_in(heading))}
    return [text for text in sentences_in(chunk.text) if text not in headings]


def part_of(ordinal: int) -> int:
    """The page, from 1 on, on which a chunk stands."""
    return (ordinal - 1) // PART + 1


def policy_name(document_name: str) -> str:
    """What a policy out of this document could be called: "refund-policy" for "Refund policy (v2).pdf"."""
    stem = document_name.rpartition(".")[0] or document_name
    return "-".join(re.findall(r"[a-z0-9]+", stem.lower()))[:60]


def _words(found: Understanding) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(rule_in_words, found.rules)))
