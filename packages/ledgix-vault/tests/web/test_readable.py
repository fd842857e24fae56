"""Arguments as people read them: all of them, exactly, with money in its currency and nothing that can't be seen."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledgix_vault.notices.visible import visible
from ledgix_vault.policy.money import Money, Unit
from ledgix_vault.web.dashboard.readable import read_arguments, summary
from ledgix_vault.web.dashboard.words import duration, money

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def leaves(value: Any) -> int:
    if isinstance(value, dict) and value:
        return sum(leaves(each) for each in value.values())
    if isinstance(value, list) and value:
        return sum(leaves(each) for each in value)
    return 1


@given(st.dictionaries(st.text(), JSON, min_size=1, max_size=5))
def test_no_value_is_left_out(args: dict[str, Any]) -> None:
    assert len(read_arguments(args)) == leaves(args)


@given(st.text())
def test_what_is_shown_can_be_seen(text: str) -> None:
    shown = visible(text)
    assert all(sign == "\n" or sign.isprintable() or sign.isspace() for sign in shown)


@pytest.mark.parametrize("sign", ["\u202e", "\u200b", "\x00", "\u2066", "\ufeff", "\x1b"])
def test_signs_that_deceive_are_written_out(sign: str) -> None:
    (found,) = read_arguments({"to": f"acc{sign}1"})
    assert sign not in found.shown
    assert f"\\u{ord(sign):04x}" in found.shown


def test_declared_money_is_shown_in_whole_units_with_what_was_sent() -> None:
    declared = {("payment", "amount"): Money(Unit.MINOR, currency_field=("currency",))}
    args = cast("Any", {"payment": {"amount": 45000}, "currency": "jpy"})
    assert read_arguments(args, declared)[0].shown == "45,000 JPY"
    args["currency"] = "usd"
    assert (read_arguments(args, declared)[0].shown, read_arguments(args, declared)[0].exact) == ("450.00 USD", "45000")
    args["currency"] = "ISK"
    assert read_arguments(args, declared)[0].shown == "45000 in the smallest unit of ISK"


def test_an_amount_beside_its_currency_is_money_and_comes_first() -> None:
    args = cast("Any", {"order": "A-1", "amount": Decimal("1234.5"), "currency": "EUR"})
    assert summary(args) == "1,234.50 EUR · order A-1"
    assert [each.path for each in read_arguments(args)] == ["order", "amount", "currency"]


def test_no_digit_of_money_is_dropped() -> None:
    assert money(Decimal("0.005"), "USD") == "0.005 USD"
    assert money(1_000_000, "JPY") == "1,000,000 JPY"
    assert money(True, "USD") == "True"


@pytest.mark.parametrize(
    ("seconds", "shown"), [(59, "59 s"), (60, "1 min"), (3600, "1 h"), (5400, "1 h 30 min"), (90_000, "1 d 1 h")]
)
def test_spans_of_time(seconds: int, shown: str) -> None:
    assert duration(seconds) == shown
