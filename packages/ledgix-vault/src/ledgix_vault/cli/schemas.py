"""`schemas import`: it works while the Vault runs and while it doesn't."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ledgix_vault.cli.options import AsJson, Config, Data, DatabaseUrl, TenantChoice, load_settings
from ledgix_vault.cli.output import remark, say, say_json
from ledgix_vault.control.client import ask

LARGEST_FILE = 512 * 1024

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Tool schemas: what a tool's arguments look like.")


@app.callback()
def group() -> None:
    """Keeps `import` a command of its own while it is the only one."""


@app.command("import")
def import_schemas(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", exists=True, dir_okay=False, readable=True, help="What a server answered to `tools/list`."
        ),
    ],
    data: Data,
    money: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            readable=True,
            show_default=False,
            help="Which arguments hold money: {tool: {path: {currency, unit}}} as JSON.",
        ),
    ] = None,
    tenant: TenantChoice = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Register all tools that an MCP server lists: all of them, or none.

    Amounts of money mean nothing until they are declared; what was declared before stays declared.
    """
    arguments = {
        "tools_list": _text(file),
        "money": "null" if money is None else _text(money),
        "tenant": tenant,
    }
    settings = load_settings(data, database_url=database_url, config=config)
    answer = ask(settings, "schemas.import", arguments)
    if as_json:
        say_json(answer)
        return
    _show(answer)


def _text(file: Path) -> str:
    if file.stat().st_size > LARGEST_FILE:
        raise typer.BadParameter(f"{file} is larger than {LARGEST_FILE // 1024} KiB: import its tools in parts.")
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise typer.BadParameter(f"{file} is no UTF-8 text.") from None


def _show(answer: dict[str, Any]) -> None:
    for label in ("registered", "unchanged", "skipped"):
        for name in answer[label]:
            say(f"  {label:<11} {name}")
    if not answer["registered"]:
        say("Nothing was registered: no tool differs from what is known.")
    if answer["skipped"]:
        remark("Skipped tools declare no arguments.")
    if answer["is_partial"]:
        remark("The server has more tools: import the next page (`nextCursor`) too.")
