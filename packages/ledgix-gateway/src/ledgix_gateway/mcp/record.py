"""One tool call and what is known of it so far, of which its record is made: for the log, the metrics and its span."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ledgix_gateway.ended import Ended, Verdict
from ledgix_gateway.mcp.answers import Refusal
from ledgix_gateway.mcp.approvals import Burned
from ledgix_gateway.mcp.gate import Gate
from ledgix_gateway.tracing import note, request_span, trace_id, trace_in_meta

CALL = "tools/call"
"""Stands where a route would: what a caller names is no label."""


_LONGEST_NAME = 256


@dataclass(slots=True)
class Record:
    """The notes of one call. Until something else is noted, nothing was called."""

    agent_id: str
    began: float = field(default_factory=time.monotonic)
    verdict: Verdict = Verdict.REFUSED
    tool: str = ""
    code: str = ""
    request_id: str = ""
    detail: str = ""

    def refused(self, refusal: Refusal) -> None:
        """What the model is told instead of a result."""
        self.code, self.request_id = str(refusal.code), refusal.request_id

    def burned(self, burned: Burned) -> None:
        """From here on it counts as failed unless the server answers."""
        self.verdict, self.request_id = Verdict.FAILED, burned.request_id

    def ended(self) -> Ended:
        """The record, now that the call is over."""
        return Ended(
            verdict=self.verdict,
            status=0,
            method="",
            route=CALL,
            tool=self.tool,
            code=self.code,
            request_id=self.request_id,
            agent_id=self.agent_id,
            detail=self.detail,
            trace_id=trace_id(),
            seconds=time.monotonic() - self.began,
        )


@contextmanager
def recorded(gate: Gate, params: dict[str, Any]) -> Generator[Record, None, None]:
    """The block answers the call, in a span of its client's trace; whoever records calls hears how it ended."""
    record = Record(gate.config.caller.agent_id, tool=str(params.get("name", ""))[:_LONGEST_NAME])
    with gate.counted(), request_span(CALL, trace_in_meta(params.get("_meta"))) as span:
        try:
            yield record
        except BaseException as error:
            record.detail = record.detail or f"ended by {type(error).__name__}"
            raise
        finally:
            ended = record.ended()
            note(span, ended)
            gate.on_end(ended)
