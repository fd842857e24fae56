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
from collections.abc import Callable, Collection, Mapping
from typing import Any, ParamSpec, TypeAlias, TypeVar, Unpack, cast, overload

from ledgix.client.aio import AsyncLedgix, AsyncPendingReview
from ledgix.client.asked import Circumstances
from ledgix.client.settings import ModeName, ReviewMode
from ledgix.client.sync import Ledgix, PendingReview
from ledgix.enforce.binding import GuardedSignature
from ledgix.enforce.plan import RESUME, Details, Plan, Seen, guard_async, guard_sync

P = ParamSpec("P")
R = TypeVar("R")

Pending: TypeAlias = Callable[[Any], object]


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
    details = Details(policy_id, context, facts, human_principal, circumstances)

    def decorate(decorated: Callable[..., Any]) -> Callable[..., Any]:
        plain, is_method, rewrap = _unwrap(decorated)
        plan = Plan(
            function=plain,
            guarded=GuardedSignature.of(plain, leave_out=leave_out, is_method=is_method),
            tool=tool or _name(plain),
            details=details,
            client=client,
            review_mode=ReviewMode(review_mode) if review_mode is not None else None,
            review_timeout=review_timeout,
            on_review_pending=on_review_pending,
        )
        return rewrap(guard_async(plan) if inspect.iscoroutinefunction(plain) else guard_sync(plan))

    return decorate if function is None else decorate(function)


def resume(
    function: Callable[P, R], review: PendingReview | AsyncPendingReview | str, /, *a: P.args, **kw: P.kwargs
) -> R:
    """Runs a guarded call whose review was pending, with the same arguments, once it is approved.

    `review` is the handle or its `request_id`, so it works after a restart. Waits as the guard would; in detached mode
    it looks once and raises ReviewPending again. The token must be for these very arguments, and serves once.
    """
    resumed = getattr(function, RESUME, None)
    if resumed is None:
        raise TypeError(f"{function!r} is not guarded")
    request_id = review if isinstance(review, str) else review.request_id
    receiver = (function.__self__,) if inspect.ismethod(function) else ()
    return cast(R, resumed(request_id, receiver + a, kw))


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
