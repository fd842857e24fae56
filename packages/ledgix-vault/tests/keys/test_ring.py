"""The key ring: what it returned is on disk for good, and whatever doesn't fit is refused by name."""

import contextlib
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from ledgix_vault.errors import StartRefused, Unavailable
from ledgix_vault.keys.ring import KeyRing
from ledgix_vault.keys.unlock import Unlock

PASSPHRASE = "correct horse battery staple"


@pytest.fixture
def unlock(tmp_path: Path) -> Unlock:
    return Unlock.create_file(tmp_path / "unlock.key")


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return tmp_path / "keys"


def refusal(directory: Path, unlock: Unlock, kid: str) -> StartRefused:
    with pytest.raises(StartRefused) as refused:
        KeyRing.open(directory, unlock, [kid])
    assert refused.value.remedy
    return refused.value


def test_a_generated_key_signs_the_same_after_a_restart(keys: Path, unlock: Unlock) -> None:
    ring = KeyRing.create(keys, unlock)
    public = ring.generate()
    signature = ring.private(public.kid).sign(b"message")

    reopened = KeyRing.open(keys, unlock, [public.kid]).private(public.kid)

    assert reopened.sign(b"message") == signature
    public.verify(signature, b"message")


def test_files_are_private(keys: Path, unlock: Unlock) -> None:
    keys.mkdir(mode=0o755)
    kid = KeyRing.create(keys, unlock).generate().kid
    assert keys.stat().st_mode & 0o777 == 0o700
    assert (keys / f"{kid}.pem").stat().st_mode & 0o777 == 0o600
    assert os.listdir(keys) == [f"{kid}.pem"]


def test_a_key_is_durable_before_anybody_learns_its_name(
    keys: Path, unlock: Unlock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring = KeyRing.create(keys, unlock)

    def disk_is_full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", disk_is_full)
    with pytest.raises(Unavailable, match="No space left"):
        ring.generate()
    assert os.listdir(keys) == []
    assert "0 keys" in repr(ring)


def test_only_the_keys_asked_for_are_loaded(keys: Path, unlock: Unlock) -> None:
    ring = KeyRing.create(keys, unlock)
    first, second = ring.generate().kid, ring.generate().kid
    reopened = KeyRing.open(keys, unlock, [first])
    with pytest.raises(Unavailable) as missing:
        reopened.private(second)
    assert missing.value.code == "signing_key_missing"
    assert second in missing.value.detail


def test_a_second_ring_in_the_same_directory_is_refused(keys: Path, unlock: Unlock) -> None:
    KeyRing.create(keys, unlock).generate()
    with pytest.raises(StartRefused, match="holds signing keys already") as refused:
        KeyRing.create(keys, unlock)
    assert str(keys) in refused.value.detail


def test_a_missing_directory_is_named(keys: Path, unlock: Unlock) -> None:
    with pytest.raises(StartRefused) as refused:
        KeyRing.open(keys, unlock, [])
    assert f"{keys} is missing" in refused.value.detail
    with pytest.raises(StartRefused, match="can't be made"):
        KeyRing.create(keys / "deeper", unlock)


def test_a_missing_key_is_named(keys: Path, unlock: Unlock) -> None:
    kid = KeyRing.create(keys, unlock).generate().kid
    (keys / f"{kid}.pem").unlink()
    assert refusal(keys, unlock, kid).detail == f"The signing key {keys / f'{kid}.pem'} is missing."


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda pem: b"", id="emptied"),
        pytest.param(lambda pem: pem[:100], id="cut off"),
        pytest.param(lambda pem: pem.replace(b"ENCRYPTED ", b""), id="label changed"),
        pytest.param(lambda pem: pem[:60] + b"\xff" + pem[61:], id="a byte that isn't base64"),
        pytest.param(lambda pem: pem + pem, id="two keys"),
        pytest.param(lambda pem: bytes(len(pem)), id="zeros, as after a crash of the disk"),
    ],
)
def test_a_damaged_key_is_named(damage, keys: Path, unlock: Unlock) -> None:
    kid = KeyRing.create(keys, unlock).generate().kid
    path = keys / f"{kid}.pem"
    path.write_bytes(damage(path.read_bytes()))
    detail = refusal(keys, unlock, kid).detail
    assert str(path) in detail
    assert "is damaged" in detail


def test_a_flipped_bit_is_refused_or_changes_nothing(keys: Path, unlock: Unlock) -> None:
    kid = KeyRing.create(keys, unlock).generate().kid
    path = keys / f"{kid}.pem"
    pem = path.read_bytes()
    for place in range(0, len(pem), 7):
        path.write_bytes(pem[:place] + bytes([pem[place] ^ 1]) + pem[place + 1 :])
        with contextlib.suppress(StartRefused):
            # A bit without meaning, such as white space, may pass: it is still the key that the name promises.
            assert KeyRing.open(keys, unlock, [kid]).private(kid).kid == kid


