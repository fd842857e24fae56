"""What the compiler made of a sentence, for the person who confirms it.

Understood: the rules, what was assumed, and examples at the edge that come from evaluating these very rules. Not
understood: which part, in plain words, and sentences close to it that would be understood.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ledgix.formats import jcs
from ledgix.formats.json import Json, JsonObject
from ledgix_vault.policy.english.compile import compile_sentence
from ledgix_vault.policy.english.examples import Example, examples_of
from ledgix_vault.policy.english.facts import Fact
from ledgix_vault.policy.english.fields import ACTIONS, ANY_ACTION
from ledgix_vault.policy.english.quantities import parse_quantity
from ledgix_vault.policy.english.text import clauses
from ledgix_vault.policy.model import Rule
from ledgix_vault.policy.schemas import ToolSchema

MOST_SUGGESTED: Final = 3


@dataclass(frozen=True, slots=True)
class Understanding:
    """`rules` have no ids yet, and are empty for a sentence that isn't understood; only then there is a `why`."""

    sentence: str
    rules: tuple[Rule, ...] = ()
    examples: tuple[Example, ...] = ()
    why: str = ""
    did_you_mean: tuple[str, ...] = ()

    @property
    def is_understood(self) -> bool:
        return not self.why

    @property
    def assumptions(self) -> tuple[str, ...]:
        """Of all rules, each once."""
        return tuple(dict.fromkeys(a for rule in self.rules for a in rule.assumptions))

    def to_json(self) -> JsonObject:
        rules: list[Json] = [_shown(rule) for rule in self.rules]
        return {
            "sentence": self.sentence,
            "understood": self.is_understood,
            "rules": rules,
            "assumptions": list(self.assumptions),
            "examples": [example.to_json() for example in self.examples],
            "why": self.why,
            "did_you_mean": list(self.did_you_mean),
        }


def understand(
    sentences: Sequence[str],
    tools: Sequence[str],
    schemas: Mapping[str, ToolSchema],
    facts: Mapping[str, Fact] | None = None,
) -> list[Understanding]:
    """One for each sentence, in order."""
    return [_understanding(sentence, tools, schemas, facts or {}) for sentence in sentences]


def confirmation_hash(sentence: str, rules: Sequence[Rule], schemas: Mapping[str, ToolSchema]) -> str:
    """What a person confirmed: SHA-256 over the JCS of the sentence, its rules and the schemas' hashes; 64 hex
    characters. The same sentence against another schema is another confirmation."""
    shown: list[Json] = [_shown(rule) for rule in rules]
    hashes: JsonObject = {name: schema.content_hash for name, schema in schemas.items()}
    return jcs.sha256_hex({"v": 1, "sentence": sentence, "rules": shown, "schemas": hashes})


def _shown(rule: Rule) -> JsonObject:
    return {
        "effect": str(rule.effect),
        "tools": list(rule.tools),
        "when": [condition.text for condition in rule.when],
        "assumptions": list(rule.assumptions),
    }


def _understanding(
    sentence: str, tools: Sequence[str], schemas: Mapping[str, ToolSchema], facts: Mapping[str, Fact]
) -> Understanding:
    rules = compile_sentence(sentence, tools, schemas, facts)
    if rules is not None:
        return Understanding(sentence, tuple(rules), tuple(examples_of(rules, tools, schemas)))
    close: list[str] = []
    for text in _rewrites(sentence):
        if len(close) == MOST_SUGGESTED:
            break
        if text not in close and compile_sentence(text, tools, schemas, facts) is not None:
            close.append(text)
    return Understanding(sentence, why=_why(sentence), did_you_mean=tuple(close))


_DOUBTS: Final[tuple[tuple[str, str], ...]] = (
    (
        r"\b(per|each|every|a|this|in one|within a) (hour|day|week|month|year|customer|user|agent|session)\b"
        r"|\b(daily|weekly|monthly|yearly|in total|total)\b",
        "“{0}” speaks of several calls together, and a rule sees one; write a budget under `limits:`",
    ),
    (
        r"\b(should|usually|normally|generally|ideally|probably|maybe|roughly|about|around|most|some|where possible"
        r"|if possible|as a rule)\b",
        "“{0}” leaves it open; say what must or must not be",
    ),
    (
        r"\b(unless|except|excluding|without|other than|only if|if|when)\b.*",
        "the part “{0}” isn't understood as a condition on an argument, a declared fact, an agent or a time",
    ),
    (r"[0-9.]+ ?(%|percent)", "“{0}” doesn't say of what; write “{0} of” and an argument or a fact"),
    (r"[$€£]?[0-9]+,[0-9]{1,2}\b|\b[0-9]{1,3}\.[0-9]{3}\b", "“{0}” can be read as two different numbers"),
    (r"\bmay exceed\b|\bcan exceed\b", "“{0}” sets no limit"),
    (r"\bor\b.*", "the part “{0}” can be read in two ways"),
)


def _why(sentence: str) -> str:
    if not clauses(sentence):
        return "it is empty, too long, or holds characters that can't be seen or could be mistaken for others"
    for pattern, words in _DOUBTS:
        if found := re.search(pattern, sentence, re.IGNORECASE):
            return words.format(found[0].rstrip(" ."))
    return "no form of sentence fits it as a whole, or it names something that is no argument or declared fact"


_AMOUNT: Final = re.compile(
    r"(?:US\$|[$€£]) ?[0-9][0-9,.]*(?: ?(?:k|million))?|[0-9][0-9,.]* (?:[A-Z]{3}|dollars|euros)"
)
_WORD: Final = re.compile(r"[A-Za-z]+")
_REVIEWING: Final = re.compile(r"\b(review|approval|approved?|approves)\b", re.IGNORECASE)


def _rewrites(sentence: str) -> Iterator[str]:
    """Sentences of known forms with the values of this one; most of them are no good and get dropped."""
    if not clauses(sentence):
        return  # hidden characters hide what the values are
    flat = " ".join(sentence.split()).rstrip(".")
    for cut in re.finditer(r",? (?:unless|except|without|if|when|or|per|a|in|for|on|by) ", flat):
        yield flat[: cut.start()]
    yield re.sub(r"\b(should not|shouldn't)\b", "must not", flat, flags=re.IGNORECASE)
    yield re.sub(r"\bshould\b", "must", flat, flags=re.IGNORECASE)
    amounts = [text.rstrip(",.") for text in _AMOUNT.findall(flat) if parse_quantity(text.rstrip(",."))]
    subject = _subject(flat)
    for amount in amounts[:2]:
        forms = [f"{subject} must not exceed {amount}", f"{subject} over {amount} need review"]
        yield from (reversed(forms) if _REVIEWING.search(flat) else forms)
        yield f"Amounts over {amount} need review"
    for percent in re.findall(r"([0-9.]+) ?%", flat):
        yield f"{subject} must not exceed {percent}% of the fact order_total"
    for field, value in re.findall(r"^(?:The )?([A-Za-z_ ]+?) must be ([a-z]+)$", flat):
        yield f'{field} must be "{value}"'
        yield f'The fact {field.strip().lower().replace(" ", "_")} must be "{value}"'
    for count, unit in re.findall(r"within ([0-9]+) (hour|day|week)s?", flat):
        yield f"{subject} are only allowed within {count} {unit}s of the fact delivered_at"


def _subject(text: str) -> str:
    for word in _WORD.findall(text.lower()):
        noun = word.removesuffix("s")
        if noun in ACTIONS or noun in ANY_ACTION:
            return f"{noun.capitalize()}s"
    return "Amounts"
