"""A whole sentence, or nothing.

Every form is tried; the sentence is understood only if all readings that fit say the same. A text of several
sentences is understood only if each of them is: the second may take back what the first said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ledgix_vault.policy.cel.types import type_errors
from ledgix_vault.policy.english import circumstances
from ledgix_vault.policy.english.facts import Fact
from ledgix_vault.policy.english.rules import Setting
from ledgix_vault.policy.english.text import clauses
from ledgix_vault.policy.globs import covers
from ledgix_vault.policy.model import Rule
from ledgix_vault.policy.schemas import ToolSchema

MOST_CLAUSES = 8


def compile_sentence(
    sentence: str,
    tools: Sequence[str],
    schemas: Mapping[str, ToolSchema],
    facts: Mapping[str, Fact] | None = None,
) -> list[Rule] | None:
    """The rules that `sentence` stands for, without ids; None when it isn't understood as a whole."""
    found: list[Rule] = []
    parts = clauses(sentence)
    if not 1 <= len(parts) <= MOST_CLAUSES:
        return None
    setting = Setting(sentence.strip(), tools, schemas, facts or {})
    for clause in parts:
        rules = _clause(clause, setting)
        if rules is None:
            return None
        found.extend(rules)
    return found if all(_fits(rule, setting) for rule in found) else None


def _fits(rule: Rule, setting: Setting) -> bool:
    """Whether the rule's conditions can work with every registered schema that they meet."""
    met = [
        schema for name, schema in setting.schemas.items() if covers(setting.tools, name) and covers(rule.tools, name)
    ]
    return not any(type_errors(condition.node, schema.args) for condition in rule.when for schema in met)


def _clause(clause: str, setting: Setting) -> list[Rule] | None:
    plain = circumstances.simple(clause, setting)
    readings = [*([plain] if plain else []), *circumstances.understand(clause, setting, circumstances.simple)]
    return circumstances.agreed(readings)
