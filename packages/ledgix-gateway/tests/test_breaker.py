"""The circuit breaker, by a clock in the hand."""

from __future__ import annotations

from ledgix_gateway.upstream.breaker import Breaker


def test_it_opens_after_so_many_failures_in_a_row() -> None:
    breaker = Breaker(failures=3, rest=10)
    for _ in range(2):
        breaker.failed(0)
    breaker.succeeded()
    for _ in range(2):
        breaker.failed(0)
    assert breaker.enter(0) == 0
    breaker.failed(0)
    assert breaker.enter(0) == 10
    assert breaker.enter(4) == 6


def test_after_a_rest_one_call_tries() -> None:
    breaker = Breaker(failures=1, rest=10)
    breaker.failed(0)
    assert breaker.enter(10) == 0
    assert breaker.enter(10) > 0  # the others wait for how it goes
    breaker.failed(10)
    assert breaker.enter(15) == 5
    assert breaker.enter(20) == 0
    breaker.succeeded()
    assert breaker.enter(20) == 0
    assert breaker.enter(20) == 0


def test_a_call_that_was_not_made_says_nothing() -> None:
    breaker = Breaker(failures=1, rest=10)
    breaker.failed(0)
    assert breaker.enter(10) == 0
    breaker.withdrawn()
    assert breaker.enter(10) == 0
