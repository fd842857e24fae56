"""The `ledgix-gateway` command line. Exit status: 0 done, 1 refused, 2 wrong usage."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from ledgix_gateway.errors import ConfigError

app = typer.Typer(no_args_is_help=True, help=__doc__, add_completion=False, rich_markup_mode=None)

ConfigFile = Annotated[Path, typer.Option("--config", help="The configuration, YAML or TOML.")]


@app.callback()
def _root() -> None:
    """A protected edge in front of a tool: only calls that the Vault approved go through."""


@app.command()
def serve(config: ConfigFile) -> None:
    """Serve the reverse proxy until SIGTERM. SIGHUP, or a change of the file, loads the configuration anew."""
    from ledgix_gateway.logs import configure_logs, log_ended
    from ledgix_gateway.serve import serve as run
    from ledgix_gateway.tracing import exporting

    configure_logs()
    try:
        with exporting():
            run(config, lambda url: typer.echo(f"ledgix-gateway listens on {url}"), log_ended)
    except ConfigError as error:
        _refuse(error)


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="The configuration, YAML or TOML.")],
    request: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="A file with one HTTP/1.1 request: print how it would be read."),
    ] = None,
) -> None:
    """Check a configuration, and print its routes and what each of them hashes; or what one request would hash."""
    from ledgix_gateway.config.config import load_config
    from ledgix_gateway.overview import describe
    from ledgix_gateway.sample import describe_sample

    try:
        config = load_config(file)
        if request is None:
            typer.echo(describe(config))
            return
        said, is_accepted = describe_sample(config, request.read_bytes())
    except ConfigError as error:
        _refuse(error)
    typer.echo(said)
    if not is_accepted:
        raise typer.Exit(1)


@app.command()
def mcp(config: ConfigFile) -> None:
    """Stand in front of an MCP server, over stdio or, with `listen`, over Streamable HTTP."""
    from ledgix_gateway.logs import configure_logs
    from ledgix_gateway.mcp.config import load
    from ledgix_gateway.mcp.run import serve as run
    from ledgix_gateway.mcp.upstream import Trouble
    from ledgix_gateway.tracing import exporting

    configure_logs()
    try:
        with exporting():
            asyncio.run(run(load(config)))
    except (ConfigError, Trouble) as error:
        _refuse(error)


def _refuse(error: Exception) -> NoReturn:
    typer.echo(f"error: {error}", err=True)
    raise typer.Exit(1)


def main() -> None:
    """The entry point of the executable."""
    app()
