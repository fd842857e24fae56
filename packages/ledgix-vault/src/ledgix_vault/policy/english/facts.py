"""Facts that a sentence may name: what the application sends in `context.facts`.

A fact is named beyond doubt when it is written as one (`facts.order_status`, "the fact order_status"), or when the
caller declared it, as JSON Schema does: `{"order_status": {"enum": ["open", "delivered"]}}`. Where facts are declared,
no other can be named.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ledgix.formats.json import Json, JsonObject
from ledgix_vault.policy.cel.types import Kind
from ledgix_vault.policy.english.fields import Field, words_of
from ledgix_vault.policy.errors import PolicyError, Problem
from ledgix_vault.policy.schemas import type_of

MOST_FACTS: Final = 200
_WRITTEN: Final = re.compile(r"(?:the (?:fact )?)?`?(?:context\.)?facts((?:\.[A-Za-z_][A-Za-z0-9_]*){1,4})`?", re.ASCII)
_CALLED: Final = re.compile(r"(?:[Tt]he )?[Ff]act `?([A-Za-z_][A-Za-z0-9_]*)`?", re.ASCII)
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_TIMES: Final = {"date-time": "timestamp", "date": "date"}


@dataclass(frozen=True, slots=True)
class Fact:
    """`time` is "timestamp" or "date" for text that holds one, else ""."""

    kind: Kind
    allowed: tuple[str, ...] = ()
    time: str = ""


def declared_facts(declared: JsonObject) -> Mapping[str, Fact]:
    """Reads `facts:`; raises PolicyError that names each fact whose declaration isn't understood."""
    problems = [Problem(why, where=f"facts.{name}") for name, inner in declared.items() if (why := _flaw(name, inner))]
    if len(declared) > MOST_FACTS:
        problems.append(Problem(f"at most {MOST_FACTS} facts", where="facts"))
    if problems:
        raise PolicyError(problems)
    return {name: _fact(inner) for name, inner in declared.items() if isinstance(inner, dict)}


def fact_in(phrase: str, declared: Mapping[str, Fact]) -> Field | None:
    """The fact that `phrase` names beyond doubt."""
    if written := _WRITTEN.fullmatch(phrase) or _CALLED.fullmatch(phrase):
        path = tuple(written[1].lstrip(".").split("."))
        if not declared:
            return Field(path, Kind.ANY, root="facts", time=_usual_time(path[-1]))
        return _field(path[0], declared) if len(path) == 1 and path[0] in declared else None
    words = words_of(phrase.strip("`"))
    found = [name for name in declared if words and words_of(name) == words]
    return _field(found[0], declared) if len(found) == 1 else None


def _field(name: str, declared: Mapping[str, Fact]) -> Field:
    fact = declared[name]
    return Field((name,), fact.kind, fact.allowed, is_declared=True, root="facts", time=fact.time)


def _usual_time(name: str) -> str:
    if name.endswith("_at"):
        return "timestamp"
    return "date" if name.endswith(("_date", "_on")) else ""


def _flaw(name: str, declared: Json) -> str:
    if not _NAME.fullmatch(name) or len(name) > 100:
        return "the name of a fact is letters, digits and `_`"
    if not isinstance(declared, dict):
        return 'a fact is declared like {"type": "string"}'
    if "enum" not in declared and type_of(declared).kind is Kind.ANY:
        return 'a fact has a plain type: {"type": "string"}, "number", "integer" or "boolean", or an enum of strings'
    values = declared.get("enum", [])
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        return "an enum is a list of strings"
    return ""


def _fact(declared: JsonObject) -> Fact:
    values = declared.get("enum")
    allowed = tuple(value for value in values if isinstance(value, str)) if isinstance(values, list) else ()
    kind = Kind.STRING if allowed else type_of(declared).kind
    return Fact(kind, allowed, _TIMES.get(str(declared.get("format")), "") if kind is Kind.STRING else "")
