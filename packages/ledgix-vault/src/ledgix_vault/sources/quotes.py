"""Quotes: a citation counts only if its words stand in the text, byte for byte."""

from __future__ import annotations

from dataclasses import dataclass

from ledgix_vault.sources.document import hash_bytes


@dataclass(frozen=True, slots=True)
class Quote:
    """Words out of one version, and where they stand: `text[begins:ends]`, counted in characters."""

    document_version_id: str
    text_hash: str
    begins: int
    ends: int
    words: str


class QuoteWrong(Exception):
    """The words don't stand where the quote says."""


def verify_quote(quote: Quote, document_version_id: str, text: str) -> None:
    """Raises `QuoteWrong`, saying what is wrong, unless the quote is of this version and of this very text.

    Nothing is forgiven: no other case, space or composition of characters.
    """
    if quote.document_version_id != document_version_id:
        raise QuoteWrong("it is from another document or version")
    if quote.text_hash != hash_bytes(text.encode()):
        raise QuoteWrong("the text isn't the one that was quoted")
    if not quote.words.strip() or not 0 <= quote.begins < quote.ends <= len(text):
        raise QuoteWrong("its range is empty or outside of the text")
    if text[quote.begins : quote.ends].encode() != quote.words.encode():
        raise QuoteWrong("its words don't stand there")


def find_quote(document_version_id: str, text: str, words: str, begins: int, ends: int) -> Quote | None:
    """The first place inside `text[begins:ends]` where these very words stand; None if they don't."""
    at = text.find(words, begins, ends) if words.strip() else -1
    if at < 0:
        return None
    return Quote(document_version_id, hash_bytes(text.encode()), at, at + len(words), words)
