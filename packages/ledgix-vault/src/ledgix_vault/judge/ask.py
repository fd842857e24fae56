"""Judging one question: k times, then by an opponent, all within one deadline.

- The question is put `times` over, at once and apart. Only if all of them agree does anything follow from it.
- Before agreement can approve, a second judge gets the opposite brief. A verified objection leaves it to a person.
- One deadline covers resolving, connecting, waiting and reading of all of them; a client's own time-outs are for each
  attempt, and add up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import cast

from ledgix.formats.json import Json, JsonObject
from ledgix_vault.clearance.judging import Finding, Judgement, Question
from ledgix_vault.judge import anthropic, openai
from ledgix_vault.judge.answers import Answer, OddAnswer, read_answer
from ledgix_vault.judge.endpoint import post
from ledgix_vault.judge.prompts import PROMPT_VERSION, Brief, inputs_hash, prompt
from ledgix_vault.tenancy.judge_settings import Provider

_PROTOCOLS: dict[Provider, ModuleType] = {Provider.OPENAI: openai, Provider.ANTHROPIC: anthropic}
LATE = "did not answer in time"


@dataclass(frozen=True, slots=True)
class Model:
    """Whom to ask. `deadline` is in seconds, over everything; the key never shows itself."""

    provider: Provider
    base_url: str
    name: str
    deadline: float
    trusted_hosts: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Told:
    """One judgement as it came: an answer, or why there is none."""

    brief: Brief
    answer: Answer | None
    flaw: str = ""

    def record(self) -> JsonObject:
        if self.answer is None:
            return {"brief": str(self.brief), "flaw": self.flaw}
        quotes: list[Json] = [citation["quote"] for citation in self.answer.citations]
        return {
            "brief": str(self.brief),
            "finding": str(self.answer.finding),
            "reason": self.answer.reason,
            "quotes": quotes,
        }


async def ask_judge(model: Model, api_key: str, question: Question) -> Judgement:
    """What the model finds. Never raises for anything that the other side does: then nothing is decided."""
    told: list[_Told] = []
    try:
        async with asyncio.timeout(model.deadline):
            together = (_ask(model, api_key, question, Brief.JUDGE) for _ in range(question.times))
            told += await asyncio.gather(*together)
            if question.may_approve and _agreed(told) is Finding.ALLOWED:
                told.append(await _ask(model, api_key, question, Brief.OPPONENT))
    except TimeoutError:
        told.append(_Told(Brief.JUDGE, None, LATE))
    return _conclude(model, question, told)


async def _ask(model: Model, api_key: str, question: Question, brief: Brief) -> _Told:
    protocol = _PROTOCOLS[model.provider]
    asked = prompt(question, brief)
    try:
        answered = await post(
            model.base_url.rstrip("/") + protocol.PATH,
            protocol.headers(api_key),
            protocol.body(model.name, asked),
            model.trusted_hosts,
        )
        return _Told(brief, read_answer(protocol.content(answered, asked), question, brief))
    except OddAnswer as flaw:
        return _Told(brief, None, str(flaw))


def _agreed(told: Sequence[_Told]) -> Finding:
    """What all of them found; undecided when one of them found something else, or nothing."""
    findings = {Finding.UNDECIDED if each.answer is None else each.answer.finding for each in told}
    return findings.pop() if len(findings) == 1 else Finding.UNDECIDED


def _conclude(model: Model, question: Question, told: Sequence[_Told]) -> Judgement:
    finding = _agreed(told)
    if finding is Finding.ALLOWED and question.may_approve and told[-1].brief is not Brief.OPPONENT:
        finding = Finding.UNDECIDED
    answers = [each.answer for each in told if each.answer is not None]
    cited = [citation for answer in answers for citation in answer.citations]
    record: JsonObject = {
        "v": 1,
        "provider": str(model.provider),
        "model": model.name,
        "prompt_version": PROMPT_VERSION,
        "inputs_sha256": inputs_hash(question, str(model.provider), model.name),
        "excerpts": [excerpt.identity() for excerpt in question.excerpts],
        "times": question.times,
        "may_approve": question.may_approve,
        "told": [each.record() for each in told],
        "finding": str(finding),
    }
    return Judgement(finding, _reason(finding, told), tuple(_without_repeats(cited)), record)


def _reason(finding: Finding, told: Sequence[_Told]) -> str:
    """For people, in our words; what a model said is quoted as its own."""
    flaw = next((each.flaw for each in told if each.answer is None), None)
    if flaw is not None:
        return f"The judge {flaw}."
    last = cast("Answer", told[-1].answer)
    match finding:
        case Finding.DENIED:
            return f"The judge finds that the policy's text forbids this call: “{_line(told[0])}”"
        case Finding.ALLOWED:
            return f"The judge finds nothing in the policy's text against this call: “{_line(told[0])}”"
        case Finding.UNDECIDED if told[-1].brief is Brief.OPPONENT and last.finding is Finding.DENIED:
            return f"A second judge, who argues for denial, objects: “{_line(told[-1])}”"
        case Finding.UNDECIDED if len({answer.finding for each in told if (answer := each.answer)}) > 1:
            return f"The judge didn't agree with itself over {len(told)} judgements."
        case Finding.UNDECIDED:
            return f"The judge can't tell from the policy's text: “{_line(told[0])}”"


def _line(told: _Told) -> str:
    """The reason that a model gave, as one printable line."""
    assert told.answer is not None
    return "".join(sign if sign.isprintable() else " " for sign in told.answer.reason).strip()


def _without_repeats(citations: Sequence[JsonObject]) -> list[JsonObject]:
    found: list[JsonObject] = []
    for citation in citations:
        if citation not in found:
            found.append(citation)
    return found
