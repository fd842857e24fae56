"""Mode ask: a call without a token. The gateway asks for clearance itself, and holds the call while a person decides.

- approved: the approval is verified like one that a caller brings, compared with the live arguments, burned, forwarded
- denied: 403 with the Vault's reason and code
- a person has to decide: the connection waits `wait_seconds`; then the answer is 202 with the address of the held call
- the same call sent again with `X-Ledgix-Request-Id`, for example after a restart, picks up that request instead of
  asking anew; the Vault hands its approval to nobody but this gateway's key, and the live arguments must be the same
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, MutableMapping
from dataclasses import dataclass, replace
from typing import Any

from ledgix.client import CallDetails, Clearance, ClearanceRequest
from ledgix.client.errors import ReviewPending
from ledgix_gateway.admission.passage import Presented
from ledgix_gateway.codes import Code, problem
from ledgix_gateway.credentials import REQUEST_ID
from ledgix_gateway.ended import OnEnd, Verdict
from ledgix_gateway.errors import Problem, Refusal
from ledgix_gateway.gateway import Gateway
from ledgix_gateway.proxy.forward import Forwarder
from ledgix_gateway.proxy.held import Held, HeldCalls, show_waiting
from ledgix_gateway.proxy.incoming import Incoming
from ledgix_gateway.proxy.replies import Kept, say
from ledgix_gateway.proxy.visit import Visit, recorded
from ledgix_gateway.routes.call import Call

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Asking:
    """Asks for one gateway; `on_end` hears of held calls once they are over."""

    gateway: Gateway
    held: HeldCalls
    on_end: OnEnd

    async def ask(self, visit: Visit, call: Call, payload: bytes | AsyncIterator[bytes]) -> None:
        """Answers the call: with the tool's answer, a refusal, or the address of the call that is now held."""
        request = self._request(visit, call)
        clearance = await self._clearance(visit, call, request)
        if clearance is not None:
            await self._forward(visit, call, clearance, payload)
            return
        assert isinstance(payload, bytes), "a streamed body can't be held; the configuration refuses it"
        visit.verdict = Verdict.HELD
        path = self._hold(visit, call, request, payload)
        visit.status = 202
        await show_waiting(visit.reply, visit.request_id, path)

    async def _clearance(self, visit: Visit, call: Call, request: ClearanceRequest) -> Clearance | None:
        """The approval; None if nobody has decided while the caller's connection waited."""
        vault, seconds = self.gateway.vault, self.gateway.config.ask.wait_seconds
        request_id = visit.inbound.text(REQUEST_ID)
        if request_id is None:
            try:
                clearance = await vault.ask(call.route.tool, call.arguments, self._details(visit))
            except ReviewPending as pending:
                request_id = pending.review.request_id
            else:
                visit.request_id = clearance.request_id
                return clearance
        visit.request_id = request_id
        return await vault.await_review(request_id, request, seconds)

    async def _forward(
        self, visit: Visit, call: Call, clearance: Clearance, payload: bytes | AsyncIterator[bytes]
    ) -> None:
        assert clearance.token is not None
        assert clearance.claims is not None, "the client returns verified approvals"
        verified = self.gateway.admission.compare(Presented(clearance.token, clearance.claims), call)
        upstream = self.gateway.upstreams[call.route.upstream]
        async with upstream.place() as place:
            approval = await self.gateway.admission.burn(verified)
            config = self.gateway.config
            forwarder = Forwarder(config.tokens, config.vault.issuer, self.gateway.outcomes)
            await forwarder.forward(visit, approval, place, upstream.config, payload)

    def _hold(self, visit: Visit, call: Call, request: ClearanceRequest, payload: bytes) -> bytes:
        ask = self.gateway.config.ask
        kept = Kept(ask.answer_bytes)
        nobody = Incoming(_never)
        nobody.is_complete = True
        later = replace(visit, reply=kept, incoming=nobody, began=time.monotonic())
        held = Held(visit.request_id, kept, time.monotonic() + 2 * ask.hold_seconds)
        return self.held.hold(held, lambda: self._finish(later, kept, call, request, payload))

    async def _finish(self, visit: Visit, kept: Kept, call: Call, request: ClearanceRequest, payload: bytes) -> None:
        """What a held call does while nobody is connected. At its end there is an answer to keep, whatever happened."""
        with self.gateway.in_use(), recorded(visit, None, self.on_end):
            try:
                said = await self._go_on(visit, call, request, payload)
            except Refusal as refused:
                said = refused.problem
            except Exception:  # nobody waits for this task: what nobody foresaw must still end the call
                logger.exception("a held call failed in the gateway itself")
                said = problem(Code.INTERNAL, "The gateway failed; its log says why.", request_id=visit.request_id)
            if said is None and not kept.is_complete:
                said = problem(
                    Code.UPSTREAM_FAILED, "The call was made, and its answer broke off.", request_id=visit.request_id
                )
            if said is not None:
                visit.verdict = Verdict.REFUSED if visit.verdict is Verdict.HELD else visit.verdict
                visit.status = said.status
                visit.note_problem(said)
                await say(kept, said)

    async def _go_on(self, visit: Visit, call: Call, request: ClearanceRequest, payload: bytes) -> Problem | None:
        """Waits for the decision and forwards the call; the problem if nobody has decided in time."""
        seconds = self.gateway.config.ask.hold_seconds
        clearance = await self.gateway.vault.await_review(visit.request_id, request, seconds)
        if clearance is not None:
            await self._forward(visit, call, clearance, payload)
            return None
        return problem(
            Code.HOLD_ENDED,
            "Nobody has decided while the call was held. Send it again with X-Ledgix-Request-Id to go on waiting.",
            request_id=visit.request_id,
        )

    def _details(self, visit: Visit) -> CallDetails:
        ask = self.gateway.config.ask
        agent_id = visit.inbound.text(ask.agent_header) if ask.agent_header else None
        session_id = visit.inbound.text(ask.session_header) if ask.session_header else None
        return CallDetails(agent_id=agent_id or ask.agent_id, session_id=session_id)

    def _request(self, visit: Visit, call: Call) -> ClearanceRequest:
        settings = self.gateway.vault.client.settings
        return ClearanceRequest.build(settings, call.route.tool, call.arguments, self._details(visit))


async def _never() -> MutableMapping[str, Any]:
    """Nobody is connected to a held call, so nobody leaves."""
    await asyncio.Event().wait()
    raise AssertionError