def test_a_wrong_key_file_is_named(keys: Path, unlock: Unlock, tmp_path: Path) -> None:
    kid = KeyRing.create(keys, unlock).generate().kid
    other = Unlock.create_file(tmp_path / "other.key")
    refused = refusal(keys, other, kid)
    assert f"can't be opened with the key file {tmp_path / 'other.key'}" in refused.detail


def test_a_key_that_was_never_encrypted_is_refused(keys: Path, unlock: Unlock) -> None:
    kid = KeyRing.create(keys, unlock).generate().kid
    path = keys / f"{kid}.pem"
    opened = load_pem_private_key(path.read_bytes(), unlock.pem_password(b""))
    path.write_bytes(opened.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    assert "isn't an encrypted PEM file" in refusal(keys, unlock, kid).detail


def test_a_key_of_another_kind_is_refused(keys: Path, unlock: Unlock) -> None:
    kid = KeyRing.create(keys, unlock).generate().kid
    sealed = BestAvailableEncryption(unlock.pem_password(b""))
    pem = generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, sealed)
    (keys / f"{kid}.pem").write_bytes(pem)
    assert "isn't an Ed25519 key" in refusal(keys, unlock, kid).detail


def test_swapped_files_are_noticed_by_their_thumbprints(keys: Path, unlock: Unlock) -> None:
    ring = KeyRing.create(keys, unlock)
    first, second = ring.generate().kid, ring.generate().kid
    (keys / f"{second}.pem").replace(keys / f"{first}.pem")
    assert refusal(keys, unlock, first).detail == (
        f"The file {keys / f'{first}.pem'} holds another key: its thumbprint is {second}."
    )


@pytest.mark.parametrize("kid", ["", "short", "../" * 13 + "etc1", "A" * 42 + "/", "A" * 44, "A" * 42 + "\n"])
def test_a_name_that_is_no_thumbprint_never_becomes_a_path(kid: str, keys: Path, unlock: Unlock) -> None:
    KeyRing.create(keys, unlock)
    assert "no RFC 7638 thumbprint" in refusal(keys, unlock, kid).detail


def test_the_line_of_the_key_file_opens_the_keys_without_us(keys: Path, unlock: Unlock, tmp_path: Path) -> None:
    kid = KeyRing.create(keys, unlock).generate().kid
    line = (tmp_path / "unlock.key").read_bytes().strip()
    load_pem_private_key((keys / f"{kid}.pem").read_bytes(), line)


def test_a_passphrase_opens_what_it_sealed_and_another_does_not(keys: Path) -> None:
    kid = KeyRing.create(keys, Unlock.from_passphrase(PASSPHRASE)).generate().kid
    assert (keys / "unlock.salt").stat().st_mode & 0o777 == 0o600
    KeyRing.open(keys, Unlock.from_passphrase(PASSPHRASE), [kid]).private(kid)

    refused = refusal(keys, Unlock.from_passphrase("wrong horse battery staple"), kid)

    assert "can't be opened with the passphrase in VAULT_KEY_PASSPHRASE" in refused.detail
    assert "horse" not in str(refused)


def test_the_salt_belongs_to_the_keys(keys: Path) -> None:
    unlock = Unlock.from_passphrase(PASSPHRASE)
    kid = KeyRing.create(keys, unlock).generate().kid
    salt = keys / "unlock.salt"
    salt.write_text("00ff")
    assert f"{salt} is damaged" in refusal(keys, unlock, kid).detail
    salt.write_text("not hexadecimal")
    assert f"{salt} is damaged" in refusal(keys, unlock, kid).detail
    salt.unlink()
    assert f"{salt} is missing" in refusal(keys, unlock, kid).detail


def test_an_init_that_was_cut_short_is_taken_up(keys: Path) -> None:
    unlock = Unlock.from_passphrase(PASSPHRASE)
    KeyRing.create(keys, unlock)
    salt = (keys / "unlock.salt").read_bytes()
    kid = KeyRing.create(keys, unlock).generate().kid
    assert (keys / "unlock.salt").read_bytes() == salt
    KeyRing.open(keys, unlock, [kid])


def test_no_secret_in_the_repr(keys: Path, unlock: Unlock, tmp_path: Path) -> None:
    ring = KeyRing.create(keys, unlock)
    ring.generate()
    assert repr(ring) == f"KeyRing({str(keys)!r}, 1 keys)"
