"""`@guard`: the function runs with an approval in hand, or not at all.

Invariants:

- Whatever goes wrong before the approval is here (arguments, transport, a denial, a token that doesn't hold) is raised,
  and the function has not run.
- The approval covers what runs: tool, agent and the exact arguments (see `binding`).
- One approval, one run.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeAlias, TypeVar, Unpack, cast, overload

from ledgix.client.aio import AsyncLedgix, AsyncPendingReview
from ledgix.client.answers import Clearance
from ledgix.client.asked import CallDetails, Circumstances, ClearanceRequest
from ledgix.client.errors import ReviewPending, ReviewTimedOut
from ledgix.client.settings import ModeName, ReviewMode
from ledgix.client.sync import Ledgix, PendingReview
from ledgix.enforce.binding import BoundCall, Call, GuardedSignature
from ledgix.enforce.defaults import default_async_client, default_client
from ledgix.enforce.hand import in_hand

P = ParamSpec("P")
R = TypeVar("R")

Seen: TypeAlias = Mapping[str, Any]
"""The arguments of one call by name, as the function will get them."""
Pending: TypeAlias = Callable[[Any], object]

_RESUME = "__ledgix_resume__"


@overload
def guard(function: Callable[P, R], /) -> Callable[P, R]: ...


@overload
def guard(
    *,
    tool: str | None = None,
    policy_id: str | None = None,
    context: Mapping[str, object] | Callable[[Seen], object] | None = None,
    facts: Mapping[str, object] | Callable[[Seen], object] | None = None,
    human_principal: str | Callable[[Seen], object] | None = None,
    client: Ledgix | AsyncLedgix | None = None,
    leave_out: Collection[str] = (),
    review_mode: ModeName | None = None,
    review_timeout: float | None = None,
    on_review_pending: Pending | None = None,
    **circumstances: Unpack[Circumstances],
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...


def guard(
    function: Callable[..., Any] | None = None,
    /,
    *,
    tool: str | None = None,
    policy_id: str | None = None,
    context: Mapping[str, object] | Callable[[Seen], object] | None = None,
    facts: Mapping[str, object] | Callable[[Seen], object] | None = None,
    human_principal: str | Callable[[Seen], object] | None = None,
    client: Ledgix | AsyncLedgix | None = None,
    leave_out: Collection[str] = (),
    review_mode: ModeName | None = None,
    review_timeout: float | None = None,
    on_review_pending: Pending | None = None,
    **circumstances: Unpack[Circumstances],
) -> Any:
    """Guards a sync or async function: the Vault is asked about each call, with all arguments, before it runs.

    `tool` is the function's name unless given. `context`, `facts` and `human_principal` may be functions of the call's
    arguments (by name; for an async function they may be awaitable). `leave_out` names parameters that the Vault shall
    not see, such as a database session; everything else is seen. With `accepts=["changed_args"]` the function runs with
    the arguments that a reviewer approved. A detached review calls `on_review_pending` with its handle and raises
    ReviewPending; `resume` runs the call later.
    """
    details = _Details(policy_id, context, facts, human_principal, circumstances)

    def decorate(decorated: Callable[..., Any]) -> Callable[..., Any]:
        plain, is_method, rewrap = _unwrap(decorated)
        plan = _Plan(
            function=plain,
            guarded=GuardedSignature.of(plain, leave_out=leave_out, is_method=is_method),
            tool=tool or _name(plain),
            details=details,
            client=client,
            review_mode=ReviewMode(review_mode) if review_mode is not None else None,
            review_timeout=review_timeout,
            on_review_pending=on_review_pending,
        )
        return rewrap(plan.async_wrapper() if inspect.iscoroutinefunction(plain) else plan.sync_wrapper())

    return decorate if function is None else decorate(function)


def resume(
    function: Callable[P, R], review: PendingReview | AsyncPendingReview | str, /, *a: P.args, **kw: P.kwargs
) -> R:
    """Runs a guarded call whose review was pending, with the same arguments, once it is approved.

    `review` is the handle or its `request_id`, so it works after a restart. Waits as the guard would; in detached mode
    it looks once and raises ReviewPending again. The token must be for these very arguments, and serves once.
    """
    resumed = getattr(function, _RESUME, None)
    if resumed is None:
        raise TypeError(f"{function!r} is not guarded")
    request_id = review if isinstance(review, str) else review.request_id
    receiver = (function.__self__,) if inspect.ismethod(function) else ()
    return cast(R, resumed(request_id, receiver + a, kw))


@dataclass(frozen=True, slots=True)
class _Details:
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
class _Plan:
    """One guarded function."""

    function: Callable[..., Any]
    guarded: GuardedSignature
    tool: str
    details: _Details
    client: Ledgix | AsyncLedgix | None
    review_mode: ReviewMode | None
    review_timeout: float | None
    on_review_pending: Pending | None
    accepts_changes: bool = field(init=False)

    def __post_init__(self) -> None:
        accepted = self.details.circumstances.get("accepts") or ()
        object.__setattr__(self, "accepts_changes", "changed_args" in accepted)

    def to_run(self, call: BoundCall, clearance: Clearance) -> Call:
        return call.approved(clearance.effective_args if self.accepts_changes else None)

    def request(self, client: Ledgix | AsyncLedgix, call: BoundCall) -> ClearanceRequest:
        """What was asked when the review began, as far as an approval of it is compared."""
        details = cast(CallDetails, dict(self.details.circumstances))
        return ClearanceRequest.build(client.settings, self.tool, call.exact, details)

    def looks_once(self, client: Ledgix | AsyncLedgix) -> bool:
        return (self.review_mode or client.settings.review_mode) is ReviewMode.DETACH

    def sync_wrapper(self) -> Callable[..., Any]:
        if isinstance(self.client, AsyncLedgix):
            raise TypeError(f"{self.tool} is a sync function; guard it with a Ledgix client")
        given = self.client

        @functools.wraps(self.function)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            call = self.guarded.bind(args, kwargs)
            details = cast(CallDetails, self.details.of(call.seen))
            client = given or default_client()
            try:
                clearance = client.request_clearance(
                    self.tool, call.exact, review_mode=self.review_mode, review_timeout=self.review_timeout, **details
                )
            except ReviewPending as pending:
                if self.on_review_pending is not None:
                    self.on_review_pending(pending.review)
                raise
            return run(call, clearance)

        def run(call: BoundCall, clearance: Clearance) -> Any:
            with in_hand(clearance):
                args, kwargs = self.to_run(call, clearance)
                return self.function(*args, **kwargs)

        def resumed(request_id: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            client = given or default_client()
            call = self.guarded.bind(args, kwargs)
            request = self.request(client, call)
            once = self.looks_once(client)
            try:
                clearance = client.wait(request_id, timeout=0 if once else self.review_timeout, request=request)
            except ReviewTimedOut:
                if once:
                    raise ReviewPending(client.pending_review(request_id, request=request)) from None
                raise
            return run(call, clearance)

        setattr(guarded, _RESUME, resumed)
        return guarded

    def async_wrapper(self) -> Callable[..., Any]:
        if isinstance(self.client, Ledgix):
            raise TypeError(f"{self.tool} is an async function; guard it with an AsyncLedgix client")
        given = self.client

        @functools.wraps(self.function)
        async def guarded(*args: Any, **kwargs: Any) -> Any:
            call = self.guarded.bind(args, kwargs)
            answers = {name: await _settled(value) for name, value in self.details.of(call.seen).items()}
            details = cast(CallDetails, answers)
            client = given or default_async_client()
            try:
                clearance = await client.request_clearance(
                    self.tool, call.exact, review_mode=self.review_mode, review_timeout=self.review_timeout, **details
                )
            except ReviewPending as pending:
                if self.on_review_pending is not None:
                    await _settled(self.on_review_pending(pending.review))
                raise
            return await run(call, clearance)

        async def run(call: BoundCall, clearance: Clearance) -> Any:
            with in_hand(clearance):
                args, kwargs = self.to_run(call, clearance)
                return await self.function(*args, **kwargs)

        async def resumed(request_id: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            client = given or default_async_client()
            call = self.guarded.bind(args, kwargs)
            request = self.request(client, call)
            once = self.looks_once(client)
            try:
                clearance = await client.wait(request_id, timeout=0 if once else self.review_timeout, request=request)
            except ReviewTimedOut:
                if once:
                    raise ReviewPending(client.pending_review(request_id, request=request)) from None
                raise
            return await run(call, clearance)

        setattr(guarded, _RESUME, resumed)
        return guarded


async def _settled(value: object) -> object:
    return await cast(Awaitable[object], value) if inspect.isawaitable(value) else value


def _unwrap(
    decorated: Callable[..., Any],
) -> tuple[Callable[..., Any], bool | None, Callable[[Callable[..., Any]], Callable[..., Any]]]:
    """The plain function, whether its first parameter is a receiver (None: unknown), and how to wrap it up again."""
    if isinstance(decorated, staticmethod):
        return _checked(decorated.__func__), False, staticmethod
    if isinstance(decorated, classmethod):
        return _checked(decorated.__func__), True, cast(Any, classmethod)
    return _checked(decorated), None, lambda wrapper: wrapper


def _checked(function: Callable[..., Any]) -> Callable[..., Any]:
    if not (inspect.isroutine(function) or isinstance(function, functools.partial)):
        raise TypeError(f"guard takes a function; of {function!r}, guard the method that acts")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        # Its body would run after the guard has returned, piece by piece and without the approval in hand.
        raise TypeError(f"{function!r} is a generator; guard the function that does the work instead")
    return function


def _name(function: Callable[..., Any]) -> str:
    name = getattr(function, "__name__", None)
    if not isinstance(name, str) or name == "<lambda>":
        raise TypeError(f"{function!r} has no name; say guard(tool=…)")
    return name
