"""Plain sentences as rules: a deterministic compiler that understands a whole sentence or leaves it."""

from __future__ import annotations

from ledgix_vault.policy.english.compile import compile_sentence

__all__ = ["compile_sentence"]
