"""Evaluating a request inside the transaction, against what is active there and then."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial

from msgspec.structs import replace

from ledgix.formats.json import JsonObject
from ledgix_vault.clearance.clearance import Clearance
from ledgix_vault.clearance.decision import Decision, Outcome, conclude, refused, suspended
from ledgix_vault.clearance.request import ClearanceRequest
from ledgix_vault.clearance.shadows import beside
from ledgix_vault.errors import Conflict
from ledgix_vault.operations.steps.limits import Findings, look_at_limits, within_limits
from ledgix_vault.policy.evaluate import Call, Evaluation, evaluate
from ledgix_vault.store.clearances import find_clearance_by_jti, session_calls
from ledgix_vault.store.engine import Connection
from ledgix_vault.store.unit import Unit
from ledgix_vault.tenancy.state import TenantState
from ledgix_vault.tenancy.suspensions import agent_suspension
from ledgix_vault.times import MICROSECONDS

DEEPEST_DELEGATION = 5
PARENT_CANCELLED = "The parent approval was cancelled, so nothing can be delegated from it."
PARENT_SUSPENDED = "The parent approval's agent is suspended, so nothing can be delegated from it."


def decided_alone(state: TenantState, request: ClearanceRequest) -> Decision | None:
    """What the tenant's policies decide of a call outside of the transaction; None where only the transaction can tell:
    a delegated call, limits, or policies that look at the moment or at the session's earlier calls."""
    coverage = state.snapshot.coverage(request.tool_name)
    if request.parent_jti or coverage.needs_unit or coverage.limited:
        return None
    return _decide(state, call_of(request))


def decide(
    unit: Unit, tenant_id: str, request: ClearanceRequest, window: int, *, besides: str = ""
) -> tuple[Decision, int]:
    """The decision as of this transaction, and the depth of delegation (contract section 2, "Delegation"). What the
    request `besides` took of budgets doesn't count."""
    return decide_at(
        lambda: unit.connection,
        unit.tenant(tenant_id),
        request,
        unit.now,
        window,
        limited=partial(within_limits, unit, tenant_id, besides=besides),
    )


def decide_at(
    connect: Callable[[], Connection],
    state: TenantState,
    request: ClearanceRequest,
    now: int,
    window: int,
    limited: Callable[[Call, Decision], Decision] = lambda _, decision: decision,
) -> tuple[Decision, int]:
    """The same for a tenant as given, at the moment `now`; `connect` is only called if something must be looked up.
    `limited` holds the decision against the limits that remember; without it they have no say."""
    if not request.parent_jti or state.suspension_of(request.agent_id, request.tool_name):
        call = _in_unit(connect, state, call_of(request), now)
        return limited(call, _decide(state, call)), 0
    parent = find_clearance_by_jti(connect(), state.tenant_id, request.parent_jti)
    flaw = _delegation_flaw(state, parent, now, window)
    call = _in_unit(connect, state, call_of(request, extra_policy_ids=_deciding_policies(parent)), now)
    decision = _decide(state, call)
    if flaw is not None:
        return refused(decision, "delegation_invalid", flaw), 0
    assert parent is not None
    return limited(call, decision), parent.depth + 1


def _decide(state: TenantState, call: Call) -> Decision:
    if suspension := state.suspension_of(call.agent_id, call.tool_name):
        return suspended(suspension, state.settings, state.snapshot.hash)
    evaluation = evaluate(state.snapshot, call)
    decision = conclude(evaluation, state.settings, state.snapshot.hash, state.judge)
    if not state.snapshot.shadows:
        return decision
    return replace(decision, shadow=beside(state.snapshot, state.settings, call, evaluation))


def evaluate_again(unit: Unit, clearance: Clearance, args: JsonObject | None) -> tuple[Evaluation, Findings]:
    """What policies and limits say by now of a call that waits for a person; `args` as the reviewer changed them, if
    so. What the request has reserved itself doesn't count against it.

    A delegated call stays under its parent's deciding policy; raises `Conflict` when the parent was cancelled or its
    agent is suspended.
    """
    parent_jti = clearance.request.parent_jti
    parent = find_clearance_by_jti(unit.connection, clearance.tenant_id, parent_jti) if parent_jti else None
    if parent is not None and parent.decision.outcome is not Outcome.APPROVED:
        raise Conflict(PARENT_CANCELLED, code="delegation_invalid")
    state = unit.tenant(clearance.tenant_id)
    if parent is not None and agent_suspension(state.suspensions, parent.request.agent_id):
        raise Conflict(PARENT_SUSPENDED, code="delegation_invalid")
    call = call_of(clearance.request, args=args, extra_policy_ids=_deciding_policies(parent))
    call = _in_unit(lambda: unit.connection, state, call, unit.now)
    findings = look_at_limits(unit, clearance.tenant_id, call, besides=clearance.request_id)
    return evaluate(state.snapshot, call), findings


def _in_unit(connect: Callable[[], Connection], state: TenantState, call: Call, now: int) -> Call:
    """The call with what only the transaction knows: its moment, and the session's earlier calls where they matter."""
    calls = None
    if call.session_id and (call.extra_policy_ids or state.snapshot.coverage(call.tool_name).needs_unit):
        calls = session_calls(connect(), state.tenant_id, call.session_id)
    return dataclasses.replace(call, now=now, session_calls=calls)


def call_of(
    request: ClearanceRequest, *, args: JsonObject | None = None, extra_policy_ids: tuple[str, ...] = ()
) -> Call:
    """What the policies look at. `args` stands in for arguments that a reviewer changed."""
    destination = {
        "uri": request.destination_uri,
        "provider": request.destination_provider,
        "account_ref": request.destination_account_ref,
    }
    return Call(
        tool_name=request.tool_name,
        args=request.tool_args if args is None else args,
        agent_id=request.agent_id,
        session_id=request.session_id,
        human_principal=request.human_principal,
        facts=request.facts,
        destination={name: value for name, value in destination.items() if value},
        purpose=request.purpose,
        data_categories=request.data_categories,
        hint=request.policy_hint,
        extra_policy_ids=extra_policy_ids,
        register_ref=request.processing_register_ref,
    )


def with_args(request: ClearanceRequest, args: JsonObject) -> ClearanceRequest:
    """The same request for other arguments."""
    return replace(request, tool_args=args)


def _deciding_policies(parent: Clearance | None) -> tuple[str, ...]:
    return (parent.decision.policy_id,) if parent is not None and parent.decision.policy_id else ()


def _delegation_flaw(state: TenantState, parent: Clearance | None, now: int, window: int) -> str | None:
    """Why this parent can't delegate, in words; None when it can."""
    if parent is None or parent.token is None:
        return "The parent approval (parent_jti) is not known here, so nothing can be delegated from it."
    if parent.decision.outcome is not Outcome.APPROVED:
        return PARENT_CANCELLED
    if agent_suspension(state.suspensions, parent.request.agent_id):
        return PARENT_SUSPENDED
    if parent.token.issued_at is None or now > (parent.token.issued_at + window) * MICROSECONDS:
        return f"The parent approval was not handed out within the last {window} seconds."
    if parent.depth + 1 > DEEPEST_DELEGATION:
        return f"Delegation is at most {DEEPEST_DELEGATION} deep; this call would be deeper."
    return None
