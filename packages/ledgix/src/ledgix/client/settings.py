"""What a client needs to know, read once from arguments and the environment (contract section 8).

The API key never shows in a repr, a log line or an error.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit

from ledgix.client.errors import SettingsError

_PREFIX = "LEDGIX_"
_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})


class ReviewMode(StrEnum):
    """What happens when a person has to decide."""

    BLOCK = "block"  # wait for the decision
    DETACH = "detach"  # raise ReviewPending at once, with a handle


ModeName: TypeAlias = ReviewMode | Literal["block", "detach"]


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """Each field is read from LEDGIX_ and its name in capitals, for example LEDGIX_VAULT_URL. Times are in seconds.

    An empty variable counts as absent. A wrong value raises SettingsError that names the variable.
    """

    vault_url: str = "http://127.0.0.1:8000"
    vault_api_key: str = field(default="", repr=False)
    vault_timeout: float = 30.0
    tenant: str = ""  # its id; when given, tokens of any other tenant are refused
    agent_id: str = "default-agent"
    session_id: str = ""
    principal_id: str = ""  # the person on whose behalf the agent acts, unless a call names another
    verify_jwt: bool = True
    jwt_issuer: str = "alcv-vault"
    jwt_audience: str = "ledgix-sdk"
    jwt_leeway: int = 30  # how far this machine's clock may be off
    jwks_ttl_seconds: float = 300.0
    review_mode: ReviewMode = ReviewMode.BLOCK
    review_timeout: float = 900.0
    review_poll_interval: float = 2.0
    max_retries: int = 3
    retry_base_delay: float = 0.5

    def __post_init__(self) -> None:
        object.__setattr__(self, "vault_url", _base_url(self.vault_url))
        object.__setattr__(self, "review_mode", _review_mode(self.review_mode))
        _check_key(self.vault_api_key)
        for name in ("vault_timeout", "review_poll_interval"):
            _require(getattr(self, name) > 0, name, "must be more than 0 seconds")
        for name in ("jwt_leeway", "jwks_ttl_seconds", "review_timeout", "max_retries", "retry_base_delay"):
            _require(getattr(self, name) >= 0, name, "must not be negative")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None, **overrides: Any) -> ClientSettings:
        """`overrides` win over the environment; by default that is `os.environ`."""
        source = os.environ if environment is None else environment
        values: dict[str, Any] = {}
        for setting in fields(cls):
            text = source.get(_PREFIX + setting.name.upper(), "").strip()
            if text and setting.name not in overrides:
                values[setting.name] = _convert(setting.name, text, setting.default)
        return cls(**values, **overrides)


def _convert(name: str, text: str, default: object) -> object:
    match default:
        case bool():
            return _boolean(name, text)
        case int():
            return _number(name, text, int, "a whole number")
        case float():
            return _number(name, text, float, "a number of seconds")
        case _:
            return text


def _boolean(name: str, text: str) -> bool:
    lowered = text.lower()
    _require(lowered in _TRUE | _FALSE, name, f"must be true or false, not {text!r}")
    return lowered in _TRUE


def _number(name: str, text: str, kind: type[int] | type[float], wanted: str) -> int | float:
    try:
        number = kind(text)
    except ValueError:
        raise SettingsError(f"{_variable(name)} must be {wanted}, not {text!r}") from None
    _require(abs(number) < 1e9, name, f"must be {wanted}, not {text!r}")  # also refuses inf; NaN compares false
    return number


def _base_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    _require(usable, "vault_url", f"must be an http or https address such as https://vault.example.com, not {text!r}")
    _require(not parts.query and not parts.fragment, "vault_url", "must not carry a query or a fragment")
    _require(parts.username is None, "vault_url", "must not carry credentials; the key goes into LEDGIX_VAULT_API_KEY")
    return text.rstrip("/")


def _review_mode(value: str) -> ReviewMode:
    _require(value in tuple(ReviewMode), "review_mode", f"must be block or detach, not {value!r}")
    return ReviewMode(value)


def _check_key(key: str) -> None:
    plain = key.isascii() and key.isprintable() and " " not in key
    _require(
        plain, "vault_api_key", "holds a space, a line break or a sign that no key has (the key is not shown here)"
    )


def _require(condition: bool, name: str, what: str) -> None:
    if not condition:
        raise SettingsError(f"{_variable(name)} {what}")


def _variable(name: str) -> str:
    return _PREFIX + name.upper()
