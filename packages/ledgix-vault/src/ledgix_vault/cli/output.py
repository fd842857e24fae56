"""What commands print: tables and sentences for people, one JSON object for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import typer


def say(text: str) -> None:
    """A line for people, on stdout."""
    typer.echo(printable(text))


def remark(text: str) -> None:
    """A line for people that must not mix with the result, on stderr."""
    typer.echo(printable(text), err=True)


def say_json(answer: dict[str, Any]) -> None:
    """The result for programs."""
    typer.echo(json.dumps(answer))


def say_table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Columns as wide as they need to be."""
    lines = [tuple(heading), *map(tuple, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(heading))]
    for line in lines:
        say("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def printable(text: str) -> str:
    """Names are other people's text: their control characters must not reach the terminal."""
    return "".join(sign if sign.isprintable() or sign == "\n" else f"\\x{ord(sign):02x}" for sign in text)
