"""What a part of a policy that is no rule, a list of destinations or the processing registers, says about a call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ledgix_vault.policy.effect import Effect


class Finding(NamedTuple):
    """`effect` is deny or review where it stands against the call, None where it has nothing against it. `id` is a
    rule's id with the kind before it, like `destinations:payees`."""

    id: str
    quote: str
    effect: Effect | None
    reason_code: str | None
    why: str
    seen: Mapping[str, str]

    @property
    def result(self) -> str:
        """As the trace has it for rules: "true" where it denies."""
        return "false" if self.effect is None else "true" if self.effect is Effect.DENY else "unknown"
