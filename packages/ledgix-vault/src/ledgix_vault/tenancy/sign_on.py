"""Single sign-on: a tenant's members sign in at their own organisation's provider (OpenID Connect Core 1.0).

- A provider speaks for the tenant that named it, for no other: who came by it acts for that tenant alone, and changes
  neither password nor second factors, which count for other tenants too.
- Who names a provider can become any member, so whoever changes these settings must have every right already.
- An account that isn't a member is never taken over: whoever may know its password would come with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from ledgix.formats.json import Json, JsonObject
from ledgix_vault.errors import Invalid
from ledgix_vault.tenancy.addresses import read_address
from ledgix_vault.tenancy.people import Role
from ledgix_vault.write_only import MASK, hash_of_sealed, read_secret, shown

SINGLE_SIGN_ON = "single_sign_on"
"""How the ledger's `settings.changed` names these settings."""
LONGEST_URL = 500
LONGEST_CLIENT_ID = 300
LONGEST_SECRET = 2000
MOST_DOMAINS = 50
_DOMAIN = re.compile(r"(?=.{1,253}\Z)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class SingleSignOn:
    """A tenant's provider. `allowed_domains` are those of addresses that may become members by it, as `default_role`;
    without a role nobody does who wasn't invited. `sealed_secret` is empty for a client without a secret."""

    enabled: bool = False
    issuer: str = ""
    client_id: str = ""
    allowed_domains: tuple[str, ...] = ()
    default_role: Role | None = None
    sealed_secret: bytes = field(default=b"", repr=False)

    def to_json(self) -> JsonObject:
        """What is stored beside the secret."""
        domains: list[Json] = list(self.allowed_domains)
        return {
            "enabled": self.enabled,
            "issuer": self.issuer,
            "client_id": self.client_id,
            "allowed_domains": domains,
            "default_role": None if self.default_role is None else str(self.default_role),
        }

    def for_ledger(self) -> JsonObject:
        return {**self.to_json(), "sealed_secret_sha256": hash_of_sealed(self.sealed_secret)}

    def masked(self) -> JsonObject:
        """What the API shows."""
        return {**self.to_json(), "client_secret": shown(self.sealed_secret)}

    def admits(self, email: str) -> bool:
        """Whether somebody with this proven address becomes a member without an invitation."""
        return self.default_role is not None and email.rpartition("@")[2] in self.allowed_domains

    @classmethod
    def from_json(cls, stored: JsonObject, sealed_secret: bytes) -> SingleSignOn:
        """Reads back what `to_json` gave; raises `Invalid` for anything else."""
        values: dict[str, Any] = {name: _read(name, value) for name, value in stored.items()}
        return cls(**values, sealed_secret=sealed_secret)

    def changed(self, changes: JsonObject, seal: Callable[[str], bytes]) -> SingleSignOn:
        """These settings with `changes` applied; raises `Invalid` naming the member that is wrong.

        The secret that is stored is for the provider that it was given for: another one needs it anew.
        """
        values = {name: _read(name, value) for name, value in changes.items() if name in self.to_json()}
        after = replace(self, **values)
        path = "$.client_secret"
        given = read_secret(changes.get("client_secret", MASK), path, LONGEST_SECRET)
        if given is not None:
            after = replace(after, sealed_secret=seal(given) if given else b"")
        elif self.sealed_secret and (after.issuer, after.client_id) != (self.issuer, self.client_id):
            raise Invalid("is required again: the stored one is for another provider", path=path)
        return after._complete()

    def _complete(self) -> SingleSignOn:
        for name in ("issuer", "client_id"):
            if self.enabled and not getattr(self, name):
                raise Invalid("is required for single sign-on that is enabled", path=f"$.{name}")
        if self.default_role is not None and not self.allowed_domains:
            raise Invalid("needs a domain: only addresses of these become members", path="$.allowed_domains")
        return self


NO_SINGLE_SIGN_ON = SingleSignOn()
"""What a tenant has that never set one."""


def _read(name: str, value: object) -> Any:
    match name:
        case "enabled":
            if not isinstance(value, bool):
                raise Invalid("must be true or false", path="$.enabled")
            return value
        case "issuer":
            # Compared as it is, character by character (OpenID Connect Discovery 1.0 section 4.3).
            return read_address(value, "$.issuer", LONGEST_URL)
        case "client_id":
            if not isinstance(value, str) or len(value) > LONGEST_CLIENT_ID or not value.isprintable():
                raise Invalid(
                    f"must be a string of at most {LONGEST_CLIENT_ID} printable characters", path="$.client_id"
                )
            return value.strip()
        case "allowed_domains":
            return _domains(value)
        case "default_role":
            if value is None:
                return None
            if not isinstance(value, str) or value not in tuple(Role) or value == Role.OWNER:
                raise Invalid("must be null or a role other than owner", path="$.default_role")
            return Role(value)
        case _:
            raise Invalid("is not a setting of single sign-on", path=f"$.{name}")


def _domains(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > MOST_DOMAINS:
        raise Invalid(f"must be a list of at most {MOST_DOMAINS} domains", path="$.allowed_domains")
    found = []
    for position, domain in enumerate(value):
        if not isinstance(domain, str) or _DOMAIN.fullmatch(domain.strip().lower()) is None:
            raise Invalid("must be a domain like example.com", path=f"$.allowed_domains[{position}]")
        found.append(domain.strip().lower())
    return tuple(sorted(set(found)))
