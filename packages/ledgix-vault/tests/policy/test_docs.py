"""What docs/policy-language.md shows is what the language does."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledgix.formats import json
from ledgix_vault.policy.cel.errors import ConditionError
from ledgix_vault.policy.cel.inputs import Inputs, Unknown
from ledgix_vault.policy.conditions import Condition
from ledgix_vault.policy.english import compile_sentence
from ledgix_vault.policy.evaluate import Call
from ledgix_vault.policy.model import PolicyDocument
from ledgix_vault.policy.schemas import ToolSchema

PAGE = (Path(__file__).parents[4] / "docs" / "policy-language.md").read_text()


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def lines(kind: str) -> list[str]:
    (block,) = blocks(kind)
    return block.splitlines()


TRUTHS = re.findall(r"^\| `(.+?)` \| `(\{.*\})` \| (true|false|unknown) \|$", PAGE, re.MULTILINE)


def test_definitions_and_schemas(draft: Callable[..., PolicyDocument]) -> None:
    for text in blocks("yaml"):
        assert draft(definition=text).rules
    for text in blocks("json"):
        assert ToolSchema.parse("t", json.parse_object(text.encode())).money


@pytest.mark.parametrize("text", lines("cel"))
def test_conditions(text: str) -> None:
    assert Condition.parse(text)


@pytest.mark.parametrize("text", lines("refused"))
def test_refused_conditions(text: str) -> None:
    with pytest.raises(ConditionError):
        Condition.parse(text)


@pytest.mark.parametrize(("text", "args", "result"), TRUTHS)
def test_truth_table(text: str, args: str, result: str) -> None:
    call: Any = Call("t", json.parse_object(args.encode()), "a", "", None, {}, {}, None, None, None)
    outcome = Condition.parse(text.replace(r"\|", "|")).test(Inputs(call, {}))
    assert ("unknown" if isinstance(outcome, Unknown) else str(outcome).lower()) == result


def test_the_truth_table_was_found() -> None:
    assert len(TRUTHS) == 34


@pytest.mark.parametrize("line", lines("sentences"))
def test_sentences(line: str) -> None:
    sentence, rules = line.split(" → ")
    found = compile_sentence(sentence, ["stripe_refund"], {}) or []
    shown = "; ".join(" ".join([str(rule.effect), *(condition.text for condition in rule.when)]) for rule in found)
    assert shown == rules


@pytest.mark.parametrize("line", lines("circumstances"))
def test_sentences_with_circumstances(line: str) -> None:
    sentence, rules = line.split(" → ")
    found = compile_sentence(sentence, ["stripe_refund"], {}) or []
    assert "; ".join(f"{rule.effect} {' && '.join(c.text for c in rule.when)}" for rule in found) == rules


@pytest.mark.parametrize("sentence", lines("not-understood"))
def test_sentences_that_are_left(sentence: str) -> None:
    assert compile_sentence(sentence, ["stripe_refund"], {}) is None
