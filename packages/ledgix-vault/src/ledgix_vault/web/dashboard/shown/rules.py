"""A policy as people read it: each sentence with what became of it, and everything else in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from ledgix_vault.policy.effect import Effect
from ledgix_vault.policy.english import Understanding
from ledgix_vault.policy.english.examples import Example, examples_of
from ledgix_vault.policy.model import PolicyDocument, Rule
from ledgix_vault.policy.schemas import ToolSchema
from ledgix_vault.policy.words import (
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
from ledgix_vault.policy.words.values import name_in_words

MOST_EXAMPLES = 8


@dataclass(frozen=True, slots=True)
class ShownRule:
    """`wordless` are those of its conditions for which no plain words were found, as they are written."""

    id: str
    effect: Effect
    words: str
    wordless: tuple[str, ...]
    source: str
    assumptions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ShownExample:
    """A call at the edge of a rule, and what becomes of it."""

    call: str
    effect: Effect
    result: str


@dataclass(frozen=True, slots=True)
class ShownSentence:
    """`why` and `did_you_mean` only for one that no rule stands for."""

    text: str
    rules: tuple[ShownRule, ...]
    examples: tuple[ShownExample, ...]
    set_aside: bool = False
    why: str = ""
    did_you_mean: tuple[str, ...] = ()

    @property
    def is_understood(self) -> bool:
        return bool(self.rules)

    @property
    def assumptions(self) -> tuple[str, ...]:
        """Of all its rules, each once."""
        return tuple(dict.fromkeys(a for rule in self.rules for a in rule.assumptions))


@dataclass(frozen=True, slots=True)
class ShownPolicy:
    """`others` are rules that were written as such; `further` is everything beside rules, a sentence for each part."""

    sentences: tuple[ShownSentence, ...]
    others: tuple[ShownRule, ...]
    further: tuple[str, ...]
    otherwise: Effect
    otherwise_words: str


def shown_policy(
    document: PolicyDocument, understandings: Sequence[Understanding], schemas: Mapping[str, ToolSchema]
) -> ShownPolicy:
    """`understandings` are those of the sentences that no rule stands for, or of all."""
    by_sentence = {found.sentence: found for found in understandings}
    sentences = [_sentence(document, text, by_sentence.get(text), schemas) for text in document.sentences]
    used = {rule.id for sentence in sentences for rule in sentence.rules}
    return ShownPolicy(
        sentences=tuple(sentences),
        others=tuple(shown_rule(rule) for rule in document.rules if rule.id not in used),
        further=tuple(_further(document)),
        otherwise=document.otherwise,
        otherwise_words=otherwise_in_words(document.otherwise),
    )


def shown_rule(rule: Rule) -> ShownRule:
    """One rule in words."""
    wordless = tuple(text for words, text in conditions_of(rule) if words is None)
    return ShownRule(rule.id, rule.effect, rule_in_words(rule), wordless, rule.source, rule.assumptions)


def _sentence(
    document: PolicyDocument, text: str, found: Understanding | None, schemas: Mapping[str, ToolSchema]
) -> ShownSentence:
    rules = [] if text in document.uncompiled else [rule for rule in document.rules if rule.source == text.strip()]
    if rules:
        examples = tuple(map(shown_example, examples_of(rules, document.tools, schemas)[:MOST_EXAMPLES]))
        return ShownSentence(text, tuple(map(shown_rule, rules)), examples)
    return ShownSentence(
        text,
        (),
        (),
        set_aside=text in document.set_aside,
        why="" if found is None else found.why,
        did_you_mean=() if found is None else found.did_you_mean,
    )


def shown_example(example: Example) -> ShownExample:
    """ "amount is 1,000.01", and "Denied"."""
    return ShownExample(_call(example.changed), example.effect, after_that(example.effect))


def _call(changed: str) -> str:
    if " is " not in changed:
        return changed[:1].upper() + changed[1:]
    path, value = changed.split(" is ", 1)
    root, *rest = path.split(".")
    name = " ".join(map(name_in_words, rest)) if rest else {"now": "moment", "agent_id": "agent"}.get(root, root)
    return f"{name} {'' if value == 'missing' else '= '}{_value(value)}"


def _value(value: str) -> str:
    bare = value.strip('"')
    try:
        moment = datetime.fromisoformat(bare) if "T" in bare else None
    except ValueError:
        moment = None
    return bare if moment is None else f"{moment:%A} {moment:%Y-%m-%d %H:%M %Z}"


def _further(document: PolicyDocument) -> list[str]:
    return [
        *map(limit_in_words, document.limits),
        *map(destinations_in_words, document.destinations),
        *map(register_in_words, document.registers),
        *([] if document.judge is None else [judge_in_words(document.judge)]),
        *filter(None, [retry_in_words(document)]),
    ]
