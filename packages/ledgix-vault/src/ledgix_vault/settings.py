"""Every knob of the Vault: one frozen value, read once at start.

An explicit argument (a command-line flag) wins over the environment (`VAULT_…`), that over the TOML file, that over
the default. No secret shows in the repr or in an error.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from annotated_types import Ge, Le
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from ledgix_vault.errors import SettingsInvalid
from ledgix_vault.files import others_may_read

PREFIX = "VAULT_"
CONFIG_VARIABLE = "VAULT_CONFIG"
SECRETS = ("key_passphrase", "smtp_password")


class LogLevel(StrEnum):
    """How much the log on stderr tells."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """How a line of the log on stderr looks."""

    TEXT = "text"
    JSON = "json"


class SmtpTls(StrEnum):
    """How the connection to the mail server is encrypted."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


def _postgresql(url: str) -> str:
    if urlsplit(url).scheme.partition("+")[0] not in {"postgresql", "postgres"}:
        raise ValueError("must start with postgresql://; leave it unset for SQLite in the data directory")
    return url


def _no_kubernetes_link(port: object) -> object:
    if isinstance(port, str) and port.startswith("tcp://"):
        raise ValueError(
            "is what Kubernetes sets for a service named “vault”, not a port: set enableServiceLinks to false"
        )
    return port


