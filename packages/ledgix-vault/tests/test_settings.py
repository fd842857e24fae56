"""Settings: precedence, refusals that name the place, no secrets, and a page that tells all of them."""

import os
import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from ledgix_vault.errors import SettingsInvalid, StartRefused
from ledgix_vault.settings import LogLevel, Settings, settings_page

PAGE = Path(__file__).parents[3] / "docs" / "settings.md"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.upper().startswith("VAULT_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("VAULT_DATA_DIR", str(tmp_path))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "vault.toml"
    path.touch(mode=0o600)
    return path


def refusal(config: Path | None = None, **flags: object) -> SettingsInvalid:
    with pytest.raises(SettingsInvalid) as refused:
        Settings.load(config, **flags)
    assert isinstance(refused.value, StartRefused)
    assert refused.value.remedy
    return refused.value


def test_defaults_are_those_of_the_contract(tmp_path: Path) -> None:
    settings = Settings.load()
    assert (settings.host, settings.port, settings.public_url) == ("127.0.0.1", 8000, "http://127.0.0.1:8000")
    assert (settings.jwt_ttl, settings.jwt_issuer, settings.jwt_audience) == (300, "alcv-vault", "ledgix-sdk")
    assert (settings.checkpoint_interval, settings.mmd_seconds) == (1.0, 30)
    assert (settings.mint_window, settings.delegation_window) == (300, 3600)
    assert settings.body_limit == 256 * 1024
    assert settings.key_file == tmp_path / "keys" / "unlock.key"
    assert settings.high_water == tmp_path / "high-water.db"
    assert settings.database_url is None
    assert settings.key_passphrase is None


def test_flag_before_environment_before_file_before_default(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text("jwt_ttl = 10\nport = 10\nhost = 'file'\n")
    monkeypatch.setenv("VAULT_JWT_TTL", "20")
    monkeypatch.setenv("VAULT_PORT", "20")
    settings = Settings.load(config, jwt_ttl=30, port=None)
    assert (settings.jwt_ttl, settings.port, settings.host, settings.mint_window) == (30, 20, "file", 300)


def test_variables_in_lower_case_count_too(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text("jwt_ttl = 10\n")
    monkeypatch.setenv("vault_jwt_ttl", "20")
    assert Settings.load(config).jwt_ttl == 20


def test_an_empty_variable_is_not_set(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text("jwt_ttl = 10\n")
    monkeypatch.setenv("VAULT_JWT_TTL", "")
    assert Settings.load(config).jwt_ttl == 10


def test_a_variable_names_the_file(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text("jwt_ttl = 10\n")
    monkeypatch.setenv("VAULT_CONFIG", str(config))
    assert Settings.load().jwt_ttl == 10


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings.load().port = 1  # type: ignore[misc]


def test_paths_do_not_depend_on_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings.load(data_dir="here", high_water="~/high-water.db")
    assert settings.data_dir == tmp_path / "here"
    assert settings.key_file == tmp_path / "here" / "keys" / "unlock.key"
    assert settings.high_water == Path.home() / "high-water.db"


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("VAULT_JWT_TTL", "soon", "valid integer"),
        ("VAULT_JWT_TTL", "0", "greater than or equal to 1"),
        ("VAULT_CHECKPOINT_INTERVAL", "0.01", "greater than or equal to 0.1"),
        ("VAULT_CHECKPOINT_INTERVAL", "61", "less than or equal to 60"),
        ("VAULT_CHECKPOINT_INTERVAL", "nan", "less than or equal to 60"),
        ("VAULT_PORT", "70000", "less than or equal to 65535"),
        ("VAULT_PORT", "tcp://10.0.0.1:8200", "Kubernetes"),
        ("VAULT_LOG_LEVEL", "loud", "'debug', 'info', 'warning' or 'error'"),
        ("VAULT_PUBLIC_URL", "ledgix.example", "http:// or https://"),
        ("VAULT_PUBLIC_URL", "https://ledgix.example/?a=b", "without query"),
        ("VAULT_DATABASE_URL", "mysql://user:s3cr3t-word@host/db", "postgresql://"),
    ],
)
def test_a_wrong_variable_is_named(variable: str, value: str, says: str, monkeypatch) -> None:
    monkeypatch.setenv(variable, value)
    refused = refusal()
    assert refused.detail.startswith(f"{variable}: ")
    assert says in refused.detail
    assert "s3cr3t-word" not in str(refused)


def test_a_missing_data_directory_is_named_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VAULT_DATA_DIR")
    assert refusal().detail == "VAULT_DATA_DIR: Field required"


def test_every_flaw_is_told_with_its_place(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text("mint_window = -1\n")
    monkeypatch.setenv("VAULT_JWT_TTL", "soon")
    detail = refusal(config, port=-1).detail
    assert f"mint_window in {config}: " in detail
    assert "VAULT_JWT_TTL: " in detail
    assert "the flag for port: " in detail
    assert "public_url" not in detail.lower()


def test_checkpoints_must_keep_the_promise() -> None:
    assert refusal(checkpoint_interval=30, mmd_seconds=30).detail == (
        "VAULT_CHECKPOINT_INTERVAL must be shorter than VAULT_MMD_SECONDS"
    )


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("jwt-ttl", "Did you mean “jwt_ttl”?"),
        ("VAULT_JWT_TTL", "Did you mean “jwt_ttl”?"),
        ("checkpoint_intervall", "Did you mean “checkpoint_interval”?"),
        ("zzz", "Known keys: data_dir, "),
    ],
)
def test_an_unknown_key_is_refused_with_a_hint(key: str, hint: str, config: Path) -> None:
    config.write_text(f"{key} = 1\n")
    refused = refusal(config)
    assert refused.detail == f"The settings file {config} has an unknown key “{key}”."
    assert refused.remedy.startswith(hint)


@pytest.mark.parametrize("content", [b"jwt_ttl: 10\n", b"\xff\xfe", b"jwt_ttl = 1\njwt_ttl = 2\n"])
def test_a_file_that_is_no_toml_is_named(content: bytes, config: Path) -> None:
    config.write_bytes(content)
    assert f"The settings file {config} isn't TOML" in refusal(config).detail


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert f"The settings file {tmp_path / 'gone.toml'} can't be read" in refusal(tmp_path / "gone.toml").detail


def test_a_passphrase_in_a_shared_file_is_refused(config: Path) -> None:
    config.write_text("key_passphrase = 's3cr3t-word'\n")
    assert Settings.load(config).key_passphrase is not None
    config.chmod(0o640)
    refused = refusal(config)
    assert refused.remedy == f"Run: chmod 600 {config}"
    assert "s3cr3t-word" not in str(refused)


def test_secrets_show_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAULT_KEY_PASSPHRASE", "s3cr3t-word")
    monkeypatch.setenv("VAULT_DATABASE_URL", "postgresql://user:s3cr3t-word@host/db")
    settings = Settings.load()
    assert "s3cr3t-word" not in f"{settings!r} {settings}"
    assert settings.key_passphrase is not None
    assert settings.key_passphrase.get_secret_value() == "s3cr3t-word"
    assert settings.database_url == "postgresql://user:s3cr3t-word@host/db"
    assert "s3cr3t-word" not in str(refusal(key_passphrase=["s3cr3t-word"], jwt_issuer=["s3cr3t-word"]))


@pytest.mark.parametrize(
    ("host", "url"),
    [("0.0.0.0", "http://localhost:80"), ("::1", "http://[::1]:80"), ("vault.example", "http://vault.example:80")],
)
def test_the_public_address_follows_from_the_listening_one(host: str, url: str) -> None:
    assert Settings.load(host=host, port=80).public_url == url


def test_a_public_address_has_no_slash_at_its_end() -> None:
    assert Settings.load(public_url="https://ledgix.example/vault/").public_url == "https://ledgix.example/vault"


def test_every_setting_is_described_and_documented() -> None:
    page = PAGE.read_text("utf-8")
    documented = re.findall(r"^\| `VAULT_([A-Z_]+)` \| `([a-z_]+)` \|", page, re.MULTILINE)
    assert documented == [(name.upper(), name) for name in Settings.model_fields]
    assert all(field.description for field in Settings.model_fields.values())


def test_the_page_is_the_one_that_the_settings_make() -> None:
    assert PAGE.read_text("utf-8") == settings_page(), "run: python -m ledgix_vault.settings > docs/settings.md"


def test_log_levels_are_told_on_the_page() -> None:
    assert all(f"`{level}`" in settings_page() for level in LogLevel)
