"""The ASGI application: one request in, one verdict out.

1. the head is read; ambiguous ones are refused                        dies here: nothing happened
2. path and method find the route; what has none is refused
3. the token is verified as far as that needs no body (Vault's keys, issuer, audience, tenant, expiry, tool)
4. the body is read, and the arguments are compared with the token
5. a place at the tool is taken: a tool that can't be reached is refused now
6. the Vault burns the token                                           dies here: the token is spent, nothing was sent
7. the call is forwarded, its answer streamed back, its outcome reported   (`forward`)
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, MutableMapping
from typing import Any, assert_never

from ledgix_gateway.admission.passage import Unguarded, Verified
from ledgix_gateway.codes import Code, problem, refusal
from ledgix_gateway.ended import OnEnd, Verdict
from ledgix_gateway.errors import Problem, Refusal
from ledgix_gateway.gateway import Gateway
from ledgix_gateway.inbound import Inbound
from ledgix_gateway.proxy.asking import Asking
from ledgix_gateway.proxy.current import Current
from ledgix_gateway.proxy.forward import Forwarder
from ledgix_gateway.proxy.held import PREFIX, HeldCalls
from ledgix_gateway.proxy.incoming import Gone, Incoming, Receive, too_large, withholding_the_end
from ledgix_gateway.proxy.replies import Connection, Reply, Send, say, until_gone
from ledgix_gateway.proxy.sockets import Caller, Handshake, open_socket
from ledgix_gateway.proxy.visit import Visit, recorded
from ledgix_gateway.routes.arguments import refuse_unfit_body
from ledgix_gateway.routes.call import Call
from ledgix_gateway.routes.digest import content_digest, digest_of_body
from ledgix_gateway.routes.route import Body, Mode
from ledgix_gateway.routes.table import Match
from ledgix_gateway.tracing import trace_in

logger = logging.getLogger(__name__)

Payload = bytes | AsyncIterator[bytes]


class Proxy:
    """`current` is what is served, and may be replaced between two requests; `on_end` hears of every request."""

    def __init__(self, current: Current, held: HeldCalls, on_end: OnEnd) -> None:
        self._current = current
        self._held = held
        self._on_end = on_end

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """One request. Never raises for what a caller, the Vault or a tool did."""
        is_socket = scope["type"] == "websocket"
        send = until_gone(send)
        visit = _visit(scope, receive, Handshake(send) if is_socket else Connection(send))
        gateway = self._current.gateway
        with gateway.in_use(), recorded(visit, trace_in(scope["headers"]), self._on_end):
            try:
                method = scope.get("method", "GET")
                visit.inbound = Inbound.of(method, scope["raw_path"], scope["query_string"], scope["headers"])
                if is_socket:
                    await open_socket(visit, gateway, Caller(receive, send, tuple(scope["subprotocols"])))
                else:
                    await self._serve(visit, gateway)
            except Refusal as refused:
                await _refuse(visit, refused.problem)
            except Gone:
                visit.detail = visit.detail or "the caller left"
            except Exception:  # the door: whatever nobody foresaw refuses, and is logged for whoever has to mend it
                logger.exception("a request failed in the gateway itself")
                await _refuse(visit, problem(Code.INTERNAL, "The gateway failed; its log says why."))

    async def _serve(self, visit: Visit, gateway: Gateway) -> None:
        inbound = visit.inbound
        visit.incoming.is_complete = not inbound.announces_body
        if inbound.target.startswith(PREFIX) and inbound.method == "GET":
            await self._show_held(visit)
            return
        if (expected := inbound.text("expect")) is not None and expected.lower() != "100-continue":
            raise refusal(Code.EXPECTATION_FAILED, "Only 100-continue can be expected.")
        if inbound.wants_upgrade:
            raise refusal(Code.UPGRADE_REFUSED, "No route allows that this connection becomes another protocol.")
        try:
            match = gateway.config.table.match(inbound.method, inbound.target)
        except Refusal as refused:
            if not gateway.config.unmapped:
                raise
            await _pass_unguarded(visit, gateway, gateway.config.unmapped, Unguarded(None, refused.problem))
            return
        visit.route = match.route
        if match.route.open:
            await _pass_unguarded(visit, gateway, match.route.upstream, Unguarded(match.route, None))
            return
        match match.route.mode:
            case Mode.ENFORCE:
                await _enforce(visit, gateway, match)
            case Mode.OBSERVE:
                await _observe(visit, gateway, match)
            case Mode.ASK:
                await self._ask(visit, gateway, match)
            case _:
                assert_never(match.route.mode)

    async def _ask(self, visit: Visit, gateway: Gateway, match: Match) -> None:
        if gateway.config.tokens.token_of(visit.inbound) is not None:
            await _enforce(visit, gateway, match)
            return
        refuse_unfit_body(match.route, visit.inbound)
        payload = await _payload(visit, gateway, match)
        call = Call.of(match, visit.inbound)
        await Asking(gateway, self._held, self._on_end).ask(visit, call, payload)

    async def _show_held(self, visit: Visit) -> None:
        held = self._held.find(visit.inbound.target)
        visit.verdict, visit.request_id = Verdict.OWN, held.request_id
        await held.show(visit.reply, visit.inbound.target)
        visit.status = held.answer.status if held.answer.is_complete else 202


async def _enforce(visit: Visit, gateway: Gateway, match: Match) -> None:
    verified, payload = await _verified(visit, gateway, match)
    upstream = gateway.upstreams[match.route.upstream]
    async with upstream.place() as place:
        approval = await gateway.admission.burn(verified)
        await _forwarder(gateway).forward(visit, approval, place, upstream.config, payload)


async def _observe(visit: Visit, gateway: Gateway, match: Match) -> None:
    """Does all that enforce does, burning included: a call with a good token uses it up, since it is made. Whatever
    would have been refused is recorded and goes on without an approval."""
    upstream = gateway.upstreams[match.route.upstream]
    async with upstream.place() as place:
        try:
            verified, payload = await _verified(visit, gateway, match)
            passage = await gateway.admission.burn(verified)
        except Refusal as refused:
            unguarded = Unguarded(match.route, refused.problem)
            await _forwarder(gateway).forward(visit, unguarded, place, upstream.config, _rest(visit, gateway))
            return
        await _forwarder(gateway).forward(visit, passage, place, upstream.config, payload)


async def _verified(visit: Visit, gateway: Gateway, match: Match) -> tuple[Verified, Payload]:
    """The checks in their order; the body is read only for a caller with a genuine token for this tool."""
    token = gateway.config.tokens.token_of(visit.inbound)
    presented = await gateway.admission.present(match.route, token)
    visit.request_id = presented.claims.request_id
    refuse_unfit_body(match.route, visit.inbound)
    payload = await _payload(visit, gateway, match)
    return gateway.admission.compare(presented, Call.of(match, visit.inbound)), payload


async def _payload(visit: Visit, gateway: Gateway, match: Match) -> Payload:
    """The body as it will be forwarded; also into `visit.inbound`, for the arguments. What is bound by its digest is
    compared here if it is short, else on its way."""
    limits = gateway.config.limits
    if match.route.body is not Body.DIGEST:
        length = visit.inbound.content_length
        if length is not None and length > limits.body_bytes:
            raise too_large(limits.body_bytes)
        body = await visit.incoming.whole(limits.body_bytes, limits.body_seconds)
        visit.inbound = visit.inbound.with_body(body)
        return body
    expected = content_digest(visit.inbound)
    body = await visit.incoming.begin(limits.body_bytes, limits.body_seconds)
    if not visit.incoming.is_complete:
        return withholding_the_end(visit.incoming.parts(limits.stream_bytes, limits.body_seconds), expected)
    if digest_of_body(body) != expected:
        raise refusal(Code.DIGEST_MISMATCH, "The body isn't the one that Content-Digest names. Nothing was forwarded.")
    return body


async def _pass_unguarded(visit: Visit, gateway: Gateway, name: str, passage: Unguarded) -> None:
    upstream = gateway.upstreams[name]
    async with upstream.place() as place:
        await _forwarder(gateway).forward(visit, passage, place, upstream.config, _rest(visit, gateway))


def _rest(visit: Visit, gateway: Gateway) -> Payload:
    """The body of a call that nobody compares, as it comes."""
    if not visit.inbound.announces_body:
        return b""
    limits = gateway.config.limits
    return visit.incoming.parts(limits.stream_bytes, limits.body_seconds)


def _forwarder(gateway: Gateway) -> Forwarder:
    return Forwarder(gateway.config.tokens, gateway.config.vault.issuer, gateway.outcomes)


async def _refuse(visit: Visit, said: Problem) -> None:
    """The answer to a call that does not go through."""
    visit.note_problem(said)
    if visit.status:  # an answer has begun: it is broken off
        return
    visit.verdict, visit.status = Verdict.REFUSED, said.status
    if not visit.incoming.is_complete and not visit.inbound.values("expect") and not visit.inbound.wants_upgrade:
        await visit.incoming.discard()
    with contextlib.suppress(Gone):
        await say(visit.reply, said, close=not visit.incoming.is_complete)


def _visit(scope: MutableMapping[str, Any], receive: Receive, reply: Reply) -> Visit:
    """The request before its head was read."""
    client = scope.get("client")
    return Visit(
        inbound=Inbound(scope.get("method", "GET"), b"", b"", ()),
        incoming=Incoming(receive),
        reply=reply,
        peer=client[0] if client else "unknown",
        scheme=scope.get("scheme", "http"),
    )
