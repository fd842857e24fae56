"""Plain sentences as rules: a deterministic compiler that understands a whole sentence or leaves it."""

from __future__ import annotations

from ledgix_vault.policy.english.compile import compile_sentence
from ledgix_vault.policy.english.facts import Fact, declared_facts
from ledgix_vault.policy.english.understanding import Understanding, confirmation_hash, understand

__all__ = ["Fact", "Understanding", "compile_sentence", "confirmation_hash", "declared_facts", "understand"]
