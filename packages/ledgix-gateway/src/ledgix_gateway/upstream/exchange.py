"""What is sent to a tool's server, and what comes back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from ledgix_gateway.inbound import Headers


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


class Sender(Protocol):
    """Transports to one server. Safe to share between tasks; `aclose` ends all connections."""

    async def send(self, outbound: Outbound) -> Answer:
        """The answer's head as soon as it is here; raises NotSent or NoAnswer."""

    async def aclose(self) -> None: ...
