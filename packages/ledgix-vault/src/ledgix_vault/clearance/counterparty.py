"""Who receives a call: provider, address and account, inferred from the tool's name and arguments.

What the caller says always wins; this only fills in what is absent (contract section 2), with the same answers that
clients in the field infer, so that a mint equals its original whoever filled the fields in.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from ledgix.formats.json import JsonObject

SECRET_PREFIX = 12
"""Of a Stripe secret key only this much identifies the account, and no more may be recorded."""


@dataclass(frozen=True, slots=True)
class _Provider:
    marks: tuple[str, ...]  # substrings of the tool's name
    uri: str
    name: str
    account_args: tuple[str, ...]  # the first that holds text names the account


_PROVIDERS = (
    _Provider(("stripe",), "https://api.stripe.com", "stripe", ("account",)),
    _Provider(("twilio",), "https://api.twilio.com", "twilio", ("account_sid",)),
    _Provider(("slack",), "https://slack.com/api", "slack", ("team_id", "workspace")),
    _Provider(("bedrock",), "https://bedrock-runtime.amazonaws.com", "aws-bedrock", ("model_id", "model")),
    _Provider(("openai", "gpt"), "https://api.openai.com", "openai", ("organization", "org_id")),
    _Provider(("anthropic", "claude"), "https://api.anthropic.com", "anthropic", ("organization",)),
)
_ADDRESS_ARGS = ("url", "endpoint", "uri", "host")
_GATEWAY_PREFIXES = ("www.", "api.", "api-")


def infer_destination(tool_name: str, tool_args: JsonObject) -> dict[str, str]:
    """The `destination_*` fields that can be inferred; empty when nothing is recognised."""
    provider = _provider_named(tool_name)
    return _by_address(tool_args) if provider is None else _known(provider, tool_args)


@lru_cache(maxsize=1024)
def _provider_named(tool_name: str) -> _Provider | None:
    name = tool_name.lower()
    return next((each for each in _PROVIDERS if any(mark in name for mark in each.marks)), None)


def _known(provider: _Provider, tool_args: JsonObject) -> dict[str, str]:
    found = {"destination_uri": provider.uri, "destination_provider": provider.name}
    account = next((text for arg in provider.account_args if (text := _text(tool_args, arg))), "")
    if not account and provider.name == "stripe" and (secret := _text(tool_args, "api_key")).startswith("sk_"):
        account = secret[:SECRET_PREFIX]
    if account:
        found["destination_account_ref"] = account
    return found


def _by_address(tool_args: JsonObject) -> dict[str, str]:
    for arg in _ADDRESS_ARGS:
        address = _text(tool_args, arg)
        try:
            host = urlsplit(address).netloc
        except ValueError:
            continue
        if host:
            return {"destination_uri": address, "destination_provider": _provider_of(host)}
    return {}


def _provider_of(host: str) -> str:
    bare = host.lower().split(":", 1)[0]
    prefix = next((prefix for prefix in _GATEWAY_PREFIXES if bare.startswith(prefix)), "")
    return bare[len(prefix) :]


def _text(tool_args: JsonObject, name: str) -> str:
    value = tool_args.get(name)
    return value if isinstance(value, str) else ""
