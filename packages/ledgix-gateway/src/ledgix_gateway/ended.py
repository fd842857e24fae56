"""How a request ended: the one value that logs, metrics and traces are made of. It holds no secret and no argument."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What became of a request at the gateway."""

    FORWARDED = "forwarded"  # approved, burned, and the tool answered
    FAILED = "failed"  # approved, burned, and the tool gave no whole answer
    ALLOWED = "allowed"  # approved and burned; the edge that asked forwards it
    OPEN = "open"  # let through by an open route
    OBSERVED = "observed"  # let through in mode observe; `code` is what enforce would have answered
    HELD = "held"  # waits for a person
    REFUSED = "refused"  # nothing reached the tool
    OWN = "own"  # a page of the gateway itself


@dataclass(frozen=True, slots=True)
class Ended:
    """`route` is the label of the route, never the path itself; `""` where there was none. `seconds` is all it took."""

    verdict: Verdict
    status: int
    method: str
    route: str = ""
    tool: str = ""
    upstream: str = ""
    code: str = ""
    request_id: str = ""
    agent_id: str = ""
    detail: str = ""
    trace_id: str = ""
    seconds: float = 0.0


OnEnd = Callable[[Ended], None]
