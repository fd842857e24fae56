"""What an API key may do (contract, section 1). A closed set: a door that needs something new needs a new scope."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


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
