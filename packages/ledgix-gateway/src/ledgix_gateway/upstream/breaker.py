"""A circuit breaker: after some failures in a row a tool is left alone for a while, then tried with one call.

Times are seconds of a monotonic clock, and come in as arguments.
"""

from __future__ import annotations


class Breaker:
    """For one tool. Whoever was let in says how it went: `succeeded`, `failed`, or `withdrawn` if nothing was tried."""

    def __init__(self, failures: int, rest: float) -> None:
        self._most = failures
        self._rest = rest
        self._failures = 0
        self._opened_at: float | None = None
        self._probing = False

    @property
    def is_open(self) -> bool:
        return self._opened_at is not None

    def enter(self, now: float) -> float:
        """0 if the call may be tried; else the seconds until it is worth coming back."""
        if self._opened_at is None:
            return 0.0
        left = self._opened_at + self._rest - now
        if left > 0:
            return left
        if self._probing:
            return self._rest
        self._probing = True
        return 0.0

    def succeeded(self) -> None:
        """The tool answered, whatever it said."""
        self._failures, self._opened_at, self._probing = 0, None, False

    def failed(self, now: float) -> None:
        """No connection, or no answer."""
        self._failures += 1
        self._probing = False
        if self._failures >= self._most:
            self._opened_at = now

    def withdrawn(self) -> None:
        """The call was not made after all, so nothing was learnt."""
        self._probing = False
