"""`init` and `serve`."""

from __future__ import annotations

import secrets
from typing import Annotated

import typer

from ledgix_vault.cli.options import AsJson, Config, Data, DatabaseUrl, load_settings
from ledgix_vault.cli.output import say, say_json

PASSWORD_BYTES = 15  # 20 characters
LONGEST_EMAIL = 254  # RFC 5321, errata 1690


def init(
    data: Data,
    tenant: Annotated[str, typer.Option(metavar="NAME", help="Name of the first tenant.")] = "default",
    email: Annotated[str, typer.Option(metavar="EMAIL", help="Address of the first owner.")] = "owner@localhost",
    password: Annotated[
        str | None,
        typer.Option(
            metavar="PASSWORD",
            help="The owner's password. Better leave it out, and one is made up and shown: other users can see a"
            " command's arguments.",
            show_default=False,
        ),
    ] = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Create a new Vault: store, signing keys, first tenant, its owner and a full-access API key.

    The password and the API key are shown once and can't be shown again. DIR must be new or empty.

    \b
    Examples:
      ledgix-vault init --data ./vault
      ledgix-vault init --data /srv/ledgix --tenant acme --email ops@acme.example --json
      VAULT_DATABASE_URL=postgresql://ledgix@db/ledgix ledgix-vault init --data /srv/ledgix
    """
    from ledgix_vault.app import initialise
    from ledgix_vault.errors import Invalid
    from ledgix_vault.operations.create_tenant import Owner
    from ledgix_vault.tenancy.passwords import check_new_password, hash_password
    from ledgix_vault.tenancy.people import read_email

    try:
        email = read_email(email)
    except Invalid as error:
        raise typer.BadParameter(f"{email!r} is no e-mail address.", param_hint="--email") from error
    if password is not None:
        check_new_password(password)
    known = password or secrets.token_urlsafe(PASSWORD_BYTES)
    settings = load_settings(data, database_url=database_url, config=config)
    created = initialise(settings, tenant, Owner(email, hash_password(known)))
    made = {
        "tenant": created.tenant_id,
        "tenant_name": created.name,
        "email": email,
        "password": known,
        "api_key": created.api_key,
    }
    if as_json:
        say_json(made)
        return
    say(f"A new Vault is in {settings.data_dir}.\n")
    for label, value in made.items():
        say(f"  {label:<12} {value}")
    say("\nThe password and the API key are not shown again. The ledger and the signing keys live in that directory;")
    say(f"keep {settings.high_water} and {settings.key_file} out of its backups (docs/operations.md).")
    say(f"\nNext: ledgix-vault serve --data {data}")


def serve(
    data: Data,
    host: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Address to listen on.  [default: 127.0.0.1]")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(metavar="PORT", min=0, max=65535, help="Port to listen on; 0 takes a free one.  [default: 8000]"),
    ] = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Run the Vault until SIGTERM or Ctrl-C. Prints one line with its URL on stdout when it is ready.

    One process serves one data directory; a second one is refused. When it is told to stop, it answers what it has
    accepted, signs the last checkpoint and ends with exit status 0.

    \b
    Examples:
      ledgix-vault serve --data ./vault
      ledgix-vault serve --data ./vault --host 0.0.0.0 --port 8443
      VAULT_LOG_FORMAT=json VAULT_JWT_TTL=60 ledgix-vault serve --data ./vault
      ledgix-vault serve --data ./vault --config vault.toml
    """
    from ledgix_vault.serve import serve as serve_until_told

    settings = load_settings(data, host=host, port=port, database_url=database_url, config=config)
    serve_until_told(settings, lambda url: typer.echo(f"Ledgix Vault is ready at {url}"))
