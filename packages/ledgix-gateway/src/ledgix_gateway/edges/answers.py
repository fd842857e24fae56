"""What an edge is told, in the form that it understands."""

from __future__ import annotations

from typing import Final

from ledgix_gateway.config.edging import Edge, Kind
from ledgix_gateway.credentials import REQUEST_ID
from ledgix_gateway.errors import Problem
from ledgix_gateway.inbound import Headers
from ledgix_gateway.proxy.replies import Reply, drawn

CODE: Final = b"x-ledgix-code"
STATUS: Final = b"x-ledgix-status"


async def allow(reply: Reply, request_id: str) -> None:
    """Yes. The edge hands `X-Ledgix-Request-Id` on to the tool."""
    named: Headers = ((REQUEST_ID.encode(), request_id.encode()),) if request_id else ()
    await reply.start(200, ((b"content-length", b"0"), (b"cache-control", b"no-store"), *named))
    await reply.end()


async def refuse(reply: Reply, edge: Edge, said: Problem) -> int:
    """No; the status that was sent. nginx knows 401 and 403 only, so it finds code and status in headers."""
    status, headers, body = drawn(said)
    told = 403 if edge.kind is Kind.NGINX and status != 401 else status
    headers += ((CODE, said.code.encode()), (STATUS, str(status).encode()))
    await reply.start(told, headers)
    await reply.part(body)
    await reply.end()
    return told
