"""What a tenant sets about confidence and reviews."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from typing import Any, Final

from ledgix.formats.events import ConfidenceBucket
from ledgix.formats.json import JsonObject
from ledgix_vault.errors import Invalid
from ledgix_vault.policy.model import Effect
from ledgix_vault.tenancy.people import ROLE_SCOPES, Role
from ledgix_vault.tenancy.scopes import Scope

LONGEST_EXPIRY = 30 * 24 * 3600
LARGEST_QUORUM = 10
REVIEWING_ROLES: Final = tuple(role for role in Role if Scope.REVIEW in ROLE_SCOPES[role])


class ReasonRequired(StrEnum):
    """When a reviewer must say why."""

    NEVER = "never"
    ON_DENIAL = "on_denial"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class ReviewSettings:
    """A tenant's settings; every change is a ledger event."""

    minimum_confidence_bucket: ConfidenceBucket = ConfidenceBucket.HIGH
    review_expiry_seconds: int = 24 * 3600
    quorum: int = 1
    separation_of_duties: bool = False
    default_verdict: Effect = Effect.REVIEW  # for tools that no policy covers
    two_person_activation: bool = False  # whoever wrote a policy version doesn't activate it
    reviewer_not_policy_editor: bool = False  # whoever edited the deciding policy doesn't approve
    quorum_roles: tuple[Role, ...] = ()  # at least one approval by each of these; a key has no role
    reason_required: ReasonRequired = ReasonRequired.NEVER
    escalation_seconds: int = 0  # 0: never
    require_second_factor: bool = False  # of members who sign in with a password

    @property
    def approvals_needed(self) -> int:
        """How many people approve a review: a person has one role, so each named role takes another one."""
        return max(self.quorum, len(self.quorum_roles))

    def asks_reason(self, *, approved: bool) -> bool:
        """Whether such a decision needs a reason."""
        return self.reason_required is ReasonRequired.ALWAYS or (
            self.reason_required is ReasonRequired.ON_DENIAL and not approved
        )

    def to_json(self) -> JsonObject:
        return {name: _written(value) for name, value in asdict(self).items()}

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
        case "quorum_roles":
            return _roles(name, value)
        case "reason_required":
            return _one_of(name, value, ReasonRequired, tuple(ReasonRequired))
        case "escalation_seconds":
            return _whole_number(name, value, LONGEST_EXPIRY, least=0)
        case _:
            if not isinstance(value, bool):
                raise Invalid("must be true or false", path=f"$.{name}")
            return value


def _one_of(name: str, value: object, kind: Any, allowed: tuple[Any, ...]) -> Any:
    if not isinstance(value, str) or value not in allowed:
        raise Invalid(f"must be one of {', '.join(allowed)}", path=f"$.{name}")
    return kind(value)


def _written(value: Any) -> Any:
    if isinstance(value, tuple):
        return [str(each) for each in value]
    return str(value) if isinstance(value, str) else value


def _roles(name: str, value: object) -> tuple[Role, ...]:
    if not isinstance(value, list) or any(each not in REVIEWING_ROLES for each in value):
        raise Invalid(f"must be a list of {', '.join(REVIEWING_ROLES)}", path=f"$.{name}")
    return tuple(role for role in REVIEWING_ROLES if role in value)


def _whole_number(name: str, value: object, most: int, *, least: int = 1) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise Invalid(f"must be a whole number from {least} to {most}", path=f"$.{name}")
    return value
