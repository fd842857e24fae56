"""The command line put together, and the one place where refusals become words and an exit status."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import ledgix_vault
from ledgix_vault.cli import keys, people, policies, schemas, simulate, suspensions, tenants, upkeep, vault
from ledgix_vault.cli.output import remark
from ledgix_vault.errors import Invalid, StartRefused, VaultError

REFUSED = 1
INTERRUPTED = 130  # as shells report SIGINT

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)
app.command("init", short_help="Create a new Vault.")(vault.init)
app.command("serve", short_help="Run the Vault until SIGTERM or Ctrl-C.")(vault.serve)
app.command("backup", short_help="Write a backup, while the Vault runs or not.")(upkeep.backup)
app.command("restore", short_help="Put a backup into a new data directory.")(upkeep.restore)
app.command("check", short_help="Verify every ledger, and every row against it.")(upkeep.check)
app.command("recover", short_help="Go on when the newest database is lost for good.")(upkeep.recover)
app.command("suspend", short_help="Stop an agent, a tool or a whole tenant at once.")(suspensions.suspend)
app.command("release", short_help="End a suspension.")(suspensions.release)
app.command("suspensions", short_help="List what is suspended.")(suspensions.suspensions)
app.add_typer(keys.app, name="keys")
app.add_typer(people.app, name="people")
app.add_typer(policies.app, name="policies")
app.add_typer(schemas.app, name="schemas")
app.add_typer(tenants.app, name="tenants")
simulate.add_to(policies.app)


def main() -> None:
    """The entry point of the `ledgix-vault` executable."""
    try:
        app()
    except VaultError as error:
        _refuse(error)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _refuse(error: VaultError) -> None:
    remark(f"Refused: {in_words(error)}")
    if isinstance(error, StartRefused):
        remark(error.remedy)
    sys.exit(REFUSED)


def in_words(error: VaultError) -> str:
    """What is wrong, with the name of the argument if it is one: the messages are written for JSON paths."""
    if isinstance(error, Invalid) and error.path.startswith("$."):
        return f"{error.path.removeprefix('$.')}: {error.detail}"
    return error.detail


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ledgix-vault {ledgix_vault.__version__}")
        raise typer.Exit


@app.callback()
def root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """The Ledgix Vault: decides tool calls by policy, issues one-call tokens, keeps a tamper-evident ledger.

    \b
    A first Vault:
      ledgix-vault init --data ./vault
      ledgix-vault serve --data ./vault
      ledgix-vault keys create --data ./vault --preset agent --name my-agent

    Every setting is an environment variable VAULT_…, listed in docs/settings.md; docs/operations.md tells how to run,
    back up and restore a Vault.
    """
