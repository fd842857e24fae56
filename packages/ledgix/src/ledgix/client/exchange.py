"""One request, all its attempts, one usable answer or one error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from ledgix.client.flow import Clock, Flow, Reply, Request, Sleep, draw_uniform
from ledgix.client.problems import error_of
from ledgix.client.reading import parse
from ledgix.client.requests import RequestBuilder
from ledgix.client.retry import Attempts, RetryPolicy
from ledgix.formats.json import JsonObject

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Exchange:
    """How this client talks: whose key, which patience, which clock and dice."""

    build: RequestBuilder
    policy: RetryPolicy
    clock: Clock = field(default_factory=Clock)
    draw: Callable[[float, float], float] = draw_uniform

    def send(self, request: Request, policy: RetryPolicy | None = None) -> Flow[Reply]:
        """The 2xx answer to `request`; raises VaultError otherwise. The same request is sent again, never a new one."""
        patience = policy or self.policy
        attempts = Attempts()
        while True:
            outcome = yield request
            assert outcome is not None
            if isinstance(outcome, Reply) and 200 <= outcome.status < 300:
                return outcome
            again = patience.after(outcome, attempts, self.draw)
            if again is None:
                raise error_of(request, outcome)
            attempts = again.attempts
            yield Sleep(again.seconds)

    def read(self, request: Request, reader: Callable[[JsonObject], T], policy: RetryPolicy | None = None) -> Flow[T]:
        """What `reader` makes of the JSON object in the answer."""
        reply = yield from self.send(request, policy)
        return reader(parse(reply.body))
