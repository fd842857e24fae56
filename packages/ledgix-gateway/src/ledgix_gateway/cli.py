"""The `ledgix-gateway` command line. Exit status: 0 done, 1 refused, 2 wrong usage."""

from __future__ import annotations

import typer

app = typer.Typer(no_args_is_help=True, help=__doc__, add_completion=False, rich_markup_mode=None)


@app.callback()
def _root() -> None:
    """A protected edge in front of a tool: only calls that the Vault approved go through."""


def main() -> None:
    """The entry point of the executable."""
    app()
