"""`people`: inviting and listing, and a new password for whoever lost theirs; while the Vault runs and while not."""

from __future__ import annotations

from typing import Annotated

import typer

from ledgix_vault.cli.options import AsJson, Config, Data, DatabaseUrl, TenantChoice, load_settings
from ledgix_vault.cli.output import say, say_json, say_table
from ledgix_vault.control.client import ask

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="People who sign in to the dashboard: invite, list, and set a new password.",
    short_help="People: invite, list, new passwords.",
)

Factors = Annotated[bool, typer.Option("--factors", help="Remove their second factors and passkeys as well.")]
Email = Annotated[str, typer.Option(metavar="ADDRESS", help="The person's e-mail address.")]


@app.command()
def invite(
    data: Data,
    email: Email,
    role: Annotated[
        str, typer.Option(metavar="ROLE", help="owner, policy_editor, reviewer, auditor or developer.")
    ] = "reviewer",
    tenant: TenantChoice = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Invite somebody, and show the link that lets them in: it works once, for a week.

    \b
    Example:
      ledgix-vault people invite --data ./vault --email ana@acme.example --role reviewer
    """
    settings = load_settings(data, database_url=database_url, config=config)
    answer = ask(settings, "people.invite", {"tenant": tenant, "email": email, "role": role})
    if as_json:
        say_json(answer)
        return
    say(f"{answer['email']} is invited to {answer['tenant_name']} as {answer['role']}. Send them this link:\n")
    say(f"  {answer['link']}\n\nIt is shown once, works once, and until {answer['expires_at']}.")


@app.command("list")
def list_people(
    data: Data,
    tenant: TenantChoice = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """List the members of a tenant, or of all."""
    settings = load_settings(data, database_url=database_url, config=config)
    answer = ask(settings, "people.list", {"tenant": tenant})
    if as_json:
        say_json(answer)
        return
    rows = [
        (each["tenant_name"], each["email"], each["role"], each["name"], each["joined_at"][:19])
        for each in answer["members"]
    ]
    say_table(("TENANT", "EMAIL", "ROLE", "NAME", "SINCE"), rows)


@app.command("reset-password")
def reset_password(
    data: Data,
    email: Email,
    factors: Factors = False,
    database_url: DatabaseUrl = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Give a person a new password, made up and shown once, and sign them out everywhere.

    It is for whoever runs the Vault alone: a person may belong to several tenants, so no tenant's owner can do it.
    """
    settings = load_settings(data, database_url=database_url, config=config)
    answer = ask(settings, "people.reset_password", {"email": email, "factors": factors})
    if as_json:
        say_json(answer)
        return
    say(f"New password of {answer['email']}, shown once:\n\n  {answer['password']}\n")
    say("They are signed out everywhere. Ask them to change it at /app/account.")
