"""Each approval once: what this process has already accepted.

Invariants:

- An unexpired token is never forgotten. When there is no room for another one, that other one is refused.
- Of any number of threads that present the same token, one is accepted.
"""

from __future__ import annotations

import heapq
import threading
from dataclasses import dataclass, field

from ledgix.client.errors import ReplayMemoryFull, TokenReplayed

DEFAULT_CAPACITY = 100_000


class ReplayMemory:
    """The `jti` of every accepted token until it expires. Lost when the process ends: the Vault's consume is not."""

    def __init__(self, capacity: int = DEFAULT_CAPACITY) -> None:
        self._capacity = capacity
        self._seen: set[str] = set()
        self._by_expiry: list[tuple[float, str]] = []
        self._lock = threading.Lock()

    def claim(self, jti: str, *, until: float, now: float) -> None:
        """Accept `jti` for the first and only time; times are seconds since the epoch."""
        with self._lock:
            while self._by_expiry and self._by_expiry[0][0] < now:
                self._seen.discard(heapq.heappop(self._by_expiry)[1])
            if jti in self._seen:
                raise TokenReplayed(f"token {jti} was accepted before; an approval is good for one call")
            if len(self._seen) >= self._capacity:
                raise ReplayMemoryFull(
                    f"{self._capacity} unexpired tokens are remembered and none may be forgotten; give the client a "
                    "larger ReplayMemory, or let the Vault do the counting with consume"
                )
            self._seen.add(jti)
            heapq.heappush(self._by_expiry, (until, jti))

    def __len__(self) -> int:
        return len(self._seen)


@dataclass(frozen=True, slots=True)
class ReplayMemories:
    """Two roles of one process: receiving approvals for its own calls, and checking tokens that others present.

    They are counted apart, so that an agent and the tool that it calls may live in one process.
    """

    received: ReplayMemory = field(default_factory=ReplayMemory)
    presented: ReplayMemory = field(default_factory=ReplayMemory)


PROCESS_WIDE = ReplayMemories()
