"""When a request is sent again, and after how long. Pure: time and chance come from outside.

- A transport failure or a 5xx is tried again at most `max_retries` times, after a full-jitter exponential delay.
- A 429 is cooperation, not failure: it is counted by itself, at most `max_busy` times.
- `Retry-After` (whole seconds, 429 and 503) is a lower bound, capped at `max_retry_after`; up to `base_delay` of jitter
  is added, so that clients told the same second do not come back together.
- Everything else is final.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ledgix.client.flow import NoReply, Reply

_BUSY = 429
_UNAVAILABLE = 503


@dataclass(frozen=True, slots=True)
class Attempts:
    """What went wrong so far in one exchange."""

    failures: int = 0
    busy: int = 0


@dataclass(frozen=True, slots=True)
class Again:
    """Send the same request once more after `seconds`."""

    seconds: float
    attempts: Attempts


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    max_retries: int = 3
    max_busy: int = 10
    base_delay: float = 0.5
    max_delay: float = 30.0
    max_retry_after: int = 60

    def after(self, outcome: Reply | NoReply, so_far: Attempts, draw: Callable[[float, float], float]) -> Again | None:
        """None means that the outcome is final, good or bad. `draw(low, high)` gives a uniform number between them."""
        if isinstance(outcome, Reply) and outcome.status == _BUSY:
            if so_far.busy >= self.max_busy:
                return None
            counted = replace(so_far, busy=so_far.busy + 1)
            return Again(self._delay(outcome, so_far.busy, draw), counted)
        failed = isinstance(outcome, NoReply) or outcome.status >= 500
        if not failed or so_far.failures >= self.max_retries:
            return None
        counted = replace(so_far, failures=so_far.failures + 1)
        return Again(self._delay(outcome, so_far.failures, draw), counted)

    def _delay(self, outcome: Reply | NoReply, exponent: int, draw: Callable[[float, float], float]) -> float:
        asked = retry_after(outcome)
        if asked is not None:
            return min(asked, self.max_retry_after) + draw(0.0, self.base_delay)
        ceiling = min(self.max_delay, self.base_delay * 2.0 ** min(exponent, 32))
        return draw(0.0, ceiling)


ONCE = RetryPolicy(max_retries=0, max_busy=0)


def retry_after(outcome: Reply | NoReply) -> int | None:
    """The whole seconds that a 429 or 503 asks for; None when absent or not a plain number (contract section 1)."""
    if isinstance(outcome, NoReply) or outcome.status not in (_BUSY, _UNAVAILABLE):
        return None
    text = outcome.headers.get("retry-after", "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
