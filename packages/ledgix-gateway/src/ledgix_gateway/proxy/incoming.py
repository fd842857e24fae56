"""The body of a request as it arrives, with bounds on its size and its time."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any, Final

from ledgix_gateway.codes import Code, refusal
from ledgix_gateway.routes.digest import digest_of

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_PATIENCE: Final = 1.0
"""Seconds for the rest of a body that was refused, so that its sender reads the answer instead of a reset."""


class Gone(Exception):
    """The caller left before its request was complete."""


class Incoming:
    """One request's body. What was read is kept until somebody takes it with `parts`."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._read = b""
        self.is_complete = False  # whoever reads the head says whether a body follows

    async def begin(self, most: int, seconds: float) -> bytes:
        """Reads until the end, or until there are more than `most` bytes: then it isn't complete yet."""
        try:
            async with asyncio.timeout(seconds):
                while not self.is_complete and len(self._read) <= most:
                    self._read += await self._next()
        except TimeoutError:
            raise refusal(Code.BODY_TOO_SLOW, f"The body must be here within {seconds:g} seconds.") from None
        return self._read

    async def whole(self, most: int, seconds: float) -> bytes:
        """All of it; refuses a body of more than `most` bytes, or one that takes longer."""
        body = await self.begin(most, seconds)
        if len(body) > most or not self.is_complete:
            raise too_large(most)
        return body

    async def parts(self, most: int, seconds: float) -> AsyncIterator[bytes]:
        """What was read and what is still to come; each part within `seconds`. Refuses more than `most` bytes."""
        size = len(self._read)
        if self._read:
            yield self._read
        while not self.is_complete:
            try:
                async with asyncio.timeout(seconds):
                    part = await self._next()
            except TimeoutError:
                raise refusal(Code.BODY_TOO_SLOW, f"The body stood still for {seconds:g} seconds.") from None
            size += len(part)
            if size > most:
                raise too_large(most)
            if part:
                yield part

    async def discard(self) -> None:
        """Reads for a moment what nobody wants, so that whoever sends it gets to see the answer."""
        try:
            async with asyncio.timeout(_PATIENCE):
                while not self.is_complete:
                    await self._next()
        except (TimeoutError, Gone):
            return

    async def until_gone(self) -> None:
        """Returns when the caller has left. Only once the body is complete."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _next(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise Gone
        self.is_complete = not message.get("more_body", False)
        part: bytes = message.get("body", b"")
        return part


async def withholding_the_end(parts: AsyncIterator[bytes], expected: str) -> AsyncIterator[bytes]:
    """The same parts, of which the last one is given out only if all of them have the `expected` Content-Digest.

    Else it raises Refusal, and whoever sends the parts on must break off: nobody may see a complete body.
    """
    hashed = hashlib.sha256()
    held = b""
    async for part in parts:
        if held:
            yield held
        hashed.update(part)
        held = part
    if digest_of(hashed.digest()) != expected:
        raise refusal(Code.DIGEST_MISMATCH, "The body isn't the approved one. The tool saw no whole request.")
    yield held


def too_large(most: int) -> Exception:
    """The refusal of a body beyond the bound."""
    return refusal(Code.BODY_TOO_LARGE, f"The body may have {most} bytes at most.")
