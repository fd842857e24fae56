"""Forwarding one call, once, and saying what became of it.

The crash sentences: before `place.send` the token is burned and the tool has seen nothing; if the process dies there or
later, no outcome is reported, and the ledger shows a token that was consumed without one.

What an answer means as an outcome (`outcome_of`): any 2xx or 3xx is `delivered`, and so is a 4xx, because the tool has
seen the call and nobody but the tool knows that it did nothing; statuses by which a tool promises that are configured
(`refused_statuses`). A 5xx is `unknown`. No connection at all is `refused`; everything else without an answer is
`unknown`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from ledgix.client import ReportedOutcome
from ledgix_gateway.admission.passage import Approval, Passage
from ledgix_gateway.codes import Code, problem
from ledgix_gateway.config.routing import UpstreamConfig
from ledgix_gateway.credentials import REQUEST_ID, TokenPlaces
from ledgix_gateway.ended import Verdict
from ledgix_gateway.errors import NoAnswer, NotSent, Refusal, UpstreamError
from ledgix_gateway.inbound import Headers, end_to_end
from ledgix_gateway.outcomes import Outcomes, Report
from ledgix_gateway.proxy.incoming import Gone
from ledgix_gateway.proxy.replies import say
from ledgix_gateway.proxy.visit import Visit
from ledgix_gateway.upstream.exchange import Answer, Outbound
from ledgix_gateway.upstream.upstream import Place

OUTCOME = b"x-ledgix-outcome"
"""On forwarded answers: what the gateway reports of the call."""


@dataclass(frozen=True, slots=True)
class Forwarder:
    """What forwarding needs beside the call. `issuer` is that of our tokens."""

    tokens: TokenPlaces
    issuer: str
    outcomes: Outcomes

    async def forward(
        self,
        visit: Visit,
        passage: Passage,
        place: Place,
        upstream: UpstreamConfig,
        body: bytes | AsyncIterator[bytes],
    ) -> None:
        """Makes the call and hands its answer to the caller, or says why there is none."""
        visit.note_passage(passage)
        outbound = self.outbound(visit, passage, upstream, body)
        match passage:
            case Approval():
                await self._deliver(visit, passage, place, upstream, outbound)
            case _:
                visit.verdict = Verdict.OPEN if passage.problem is None else Verdict.OBSERVED
                answer = await _sent(visit, place, outbound)
                if isinstance(answer, UpstreamError):
                    await complain(visit, answer, Code.UPSTREAM_FAILED, "")
                else:
                    await _hand_on(visit, answer, ())

    async def _deliver(
        self, visit: Visit, approval: Approval, place: Place, upstream: UpstreamConfig, outbound: Outbound
    ) -> None:
        """An approved call: whatever happens here, its outcome is reported."""
        outcome, detail = ReportedOutcome.UNKNOWN, "the gateway stopped before the tool answered"
        visit.verdict = Verdict.FAILED
        try:
            answer = await _sent(visit, place, outbound)
            outcome, detail = outcome_of(answer, upstream)
            if isinstance(answer, UpstreamError):
                await complain(visit, answer, Code.TOKEN_SPENT, approval.request_id)
                return
            visit.verdict = Verdict.FORWARDED
        finally:
            self.outcomes.report(Report(approval.claims.jti, approval.request_id, outcome, detail))
        await _hand_on(
            visit, answer, ((REQUEST_ID.encode(), approval.request_id.encode()), (OUTCOME, outcome.encode()))
        )

    def outbound(
        self, visit: Visit, passage: Passage, upstream: UpstreamConfig, body: bytes | AsyncIterator[bytes]
    ) -> Outbound:
        """The request to the tool: without what is between us and the caller, with what only we may say."""
        inbound = visit.inbound
        match passage:
            case Approval():
                headers = self.tokens.forwarded(inbound)
                headers = _replaced(headers, {name: secret.value for name, secret in upstream.headers.items()})
                headers += ((REQUEST_ID.encode(), passage.request_id.encode()),)
            case _:
                headers = self.tokens.forwarded_unchecked(inbound, self.issuer)
        headers += (
            (b"x-forwarded-for", visit.peer.encode()),
            (b"x-forwarded-host", inbound.values("host")[0]),
            (b"x-forwarded-proto", visit.scheme.encode()),
        )
        length = None if isinstance(body, bytes) else inbound.content_length
        return Outbound(inbound.method, inbound.target, inbound.query, headers, body, length)


def outcome_of(answer: Answer | UpstreamError, upstream: UpstreamConfig) -> tuple[ReportedOutcome, str]:
    """What the Vault is told of a call that was answered like this, or not at all."""
    match answer:
        case NotSent():
            return ReportedOutcome.REFUSED, "no connection to the tool could be made"
        case UpstreamError():
            return ReportedOutcome.UNKNOWN, str(answer)
        case Answer(status=status):
            said = f"the tool answered {status}"
            if status in upstream.refused_statuses:
                return ReportedOutcome.REFUSED, said
            return (ReportedOutcome.UNKNOWN if status >= 500 else ReportedOutcome.DELIVERED), said


async def _sent(visit: Visit, place: Place, outbound: Outbound) -> Answer | UpstreamError:
    """The answer, or why there is none. A body that broke off while it was sent on is noted, and is no answer."""
    trouble: list[Refusal | Gone] = []
    if not isinstance(outbound.body, bytes):
        outbound = replace(outbound, body=_watched(outbound.body, trouble))
    try:
        answer = await place.send(outbound)
    except UpstreamError as error:
        if trouble and isinstance(trouble[0], Refusal):
            visit.note_problem(trouble[0].problem)
        return NoAnswer("the body broke off on its way to the tool") if trouble else error
    if not 200 <= answer.status <= 599:
        await answer.close()
        return NoAnswer(f"the tool answered with the status {answer.status}")
    return answer


async def _watched(parts: AsyncIterator[bytes], trouble: list[Refusal | Gone]) -> AsyncIterator[bytes]:
    """The same parts; the error that ends them early is kept, since the sender reports its own."""
    try:
        async for part in parts:
            yield part
    except (Refusal, Gone) as error:
        trouble.append(error)
        raise


async def complain(visit: Visit, error: UpstreamError, code: Code, request_id: str) -> None:
    """Tells the caller that the tool gave no answer, and what that means for the token."""
    timed_out = isinstance(error, NoAnswer) and error.timed_out
    spent = "Its token is spent: a new call needs a new approval. " if code is Code.TOKEN_SPENT else ""
    done = "The tool has seen nothing of it." if isinstance(error, NotSent) else "Nobody knows what the tool did."
    broken = f" {visit.detail}" if visit.code and visit.verdict is Verdict.FAILED else ""
    said = problem(code, f"{str(error).capitalize()}. {spent}{done}{broken}", request_id=request_id)
    if timed_out:
        said = replace(said, status=504)
    if not visit.code:
        visit.note_problem(said)
    await say(visit.reply, said, close=not visit.incoming.is_complete)
    visit.status = said.status


async def _hand_on(visit: Visit, answer: Answer, ours: Headers) -> None:
    """Streams the answer until it ends, breaks off, or the caller leaves."""
    visit.status = answer.status
    pump = asyncio.create_task(_pump(visit, answer, ours), name="answer")
    # While the body is still being read, whoever reads it learns that the caller left.
    watch = asyncio.create_task(visit.incoming.until_gone()) if visit.incoming.is_complete else None
    try:
        await asyncio.wait([pump, watch] if watch else [pump], return_when=asyncio.FIRST_COMPLETED)
        if not pump.done():
            visit.detail = "the caller left before the answer was complete"
    finally:
        tasks = [pump, watch] if watch else [pump]
        for task in tasks:
            task.cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        await answer.close()
    if isinstance(done[0], NoAnswer):
        visit.verdict, visit.detail = Verdict.FAILED, str(done[0])
    elif isinstance(done[0], Exception):
        raise done[0]


async def _pump(visit: Visit, answer: Answer, ours: Headers) -> None:
    added = {name for name, _ in ours} | {REQUEST_ID.encode(), OUTCOME}
    headers = tuple((name, value) for name, value in end_to_end(answer.headers) if name not in added)
    await visit.reply.start(answer.status, headers + ours)
    async for part in answer.parts:
        await visit.reply.part(part)
    await visit.reply.end()


def _replaced(headers: Headers, added: dict[str, str]) -> Headers:
    """The headers with those that the tool's own credential needs instead of the caller's."""
    names = {name.lower().encode() for name in added}
    kept = tuple((name, value) for name, value in headers if name not in names)
    return kept + tuple((name.lower().encode(), value.encode()) for name, value in added.items())
