"""`tenants create` and `tenants list`: they work while the Vault runs and while it doesn't."""

from __future__ import annotations

from typing import Annotated

import typer

from ledgix_vault.cli.options import AsJson, Config, Data, DatabaseUrl, load_settings
from ledgix_vault.cli.output import say, say_json, say_table
from ledgix_vault.control.client import ask

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Tenants: each has its own policies, keys, reviews and ledger, and sees nothing of the others.",
    short_help="Tenants: create and list.",
)


@app.command()
def create(
    data: Data,
    name: Annotated[str, typer.Option(metavar="NAME", help="The tenant's name, unique in this Vault.")],
    database_url: DatabaseUrl = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Create a tenant with a ledger of its own, and show its first full-access API key, once."""
    settings = load_settings(data, database_url=database_url, config=config)
    answer = ask(settings, "tenants.create", {"name": name})
    if as_json:
        say_json(answer)
        return
    for label, value in answer.items():
        say(f"  {label:<12} {value}")
    say("\nThe API key is shown once; only its hash is stored.")


@app.command("list")
def list_tenants(data: Data, database_url: DatabaseUrl = None, config: Config = None, as_json: AsJson = False) -> None:
    """List the tenants with the number of their valid API keys and ledger entries."""
    settings = load_settings(data, database_url=database_url, config=config)
    answer = ask(settings, "tenants.list", {})
    if as_json:
        say_json(answer)
        return
    rows = [
        (tenant["tenant"], tenant["tenant_name"], str(tenant["keys"]), str(tenant["ledger_entries"]))
        for tenant in answer["tenants"]
    ]
    say_table(("TENANT", "NAME", "KEYS", "ENTRIES"), rows)
