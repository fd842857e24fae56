"""What opens the signing keys: refusals name the file and the remedy, never the secret."""

import base64
import copy
import pickle
from pathlib import Path

import pytest

from ledgix_vault.errors import StartRefused
from ledgix_vault.keys.unlock import Unlock

SALT = bytes(16)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "unlock.key"
    Unlock.create_file(path)
    return path


def test_a_key_file_holds_32_random_bytes_for_its_owner_only(key_file: Path, tmp_path: Path) -> None:
    assert len(base64.b64decode(key_file.read_bytes())) == 32
    assert key_file.stat().st_mode & 0o777 == 0o600
    other = Unlock.create_file(tmp_path / "other.key")
    assert other.pem_password(SALT) != Unlock.from_file(key_file).pem_password(SALT)


def test_the_key_file_opens_the_same_every_time(key_file: Path) -> None:
    assert Unlock.from_file(key_file).pem_password(b"") == Unlock.from_file(key_file).pem_password(SALT)
    assert not Unlock.from_file(key_file).needs_salt


def test_an_existing_key_file_is_never_replaced(key_file: Path) -> None:
    before = key_file.read_bytes()
    with pytest.raises(StartRefused, match="already") as refused:
        Unlock.create_file(key_file)
    assert str(key_file) in refused.value.detail
    assert key_file.read_bytes() == before


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o620, 0o601])
def test_a_key_file_that_others_have_rights_on_is_refused(bits: int, key_file: Path) -> None:
    key_file.chmod(bits)
    with pytest.raises(StartRefused) as refused:
        Unlock.from_file(key_file)
    assert str(key_file) in refused.value.detail
    assert refused.value.remedy == f"Run: chmod 600 {key_file}"


def test_a_missing_key_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(StartRefused, match="is missing") as refused:
        Unlock.from_file(tmp_path / "gone.key")
    assert str(tmp_path / "gone.key") in refused.value.detail
    assert "VAULT_KEY_FILE" in refused.value.remedy


@pytest.mark.parametrize("content", [b"", b"AAAA\n", b"not base64 at all", b"\xff" * 44, b"QUJD" * 20])
def test_a_damaged_key_file_is_refused_without_showing_it(content: bytes, key_file: Path) -> None:
    key_file.write_bytes(content)
    with pytest.raises(StartRefused, match="damaged") as refused:
        Unlock.from_file(key_file)
    assert str(key_file) in refused.value.detail
    if content:
        assert content.decode("latin-1").strip() not in str(refused.value)


def test_a_directory_in_the_key_files_place_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with pytest.raises(StartRefused, match="can't be read"):
        Unlock.from_file(tmp_path)
    with pytest.raises(StartRefused, match="can't be written"):
        Unlock.create_file(tmp_path / "no" / "such" / "directory")


def test_a_passphrase_is_stretched_with_the_salt() -> None:
    unlock = Unlock.from_passphrase("correct horse battery staple")
    assert unlock.needs_salt
    passwords = {unlock.pem_password(SALT), unlock.pem_password(SALT), unlock.pem_password(b"another salt 16b")}
    assert len(passwords) == 2
    assert all(b"correct horse" not in base64.b64decode(password) for password in passwords)


def test_a_short_passphrase_is_refused_without_showing_it() -> None:
    with pytest.raises(StartRefused, match="shorter than 8") as refused:
        Unlock.from_passphrase("s3cr3t!")
    assert "s3cr3t!" not in str(refused.value)


def test_no_secret_in_the_repr_and_none_leaves_by_copies(key_file: Path) -> None:
    unlock = Unlock.from_file(key_file)
    assert repr(unlock) == f"Unlock(the key file {key_file})"
    assert "passphrase in VAULT_KEY_PASSPHRASE" in repr(Unlock.from_passphrase("correct horse"))
    with pytest.raises(TypeError):
        pickle.dumps(unlock)
    with pytest.raises(TypeError):
        copy.copy(unlock)
