"""People's passwords."""

import unicodedata
from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher

from ledgix_vault.errors import Invalid, VaultError
from ledgix_vault.tenancy import passwords


@pytest.fixture(autouse=True, scope="module")
def _as_in_earnest() -> Iterator[None]:
    """Other tests hash with less work; here it is what a Vault does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_HASHER", PasswordHasher.from_parameters(passwords.PARAMETERS))
        yield


@pytest.fixture(scope="module")
def stored() -> str:
    return passwords.hash_password("correct horse")


def test_the_hash_is_argon2id_and_salted(stored: str) -> None:
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert "correct" not in stored
    assert passwords.hash_password("correct horse") != stored
    assert not passwords.needs_rehash(stored)


def test_the_right_password_matches_and_others_do_not(stored: str) -> None:
    assert passwords.password_matches(stored, "correct horse")
    assert not passwords.password_matches(stored, "correct horse ")
    assert not passwords.password_matches(stored, "")


def test_one_password_typed_on_two_keyboards_is_one_password() -> None:
    composed = unicodedata.normalize("NFC", "pässwörter")
    decomposed = unicodedata.normalize("NFD", "pässwörter")
    assert composed != decomposed
    assert passwords.password_matches(passwords.hash_password(composed), decomposed)


def test_text_that_is_no_unicode_is_only_wrong(stored: str) -> None:
    assert not passwords.password_matches(stored, "\ud800")


def test_an_endless_password_costs_nothing(stored: str) -> None:
    assert not passwords.password_matches(stored, "x" * 10_000_000)


@pytest.mark.parametrize(
    "damaged", ["", "plain text", "$argon2id$v=19$m=65536,t=3,p=4$AAAA", "$2b$12$abcdefghijklmnop"]
)
def test_a_damaged_hash_is_an_error_not_a_wrong_password(damaged: str) -> None:
    with pytest.raises(VaultError, match="damaged"):
        passwords.password_matches(damaged, "anything")


def test_weaker_parameters_ask_for_a_new_hash() -> None:
    old = "$argon2id$v=19$m=8192,t=1,p=1$c29tZXNhbHQxMjM0NTY3OA$" + "A" * 43
    assert passwords.needs_rehash(old)


@pytest.mark.parametrize("length", [8, 64, 1024])
def test_lengths_that_are_taken(length: int) -> None:
    passwords.check_new_password("x" * length)


@pytest.mark.parametrize("length", [0, 7, 1025])
def test_lengths_that_are_refused(length: int) -> None:
    with pytest.raises(Invalid, match="8 to 1,024") as refused:
        passwords.check_new_password("x" * length)
    assert refused.value.path == "$.password"


def test_an_unknown_person_costs_a_hash_too(monkeypatch: pytest.MonkeyPatch) -> None:
    passwords.spend_the_same_time("warm up")
    asked: list[str] = []
    monkeypatch.setattr(passwords, "password_matches", lambda stored, password: asked.append(password))
    passwords.spend_the_same_time("correct horse")
    assert asked == ["correct horse"]
