"""What became of an approved call, as whoever carried it out reports it (contract section 6, `outcome.reported`)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ledgix.formats.json import JsonObject
from ledgix_vault.times import rfc3339


class Reported(StrEnum):
    """`refused`: the receiver did nothing. `unknown`: nobody can tell whether it did."""

    DELIVERED = "delivered"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Report:
    """One report; it is made once for each approval. `retried_as` is the request that was minted after `unknown`."""

    tenant_id: str
    request_id: str
    outcome: Reported
    detail: str
    reported_at: int
    reported_by: str
    retried_as: str | None = None

    def answer(self, jti: str) -> JsonObject:
        """The same however often it is asked for."""
        return {
            "request_id": self.request_id,
            "jti": jti,
            "outcome": str(self.outcome),
            "detail": self.detail,
            "reported_at": rfc3339(self.reported_at),
        }

    def for_ledger(self) -> JsonObject:
        """What stands in the event's metadata."""
        return {"outcome": str(self.outcome), "detail": self.detail}
