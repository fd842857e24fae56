"""The bytes of a message, kept beside what the SDK read from them until a tool call is read strictly."""

from __future__ import annotations

from typing import Any, Final

from mcp.shared.dispatcher import DispatchContext
from mcp.shared.message import ServerMessageMetadata
from starlette.requests import Request

RAW: Final = "ledgix.raw"
"""Where an HTTP request's scope keeps its body."""


def raw_of(context: DispatchContext[Any]) -> bytes:
    """The bytes of the client's message, as stdio or HTTP brought them."""
    metadata = context.message_metadata
    carried = metadata.request_context if isinstance(metadata, ServerMessageMetadata) else None
    if isinstance(carried, Request):
        carried = carried.scope.get(RAW)
    if not isinstance(carried, bytes):
        raise TypeError("a message came without its bytes; it can't be read strictly, so nothing is called")
    return carried
