"""The group `policies`: policies as code. What a command does is loaded when it runs: reading policies takes a
compiler, and every other command would wait for its imports."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ledgix_vault.cli.options import AsJson

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Policies as code: check, test, compare and apply a directory."
)
Where = Annotated[
    Path,
    typer.Argument(
        metavar="DIR", exists=True, file_okay=False, help="The directory with policies, schemas/ and cases/."
    ),
]
Url = Annotated[str, typer.Option(metavar="URL", help="The Vault's address; the key is in LEDGIX_VAULT_API_KEY.")]


@app.command()
def lint(directory: Where, as_json: AsJson = False) -> None:
    """Read and compile a directory, and say what is probably not meant. Ends with 1 if something is wrong.

    \b
    DIR/*.yaml           policies: policy_id, tools, sentences, rules, limits …
    DIR/schemas/*.json   the JSON Schema of each tool's arguments
    DIR/cases/*.yaml     calls with what is expected of them

    \b
    Example:
      ledgix-vault policies lint examples/policies/refunds
    """
    from ledgix_vault.cli import policy_files

    policy_files.lint(directory, as_json=as_json)


@app.command("test")
def run_cases(directory: Where, as_json: AsJson = False) -> None:
    """Run the cases of a directory against its policies. Ends with 1 if one is not as expected.

    \b
    A case (DIR/cases/*.yaml):
      - why: A small refund needs nobody.
        call: {tool_name: stripe_refund, tool_args: {amount: 45, currency: USD}}
        expect: approve            # or {effect: deny, rule: r1, reason_code: …}

    \b
    Example:
      ledgix-vault policies test examples/policies/refunds
    """
    from ledgix_vault.cli import policy_files

    policy_files.run_cases(directory, as_json=as_json)


@app.command()
def schema() -> None:
    """Print the JSON Schema of a policy file, for editors that complete and check while you type.

    \b
    Example:
      ledgix-vault policies schema > policy.schema.json
      # yaml-language-server: $schema=policy.schema.json     (first line of a policy file)
    """
    from ledgix_vault.cli import policy_files

    policy_files.schema()


@app.command(short_help="How a directory differs from what is active.")
def diff(directory: Where, url: Url, as_json: AsJson = False) -> None:
    """Say how a directory differs from what is active. Ends with 1 if it does; changes nothing.

    \b
    Example:
      ledgix-vault policies diff ./policies --url https://vault.example.com
    """
    from ledgix_vault.cli import apply as applying

    applying.diff(directory, url, as_json=as_json)


@app.command(short_help="Register what differs.")
def apply(
    directory: Where,
    url: Url,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and send nothing.")] = False,
    skip_tests: Annotated[bool, typer.Option("--skip-tests", help="Don't run the directory's cases first.")] = False,
) -> None:
    """Register what differs: schemas first, then policies. Nothing is retired; the same again changes nothing.

    The directory is linted and its cases run first. Where the tenant asks for two people, drafts are made, and another
    person activates them.

    \b
    Example:
      ledgix-vault policies apply ./policies --url https://vault.example.com --dry-run
    """
    from ledgix_vault.cli import apply as applying

    applying.apply(directory, url, dry_run=dry_run, skip_tests=skip_tests)
