"""The steps of which every conversation with the Vault is made. No I/O here.

A `Flow` is a generator: it yields a `Request` to send, a `Sleep` or a `Follow`, is sent what came back (`Incoming`),
and returns its result. All rules (retries, waiting, checking of answers) live in flows; a sender only transports and
sleeps, so that the sync and the async client cannot differ in what they accept.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, complete: every attempt sends these same bytes and headers, and beside them only its trace."""

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Sleep:
    seconds: float


@dataclass(frozen=True, slots=True)
class Follow:
    """Read the lines that answer this request, for so many seconds at most, until one `is_it`.

    What comes back: the `Reply` whose body is that line, None when the time is over, `NoReply` without a stream.
    """

    request: Request
    seconds: float
    is_it: Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer, whatever its status. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class NoReply:
    """The transport failed; whether the Vault acted on the request is unknown."""

    trouble: str


Step: TypeAlias = Request | Sleep | Follow
Incoming: TypeAlias = Reply | NoReply | None
Flow: TypeAlias = Generator[Step, Incoming, T]


@dataclass(frozen=True, slots=True)
class Clock:
    """`now`: seconds since the epoch, for tokens. `monotonic`: for waiting and caches."""

    now: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic


# From the operating system's entropy: forked workers must not draw the same jitter.
draw_uniform: Callable[[float, float], float] = random.SystemRandom().uniform
