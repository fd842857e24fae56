"""What people look for among requests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ledgix_vault.clearance.decision import DeciderType, Outcome
from ledgix_vault.errors import Invalid
from ledgix_vault.times import read_moment

WORDS = ("tool", "agent_id", "session_id", "policy_id", "reason_code", "text")
LONGEST_WORD = 1000


@dataclass(frozen=True, slots=True)
class Sought:
    """What all found requests have; "" and None ask for nothing. Moments are µs, `until` is not part of the range."""

    tool: str = ""  # a name, or the beginning of names and a star
    agent_id: str = ""
    session_id: str = ""
    outcome: Outcome | None = None
    decided_by: DeciderType | None = None
    policy_id: str = ""
    reason_code: str = ""
    since: int | None = None
    until: int | None = None
    text: str = ""  # part of what was asked or of the reason, or a whole request id


def read_sought(asked: Mapping[str, str]) -> Sought:
    """What the parameters of an address ask for; raises `Invalid` naming the one that is wrong."""
    words = {name: _word(asked, name) for name in WORDS}
    outcome, decided_by = asked.get("outcome", ""), asked.get("decided_by", "")
    if outcome and outcome not in tuple(Outcome):
        raise Invalid(f"must be one of {', '.join(Outcome)}", path="outcome")
    if decided_by and decided_by not in tuple(DeciderType):
        raise Invalid(f"must be one of {', '.join(DeciderType)}", path="decided_by")
    return Sought(
        **words,
        outcome=Outcome(outcome) if outcome else None,
        decided_by=DeciderType(decided_by) if decided_by else None,
        since=_moment(asked, "since"),
        until=_moment(asked, "until"),
    )


def _word(asked: Mapping[str, str], name: str) -> str:
    value = asked.get(name, "").strip()
    if len(value) > LONGEST_WORD:
        raise Invalid(f"must be at most {LONGEST_WORD} characters", path=name)
    return value


def _moment(asked: Mapping[str, str], name: str) -> int | None:
    value = asked.get(name, "").strip()
    if not value:
        return None
    moment = read_moment(value)
    if moment is None:
        raise Invalid("must be a moment with its offset from UTC: 2026-01-31T09:00:00Z", path=name)
    return moment
