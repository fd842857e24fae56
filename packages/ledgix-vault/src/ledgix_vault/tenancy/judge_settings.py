"""Whom a tenant asks as its judge, and how far that may go where a policy says nothing. Off unless it is turned on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from ledgix.formats.json import JsonObject
from ledgix_vault.errors import Invalid
from ledgix_vault.policy.parts import JudgeMay
from ledgix_vault.tenancy.addresses import read_address
from ledgix_vault.write_only import MASK, hash_of_sealed, read_secret, shown

LONGEST_URL = 1000
LONGEST_MODEL = 200
LONGEST_KEY = 1000
JUDGE = "judge"
"""How the event of a change of settings says that they are these."""


class Provider(StrEnum):
    """Which protocol the model's server speaks."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"


@dataclass(frozen=True, slots=True)
class JudgeSettings:
    """A tenant's judge. `may` is what it may do where a policy has text and no `judge` part: nothing, or lower.
    `sealed_key` is the API key of the model's server, encrypted; empty for a server without keys."""

    enabled: bool = False
    provider: Provider = Provider.OPENAI
    base_url: str = ""
    model: str = ""
    may: JudgeMay | None = None
    sealed_key: bytes = field(default=b"", repr=False)

    def to_json(self) -> JsonObject:
        """What is stored beside the key."""
        return {
            "enabled": self.enabled,
            "provider": str(self.provider),
            "base_url": self.base_url,
            "model": self.model,
            "may": None if self.may is None else str(self.may),
        }

    def for_ledger(self) -> JsonObject:
        return {**self.to_json(), "sealed_key_sha256": hash_of_sealed(self.sealed_key)}

    def masked(self) -> JsonObject:
        """What the API shows."""
        return {**self.to_json(), "api_key": shown(self.sealed_key)}

    @classmethod
    def from_json(cls, stored: JsonObject, sealed_key: bytes) -> JudgeSettings:
        """Reads back what `to_json` gave; raises `Invalid` for anything else."""
        values: dict[str, Any] = {name: _read(name, value) for name, value in stored.items()}
        return cls(**values, sealed_key=sealed_key)

    def changed(self, changes: JsonObject, seal: Callable[[str], bytes]) -> JudgeSettings:
        """These settings with `changes` applied; raises `Invalid` naming the member that is wrong.

        The key that is stored is for the server that it was given for: another address needs it anew.
        """
        values = {name: _read(name, value) for name, value in changes.items() if name in self.to_json()}
        after = replace(self, **values)
        given = read_secret(changes.get("api_key", MASK), "$.api_key", LONGEST_KEY)
        if given is not None:
            after = replace(after, sealed_key=seal(given) if given else b"")
        elif self.sealed_key and (after.base_url, after.provider) != (self.base_url, self.provider):
            raise Invalid("is required again: the stored one is for another server", path="$.api_key")
        for name in ("base_url", "model"):
            if after.enabled and not getattr(after, name):
                raise Invalid("is required for a judge that is enabled", path=f"$.{name}")
        return after


NO_JUDGE = JudgeSettings()
"""What a tenant has that never set one."""


def _read(name: str, value: object) -> Any:
    match name:
        case "enabled":
            if not isinstance(value, bool):
                raise Invalid("must be true or false", path="$.enabled")
            return value
        case "provider":
            if not isinstance(value, str) or value not in tuple(Provider):
                raise Invalid(f"must be one of {', '.join(Provider)}", path="$.provider")
            return Provider(value)
        case "may":
            if value is not None and value != JudgeMay.LOWER:
                raise Invalid("must be null or “lower”: only a policy can let a judge approve", path="$.may")
            return None if value is None else JudgeMay.LOWER
        case "base_url":
            return read_address(value, "$.base_url", LONGEST_URL).rstrip("/")
        case "model":
            if not isinstance(value, str) or len(value) > LONGEST_MODEL or not value.isprintable():
                raise Invalid(f"must be a string of at most {LONGEST_MODEL} printable characters", path="$.model")
            return value
        case _:
            raise Invalid("is not a setting of a judge", path=f"$.{name}")
