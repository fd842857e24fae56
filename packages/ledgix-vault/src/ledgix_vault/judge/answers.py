"""Reading what a judge answered: exactly the JSON that was asked for, with quotes that stand in the excerpts.

- One JSON object and nothing around it; no member is missing, unknown, named twice or of another type.
- A quote is some bytes of the excerpt that it names. One that isn't makes the whole answer worthless.
"""

from __future__ import annotations

from dataclasses import dataclass

from ledgix.errors import JsonError
from ledgix.formats import json
from ledgix.formats.json import Json, JsonObject
from ledgix_vault.clearance.judging import Finding, Question
from ledgix_vault.judge.prompts import Brief, excerpt_id

SHORTEST_QUOTE = 12
"""Characters; fewer stand in nearly every text. An excerpt that is shorter may be quoted whole."""
LONGEST_REASON = 1000
MOST_QUOTES = 10


class OddAnswer(Exception):
    """No answer that counts. The message completes "The judge …", for people; it holds nothing of the model's words."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One judgement that can be relied on as far as it goes: `finding` is what it says, its quotes are verified."""

    finding: Finding
    reason: str
    citations: tuple[JsonObject, ...]


_VERDICTS = {"allow": Finding.ALLOWED, "deny": Finding.DENIED, "unsure": Finding.UNDECIDED}


def read_answer(content: str | JsonObject, question: Question, brief: Brief) -> Answer:
    """The answer that `content` is; raises `OddAnswer`. Text is parsed strictly, an object was parsed so before."""
    said = content if isinstance(content, dict) else _parse(content)
    name = "verdict" if brief is Brief.JUDGE else "objection"
    if said.keys() != {name, "reason", "quotes"}:
        raise OddAnswer("answered with other members than it was asked for")
    finding = _verdict(said[name]) if brief is Brief.JUDGE else _objection(said[name])
    citations = _quotes(said["quotes"], question)
    needs_quote = finding is Finding.DENIED or (finding is Finding.ALLOWED and brief is Brief.JUDGE)
    if needs_quote and not citations:
        raise OddAnswer("quoted nothing that its answer rests on")
    return Answer(finding, _reason(said["reason"]), citations)


def _parse(content: str) -> JsonObject:
    try:
        return json.parse_object(content.encode("utf-8", "surrogatepass"))
    except JsonError:
        raise OddAnswer("answered with something else than one JSON object") from None


def _verdict(said: Json) -> Finding:
    if not isinstance(said, str) or said not in _VERDICTS:
        raise OddAnswer("gave a verdict that isn't one")
    return _VERDICTS[said]


def _objection(said: Json) -> Finding:
    if not isinstance(said, bool):
        raise OddAnswer("didn't say plainly whether there is an objection")
    return Finding.DENIED if said else Finding.ALLOWED


def _reason(said: Json) -> str:
    if not isinstance(said, str) or not said.strip() or len(said) > LONGEST_REASON:
        raise OddAnswer("gave no reason, or one that is too long")
    return said


def _quotes(said: Json, question: Question) -> tuple[JsonObject, ...]:
    if not isinstance(said, list) or len(said) > MOST_QUOTES:
        raise OddAnswer("gave no proper list of quotes")
    return tuple(_quote(quote, question) for quote in said)


def _quote(said: Json, question: Question) -> JsonObject:
    if not isinstance(said, dict) or said.keys() != {"excerpt", "text"}:
        raise OddAnswer("gave a quote in another form than it was asked for")
    excerpts = {excerpt_id(index): excerpt for index, excerpt in enumerate(question.excerpts)}
    named, text = said["excerpt"], said["text"]
    if not isinstance(named, str) or not isinstance(text, str) or named not in excerpts:
        raise OddAnswer("quoted an excerpt that it wasn't given")
    excerpt = excerpts[named]
    is_substantial = len(text.strip()) >= SHORTEST_QUOTE or text.strip() == excerpt.text.strip() != ""
    if not is_substantial or text not in excerpt.text:
        raise OddAnswer("quoted words that don't stand in the excerpt")
    return excerpt.citation(text)
