"""The cases of domains.yaml notice it when any operator or function of their conditions is turned around."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from ledgix_vault.policy.errors import PolicyError
from ledgix_vault.policy.evaluate import evaluate

sys.path.insert(0, str(Path(__file__).parent))

from test_cases import _call, _found, _snapshot

CASES: Final = yaml.safe_load((Path(__file__).parent / "cases" / "domains.yaml").read_text())
TURNED: Final = {
    "<": ("<=", ">"),
    "<=": ("<", ">="),
    ">": (">=", "<"),
    ">=": (">", "<="),
    "==": ("!=",),
    "!=": ("==",),
    "&&": ("||",),
    "||": ("&&",),
    "+": ("-",),
    "-": ("+",),
    "*": ("+",),
    "!": ("",),
    ".all(": (".exists(",),
    ".exists(": (".all(", ".exists_one("),
    ".exists_one(": (".exists(", ".all("),
    ".sum()": (".max()", ".min()"),
    ".max()": (".min()",),
    ".min()": (".max()",),
    ".distinct()": ("",),
    ', "Europe/Berlin"': (', "Pacific/Kiritimati"',),
    '"America/New_York"': ('"UTC"',),
}
_TOKEN: Final = re.compile("|".join(re.escape(token) for token in sorted(TURNED, key=len, reverse=True)))
_QUOTED: Final = re.compile(r'"[^"]*"')


def mutants() -> Iterator[Any]:
    for case in CASES:
        definition = yaml.safe_load(case["policies"][0]["definition"])
        for i, rule in enumerate(definition["rules"]):
            for j, condition in enumerate(rule["when"]):
                for turned in turned_around(condition):
                    mutant = deepcopy(definition)
                    mutant["rules"][i]["when"][j] = turned
                    yield pytest.param(case, mutant, id=f"{rule['id']}: {turned}")


def turned_around(condition: str) -> Iterator[str]:
    """The condition with one operator turned around; what stands in quotes is no operator, but a zone matters."""
    blanked = _QUOTED.sub(lambda text: text[0] if "/" in text[0] else '"' + "_" * (len(text[0]) - 2) + '"', condition)
    for match in _TOKEN.finditer(blanked):
        for other in TURNED[match[0]]:
            yield condition[: match.start()] + other + condition[match.end() :]


@pytest.mark.parametrize(("case", "mutant"), [*mutants()])
def test_turned_around_it_is_noticed(case: dict[str, Any], mutant: dict[str, Any]) -> None:
    try:
        snapshot = _snapshot({**case, "policies": [{**case["policies"][0], "definition": json.dumps(mutant)}]})
    except PolicyError:
        return  # noticed before any call
    answers = [_found(evaluate(snapshot, _call(each["call"])), each["expect"]) for each in case["calls"]]
    assert answers != [each["expect"] for each in case["calls"]]


def test_there_are_many() -> None:
    assert len([*mutants()]) > 50
