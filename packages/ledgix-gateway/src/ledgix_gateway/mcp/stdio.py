"""The gateway's own stdin and stdout as a connection with the client that started it: a message on each line.

Unlike the SDK's, it keeps each line's bytes beside the message, so that tool calls can be read strictly. While it
serves, what other code prints goes to stderr.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import anyio
import anyio.to_thread
import mcp_types
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.client._transport import TransportStreams
from mcp.shared.message import ServerMessageMetadata, SessionMessage
from mcp_types import INVALID_REQUEST, PARSE_ERROR, ErrorData, JSONRPCError

from ledgix.errors import JsonError
from ledgix.formats import json as exact

_PIECE: Final = 65_536
_LAST_LINES: Final = 2.0
_Incoming = MemoryObjectSendStream[SessionMessage | Exception]
_Outgoing = MemoryObjectReceiveStream[SessionMessage]


@asynccontextmanager
async def stdio_connection(most_bytes: int) -> AsyncGenerator[TransportStreams, None]:
    """Messages from stdin and to stdout. A line longer than `most_bytes` ends the connection."""
    incoming, read = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    write, outgoing = anyio.create_memory_object_stream[SessionMessage](16)
    written = anyio.Event()
    with _own_output() as output:
        async with anyio.create_task_group() as group, incoming, read, write, outgoing:
            replies = write.clone()
            _start_reading(incoming.clone(), replies, most_bytes)
            group.start_soon(_write_lines, outgoing, output, written)
            await incoming.aclose()
            try:
                yield read, write
            finally:
                with anyio.move_on_after(_LAST_LINES, shield=True):
                    await write.aclose()
                    await replies.aclose()
                    await written.wait()
                group.cancel_scope.cancel()


def _start_reading(incoming: _Incoming, replies: MemoryObjectSendStream[SessionMessage], most_bytes: int) -> None:
    # A thread of its own that ends with the process: a read of stdin can't be cancelled on every platform.
    loop = asyncio.get_running_loop()

    def hand_over(line: bytes) -> None:
        asyncio.run_coroutine_threadsafe(_hear(line, incoming, replies), loop).result()

    def read() -> None:
        try:
            for line in _lines(most_bytes):
                hand_over(line)
            asyncio.run_coroutine_threadsafe(incoming.aclose(), loop).result()
        except (RuntimeError, anyio.ClosedResourceError, anyio.BrokenResourceError):
            return  # the connection has ended on our side

    threading.Thread(target=read, name="stdin", daemon=True).start()


def _lines(most_bytes: int) -> Iterator[bytes]:
    rest = b""
    while piece := os.read(0, _PIECE):
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines
        if len(rest) > most_bytes:
            return
    if rest:
        yield rest


async def _hear(line: bytes, incoming: _Incoming, replies: MemoryObjectSendStream[SessionMessage]) -> None:
    if not line.strip():
        return
    try:
        message = mcp_types.jsonrpc_message_adapter.validate_json(line, by_name=False)
    except ValueError:
        await replies.send(SessionMessage(_unreadable(line)))
        return
    await incoming.send(SessionMessage(message, ServerMessageMetadata(request_context=line)))


def _unreadable(line: bytes) -> JSONRPCError:
    """What is wrong about a line, for the request that it was meant to be, if that can be told."""
    try:
        exact.parse(line)
        said, code = "no JSON-RPC message", INVALID_REQUEST
    except JsonError as error:
        said, code = f"no JSON that every reader understands alike: {error}", PARSE_ERROR
    return JSONRPCError(jsonrpc="2.0", id=_request_id(line), error=ErrorData(code=code, message=said))


def _request_id(line: bytes) -> str | int | None:
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return None
    found = message.get("id") if isinstance(message, dict) else None
    return found if isinstance(found, str | int) and not isinstance(found, bool) else None


async def _write_lines(outgoing: _Outgoing, output: int, written: anyio.Event) -> None:
    try:
        async for item in outgoing:
            line = item.message.model_dump_json(by_alias=True, exclude_unset=True) + "\n"
            await anyio.to_thread.run_sync(_write_all, output, line.encode())
    except OSError:
        await outgoing.aclose()  # the client no longer reads
    finally:
        written.set()


def _write_all(output: int, line: bytes) -> None:
    rest = memoryview(line)
    while rest:
        rest = rest[os.write(output, rest) :]


@contextmanager
def _own_output() -> Iterator[int]:
    """A descriptor of the client's stdout; meanwhile descriptor 1 is stderr."""
    sys.stdout.flush()
    output = os.dup(1)
    os.dup2(2, 1)
    try:
        yield output
    finally:
        os.dup2(output, 1)
        os.close(output)
