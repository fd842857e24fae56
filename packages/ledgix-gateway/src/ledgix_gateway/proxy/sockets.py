"""WebSockets, on routes that allow them: a token opens one connection. Its messages are nobody's arguments.

The approval says what path, query and named headers say; what is sent afterwards passes unread, in both directions,
until either side closes.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from ledgix.client import ReportedOutcome
from ledgix_gateway.admission.passage import Approval
from ledgix_gateway.codes import Code, refusal
from ledgix_gateway.config.routing import UpstreamConfig
from ledgix_gateway.ended import Verdict
from ledgix_gateway.errors import UpstreamError
from ledgix_gateway.gateway import Gateway
from ledgix_gateway.inbound import Headers
from ledgix_gateway.outcomes import Report
from ledgix_gateway.proxy.forward import Forwarder, complain, outcome_of
from ledgix_gateway.proxy.incoming import Receive
from ledgix_gateway.proxy.replies import Send
from ledgix_gateway.proxy.visit import Visit
from ledgix_gateway.routes.call import Call
from ledgix_gateway.upstream.exchange import Socket
from ledgix_gateway.upstream.upstream import Place

_NORMAL, _GOING_AWAY, _FAILED = 1000, 1001, 1011  # RFC 6455 section 7.4.1
_UNSENDABLE = (1005, 1006, 1015)


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller's side of a WebSocket that isn't accepted yet."""

    receive: Receive
    send: Send
    subprotocols: tuple[str, ...]


class Handshake:
    """The answer to a handshake that is not accepted: an HTTP response."""

    def __init__(self, send: Send) -> None:
        self._send = send

    async def start(self, status: int, headers: Headers) -> None:
        await self._send({"type": "websocket.http.response.start", "status": status, "headers": list(headers)})

    async def part(self, part: bytes) -> None:
        await self._send({"type": "websocket.http.response.body", "body": part, "more_body": True})

    async def end(self) -> None:
        await self._send({"type": "websocket.http.response.body", "body": b"", "more_body": False})


async def open_socket(visit: Visit, gateway: Gateway, caller: Caller) -> None:
    """All checks as for any call; then the tool's WebSocket is opened, the caller's accepted, and both are joined."""
    visit.incoming.is_complete = True
    match = gateway.config.table.match("GET", visit.inbound.target)
    visit.route = match.route
    if not match.route.websocket:
        raise refusal(Code.UPGRADE_REFUSED, "No route allows that this connection becomes a WebSocket.")
    presented = await gateway.admission.present(match.route, gateway.config.tokens.token_of(visit.inbound))
    visit.request_id = presented.claims.request_id
    verified = gateway.admission.compare(presented, Call.of(match, visit.inbound))
    upstream = gateway.upstreams[match.route.upstream]
    async with upstream.place() as place:
        approval = await gateway.admission.burn(verified)
        socket = await _opened(visit, gateway, approval, place, upstream.config, caller.subprotocols)
        if socket is not None:
            visit.verdict, visit.status = Verdict.FORWARDED, 101
            await _join(caller, socket)


async def _opened(
    visit: Visit,
    gateway: Gateway,
    approval: Approval,
    place: Place,
    upstream: UpstreamConfig,
    subprotocols: tuple[str, ...],
) -> Socket | None:
    """The tool's WebSocket; None if there is none, and then the caller was told. The outcome is reported either way."""
    visit.note_passage(approval)
    visit.verdict = Verdict.FAILED
    forwarder = Forwarder(gateway.config.tokens, gateway.config.vault.issuer, gateway.outcomes)
    outbound = forwarder.outbound(visit, approval, upstream, b"")
    outcome, detail = ReportedOutcome.UNKNOWN, "the gateway stopped before the tool answered"
    try:
        socket = await place.connect(outbound, subprotocols)
        outcome, detail = ReportedOutcome.DELIVERED, "the tool opened a WebSocket"
        return socket
    except UpstreamError as error:
        outcome, detail = outcome_of(error, upstream)
        await complain(visit, error, Code.TOKEN_SPENT, approval.request_id)
        return None
    finally:
        gateway.outcomes.report(Report(approval.claims.jti, approval.request_id, outcome, detail))


async def _join(caller: Caller, socket: Socket) -> None:
    await caller.receive()  # websocket.connect
    await caller.send({"type": "websocket.accept", "subprotocol": socket.subprotocol})
    outward = asyncio.create_task(_outward(caller, socket), name="to the tool")
    inward = asyncio.create_task(_inward(caller, socket), name="to the caller")
    try:
        await asyncio.wait((outward, inward), return_when=asyncio.FIRST_COMPLETED)
        if outward.done() and not outward.cancelled() and outward.exception() is None:
            await socket.aclose(outward.result())
        elif inward.done() and inward.exception() is None:
            await caller.send({"type": "websocket.close", "code": inward.result()})
        else:
            await socket.aclose(_FAILED)
            await caller.send({"type": "websocket.close", "code": _FAILED})
    finally:
        for task in (outward, inward):
            task.cancel()
        await asyncio.gather(outward, inward, return_exceptions=True)
        await socket.aclose(_GOING_AWAY)


async def _outward(caller: Caller, socket: Socket) -> int:
    """Until the caller closes; with which code."""
    while True:
        message = await caller.receive()
        if message["type"] == "websocket.disconnect":
            return _sendable(message.get("code", _NORMAL))
        text = message.get("text")
        await socket.send(text if text is not None else message["bytes"])


async def _inward(caller: Caller, socket: Socket) -> int:
    """Until the tool closes; with which code."""
    while (message := await socket.receive()) is not None:
        kind = "text" if isinstance(message, str) else "bytes"
        await caller.send({"type": "websocket.send", kind: message})
    return _sendable(socket.close_code)


def _sendable(code: int) -> int:
    return _NORMAL if code in _UNSENDABLE else code
