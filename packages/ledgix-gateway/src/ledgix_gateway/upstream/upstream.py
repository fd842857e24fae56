"""One tool's server, with a place for each call that may go on at the same time."""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TypeVar

from ledgix_gateway.codes import Code, refusal
from ledgix_gateway.config.routing import UpstreamConfig
from ledgix_gateway.errors import UpstreamError
from ledgix_gateway.tracing import server_of, tool_span, with_trace
from ledgix_gateway.upstream.breaker import Breaker
from ledgix_gateway.upstream.exchange import Answer, Outbound, Sender, Socket
from ledgix_gateway.upstream.http1 import Http1Sender
from ledgix_gateway.upstream.http2 import Http2Sender

T = TypeVar("T")


class Place:
    """Permission to make one call now. Held until the answer was read."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self.was_used = False

    async def send(self, outbound: Outbound) -> Answer:
        """Makes the call; raises NotSent or NoAnswer. Once."""
        self._use()
        upstream = self._upstream
        with tool_span(outbound.method, upstream._server) as span:
            answer = await upstream._watched(upstream._sender.send(_traced(outbound)))
            span.set_attribute("http.response.status_code", answer.status)
            return answer

    async def connect(self, outbound: Outbound, subprotocols: tuple[str, ...]) -> Socket:
        """Opens a WebSocket; raises NotSent or NoAnswer. Once."""
        self._use()
        upstream = self._upstream
        with tool_span(outbound.method, upstream._server):
            return await upstream._watched(upstream._sender.connect(_traced(outbound), subprotocols))

    def _use(self) -> None:
        assert not self.was_used, "a place is for one call"
        self.was_used = True


class Upstream:
    """Shared by all calls of one tool's server; made and closed inside the event loop."""

    def __init__(self, config: UpstreamConfig, clock: Callable[[], float] = time.monotonic) -> None:
        self.config = config
        self.breaker = Breaker(config.failures, config.rest_seconds)
        self._sender: Sender = Http2Sender(config) if config.http2 else Http1Sender(config)
        self._server = server_of(config.url)
        self._clock = clock
        self._calls = 0

    @asynccontextmanager
    async def place(self) -> AsyncIterator[Place]:
        """A place for one call. Refuses at once, before a token is burned, where the tool is away or busy."""
        name = self.config.name
        if self._calls >= self.config.calls:
            raise refusal(Code.UPSTREAM_UNAVAILABLE, f"{name} has as many calls as it may have at once.", retry_after=1)
        if (seconds := self.breaker.enter(self._clock())) > 0:
            raise refusal(
                Code.UPSTREAM_UNAVAILABLE,
                f"{name} did not answer lately and is left alone for a while. No token was burned.",
                retry_after=math.ceil(seconds),
            )
        self._calls += 1
        place = Place(self)
        try:
            yield place
        finally:
            self._calls -= 1
            if not place.was_used:
                self.breaker.withdrawn()

    async def _watched(self, answer: Awaitable[T]) -> T:
        """The answer; the breaker learns whether there was one."""
        try:
            found = await answer
        except UpstreamError:
            self.breaker.failed(self._clock())
            raise
        except BaseException:  # cancelled: nothing was learnt
            self.breaker.withdrawn()
            raise
        self.breaker.succeeded()
        return found

    async def aclose(self) -> None:
        """Ends all connections."""
        await self._sender.aclose()


def _traced(outbound: Outbound) -> Outbound:
    return replace(outbound, headers=with_trace(outbound.headers))
