"""The words by which clauses are looked for: out of free text, or out of what an action says about itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

MOST_WORDS = 32
LONGEST_WORD = 64
_WORD = re.compile(r"[^\W_]+")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SAYS_NOTHING = frozenset(
    [
        "a",
        "an",
        "and",
        "any",
        "are",
        "as",
        "at",
        "be",
        "been",
        "being",
        "but",
        "by",
        "can",
        "could",
        "did",
        "do",
        "does",
        "doing",
        "for",
        "from",
        "had",
        "has",
        "have",
        "having",
        "he",
        "her",
        "his",
        "how",
        "i",
        "if",
        "in",
        "into",
        "is",
        "it",
        "its",
        "itself",
        "may",
        "me",
        "might",
        "more",
        "most",
        "must",
        "my",
        "no",
        "nor",
        "not",
        "of",
        "off",
        "on",
        "once",
        "only",
        "or",
        "other",
        "our",
        "out",
        "over",
        "own",
        "same",
        "shall",
        "she",
        "should",
        "so",
        "some",
        "such",
        "than",
        "that",
        "the",
        "their",
        "them",
        "then",
        "there",
        "these",
        "they",
        "this",
        "those",
        "through",
        "to",
        "too",
        "under",
        "until",
        "up",
        "very",
        "was",
        "we",
        "were",
        "what",
        "when",
        "where",
        "which",
        "while",
        "who",
        "whom",
        "why",
        "will",
        "with",
        "would",
        "you",
        "your",
    ]
)


def words_of_text(text: str) -> tuple[str, ...]:
    """The telling words of a sentence or question, each once, in order, at most 32; letters and digits only."""
    return _first_of(_split([text]))


def words_of_action(tool_name: str, arguments: Sequence[str], purpose: str = "") -> tuple[str, ...]:
    """The words of a tool's name, its arguments' names and a purpose; `stripeRefund` and `stripe_refund` are two."""
    return _first_of(_split([tool_name, *arguments, purpose]))


def _split(texts: Iterable[str]) -> Iterable[str]:
    for text in texts:
        for word in _WORD.findall(_HUMP.sub(" ", text)):
            yield word.lower()[:LONGEST_WORD]


def _first_of(words: Iterable[str]) -> tuple[str, ...]:
    found = dict.fromkeys(word for word in words if word not in _SAYS_NOTHING)
    return tuple(found)[:MOST_WORDS]
