"""What is sent to a tool's server, and what comes back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from ledgix_gateway.inbound import Headers

LARGEST_MESSAGE: Final = 1024 * 1024
"""Bytes of one message of a WebSocket, in either direction."""


@dataclass(frozen=True, slots=True)
class Outbound:
    """One request. `target` and `query` are raw; a body in parts is sent as it comes."""

    method: str
    target: bytes
    query: bytes
    headers: Headers = field(repr=False)
    body: bytes | AsyncIterator[bytes] = field(default=b"", repr=False)
    content_length: int | None = None  # of a body in parts, if it is known

    @property
    def path_and_query(self) -> str:
        """As it stands in the request line."""
        return (self.target + (b"?" + self.query if self.query else b"")).decode("ascii")


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and headers; `parts` yields the body, raises NoAnswer where it breaks off, and is read once."""

    status: int
    headers: Headers = field(repr=False)
    parts: AsyncIterator[bytes] = field(repr=False)
    close: Callable[[], Awaitable[None]] = field(repr=False)


class Socket(Protocol):
    """An open WebSocket. `receive` gives None when the tool has closed it; `close_code` then says why."""

    @property
    def subprotocol(self) -> str | None: ...
    @property
    def close_code(self) -> int: ...
    async def send(self, message: str | bytes) -> None: ...
    async def receive(self) -> str | bytes | None: ...
    async def aclose(self, code: int) -> None: ...


class Sender(Protocol):
    """Transports to one server. Safe to share between tasks; `aclose` ends all connections."""

    async def send(self, outbound: Outbound) -> Answer:
        """The answer's head as soon as it is here; raises NotSent or NoAnswer."""

    async def connect(self, outbound: Outbound, subprotocols: tuple[str, ...]) -> Socket:
        """Opens a WebSocket; raises NotSent or NoAnswer."""

    async def aclose(self) -> None: ...
