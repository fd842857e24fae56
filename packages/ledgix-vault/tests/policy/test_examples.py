"""The policies in examples/: no flaw, no failing case, and no comparison that could be turned around unnoticed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest

from ledgix_vault.cli.policy_files import load
from ledgix_vault.operations.run_policy_cases import run_policy_cases
from ledgix_vault.policy.code.directory import is_part, read_directory, rules_of
from ledgix_vault.policy.lint import Severity, lint

EXAMPLES: Final = Path(__file__).parents[4] / "examples" / "policies"
ALL: Final = sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir())
TEMPLATES: Final = ("admin-actions", "crm-writes", "data-export", "payments", "refunds")
FLIPS: Final = {"<=": "<", "<": "<=", ">=": ">", ">": ">=", "==": "!=", "!=": "==", "&&": "||", "||": "&&"}


def texts(name: str) -> dict[str, str]:
    directory = EXAMPLES / name
    names = {path.relative_to(directory).as_posix(): path for path in directory.rglob("*") if path.is_file()}
    return {part: path.read_text("utf-8") for part, path in names.items() if is_part(part)}


@pytest.mark.parametrize("name", ALL)
def test_it_compiles_without_a_warning(name: str) -> None:
    found = load(EXAMPLES / name)
    assert [str(problem) for problem in found.problems] == []
    for document in found.documents.values():
        assert document.open_text == ()
        warnings = [str(f) for f in lint(document, found.schemas) if f.severity is Severity.WARNING]
        assert warnings == []


@pytest.mark.parametrize("name", ALL)
def test_its_cases_hold(name: str) -> None:
    results = list(run_policy_cases(load(EXAMPLES / name)))
    assert results
    assert [(result.case.why, result.misses, result.reason) for result in results if not result.passed] == []


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_rule_of_a_template_fires_in_some_case(name: str) -> None:
    found = load(EXAMPLES / name)
    fired = {rule for result in run_policy_cases(found) for rule in result.fired}
    assert set(rules_of(found.documents)) - fired == set()


def mutants(files: Mapping[str, str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Every policy file with one operator of one condition turned around."""
    for name, text in files.items():
        if "/" in name:
            continue
        for condition in conditions_of(files):
            for at, sign in operators_in(condition):
                turned = condition[:at] + FLIPS[sign] + condition[at + len(sign) :]
                if condition in text:
                    yield turned, {**files, name: text.replace(condition, turned, 1)}


def conditions_of(files: Mapping[str, str]) -> list[str]:
    documents = read_directory(files).documents.values()
    return [condition.text for document in documents for rule in document.rules for condition in rule.when]


def operators_in(condition: str) -> Iterator[tuple[int, str]]:
    at = 0
    while at < len(condition):
        sign = next((sign for sign in FLIPS if condition.startswith(sign, at)), "")
        if sign:
            yield at, sign
        at += len(sign) or 1


@pytest.mark.parametrize("name", TEMPLATES)
def test_an_operator_that_is_turned_around_is_noticed(name: str) -> None:
    unnoticed = []
    count = 0
    for turned, files in mutants(texts(name)):
        count += 1
        mutant = read_directory(files)
        if not mutant.problems and all(result.passed for result in run_policy_cases(mutant)):
            unnoticed.append(turned)
    assert count > 3
    assert unnoticed == []
