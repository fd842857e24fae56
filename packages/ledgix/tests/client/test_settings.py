from __future__ import annotations

import pytest

from ledgix.client import ClientSettings, ReviewMode
from ledgix.client.errors import SettingsError


def test_the_environment_is_read_and_arguments_win() -> None:
    environment = {
        "LEDGIX_VAULT_URL": "https://vault.example.com/api/",
        "LEDGIX_VAULT_API_KEY": "vk_1",
        "LEDGIX_AGENT_ID": "billing",
        "LEDGIX_SESSION_ID": "s",
        "LEDGIX_VERIFY_JWT": "off",
        "LEDGIX_REVIEW_MODE": "detach",
        "LEDGIX_REVIEW_TIMEOUT": "60",
        "LEDGIX_REVIEW_POLL_INTERVAL": "0.5",
        "LEDGIX_TENANT": "acme",
        "LEDGIX_MAX_RETRIES": "1",
    }
    settings = ClientSettings.from_environment(environment, agent_id="support")
    assert settings == ClientSettings(
        vault_url="https://vault.example.com/api",
        vault_api_key="vk_1",
        agent_id="support",
        session_id="s",
        verify_jwt=False,
        review_mode=ReviewMode.DETACH,
        review_timeout=60.0,
        review_poll_interval=0.5,
        tenant="acme",
        max_retries=1,
    )


def test_defaults_are_those_of_the_contract_and_empty_means_absent() -> None:
    settings = ClientSettings.from_environment({"LEDGIX_VERIFY_JWT": "", "LEDGIX_REVIEW_MODE": " "})
    assert (settings.verify_jwt, settings.review_mode) == (True, ReviewMode.BLOCK)
    assert (settings.review_timeout, settings.review_poll_interval) == (900.0, 2.0)
    assert (settings.agent_id, settings.jwt_issuer, settings.jwt_audience) == (
        "default-agent",
        "alcv-vault",
        "ledgix-sdk",
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LEDGIX_VAULT_URL", "vault.example.com"),
        ("LEDGIX_VAULT_URL", "ftp://vault.example.com"),
        ("LEDGIX_VAULT_URL", "https://"),
        ("LEDGIX_VAULT_URL", "https://user:secret@vault.example.com"),
        ("LEDGIX_VAULT_URL", "https://vault.example.com?x=1"),
        ("LEDGIX_VAULT_URL", "https://vault.example.com:port"),
        ("LEDGIX_VAULT_API_KEY", "two words"),
        ("LEDGIX_VERIFY_JWT", "maybe"),
        ("LEDGIX_REVIEW_MODE", "ask"),
        ("LEDGIX_REVIEW_TIMEOUT", "soon"),
        ("LEDGIX_REVIEW_TIMEOUT", "-1"),
        ("LEDGIX_REVIEW_TIMEOUT", "nan"),
        ("LEDGIX_REVIEW_TIMEOUT", "inf"),
        ("LEDGIX_REVIEW_POLL_INTERVAL", "0"),
        ("LEDGIX_MAX_RETRIES", "1.5"),
        ("LEDGIX_VAULT_TIMEOUT", "0"),
    ],
)
def test_a_wrong_value_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        ClientSettings.from_environment({name: value})


def test_the_key_never_shows() -> None:
    settings = ClientSettings(vault_api_key="vk_secret")
    assert "vk_secret" not in repr(settings)
    with pytest.raises(SettingsError) as error:
        ClientSettings(vault_api_key="vk_secret\n")
    assert "vk_secret" not in str(error.value)
