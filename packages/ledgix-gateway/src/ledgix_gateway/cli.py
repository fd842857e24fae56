"""The `ledgix-gateway` command line. Exit status: 0 done, 1 refused, 2 wrong usage."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from ledgix_gateway.errors import ConfigError

app = typer.Typer(no_args_is_help=True, help=__doc__, add_completion=False, rich_markup_mode=None)


@app.callback()
def _root() -> None:
    """A protected edge in front of a tool: only calls that the Vault approved go through."""


@app.command()
def mcp(
    config: Annotated[Path, typer.Option(help="The configuration file (YAML or TOML) with the section `mcp`.")],
) -> None:
    """Stand in front of an MCP server, over stdio or, with `listen`, over Streamable HTTP."""
    from ledgix_gateway.mcp.config import load
    from ledgix_gateway.mcp.run import serve
    from ledgix_gateway.mcp.upstream import Trouble

    try:
        asyncio.run(serve(load(config)))
    except (ConfigError, Trouble) as error:
        typer.echo(f"ledgix-gateway: {error}", err=True)
        raise typer.Exit(1) from None


def main() -> None:
    """The entry point of the executable."""
    app()
