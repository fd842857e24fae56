"""The reference says everything that the language has, and the page in docs/ is the one that the code makes."""

from __future__ import annotations

from pathlib import Path

from ledgix_vault.policy import reference as page
from ledgix_vault.policy.cel.compile import USAGE
from ledgix_vault.policy.cel.parse import QUANTIFIERS
from ledgix_vault.policy.cel.roots import ROOTS
from ledgix_vault.policy.definition import MEMBERS

PAGE = Path(__file__).parents[4] / "docs" / "policy-reference.md"


def test_nothing_is_left_out() -> None:
    assert page.ROOT_MEANINGS.keys() == ROOTS.keys()
    assert page.FUNCTION_MEANINGS.keys() == USAGE.keys()
    assert page.LOOP_MEANINGS.keys() == set(QUANTIFIERS)
    assert page.PART_MEANINGS.keys() == set(MEMBERS)


def test_the_page_is_the_one_that_the_code_makes() -> None:
    how = "run: python -m ledgix_vault.policy.reference > docs/policy-reference.md"
    assert PAGE.read_text("utf-8") == page.reference(), how
