"""The section `vault`: which Vault answers, by which key, and what its tokens must say."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ledgix.client.errors import SettingsError
from ledgix.client.settings import ClientSettings, ReviewMode
from ledgix_gateway.config.secrets import Secret
from ledgix_gateway.config.section import Section

MOST_SKEW: Final = 60
"""Seconds. A longer tolerance would make tokens live noticeably longer than the Vault says."""


class OutcomeReports(StrEnum):
    """Of which calls the Vault is told what became of them."""

    ALL = "all"
    FAILURES = "failures"  # `refused` and `unknown` only


@dataclass(frozen=True, slots=True)
class VaultConfig:
    """One Vault and one tenant. `skew_seconds` is how far this machine's clock may be off; times are in seconds."""

    url: str
    api_key: Secret
    tenant: str
    issuer: str
    audience: str
    skew_seconds: int
    keys_seconds: float  # how long token keys are used without having been fetched anew
    timeout_seconds: float
    retries: int
    outcomes: OutcomeReports

    def client_settings(self, *, agent_id: str = "default-agent") -> ClientSettings:
        """For the `ledgix` client. Nothing comes from the environment."""
        return ClientSettings(
            vault_url=self.url,
            vault_api_key=self.api_key.value,
            vault_timeout=self.timeout_seconds,
            tenant=self.tenant,
            agent_id=agent_id,
            verify_jwt=True,
            jwt_issuer=self.issuer,
            jwt_audience=self.audience,
            jwt_leeway=self.skew_seconds,
            jwks_ttl_seconds=self.keys_seconds,
            review_mode=ReviewMode.DETACH,
            max_retries=self.retries,
            retry_base_delay=0.2,
        )


def read_vault(section: Section) -> VaultConfig:
    """The section `vault`; raises ConfigError for a URL, key or tenant that can't be used."""
    config = VaultConfig(
        url=section.text("url"),
        api_key=section.secret("api_key"),
        tenant=section.text("tenant"),
        issuer=section.text("issuer", "alcv-vault"),
        audience=section.text("audience", "ledgix-sdk"),
        skew_seconds=section.whole("skew_seconds", 30, most=MOST_SKEW),
        keys_seconds=section.seconds("keys_seconds", 300.0, least=1.0, most=3600.0),
        timeout_seconds=section.seconds("timeout_seconds", 5.0, least=0.1, most=60.0),
        retries=section.whole("retries", 1, most=5),
        outcomes=section.choice("outcomes", OutcomeReports, OutcomeReports.ALL),
    )
    section.close()
    try:
        config.client_settings()
    except SettingsError as error:
        raise section.error("url", str(error)) from None
    return config
