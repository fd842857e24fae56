"""A caller's connection, as uvicorn's protocol with the bounds that it lacks.

Invariants:

- A head that hasn't ended after `head_seconds`, or after `LONGEST_HEAD` bytes, ends the connection.
- There are `connections` connections at most; one more is told so and closed.
- The target of a request line is a path: absolute forms, authorities, `*` and fragments are refused, since two readers
  could take them for different requests.
- What stands behind a body (trailers) never becomes a header of the request.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ledgix_gateway.codes import Code, problem
from ledgix_gateway.ended import Ended, OnEnd, Verdict
from ledgix_gateway.errors import Problem
from ledgix_gateway.proxy.replies import drawn

LONGEST_HEAD: Final = 65_536
_TARGET: Final = re.compile(rb"/[\x21\x22\x24-\x7e]*")  # printable ASCII without space and "#"


@dataclass(frozen=True, slots=True)
class Bounds:
    """For all connections of one server."""

    head_seconds: float
    connections: int
    on_end: OnEnd  # hears of requests that never become one


class _TargetRefused(Exception):
    """Ends the parser's run; the connection has been answered."""


class Connections(HttpToolsProtocol):
    """One connection; `bounds` is set by the subclass that a server makes for itself."""

    bounds: ClassVar[Bounds]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._in_head = True
        self._head_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.bounds.connections:
            said = problem(Code.GATEWAY_BUSY, "There are as many connections as there may be.", retry_after=1)
            self._answer(said)
            return
        self._time_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > LONGEST_HEAD and not self.transport.is_closing():
            self.send_400_response("The request's head is too long.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        if self._head_timer is None:
            self._time_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:  # else a trailer (RFC 9110 section 6.5.1): dropped
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head, self._head_bytes = False, 0
        self._stop_timer()
        if not _TARGET.fullmatch(self.url):
            raise _TargetRefused
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """What the parser refuses. An answer that has begun is broken off instead."""
        if self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete:
            self.transport.close()
            return
        self._answer(problem(Code.HEAD_AMBIGUOUS, msg))

    def _time_head(self) -> None:
        self._head_timer = self.loop.call_later(self.bounds.head_seconds, self._head_is_late)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        self._head_timer = None
        busy = self.cycle is not None and not self.cycle.response_complete
        if busy:  # a next head that dawdles behind a call that goes on
            self._time_head()
        elif self._head_bytes:
            seconds = self.bounds.head_seconds
            self._answer(problem(Code.HEAD_TOO_SLOW, f"The head must be here within {seconds:g} seconds."))
        else:
            self.transport.close()

    def _answer(self, said: Problem) -> None:
        """Writes an answer without an application, and closes."""
        if self.transport.is_closing():
            return
        self.bounds.on_end(Ended(Verdict.REFUSED, said.status, method="", code=said.code, detail=said.detail))
        status, headers, body = drawn(said)
        lines = [b"HTTP/1.1 %d \r\n" % status, *(b"%s: %s\r\n" % header for header in headers)]
        self.transport.write(b"".join((*lines, b"connection: close\r\n\r\n", body)))
        self.transport.close()
