"""What an application or an edge tells the Vault of approved calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from ledgix.client.answers import ReportedOutcome
from ledgix.client.errors import ArgumentsError
from ledgix.formats.json import JsonObject

OutcomeName: TypeAlias = Literal["delivered", "refused", "unknown"]


@dataclass(frozen=True, slots=True)
class OutcomeToReport:
    """What became of an approved call, named by its request or by its token's `jti`: one of the two."""

    outcome: ReportedOutcome | OutcomeName
    request_id: str | None = None
    jti: str | None = None
    detail: str = ""

    def to_json(self) -> JsonObject:
        """The body of POST /outcomes; raises ArgumentsError for what can't be reported."""
        named = {name: value for name, value in (("request_id", self.request_id), ("jti", self.jti)) if value}
        if len(named) != 1:
            raise ArgumentsError("name the approval by its request_id or by its token's jti: one of the two")
        if self.outcome not in tuple(ReportedOutcome):
            raise ArgumentsError(f"an outcome is one of {', '.join(ReportedOutcome)}, not {self.outcome!r}")
        return {**named, "outcome": str(self.outcome), "detail": self.detail}
