"""placeholder"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ledgix_vault.policy.model import Rule
from ledgix_vault.policy.schemas import ToolSchema


def compile_sentence(sentence: str, tools: Sequence[str], schemas: Mapping[str, ToolSchema]) -> list[Rule] | None:
    """The rules that `sentence` stands for; None when it isn't understood as a whole."""
    del sentence, tools, schemas
    return None
