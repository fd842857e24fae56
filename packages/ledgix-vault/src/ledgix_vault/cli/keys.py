"""`keys create`, `keys list`, `keys revoke`, `keys rotate`: they work while the Vault runs and while it doesn't."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ledgix_vault.cli.options import AsJson, Config, Data, DatabaseUrl, TenantChoice, load_settings
from ledgix_vault.cli.output import say, say_json, say_table
from ledgix_vault.control.client import ask
from ledgix_vault.tenancy.api_keys import LONGEST_OVERLAP
from ledgix_vault.tenancy.scopes import Preset, Scope
from ledgix_vault.times import MICROSECONDS

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="API keys: create, list, rotate and revoke.")

KeyId = Annotated[str, typer.Argument(metavar="KEY_ID", help="The key's id, as `keys list` shows it.")]
SHOWN_ONCE = "The API key is shown once; only its hash is stored."


@app.command()
def create(
    data: Data,
    name: Annotated[str, typer.Option(metavar="NAME", help="What the key is for; shown in lists and in the ledger.")],
    preset: Annotated[
        Preset | None,
        typer.Option(metavar="PRESET", help=f"One of {', '.join(Preset)}; see above.", show_default=False),
    ] = None,
    scope: Annotated[
        list[Scope] | None,
        typer.Option(
            metavar="SCOPE",
            help=f"Single rights instead of a preset; repeat it. There are {', '.join(Scope)}.",
            show_default=False,
        ),
    ] = None,
    agent_id: Annotated[
        list[str] | None,
        typer.Option(
            metavar="GLOB",
            help="Bind the key to agents whose id matches, like 'billing-*'; repeat it.",
            show_default=False,
        ),
    ] = None,
    expires_in_days: Annotated[
        int | None,
        typer.Option(
            metavar="DAYS", min=1, max=3650, help="The key's life; without it, it has no end.", show_default=False
        ),
    ] = None,
    tenant: TenantChoice = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Create an API key and show it, once.

    \b
    agent     ask for clearance, mint; see the redacted ledger
    gateway   consume tokens, report outcomes, register tool schemas
    reviewer  decide reviews; see the whole ledger
    auditor   see the whole ledger, make reports
    full      everything

    \b
    Examples:
      ledgix-vault keys create --data ./vault --preset agent --name billing-bot --expires-in-days 90
      ledgix-vault keys create --data ./vault --preset agent --agent-id 'billing-*' --name billing-bots
      ledgix-vault keys create --data ./vault --scope clearance --scope consume --name notebook --json
    """
    if (preset is None) == (not scope):
        raise typer.BadParameter("Give either --preset or --scope.", param_hint="--preset")
    arguments = {
        "name": name,
        "preset": preset and str(preset),
        "scopes": [str(one) for one in scope or ()],
        "agent_ids": agent_id or [],
        "expires_in_days": expires_in_days,
        "tenant": tenant,
    }
    settings = load_settings(data, database_url=database_url, config=config)
    _show(ask(settings, "keys.create", arguments), as_json)


@app.command()
def rotate(
    key_id: KeyId,
    data: Data,
    overlap: Annotated[
        int | None,
        typer.Option(
            metavar="SECONDS",
            min=0,
            max=LONGEST_OVERLAP // MICROSECONDS,
            help="The old key expires so many seconds from now; without it, when you revoke it.",
            show_default=False,
        ),
    ] = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Make the successor of a key: same rights, as long a life, and what the old one asked is its own.

    The new key is valid at once. The old one stays valid for the overlap, or without one until you revoke it.
    """
    settings = load_settings(data, database_url=database_url, config=config)
    answer = ask(settings, "keys.rotate", {"key_id": key_id, "overlap_seconds": overlap})
    _show(answer, as_json)
    if not as_json and overlap is None:
        say(f"\nOnce the new key is in use: ledgix-vault keys revoke {key_id} --data {data}")


@app.command()
def revoke(
    key_id: KeyId, data: Data, database_url: DatabaseUrl = None, config: Config = None, as_json: AsJson = False
) -> None:
    """End a key at once. What it asked stays asked; revoking it again changes nothing."""
    settings = load_settings(data, database_url=database_url, config=config)
    answer = ask(settings, "keys.revoke", {"key_id": key_id})
    if as_json:
        say_json(answer)
    else:
        say(f"The API key {answer['key_id']} ({answer['name']}) is revoked since {answer['revoked_at']}.")


@app.command("list")
def list_keys(
    data: Data,
    tenant: TenantChoice = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """List the API keys, those that ended too, without their secrets.

    When a key was last used is at most a minute behind.
    """
    settings = load_settings(data, database_url=database_url, config=config)
    answer = ask(settings, "keys.list", {"tenant": tenant})
    if as_json:
        say_json(answer)
        return
    heading = ("KEY_ID", "TENANT", "NAME", "SCOPES", "AGENTS", "STATE", "CREATED", "LAST USED", "EXPIRES", "REVOKED")
    say_table(heading, [_row(key) for key in answer["keys"]])


def _row(key: dict[str, Any]) -> tuple[str, ...]:
    scopes = "everything" if len(key["scopes"]) == len(Scope) else " ".join(key["scopes"])
    agents = " ".join(key["agent_ids"]) or "any"
    moments = [(key[name] or "")[:19] for name in ("created_at", "last_used_at", "expires_at", "revoked_at")]
    return (key["key_id"], key["tenant_name"], key["name"], scopes, agents, key["state"], *moments)


def _show(key: dict[str, Any], as_json: bool) -> None:
    if as_json:
        say_json(key)
        return
    for label in ("key_id", "api_key", "name", "tenant_name"):
        say(f"  {label:<12} {key[label]}")
    say(f"  {'scopes':<12} {' '.join(key['scopes'])}")
    say(f"  {'agents':<12} {' '.join(key['agent_ids']) or 'any'}")
    say(f"  {'expires':<12} {(key['expires_at'] or 'never')[:19]}")
    say(f"\n{SHOWN_ONCE}")
