"""API keys: what they allow, for whom they speak, and what stays their own."""

import hashlib
import re
from dataclasses import FrozenInstanceError, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledgix_vault.errors import Forbidden, MissingScope
from ledgix_vault.tenancy.api_keys import ApiKey, hash_secret, new_secret
from ledgix_vault.tenancy.scopes import PRESETS, Scope

KEY = ApiKey(
    key_id="key-1",
    tenant_id="acme",
    name="billing bot",
    scopes=PRESETS["agent"],
    agent_ids=(),
    created_at=1_000_000,
    revoked_at=None,
    lineage="key-1",
)


def test_a_secret_is_256_random_bits_behind_a_prefix() -> None:
    secrets = {new_secret() for _ in range(100)}
    assert len(secrets) == 100
    assert all(re.fullmatch(r"lgx_[A-Za-z0-9_-]{43}", secret) for secret in secrets)


@given(st.text())
def test_any_text_that_is_sent_as_a_key_has_a_hash(text: str) -> None:
    assert len(hash_secret(text)) == 32


def test_the_hash_is_sha256_of_the_whole_secret() -> None:
    assert hash_secret("lgx_abc") == hashlib.sha256(b"lgx_abc").digest()
    assert len(hash_secret("\ud800")) == 32  # what a header may carry is never a crash


@pytest.mark.parametrize("scope", Scope)
def test_a_missing_scope_is_named(scope: Scope) -> None:
    key = replace(KEY, scopes=frozenset(Scope) - {scope})
    assert not key.allows(scope)
    with pytest.raises(MissingScope) as refused:
        key.require(scope)
    assert refused.value.scope == scope.value
    assert f"“{scope.value}”" in refused.value.detail
    replace(KEY, scopes=frozenset({scope})).require(scope)


def test_the_full_view_of_the_ledger_is_not_implied() -> None:
    assert KEY.allows(Scope.LEDGER)
    assert not KEY.allows(Scope.LEDGER_FULL)


@pytest.mark.parametrize(
    ("agent_ids", "agent_id", "may"),
    [
        ((), "anybody", True),
        ((), "", True),
        (("billing",), "billing", True),
        (("billing",), "billing-2", False),
        (("billing",), "Billing", False),
        (("billing-*",), "billing-eu-1", True),
        (("billing-*",), "my-billing-1", False),
        (("billing-?",), "billing-12", False),
        (("a", "b*"), "bot", True),
        (("*",), "", True),
        (("team/*",), "team/a\nb", True),
        (("billing",), "billing\n", False),
    ],
)
def test_a_key_speaks_for_the_agents_that_it_is_bound_to(agent_ids: tuple[str, ...], agent_id: str, may: bool) -> None:
    key = replace(KEY, agent_ids=agent_ids)
    assert key.may_act_as(agent_id) is may
    if may:
        key.require_agent(agent_id)
    else:
        with pytest.raises(Forbidden) as refused:
            key.require_agent(agent_id)
        assert refused.value.code == "agent_not_allowed"


def test_many_stars_stay_fast() -> None:
    key = replace(KEY, agent_ids=("*a" * 30 + "b",))
    assert not key.may_act_as("a" * 5_000)


def test_a_rotated_key_keeps_rights_and_lineage() -> None:
    second = KEY.revoked(2_000_000).successor("key-2", 2_000_000)
    third = second.successor("key-3", 3_000_000)
    assert (third.key_id, third.created_at, third.revoked_at) == ("key-3", 3_000_000, None)
    assert third == replace(KEY, key_id="key-3", created_at=3_000_000)
    assert third.owns(KEY.lineage)
    assert not third.owns("key-9")


def test_the_first_revocation_counts() -> None:
    revoked = KEY.revoked(5)
    assert revoked.is_revoked
    assert revoked.revoked(9).revoked_at == 5
    assert not KEY.is_revoked


def test_a_key_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        KEY.scopes = frozenset(Scope)  # type: ignore[misc]
