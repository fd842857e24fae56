"""The ASGI application in front of the proxy: an edge's question is answered here, everything else is the proxy's."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import Any

from ledgix_gateway.codes import Code, problem
from ledgix_gateway.config.edging import Edge, Kind
from ledgix_gateway.edges.answers import allow, refuse
from ledgix_gateway.edges.deciding import decide
from ledgix_gateway.edges.described import route_of
from ledgix_gateway.edges.trust import EDGE_HEADER, refuse_strangers
from ledgix_gateway.ended import OnEnd, Verdict
from ledgix_gateway.errors import Problem, Refusal
from ledgix_gateway.gateway import Gateway
from ledgix_gateway.inbound import Inbound
from ledgix_gateway.proxy.app import Proxy
from ledgix_gateway.proxy.current import Current
from ledgix_gateway.proxy.incoming import Gone, Incoming, Receive
from ledgix_gateway.proxy.replies import Connection, Send, until_gone
from ledgix_gateway.proxy.visit import Visit, recorded
from ledgix_gateway.tracing import trace_in

logger = logging.getLogger(__name__)


class Edges:
    """`current` is what is served; `on_end` hears of every question."""

    def __init__(self, proxy: Proxy, current: Current, on_end: OnEnd) -> None:
        self._proxy = proxy
        self._current = current
        self._on_end = on_end

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """One request. Never raises for what a caller, the Vault or an edge did."""
        gateway = self._current.gateway
        edge = _asking(gateway, scope["raw_path"]) if scope["type"] == "http" else None
        if edge is None:
            await self._proxy(scope, receive, send)
            return
        visit = _visit(scope, receive, until_gone(send), edge)
        with gateway.in_use(), recorded(visit, trace_in(scope["headers"]), self._on_end):
            try:
                await _answer(visit, gateway, edge, scope)
            except Gone:
                visit.detail = visit.detail or "the edge left"


async def _answer(visit: Visit, gateway: Gateway, edge: Edge, scope: MutableMapping[str, Any]) -> None:
    try:
        asked = await _asked(visit, gateway, edge, scope)
        await decide(visit, gateway, edge, asked)
    except Refusal as refused:
        await _refuse(visit, edge, refused.problem)
        return
    except Gone:
        raise
    except Exception:  # the door: whatever nobody foresaw refuses, and is logged for whoever has to mend it
        logger.exception("an edge's question failed in the gateway itself")
        await _refuse(visit, edge, problem(Code.INTERNAL, "The gateway failed; its log says why."))
        return
    visit.status = 200
    await allow(visit.reply, visit.request_id)


async def _asked(visit: Visit, gateway: Gateway, edge: Edge, scope: MutableMapping[str, Any]) -> Inbound:
    """The question with its body, once we know that it comes from the edge."""
    asked = Inbound.of(scope["method"], scope["raw_path"], scope["query_string"], scope["headers"])
    refuse_strangers(edge.secret, asked.text(EDGE_HEADER), visit.peer)
    visit.inbound = asked
    visit.incoming.is_complete = not asked.announces_body
    limits = gateway.config.limits
    return asked.with_body(await visit.incoming.whole(limits.body_bytes, limits.body_seconds))


async def _refuse(visit: Visit, edge: Edge, said: Problem) -> None:
    visit.note_problem(said)
    visit.verdict = Verdict.REFUSED
    if not visit.incoming.is_complete:
        await visit.incoming.discard()
    visit.status = await refuse(visit.reply, edge, said)


def _asking(gateway: Gateway, target: bytes) -> Edge | None:
    for edge in gateway.config.edges:
        path = edge.path.encode()
        if target == path or (edge.kind is Kind.ENVOY and target.startswith(path + b"/")):
            return edge
    return None


def _visit(scope: MutableMapping[str, Any], receive: Receive, send: Send, edge: Edge) -> Visit:
    client = scope.get("client")
    return Visit(
        inbound=Inbound(scope["method"], b"", b"", ()),
        incoming=Incoming(receive),
        reply=Connection(send),
        peer=client[0] if client else "unknown",
        scheme=scope.get("scheme", "http"),
        route=route_of(edge),
    )
