"""Suspensions: an agent, a tool or the whole tenant is stopped until somebody releases it.

Invariants
- A suspension stands above every policy, approval and token: while it stands, nothing that it means is cleared, minted,
  handed out or consumed.
- It destroys nothing: what was approved before it may be used after its release, if its time isn't over.
- `subject` is an id or a pattern (`*`, `?`), case included; a tenant's suspension has none.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import assert_never

from ledgix.formats.json import JsonObject
from ledgix_vault.errors import Invalid
from ledgix_vault.policy.globs import LONGEST_GLOB, matches
from ledgix_vault.times import rfc3339

LONGEST_REASON = 1000
MOST_STANDING = 200
"""Suspensions of one tenant at a time: each is compared with every call."""


class SuspensionKind(StrEnum):
    """What is stopped."""

    AGENT = "agent"
    TOOL = "tool"
    TENANT = "tenant"


@dataclass(frozen=True, slots=True)
class Suspension:
    """One suspension; `by` are ids of API keys, "" for the Vault's own command line. Moments in microseconds."""

    suspension_id: str
    kind: SuspensionKind
    subject: str
    reason: str
    suspended_at: int
    suspended_by: str
    released_at: int | None = None
    released_by: str = ""
    release_reason: str = ""

    def stops(self, agent_id: str, tool_name: str) -> bool:
        """Whether it means calls of this tool by this agent."""
        match self.kind:
            case SuspensionKind.TENANT:
                return True
            case SuspensionKind.AGENT:
                return matches(self.subject, agent_id)
            case SuspensionKind.TOOL:
                return matches(self.subject, tool_name)
            case _:
                assert_never(self.kind)

    @property
    def stopped(self) -> str:
        """What is stopped, in words."""
        return "the whole tenant" if self.kind is SuspensionKind.TENANT else f"{self.kind} '{self.subject}'"

    @property
    def why(self) -> str:
        """For whoever is refused."""
        return f"Suspended: {self.stopped} is stopped since {rfc3339(self.suspended_at)}. {self.reason}"

    def released(self, at: int, by: str, reason: str) -> Suspension:
        """The same suspension, over; the first release counts."""
        if self.released_at is not None:
            return self
        return replace(self, released_at=at, released_by=by, release_reason=reason)

    def to_json(self) -> JsonObject:
        return {
            "suspension_id": self.suspension_id,
            "kind": str(self.kind),
            "subject": self.subject,
            "reason": self.reason,
            "suspended_at": rfc3339(self.suspended_at),
            "suspended_by": self.suspended_by,
            "released_at": None if self.released_at is None else rfc3339(self.released_at),
            "released_by": self.released_by,
            "release_reason": self.release_reason,
        }


def first_that_stops(standing: Iterable[Suspension], agent_id: str, tool_name: str) -> Suspension | None:
    """The oldest suspension that stops this call."""
    return next((each for each in standing if each.stops(agent_id, tool_name)), None)


def agent_suspension(standing: Iterable[Suspension], agent_id: str) -> Suspension | None:
    """The oldest suspension of this agent itself."""
    agents = (each for each in standing if each.kind is SuspensionKind.AGENT)
    return next((each for each in agents if matches(each.subject, agent_id)), None)


def check_subject(kind: SuspensionKind, subject: str) -> None:
    """Raises `Invalid` unless this can be suspended."""
    if kind is SuspensionKind.TENANT:
        if subject:
            raise Invalid("is left out for the whole tenant", path="$.subject")
    elif not 1 <= len(subject) <= LONGEST_GLOB or not subject.isprintable():
        raise Invalid(f"is required: an id or pattern of 1 to {LONGEST_GLOB} printable characters", path="$.subject")


def check_reason(reason: str) -> None:
    """Raises `Invalid` unless the reason says something, in letters that can be shown."""
    if not reason.strip() or len(reason) > LONGEST_REASON:
        raise Invalid(f"is required: why, in 1 to {LONGEST_REASON} characters", path="$.reason")
    if not all(sign.isprintable() or sign in "\n\t" for sign in reason):
        raise Invalid("must have printable characters only", path="$.reason")
