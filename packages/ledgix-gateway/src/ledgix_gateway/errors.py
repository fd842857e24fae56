"""What can go wrong, by whose fault it is.

LedgixError
├── ConfigError             the configuration can't be used: `place` names where, the message says what to write
├── Refusal                 this call does not go through; nothing reached the tool
└── UpstreamError           the tool's server gave no answer
    ├── NotSent             no connection could be made: the tool has seen nothing of the call
    └── NoAnswer            something of the call may have arrived: nobody knows what the tool did
"""

from __future__ import annotations

from dataclasses import dataclass

from ledgix.errors import LedgixError


class ConfigError(LedgixError):
    """A configuration that can't be used. `place` is like `routes[2].path`, or the name of the file."""

    def __init__(self, place: str, message: str) -> None:
        super().__init__(place, message)
        self.place = place
        self.message = message

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


@dataclass(frozen=True, slots=True)
class Problem:
    """An answer to a caller, as RFC 9457 has it. `code` is stable and for programs, `detail` is for people.

    `request_id` and `reason_code` are the Vault's, where there are any; `retry_after` is in seconds.
    """

    status: int
    code: str
    title: str
    detail: str
    request_id: str = ""
    reason_code: str = ""
    retry_after: int | None = None

    def to_json(self) -> dict[str, str | int]:
        """The members of an `application/problem+json` body; empty ones are left out."""
        members: dict[str, str | int] = {
            "type": "about:blank",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "request_id": self.request_id,
            "reason_code": self.reason_code,
        }
        return {name: value for name, value in members.items() if value}


class Refusal(LedgixError):
    """The gateway does not let this call through. Raised before the first byte goes to the tool."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


class UpstreamError(LedgixError):
    """The tool's server gave no answer."""


class NotSent(UpstreamError):
    """No connection could be made: the tool has seen nothing of the call."""


class NoAnswer(UpstreamError):
    """Something of the call may have arrived, and no whole answer came: nobody knows what the tool did."""

    def __init__(self, message: str, *, timed_out: bool = False) -> None:
        super().__init__(message)
        self.timed_out = timed_out
