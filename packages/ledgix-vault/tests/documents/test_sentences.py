"""The sentences of a text: what stays together, what is taken apart, what is left out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledgix_vault.sources.sentences import LONGEST, sentences_in

CASES = {
    "Refunds must not exceed $500. Refunds over $100 need review.": [
        "Refunds must not exceed $500.",
        "Refunds over $100 need review.",
    ],
    "A refund that is larger\nthan 100 USD\nneeds review.": ["A refund that is larger than 100 USD needs review."],
    "1. Refunds\n\nNo refund may exceed 1.000 USD.": ["Refunds", "No refund may exceed 1.000 USD."],
    "- Keep receipts\n- Ask first\n\n(a) Never twice": ["Keep receipts", "Ask first", "Never twice"],
    "Use approved tools, e.g. Stripe. See Art. 5 of it.": [
        "Use approved tools, e.g. Stripe.",
        "See Art. 5 of it.",
    ],
    "4.2 Amounts above $1,000.50 need review": ["Amounts above $1,000.50 need review"],
    "“Refunds are final.” Nobody is asked.": ["“Refunds are final.”", "Nobody is asked."],
    "x" * (LONGEST + 1): [],
    " \n\n 42 \n\n": [],
}


@pytest.mark.parametrize("text", CASES, ids=range(len(CASES)))
def test_sentences(text: str) -> None:
    assert sentences_in(text) == CASES[text]


@given(st.text(max_size=400))
def test_every_sentence_is_one_line_out_of_the_text(text: str) -> None:
    flat = " ".join(text.split())
    for sentence in sentences_in(text):
        assert sentence.splitlines() == [sentence]
        assert sentence == sentence.strip()
        assert all(word in flat for word in sentence.split())
