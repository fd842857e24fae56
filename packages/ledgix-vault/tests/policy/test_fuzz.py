"""Whatever text arrives: a policy file, a definition or cases are read, or refused with places inside the text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledgix_vault.policy.code.cases import parse_cases
from ledgix_vault.policy.code.policy_file import parse_policy_file
from ledgix_vault.policy.definition import parse_definition
from ledgix_vault.policy.errors import PolicyError, Problem

EXAMPLES = Path(__file__).parents[4] / "examples" / "policies"
TEXTS = [path.read_text("utf-8") for path in sorted(EXAMPLES.rglob("*.yaml"))]
PIECES = st.one_of(
    st.sampled_from(
        ["\n", "  ", "- ", ": ", "{", "}", "[", "]", '"', "'", ">-", "|", "#", "&a", "*a", "!!x", "null", "1e9"]
    ),
    st.text(max_size=6),
)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """An example with a piece cut out, doubled or put in at some places."""
    text = draw(st.sampled_from(TEXTS))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        match draw(st.integers(0, 2)):
            case 0:
                text = text[:at] + text[at + draw(st.integers(1, 40)) :]
            case 1:
                text = text[:at] + draw(PIECES) + text[at:]
            case _:
                text = text[:at] + text[at : at + 30] + text[at:]
    return text


def compiled(text: str) -> object:
    return parse_policy_file(text).document({})


def flaws(read: Callable[[str], object], text: str) -> tuple[Problem, ...]:
    """What the reader has against the text; any other exception is a failure."""
    try:
        read(text)
    except PolicyError as error:
        return error.problems
    return ()


@pytest.mark.parametrize("read", [compiled, parse_definition, parse_cases])
@settings(max_examples=150, deadline=None)
@given(text=st.one_of(mutated(), st.text(max_size=80)))
def test_it_is_read_or_refused_with_its_place(read: Callable[[str], object], text: str) -> None:
    lines = text.count("\n") + 1
    for problem in flaws(read, text):
        if problem.line is not None:
            assert 1 <= problem.line <= lines + 1
            assert problem.column is not None
            assert problem.column >= 1
