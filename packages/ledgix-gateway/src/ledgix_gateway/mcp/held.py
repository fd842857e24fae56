"""Requests that wait for a person while nobody waits for them, so that the same call can pick its approval up.

Invariants:

- A request is taken out before it is waited for: of two calls that are the same, one continues it.
- Memory is bounded: when it is full, the request that was held longest is forgotten. It stays open in the Vault, and
  the same call asks anew.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from ledgix.client.asked import ClearanceRequest
from ledgix.formats import jcs

MOST_HELD: Final = 1000


@dataclass(frozen=True, slots=True)
class Open:
    """A request that the Vault has not decided about yet."""

    request_id: str
    request: ClearanceRequest


class Held:
    """By agent, session, tool and exact arguments."""

    def __init__(self, most: int = MOST_HELD) -> None:
        self._most = most
        self._open: OrderedDict[str, Open] = OrderedDict()

    def hold(self, waiting: Open) -> None:
        """Keeps it until the same call comes again."""
        key = _key(waiting.request)
        self._open[key] = waiting
        self._open.move_to_end(key)
        while len(self._open) > self._most:
            self._open.popitem(last=False)

    def take(self, request: ClearanceRequest) -> Open | None:
        """The open request of this very call; nobody else gets it."""
        return self._open.pop(_key(request), None)

    def __len__(self) -> int:
        return len(self._open)


def _key(request: ClearanceRequest) -> str:
    return jcs.sha256_hex(request.to_json())
