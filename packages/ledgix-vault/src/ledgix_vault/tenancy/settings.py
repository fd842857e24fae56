"""What a tenant sets about confidence and reviews."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from ledgix.formats.events import ConfidenceBucket
from ledgix.formats.json import JsonObject
from ledgix_vault.errors import Invalid
from ledgix_vault.policy.model import Effect

LONGEST_EXPIRY = 30 * 24 * 3600
LARGEST_QUORUM = 10


@dataclass(frozen=True, slots=True)
class ReviewSettings:
    """A tenant's settings; every change is a ledger event."""

    minimum_confidence_bucket: ConfidenceBucket = ConfidenceBucket.HIGH
    review_expiry_seconds: int = 24 * 3600
    quorum: int = 1
    separation_of_duties: bool = False
    default_verdict: Effect = Effect.REVIEW  # for tools that no policy covers
    two_person_activation: bool = False  # whoever wrote a policy version doesn't activate it
    require_second_factor: bool = False  # of members who sign in with a password

    def to_json(self) -> JsonObject:
        return {name: str(value) if isinstance(value, str) else value for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, stored: JsonObject) -> ReviewSettings:
        return cls().changed(stored)

    def changed(self, changes: JsonObject) -> ReviewSettings:
        """These settings with `changes` applied; raises `Invalid` naming the member that is wrong."""
        known = {field.name for field in fields(self)}
        values = {name: _read(name, value) for name, value in changes.items() if name in known}
        return replace(self, **values)


def _read(name: str, value: object) -> Any:
    match name:
        case "minimum_confidence_bucket":
            return _one_of(name, value, ConfidenceBucket, tuple(ConfidenceBucket))
        case "default_verdict":
            # "approve" is not offered: a tool that nobody thought of must not run by default.
            return _one_of(name, value, Effect, (Effect.REVIEW, Effect.DENY))
        case "review_expiry_seconds":
            return _whole_number(name, value, LONGEST_EXPIRY)
        case "quorum":
            return _whole_number(name, value, LARGEST_QUORUM)
        case _:
            if not isinstance(value, bool):
                raise Invalid("must be true or false", path=f"$.{name}")
            return value


def _one_of(name: str, value: object, kind: Any, allowed: tuple[Any, ...]) -> Any:
    if not isinstance(value, str) or value not in allowed:
        raise Invalid(f"must be one of {', '.join(allowed)}", path=f"$.{name}")
    return kind(value)


def _whole_number(name: str, value: object, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise Invalid(f"must be a whole number from 1 to {most}", path=f"$.{name}")
    return value
