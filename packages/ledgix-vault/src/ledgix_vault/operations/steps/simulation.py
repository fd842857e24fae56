"""A simulation under way: calls in, in the order of time, and the tally of what the draft would change."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Iterable
from decimal import Decimal

from ledgix.formats.json import Json, JsonObject
from ledgix_vault.clearance.clearance import Clearance
from ledgix_vault.clearance.decision import Decision, Outcome, conclude
from ledgix_vault.clearance.request import ClearanceRequest
from ledgix_vault.limits.demands import Demand
from ledgix_vault.limits.findings import takes
from ledgix_vault.operations.steps.drafts import with_draft
from ledgix_vault.operations.steps.evaluate import call_of
from ledgix_vault.operations.steps.limits import bounded, find_limits
from ledgix_vault.policy.call import Call, EarlierCall
from ledgix_vault.policy.cel.inputs import EXACT
from ledgix_vault.policy.effect import Effect
from ledgix_vault.policy.evaluate import evaluate
from ledgix_vault.policy.model import PolicyDocument
from ledgix_vault.policy.simulation import Compared, Tally, amounts_of
from ledgix_vault.store.clearances import MOST_SESSION_CALLS
from ledgix_vault.tenancy.state import TenantState

MOST_CALLS = 100_000
PAGE = 500
SLICE = 50
"""Calls that are decided without a pause for whatever else the process has to do."""
LONGEST_REASON = 500
_ASSUMPTIONS = (
    "Tool schemas, settings and all other policies are those of now, for every call.",
    "A session's earlier calls are those that this simulation itself approved, from an empty start on.",
    "Suspensions aren't asked, and a delegated call isn't asked about its parent.",
    "A review is counted as a review, whatever a person made of it.",
    "Budgets start empty; what is approved or waits for a person takes its share, and gives nothing back.",
)
_EFFECTS = {
    Outcome.APPROVED: Effect.APPROVE,
    Outcome.CANCELLED: Effect.APPROVE,
    Outcome.PENDING: Effect.REVIEW,
    Outcome.EXPIRED: Effect.REVIEW,
    Outcome.DENIED: Effect.DENY,
}


class _Run:
    """The calls under one state of the tenant, in order; remembers what was approved in each session, and what was
    taken of each budget."""

    def __init__(self, state: TenantState) -> None:
        self.state = state
        self._budgets: dict[str, _Budget] = {}
        self._sessions: dict[str, deque[EarlierCall]] = {}

    def decide(self, request: ClearanceRequest, now: int) -> Decision:
        snapshot, session_id = self.state.snapshot, request.session_id
        call = dataclasses.replace(call_of(request), now=now)
        earlier = self._sessions.get(session_id)
        if session_id and snapshot.coverage(request.tool_name).needs_unit:
            seen = tuple(earlier or ())
            call = dataclasses.replace(call, session_calls=seen if len(seen) <= MOST_SESSION_CALLS else None)
        decision = self._within_limits(call, conclude(evaluate(snapshot, call), self.state.settings, snapshot.hash))
        if session_id and decision.outcome is Outcome.APPROVED:
            if earlier is None:
                earlier = self._sessions[session_id] = deque(maxlen=MOST_SESSION_CALLS + 1)
            earlier.appendleft(EarlierCall(request.tool_name, request.tool_args, now))
        return decision

    def _within_limits(self, call: Call, decision: Decision) -> Decision:
        """The decision with what limits say of it; what isn't denied takes its share."""
        snapshot, now = self.state.snapshot, call.now
        assert now is not None
        if decision.outcome is Outcome.DENIED or not snapshot.coverage(call.tool_name).limited:
            return decision
        decision = bounded(snapshot, decision, find_limits(snapshot, call, lambda demand: self._used(demand, now)))
        if decision.outcome is not Outcome.DENIED:
            for taken in takes(decision.limits):
                self._budgets[taken.budget].take(now, taken.amount)
        return decision

    def _used(self, demand: Demand, now: int) -> Decimal:
        budget = self._budgets.setdefault(demand.key.id, _Budget())
        return budget.left_in(demand.window.since(now))


class _Budget:
    """What was taken of one budget, oldest first, as far as its window still holds it."""

    def __init__(self) -> None:
        self._taken: deque[tuple[int, Decimal]] = deque()
        self._total = Decimal(0)

    def take(self, now: int, amount: Decimal) -> None:
        self._taken.append((now, amount))
        self._total = EXACT.add(self._total, amount)

    def left_in(self, since: int) -> Decimal:
        """The total of what was taken after `since` (µs)."""
        while self._taken and self._taken[0][0] <= since:
            self._total = EXACT.subtract(self._total, self._taken.popleft()[1])
        return self._total


class Simulation:
    """Holds the tenant as it is and as the draft would make it. `now` (µs) is the moment of calls without one."""

    def __init__(self, state: TenantState, document: PolicyDocument, now: int) -> None:
        self._now, self._then = _Run(state), _Run(with_draft(state, document))
        self._moment = now
        self._document = document
        self._tally = Tally()

    @property
    def examined(self) -> int:
        return self._tally.examined

    def take_recorded(self, clearances: Iterable[Clearance]) -> None:
        """Decides recorded requests again, both ways."""
        for clearance in clearances:
            self._take(clearance.request, clearance.request_id, recorded_effect(clearance), clearance.requested_at)

    def take_calls(self, requests: Iterable[ClearanceRequest]) -> None:
        """Decides calls that never happened; in examples each is named by its place, from 1 on."""
        for request in requests:
            self._take(request, str(self.examined + 1), None, self._moment)

    def _take(self, request: ClearanceRequest, name: str, recorded: Effect | None, moment: int) -> None:
        before, after = self._now.decide(request, moment), self._then.decide(request, moment)
        coverage = self._then.state.snapshot.coverage(request.tool_name)
        cited = [(str(each["policy_id"]), str(each["rule_id"])) for each in after.citations]
        self._tally.add(
            Compared(
                request_id=name,
                tool_name=request.tool_name,
                recorded=recorded,
                before=_EFFECTS[before.outcome],
                after=_EFFECTS[after.outcome],
                reason=after.reason[:LONGEST_REASON],
                reason_code=after.reason_code,
                rules=tuple(dict.fromkeys(cited)),
                amounts=tuple(amounts_of(coverage, request.tool_args)),
            )
        )

    def result(self) -> JsonObject:
        """What was found."""
        assumptions: list[Json] = [*_ASSUMPTIONS]
        return {
            "policy_id": self._document.policy_id,
            "policy_content_hash": self._document.content_hash,
            **self._tally.to_json(),
            "assumptions": assumptions,
        }


def recorded_effect(clearance: Clearance) -> Effect:
    """What the policies said at the time, whatever a person made of it."""
    if clearance.review_expires_at is not None:
        return Effect.REVIEW
    return _EFFECTS[clearance.decision.outcome]
