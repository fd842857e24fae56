"""One request on its way through the gateway, and what is known of it so far."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from opentelemetry.context import Context

from ledgix_gateway.admission.passage import Approval, Passage
from ledgix_gateway.ended import Ended, OnEnd, Verdict
from ledgix_gateway.errors import Problem
from ledgix_gateway.inbound import Inbound
from ledgix_gateway.proxy.incoming import Incoming
from ledgix_gateway.proxy.replies import Reply
from ledgix_gateway.routes.route import Route
from ledgix_gateway.tracing import note, request_span, trace_id


@dataclass(slots=True)
class Visit:
    """What arrived, where the answer goes, and the notes of which `ended` makes the record."""

    inbound: Inbound
    incoming: Incoming
    reply: Reply
    peer: str  # the caller's address
    scheme: str
    began: float = field(default_factory=time.monotonic)
    verdict: Verdict = Verdict.REFUSED
    status: int = 0
    route: Route | None = None
    request_id: str = ""
    agent_id: str = ""
    code: str = ""
    detail: str = ""

    def note_problem(self, problem: Problem) -> None:
        """What the caller is told, or would have been."""
        self.code, self.detail = problem.code, problem.detail
        self.request_id = problem.request_id or self.request_id

    def note_passage(self, passage: Passage) -> None:
        """By which right the call goes on."""
        if isinstance(passage, Approval):
            self.request_id, self.agent_id = passage.request_id, passage.claims.agent_id
        elif passage.problem is not None:
            self.note_problem(passage.problem)

    def ended(self) -> Ended:
        """The record of this request, now that it is over."""
        route = self.route
        return Ended(
            verdict=self.verdict,
            status=self.status,
            method=self.inbound.method,
            route=route.label if route else "",
            tool=route.tool if route else "",
            upstream=route.upstream if route else "",
            code=self.code,
            request_id=self.request_id,
            agent_id=self.agent_id,
            detail=self.detail,
            trace_id=trace_id(),
            seconds=time.monotonic() - self.began,
        )


@contextmanager
def recorded(visit: Visit, trace: Context | None, on_end: OnEnd) -> Generator[None, None, None]:
    """The block answers the request, in a span of this trace; `on_end` hears how it ended."""
    with request_span(visit.inbound.method, trace) as span:
        try:
            yield
        finally:
            ended = visit.ended()
            note(span, ended)
            on_end(ended)
