"""Policies in plain words, for people who write and confirm them without reading the rule language."""

from ledgix_vault.policy.words.conditions import condition_in_words
from ledgix_vault.policy.words.parts import (
    after_that,
    conditions_of,
    destinations_in_words,
    judge_in_words,
    limit_in_words,
    otherwise_in_words,
    register_in_words,
    retry_in_words,
    rule_in_words,
)

__all__ = [
    "after_that",
    "condition_in_words",
    "conditions_of",
    "destinations_in_words",
    "judge_in_words",
    "limit_in_words",
    "otherwise_in_words",
    "register_in_words",
    "retry_in_words",
    "rule_in_words",
]
