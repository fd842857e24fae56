"""What a guard does around one function, for sync and async functions alike: ask, or take up again, then run."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from ledgix.client.aio import AsyncLedgix
from ledgix.client.answers import Clearance
from ledgix.client.asked import CHANGED_ARGS, CallDetails, Circumstances, ClearanceRequest
from ledgix.client.errors import ArgumentsError, ReviewPending, ReviewTimedOut
from ledgix.client.settings import ReviewMode
from ledgix.client.sync import Ledgix
from ledgix.enforce.binding import BoundCall, Call, GuardedSignature
from ledgix.enforce.defaults import default_async_client, default_client
from ledgix.enforce.hand import in_hand

RESUME = "__ledgix_resume__"
"""The attribute of a guarded function that takes up a pending review: `(request_id, args, kwargs)`."""

Seen: TypeAlias = Mapping[str, Any]
"""The arguments of one call by name, as the function will get them."""


@dataclass(frozen=True, slots=True)
class Details:
    """What is said about a call beside its arguments; functions are asked for each call."""

    policy_id: str | None
    context: object
    facts: object
    human_principal: object
    circumstances: Circumstances

    def of(self, seen: Seen) -> dict[str, object]:
        asked = {"context": self.context, "facts": self.facts, "human_principal": self.human_principal}
        answers = {name: value(seen) if callable(value) else value for name, value in asked.items()}
        return {**self.circumstances, "policy_id": self.policy_id, **answers}


@dataclass(frozen=True, slots=True)
class Plan:
    """One guarded function."""

    function: Callable[..., Any]
    guarded: GuardedSignature
    tool: str
    details: Details
    client: Ledgix | AsyncLedgix | None
    review_mode: ReviewMode | None
    review_timeout: float | None
    on_review_pending: Callable[[Any], object] | None

    def to_run(self, call: BoundCall, clearance: Clearance) -> Call:
        """The arguments that the approval covers."""
        accepts_changes = CHANGED_ARGS in (self.details.circumstances.get("accepts") or ())
        return call.approved(clearance.effective_args if accepts_changes else None)

    def request(self, client: Ledgix | AsyncLedgix, call: BoundCall) -> ClearanceRequest:
        """What was asked when the review began, as far as an approval of it is compared."""
        if not client.settings.verify_jwt:
            raise ArgumentsError(
                "only the token says which arguments the review was about, and LEDGIX_VERIFY_JWT is off: nothing ran"
            )
        details = cast(CallDetails, dict(self.details.circumstances))
        return ClearanceRequest.build(client.settings, self.tool, call.exact, details)

    def looks_once(self, client: Ledgix | AsyncLedgix) -> bool:
        """In detached mode nobody waits."""
        return (self.review_mode or client.settings.review_mode) is ReviewMode.DETACH


def guard_sync(plan: Plan) -> Callable[..., Any]:
    if isinstance(plan.client, AsyncLedgix):
        raise TypeError(f"{plan.tool} is a sync function; guard it with a Ledgix client")
    given = plan.client

    def run(call: BoundCall, clearance: Clearance) -> Any:
        with in_hand(clearance):
            args, kwargs = plan.to_run(call, clearance)
            return plan.function(*args, **kwargs)

    @functools.wraps(plan.function)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        call = plan.guarded.bind(args, kwargs)
        return run(call, _ask(plan, given or default_client(), call))

    def resumed(request_id: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        call = plan.guarded.bind(args, kwargs)
        return run(call, _take_up(plan, given or default_client(), request_id, call))

    setattr(guarded, RESUME, resumed)
    return guarded


def _ask(plan: Plan, client: Ledgix, call: BoundCall) -> Clearance:
    details = cast(CallDetails, plan.details.of(call.seen))
    try:
        return client.request_clearance(
            plan.tool, call.exact, review_mode=plan.review_mode, review_timeout=plan.review_timeout, **details
        )
    except ReviewPending as pending:
        if plan.on_review_pending is not None:
            plan.on_review_pending(pending.review)
        raise


def _take_up(plan: Plan, client: Ledgix, request_id: str, call: BoundCall) -> Clearance:
    request, once = plan.request(client, call), plan.looks_once(client)
    try:
        return client.wait(request_id, timeout=0 if once else plan.review_timeout, request=request)
    except ReviewTimedOut:
        if once:
            raise ReviewPending(client.pending_review(request_id, request=request)) from None
        raise


def guard_async(plan: Plan) -> Callable[..., Any]:
    if isinstance(plan.client, Ledgix):
        raise TypeError(f"{plan.tool} is an async function; guard it with an AsyncLedgix client")
    given = plan.client

    async def run(call: BoundCall, clearance: Clearance) -> Any:
        with in_hand(clearance):
            args, kwargs = plan.to_run(call, clearance)
            return await plan.function(*args, **kwargs)

    @functools.wraps(plan.function)
    async def guarded(*args: Any, **kwargs: Any) -> Any:
        call = plan.guarded.bind(args, kwargs)
        return await run(call, await _ask_async(plan, given or default_async_client(), call))

    async def resumed(request_id: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        call = plan.guarded.bind(args, kwargs)
        return await run(call, await _take_up_async(plan, given or default_async_client(), request_id, call))

    setattr(guarded, RESUME, resumed)
    return guarded


async def _ask_async(plan: Plan, client: AsyncLedgix, call: BoundCall) -> Clearance:
    answers = {name: await _settled(value) for name, value in plan.details.of(call.seen).items()}
    details = cast(CallDetails, answers)
    try:
        return await client.request_clearance(
            plan.tool, call.exact, review_mode=plan.review_mode, review_timeout=plan.review_timeout, **details
        )
    except ReviewPending as pending:
        if plan.on_review_pending is not None:
            await _settled(plan.on_review_pending(pending.review))
        raise


async def _take_up_async(plan: Plan, client: AsyncLedgix, request_id: str, call: BoundCall) -> Clearance:
    request, once = plan.request(client, call), plan.looks_once(client)
    try:
        return await client.wait(request_id, timeout=0 if once else plan.review_timeout, request=request)
    except ReviewTimedOut:
        if once:
            raise ReviewPending(client.pending_review(request_id, request=request)) from None
        raise


async def _settled(value: object) -> object:
    return await cast(Awaitable[object], value) if inspect.isawaitable(value) else value