def listening_url(host: str, port: int) -> str:
    """Where a client on this machine reaches a server that listens there."""
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - every address; a browser needs one of them
        host = "localhost"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _web_origin(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.netloc or parts.query or parts.fragment:
        raise ValueError("must be an http:// or https:// address without query or fragment")
    return url.rstrip("/")


def _hosts(names: str) -> str:
    hosts = [name.strip().lower() for name in names.split(",") if name.strip()]
    for host in hosts:
        name, colon, port = host.rpartition(":")
        if not (name and colon and port.isascii() and port.isdigit()):
            raise ValueError("must be hosts with their ports, by commas: llm.internal:8000, 127.0.0.1:11434")
    return ",".join(hosts)


LocalPath = Annotated[Path, AfterValidator(_absolute)]


class Settings(BaseSettings):
    """All settings; `load` is the way to make one from a TOML file and flags."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        env_ignore_empty=True,
        validate_default=True,
    )

    data_dir: LocalPath = Field(description="Directory of the SQLite database, the signing keys and the lock.")
    database_url: Annotated[str, AfterValidator(_postgresql)] | None = Field(
        default=None, repr=False, description="PostgreSQL instead of SQLite: `postgresql://user:password@host/name`."
    )
    host: str = Field(default="127.0.0.1", min_length=1, description="Address to listen on.")
    port: Annotated[int, BeforeValidator(_no_kubernetes_link)] = Field(
        default=8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one."
    )
    public_url: Annotated[str, AfterValidator(_web_origin)] = Field(
        default_factory=lambda known: listening_url(known["host"], known["port"]),
        description="Address under which people and clients reach the Vault; links in messages start with it.",
    )
    trusted_proxies: str = Field(
        default="",
        description="Addresses of reverse proxies, by commas, whose `X-Forwarded-For` and `X-Forwarded-Proto` are"
        " believed.",
    )
    jwt_ttl: int = Field(default=300, ge=1, le=86400, description="Seconds for which an approval token is valid.")
    jwt_issuer: str = Field(default="alcv-vault", min_length=1, description="Claim `iss` of approval tokens.")
    jwt_audience: str = Field(default="ledgix-sdk", min_length=1, description="Claim `aud` of approval tokens.")
    checkpoint_interval: float = Field(
        default=1.0, ge=0.1, le=60, description="Seconds from a log's growth to its next signed checkpoint, at most."
    )
    mmd_seconds: int = Field(
        default=30,
        ge=1,
        le=86400,
        description="Seconds within which the Vault promises that a checkpoint covers an entry.",
    )
    mint_window: int = Field(
        default=300,
        ge=0,
        le=86400,
        description="Seconds after an approval, or after the report that its outcome is unknown, in which `/mint-token`"
        " may decide it anew.",
    )
    delegation_window: int = Field(
        default=3600, ge=0, le=604800, description="Seconds after its hand-out for which an approval may be a parent."
    )
    judge_deadline: float = Field(
        default=20.0,
        ge=0.1,
        le=25,  # less than the lease of a job
        description="Seconds for all that judges do about one request; after that a person decides.",
    )
    judge_hosts: Annotated[str, AfterValidator(_hosts)] = Field(
        default="",
        description="Hosts (`name:port`, by commas) where judges may be though they are private or speak plain HTTP.",
    )
    sign_on_hosts: Annotated[str, AfterValidator(_hosts)] = Field(
        default="",
        description="Hosts (`name:port`, by commas) where providers of single sign-on may be though they are private or"
        " speak plain HTTP.",
    )
    notify_hosts: Annotated[str, AfterValidator(_hosts)] = Field(
        default="",
        description="Hosts (`name:port`, by commas) that may receive notifications though they are private or speak"
        " plain HTTP.",
    )
    smtp_host: str = Field(default="", description="Server that sends the Vault's mails; without it there are none.")
    smtp_port: int = Field(default=587, ge=1, le=65535, description="Its port.")
    smtp_user: str = Field(default="", description="User at the mail server, where it wants one.")
    smtp_password: SecretStr | None = Field(default=None, description="That user's password.")
    smtp_from: str = Field(default="", description="Address from which mails come: `ledgix@example.com`.")
    smtp_tls: SmtpTls = Field(
        default=SmtpTls.STARTTLS, description="How the connection to the mail server is encrypted; `none` is for tests."
    )
    slack_api_url: Annotated[str, AfterValidator(_web_origin)] = Field(
        default="https://slack.com/api", description="Where Slack's API is; another one for GovSlack."
    )
    key_passphrase: SecretStr | None = Field(
        default=None, description="Passphrase that opens the signing keys; without it the key file does."
    )
    key_file: LocalPath = Field(
        default_factory=lambda known: known["data_dir"] / "keys" / "unlock.key",
        description="File that opens the signing keys, readable for its owner only.",
    )
    high_water: LocalPath = Field(
        default_factory=lambda known: known["data_dir"] / "high-water.db",
        description="File with the last signed checkpoint of each log; keep it on another volume, outside of backups.",
    )
    queue_capacity: int = Field(
        default=4096, ge=1, le=1_000_000, description="Requests that may wait for the writer before others get a 429."
    )
    group_limit: int = Field(default=512, ge=1, le=4096, description="Requests that share one commit, at most.")
    streams_per_tenant: int = Field(
        default=100,
        ge=1,
        le=10_000,
        description="Streams of events that a tenant may have open before others get a 429.",
    )
    shutdown_grace: int = Field(
        default=10, ge=0, le=3600, description="Seconds that open requests get to finish when the Vault stops."
    )
    idempotency_hours: int = Field(
        default=24, ge=1, le=720, description="Hours for which an `Idempotency-Key` is remembered."
    )
    body_limit: int = Field(default=262_144, ge=1024, le=16_777_216, description="Bytes of a request body, at most.")
    confluence_allow_private: bool = Field(
        default=False,
        description="Whether Confluence may be on a private network, and be asked by plain http.",
    )
    log_level: LogLevel = Field(default=LogLevel.INFO, description="Least severe kind of line in the log.")
    log_format: LogFormat = Field(
        default=LogFormat.TEXT, description="Lines of the log on stderr: `key=value` pairs, or a JSON object each."
    )

    @model_validator(mode="after")
    def _checkpoints_keep_the_promise(self) -> Self:
        if self.checkpoint_interval >= self.mmd_seconds:
            raise ValueError("VAULT_CHECKPOINT_INTERVAL must be shorter than VAULT_MMD_SECONDS")
        return self

    @property
    def database_file(self) -> Path:
        """The SQLite database."""
        return self.data_dir / "vault.db"

    @property
    def key_directory(self) -> Path:
        """Where the sealed signing keys are."""
        return self.data_dir / "keys"

    @property
    def trusted_judge_hosts(self) -> frozenset[str]:
        """`judge_hosts` as a set of `name:port`."""
        return frozenset(self.judge_hosts.split(",")) - {""}

    @property
    def trusted_sign_on_hosts(self) -> frozenset[str]:
        """`sign_on_hosts` as a set of `name:port`."""
        return frozenset(self.sign_on_hosts.split(",")) - {""}

    @property
    def trusted_notify_hosts(self) -> frozenset[str]:
        """`notify_hosts` as a set of `name:port`."""
        return frozenset(self.notify_hosts.split(",")) - {""}

    def listening_on(self, port: int) -> Self:
        """The same settings with the port that the operating system gave."""
        changed = {"port": port}
        if "public_url" in self.model_fields_set:
            return self.model_copy(update=changed)
        return self.model_copy(update={**changed, "public_url": listening_url(self.host, port)})

    @classmethod
    def load(cls, config: Path | None = None, **flags: Any) -> Self:
        """Settings from flags (None = not given), environment and the TOML file `config`, or the one that
        VAULT_CONFIG names. SettingsInvalid names the flag, variable or key that is wrong."""
        if config is None and os.environ.get(CONFIG_VARIABLE):
            config = Path(os.environ[CONFIG_VARIABLE])
        given = {name: value for name, value in flags.items() if value is not None}
        in_environment = {name.upper() for name, value in os.environ.items() if value}
        in_file = {} if config is None else _read_toml(config, cls.model_fields)
        from_file = {name: value for name, value in in_file.items() if PREFIX + name.upper() not in in_environment}
        try:
            return cls(**{**from_file, **given})
        except ValidationError as error:
            places = {name: f"{name} in {config}" for name in from_file} | {
                name: f"the flag for {name}" for name in given
            }
            raise SettingsInvalid(
                "; ".join(_complaints(error, places)), "Correct it; docs/settings.md describes every setting."
            ) from None


def settings_page() -> str:
    """docs/settings.md, whole; `python -m ledgix_vault.settings` prints it."""
    return _PAGE.format(config=CONFIG_VARIABLE, table=settings_table())


def settings_table() -> str:
    """Every setting as a row of a Markdown table."""
    rows = ["| variable | TOML key | default | allowed | meaning |", "|---|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        cells = f"`{PREFIX}{name.upper()}`", f"`{name}`", _default_in_words(name), _range_in_words(name)
        rows.append(f"| {' | '.join(cells)} | {field.description} |")
    return "\n".join(rows) + "\n"


_PAGE = """\
# Settings of the Vault

A command-line flag wins over the environment variable, that over the TOML file, that over the default.
The TOML file is the one that `{config}` names; it is flat, with the keys below, and an unknown key is refused.
A file that holds `key_passphrase` or `smtp_password` must be readable for its owner only (`chmod 600`).

This page is made from the settings themselves: `python -m ledgix_vault.settings > docs/settings.md`.

{table}"""

_DERIVED_DEFAULTS = {
    "data_dir": "required",
    "public_url": "`http://HOST:PORT`",
    "key_file": "`keys/unlock.key` in the data directory",
    "high_water": "`high-water.db` in the data directory",
}


def _default_in_words(name: str) -> str:
    if name in _DERIVED_DEFAULTS:
        return _DERIVED_DEFAULTS[name]
    default = Settings.model_fields[name].default
    return "unset" if default is None else f"`{default}`"


def _range_in_words(name: str) -> str:
    field = Settings.model_fields[name]
    if isinstance(field.annotation, type) and issubclass(field.annotation, StrEnum):
        return ", ".join(f"`{choice}`" for choice in field.annotation)
    lowest = [limit.ge for limit in field.metadata if isinstance(limit, Ge)]
    highest = [limit.le for limit in field.metadata if isinstance(limit, Le)]
    return f"{lowest[0]}–{highest[0]}" if lowest and highest else ""


def _complaints(error: ValidationError, places: Mapping[str, str]) -> Iterator[str]:
    for flaw in error.errors(include_url=False, include_input=False, include_context=False):
        if flaw["type"] == "default_factory_not_called":  # follows from a flaw that is told anyway
            continue
        message = flaw["msg"].removeprefix("Value error, ")
        if not flaw["loc"]:
            yield message
            continue
        name = str(flaw["loc"][0])
        yield f"{places.get(name, PREFIX + name.upper())}: {message}"


def _read_toml(path: Path, known: Mapping[str, object]) -> dict[str, Any]:
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SettingsInvalid(
            f"The settings file {path} can't be read: {error.strerror}.", "Give the path of a readable TOML file."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsInvalid(f"The settings file {path} isn't TOML: {error}.", "Correct that place.") from None
    for name in values:
        if name not in known:
            raise SettingsInvalid(f"The settings file {path} has an unknown key “{name}”.", _hint(name, known))
    for name in SECRETS:
        if name in values and others_may_read(path):
            raise SettingsInvalid(
                f"Other users of this machine have rights on {path}, which holds {name}.", f"Run: chmod 600 {path}"
            )
    return values


def _hint(name: str, known: Mapping[str, object]) -> str:
    plain = name.lower().replace("-", "_").removeprefix(PREFIX.lower())
    close = difflib.get_close_matches(plain, known, n=1)
    return f"Did you mean “{close[0]}”?" if close else f"Known keys: {', '.join(known)}."


if __name__ == "__main__":
    print(settings_page(), end="")
