"""Calls that wait for a person, in memory: bounded in number and time, each behind an address that nobody can guess."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

from ledgix_gateway.codes import Code, refusal
from ledgix_gateway.credentials import REQUEST_ID
from ledgix_gateway.proxy.replies import Kept, Reply

PREFIX: Final = b"/.ledgix/calls/"


@dataclass(slots=True)
class Held:
    """One call. Its answer is complete once it was forwarded or refused; it is kept until `until` (monotonic)."""

    request_id: str
    answer: Kept
    until: float
    task: asyncio.Task[None] | None = None

    async def show(self, reply: Reply, path: bytes) -> None:
        """The call's answer if it has one, else that it still waits. May be asked for again and again."""
        if self.answer.is_complete:
            await self.answer.show(reply)
        else:
            await show_waiting(reply, self.request_id, path)


class HeldCalls:
    """All calls that are held, and the answers of those that were."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._held: dict[str, Held] = {}

    def hold(self, held: Held, finish: Callable[[], Coroutine[Any, Any, None]]) -> bytes:
        """Holds a call while `finish` waits, forwards it and keeps the answer; the path at which it can be asked for.

        Refuses when as many are held as may be; then `finish` doesn't run.
        """
        self._forget()
        if len(self._held) >= self._most:
            raise refusal(
                Code.GATEWAY_BUSY,
                "As many calls wait for a person as can be held. Send this one again with X-Ledgix-Request-Id.",
                request_id=held.request_id,
                retry_after=30,
            )
        key = secrets.token_urlsafe(32)
        self._held[key] = held
        held.task = asyncio.create_task(finish(), name="held call")
        return PREFIX + key.encode()

    def find(self, path: bytes) -> Held:
        """The call behind a path; refuses one that isn't held, or isn't any more."""
        self._forget()
        held = self._held.get(path.removeprefix(PREFIX).decode("ascii", "replace"))
        if held is None:
            raise refusal(Code.CALL_UNKNOWN, "No call is held at this address: its time is over, or there was none.")
        return held

    def __len__(self) -> int:
        return len(self._held)

    async def aclose(self) -> None:
        """Lets go of all calls. What was not forwarded yet can be sent again with its request id."""
        tasks = [held.task for held in self._held.values() if held.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._held.clear()

    def _forget(self) -> None:
        now = self._clock()
        for key in [key for key, held in self._held.items() if held.until <= now and held.answer.is_complete]:
            del self._held[key]


async def show_waiting(reply: Reply, request_id: str, path: bytes) -> None:
    """202: a person has to decide, and the call is held at `path`."""
    body = json.dumps(
        {
            "status": "pending_review",
            "request_id": request_id,
            "detail": "A person has to decide. Ask again at status_url: once approved, it gives the tool's answer.",
            "status_url": path.decode(),
        }
    ).encode()
    headers = (
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"location", path),
        (b"retry-after", b"2"),
        (REQUEST_ID.encode(), request_id.encode()),
    )
    await reply.start(202, headers)
    await reply.part(body)
    await reply.end()
