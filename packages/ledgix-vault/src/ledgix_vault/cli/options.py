"""Options that several commands share, and how the settings come together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ledgix_vault.settings import Settings

Data = Annotated[
    Path,
    typer.Option(
        "--data", metavar="DIR", envvar="VAULT_DATA_DIR", help="The Vault's data directory.", show_default=False
    ),
]
DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        "--database-url",
        metavar="URL",
        help="PostgreSQL instead of SQLite: postgresql://user:password@host/name. Better set VAULT_DATABASE_URL:"
        " other users can see a command's arguments.",
        show_default=False,
    ),
]
Config = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="A TOML file with settings; docs/settings.md lists them.", show_default=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
TenantChoice = Annotated[
    str | None,
    typer.Option(metavar="TENANT", help="Id or name of the tenant; needed when there are several.", show_default=False),
]


def load_settings(data: Path, **flags: Any) -> Settings:
    """Settings from the flags that were given, the environment and a TOML file; the log is set up by them."""
    from ledgix_vault.logs import configure_logs
    from ledgix_vault.settings import Settings

    settings = Settings.load(flags.pop("config", None), data_dir=data, **flags)
    configure_logs(settings.log_level, settings.log_format)
    return settings
