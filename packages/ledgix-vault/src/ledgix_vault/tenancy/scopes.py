"""What an API key may do (contract, section 1). A closed set: a door that needs something new needs a new scope."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from ledgix_vault.errors import Invalid


class Scope(StrEnum):
    """One right. The value is on the wire and in the store."""

    CLEARANCE = "clearance"  # ask, poll, cancel own, mint
    CONSUME = "consume"  # burn tokens, report outcomes
    POLICY = "policy"
    SCHEMAS = "schemas"
    REVIEW = "review"
    SETTINGS = "settings"
    LEDGER = "ledger"  # redacted view
    LEDGER_FULL = "ledger.full"  # protected fields too
    REPORT = "report"


class Preset(StrEnum):
    """A named set of scopes for each kind of key holder."""

    AGENT = "agent"
    GATEWAY = "gateway"
    REVIEWER = "reviewer"
    AUDITOR = "auditor"
    FULL = "full"


PRESETS: Final[Mapping[str, frozenset[Scope]]] = MappingProxyType(
    {
        Preset.AGENT: frozenset({Scope.CLEARANCE, Scope.LEDGER}),
        Preset.GATEWAY: frozenset({Scope.CONSUME, Scope.SCHEMAS}),
        Preset.REVIEWER: frozenset({Scope.REVIEW, Scope.LEDGER, Scope.LEDGER_FULL}),
        Preset.AUDITOR: frozenset({Scope.LEDGER, Scope.LEDGER_FULL, Scope.REPORT}),
        Preset.FULL: frozenset(Scope),
    }
)


def read_scopes(preset: object, names: object) -> frozenset[Scope]:
    """The scopes that a preset or a list of names stands for, one of the two; raises `Invalid`."""
    if (preset is None) == (not names):
        raise Invalid("Give a preset or scopes, one of the two.", path="$.preset")
    if preset is not None:
        if not isinstance(preset, str) or preset not in PRESETS:
            raise Invalid(f"There is no preset {preset!r}; there are {', '.join(PRESETS)}.", path="$.preset")
        return PRESETS[preset]
    if not isinstance(names, list):
        raise Invalid("must be a list of scopes", path="$.scopes")
    for name in names:
        if not isinstance(name, str) or name not in tuple(Scope):
            raise Invalid(f"There is no scope {name!r}; there are {', '.join(Scope)}.", path="$.scopes")
    return frozenset(Scope(name) for name in names)
