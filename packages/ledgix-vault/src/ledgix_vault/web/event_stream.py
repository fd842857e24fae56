"""A stream of ledger events as server-sent events (HTML, section 9.2): for the API and for the dashboard."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from ledgix_vault.errors import Invalid
from ledgix_vault.jsontext import encode
from ledgix_vault.operations.follow_events import Told, follow_events
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.vault import Vault

MEDIA_TYPE = "text/event-stream"
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_LARGEST = 2**53
_RETRY = b"retry: 1000\n"


async def answer_with_events(
    request: Request,
    vault: Vault,
    caller: Caller,
    *,
    after: int | None = None,
    request_id: str = "",
    holds: Callable[[], Awaitable[bool]] | None = None,
) -> Response:
    """The stream; what is refused is refused before it begins. `Last-Event-ID` wins over `after`: a browser that
    connects again asks for the same address."""
    last = request.headers.get("last-event-id")
    told = follow_events(vault, caller, after=_position(last) if last else after, request_id=request_id, holds=holds)
    first = await anext(told)
    return StreamingResponse(_written(first, told), media_type=MEDIA_TYPE, headers=_HEADERS)


async def _written(first: Told, told: AsyncGenerator[Told, None]) -> AsyncIterator[bytes]:
    async with aclosing(told):
        yield _RETRY + _message(first)
        async for each in told:
            yield _message(each)


def _message(told: Told) -> bytes:
    """An event with its place as id. A sign of life is a comment; its id, without data, moves the reader's place."""
    if told.event is None:
        place = b"id: %d\n" % told.position if told.position >= 0 else b""
        return b": here\n" + place + b"\n"
    kind = str(told.event["kind"]).encode()
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (told.position, kind, encode(told.event))


def _position(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text[:17]) <= _LARGEST and len(text) <= len(str(_LARGEST))):
        raise Invalid("must be the id of an event of this stream", path="Last-Event-ID")
    return int(text)
