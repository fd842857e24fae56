"""Settings of single sign-on: what is refused, what is kept, and that no secret shows."""

from __future__ import annotations

from typing import Any

import pytest

from ledgix_vault.errors import Invalid
from ledgix_vault.tenancy.passkeys import Site, check_passkey_name
from ledgix_vault.tenancy.sign_on import NO_SINGLE_SIGN_ON, SingleSignOn
from ledgix_vault.write_only import MASK

GIVEN: dict[str, Any] = {
    "enabled": True,
    "issuer": "https://login.example.com",
    "client_id": "ledgix",
    "client_secret": "hunter2",
    "allowed_domains": ["Example.com", "example.org", "example.com"],
    "default_role": "reviewer",
}


def seal(secret: str) -> bytes:
    return b"sealed:" + secret[::-1].encode()


def made(**changes: Any) -> SingleSignOn:
    return NO_SINGLE_SIGN_ON.changed(GIVEN | changes, seal)


def test_what_is_given_is_kept_and_the_secret_is_shown_to_nobody() -> None:
    settings = made()
    assert settings.allowed_domains == ("example.com", "example.org")
    assert settings.masked()["client_secret"] == MASK
    assert "hunter2" not in f"{settings!r}{settings.masked()}{settings.for_ledger()}"
    assert SingleSignOn.from_json(settings.to_json(), settings.sealed_secret) == settings


def test_the_mask_keeps_the_secret_and_another_provider_needs_it_anew() -> None:
    before = made()
    assert before.changed({"client_secret": MASK, "default_role": None}, seal).sealed_secret == before.sealed_secret
    for change in ({"issuer": "https://evil.example"}, {"client_id": "another"}):
        with pytest.raises(Invalid, match="another provider"):
            before.changed({**change, "client_secret": MASK}, seal)
    assert before.changed({"issuer": "https://new.example", "client_secret": "new"}, seal).sealed_secret == seal("new")


@pytest.mark.parametrize(
    "wrong",
    [
        {"enabled": "yes"},
        {"issuer": ""},
        {"issuer": "login.example.com"},
        {"issuer": "https://user@login.example.com"},
        {"issuer": "https://login.example.com?x=1"},
        {"issuer": "https://login.example.com:port"},
        {"issuer": "https://"},
        {"issuer": "file:///etc/passwd"},
        {"client_id": ""},
        {"client_id": "two\nlines"},
        {"client_secret": "two\nlines"},
        {"client_secret": 7},
        {"allowed_domains": "example.com"},
        {"allowed_domains": ["com"]},
        {"allowed_domains": ["@example.com"]},
        {"allowed_domains": ["*.example.com"]},
        {"allowed_domains": ["example.com\n"], "default_role": None} | {"allowed_domains": ["exa mple.com"]},
        {"allowed_domains": []},  # with a default role
        {"allowed_domains": [f"d{number}.example" for number in range(51)]},
        {"default_role": "owner"},
        {"default_role": "king"},
    ],
    ids=str,
)
def test_a_wrong_setting_is_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as refused:
        made(**wrong)
    assert any(name in refused.value.path for name in wrong)


@pytest.mark.parametrize(
    ("email", "admitted"),
    [
        ("a@example.com", True),
        ("a@example.org", True),
        ("a@sub.example.com", False),
        ("a@notexample.com", False),
        ("example.com", True),
        ("a@example.com@evil.example", False),
    ],
)
def test_a_domain_admits_its_own_addresses_alone(email: str, admitted: bool) -> None:
    assert made().admits(email) is admitted
    assert not made(default_role=None).admits(email)


@pytest.mark.parametrize(
    ("url", "origin", "host", "has"),
    [
        ("https://vault.example.com", "https://vault.example.com", "vault.example.com", True),
        ("https://Vault.example.com:443", "https://vault.example.com", "vault.example.com", True),
        ("https://vault.example.com:8443", "https://vault.example.com:8443", "vault.example.com", True),
        ("http://localhost:8000", "http://localhost:8000", "localhost", True),
        ("http://vault.example.com", "http://vault.example.com", "vault.example.com", False),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000", "127.0.0.1", False),
        ("https://[::1]:8000", "https://[::1]:8000", "::1", False),
    ],
)
def test_passkeys_are_for_the_public_address(url: str, origin: str, host: str, has: bool) -> None:
    site = Site.of(url)
    assert (site.origin, site.host, site.has_passkeys) == (origin, host, has)


def test_a_passkey_has_a_name_that_can_be_shown() -> None:
    assert check_passkey_name("  ") == "Passkey"
    for wrong in ("x" * 61, "two\nlines", "a\0b"):
        with pytest.raises(Invalid):
            check_passkey_name(wrong)
