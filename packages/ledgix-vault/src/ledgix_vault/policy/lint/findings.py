"""What linting says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ledgix.formats.json import JsonObject


class Severity(StrEnum):
    """A warning is probably a mistake; a note is worth knowing."""

    WARNING = "warning"
    NOTE = "note"


class Code(StrEnum):
    """Stable names of the findings."""

    UNSATISFIABLE = "unsatisfiable"
    NEVER_APPLIES = "never-applies"
    SHADOWED = "shadowed"
    DUPLICATE = "duplicate"
    UNBOUNDED_MONEY = "unbounded-money"
    UNKNOWN_TOOL = "unknown-tool"
    OPTIONAL_ARGUMENT = "optional-argument"


SEVERITIES: Final[Mapping[Code, Severity]] = {
    code: Severity.NOTE if code is Code.OPTIONAL_ARGUMENT else Severity.WARNING for code in Code
}


@dataclass(frozen=True, slots=True)
class Finding:
    """`where` is the rule or part ("rule small-refunds"), "" for the whole policy."""

    code: Code
    message: str
    where: str = ""

    @property
    def severity(self) -> Severity:
        return SEVERITIES[self.code]

    def __str__(self) -> str:
        return f"{self.severity}: {f'{self.where}: ' if self.where else ''}{self.message} [{self.code}]"

    def to_json(self) -> JsonObject:
        return {
            "code": str(self.code),
            "severity": str(self.severity),
            "message": self.message,
            "where": self.where,
        }
