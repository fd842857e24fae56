"""Where an answer goes: to the caller's connection, or into memory for a call that is held."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ledgix_gateway.codes import Code, problem
from ledgix_gateway.credentials import REQUEST_ID
from ledgix_gateway.errors import Problem
from ledgix_gateway.inbound import Headers
from ledgix_gateway.proxy.incoming import Gone

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


def until_gone(send: Send) -> Send:
    """The same, for servers that raise OSError once the caller has left (ASGI specification): that is `Gone`."""

    async def sending(message: MutableMapping[str, Any]) -> None:
        try:
            await send(message)
        except OSError:
            raise Gone from None

    return sending


class Reply(Protocol):
    """One answer: `start`, then any number of `part`, then `end`. An answer that isn't ended is broken off."""

    async def start(self, status: int, headers: Headers) -> None: ...
    async def part(self, part: bytes) -> None: ...
    async def end(self) -> None: ...


class Connection:
    """The answer goes to the caller as it comes."""

    def __init__(self, send: Send) -> None:
        self._send = send

    async def start(self, status: int, headers: Headers) -> None:
        await self._send({"type": "http.response.start", "status": status, "headers": list(headers)})

    async def part(self, part: bytes) -> None:
        await self._send({"type": "http.response.body", "body": part, "more_body": True})

    async def end(self) -> None:
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})


@dataclass(slots=True)
class Kept:
    """The answer is kept, up to `most` bytes; beyond them it is replaced by a problem."""

    most: int
    status: int = 0
    headers: Headers = ()
    body: bytearray = field(default_factory=bytearray, repr=False)
    is_complete: bool = False
    _is_too_large: bool = False

    async def start(self, status: int, headers: Headers) -> None:
        self.status, self.headers, self._is_too_large = status, headers, False
        self.body.clear()

    async def part(self, part: bytes) -> None:
        self._is_too_large = self._is_too_large or len(self.body) + len(part) > self.most
        if not self._is_too_large:
            self.body += part

    async def end(self) -> None:
        if self._is_too_large:
            await self._replace(problem(Code.ANSWER_TOO_LARGE, "The call was made, and its answer was not kept."))
        self.is_complete = True

    async def show(self, reply: Reply) -> None:
        """Gives the kept answer to somebody who asks for it."""
        await reply.start(self.status, self.headers)
        await reply.part(bytes(self.body))
        await reply.end()

    async def _replace(self, said: Problem) -> None:
        said_id = dict(self.headers).get(REQUEST_ID.encode(), b"").decode()
        self.status, self.headers, body = drawn(said, request_id=said_id)
        self.body = bytearray(body)


async def say(reply: Reply, said: Problem, *, close: bool = False) -> None:
    """A whole answer that is a problem; with `close` the connection ends after it."""
    status, headers, body = drawn(said)
    await reply.start(status, (*headers, (b"connection", b"close")) if close else headers)
    await reply.part(body)
    await reply.end()


def drawn(said: Problem, *, request_id: str = "") -> tuple[int, Headers, bytes]:
    """The problem as RFC 9457 has it: status, headers and body."""
    body = json.dumps(said.to_json(), ensure_ascii=False).encode()
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    if said.retry_after is not None:
        headers.append((b"retry-after", str(said.retry_after).encode()))
    if said.status == 401:
        headers.append((b"www-authenticate", b'Bearer realm="ledgix"'))  # RFC 9110 section 11.6.1
    if named := said.request_id or request_id:
        headers.append((REQUEST_ID.encode(), named.encode()))
    return said.status, tuple(headers), body
