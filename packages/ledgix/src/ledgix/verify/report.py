"""What a verifier says. A report exists only if nothing was wrong: what doesn't hold raises VerificationError."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ledgix.formats.json import JsonObject


class Outcome(StrEnum):
    """What became of a step that did not fail."""

    CHECKED = "checked"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Step:
    """One numbered check; `detail` says what was found, or what could not be checked and why."""

    number: int
    name: str
    outcome: Outcome
    detail: str

    def to_json(self) -> JsonObject:
        """The step for machines."""
        return {"number": self.number, "name": self.name, "outcome": self.outcome.value, "detail": self.detail}


@dataclass(frozen=True, slots=True)
class BundleReport:
    """A proof bundle that holds. `log_key` identifies the log; only a pinned key says whose log that is.

    `kind`, `tool_name` and `decision_status` are `""` on a redacted view, where nothing proves them;
    `decision_status` also for events that decide nothing.
    """

    steps: tuple[Step, ...]
    event_uuid: str
    request_id: str
    accepted_at: str
    kind: str
    tool_name: str
    decision_status: str
    event_hash: str
    leaf_index: int
    tree_size: int
    root_hash: str
    log_key: str
    pinned: bool
    redacted: bool

    @property
    def intact(self) -> bool:
        """Always true: there is no report otherwise."""
        return True

    def to_json(self) -> JsonObject:
        """The report for machines."""
        return {
            "intact": True,
            "event_uuid": self.event_uuid,
            "request_id": self.request_id,
            "accepted_at": self.accepted_at,
            "kind": self.kind,
            "tool_name": self.tool_name,
            "decision_status": self.decision_status,
            "event_hash": self.event_hash,
            "leaf_index": self.leaf_index,
            "tree_size": self.tree_size,
            "root_hash": self.root_hash,
            "log_key": self.log_key,
            "pinned": self.pinned,
            "redacted": self.redacted,
            "steps": [step.to_json() for step in self.steps],
        }
