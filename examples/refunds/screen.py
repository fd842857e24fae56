"""What the demo prints, and how it says that something is not as expected."""

from __future__ import annotations

from collections.abc import Iterable

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

WIDTH = 118
GOOD, BAD, OPEN = "green", "red", "yellow"
COLOURS = {"approved": GOOD, "ran": GOOD, "denied": BAD, "refused": BAD, "review": OPEN, "expired": OPEN}


class Unexpected(Exception):
    """The Vault, or the demo, did something else than it should."""


class Screen:
    """Numbered scenes with tables; plain text where the output is no terminal."""

    def __init__(self) -> None:
        console = Console()
        self._console = console if console.is_terminal else Console(width=WIDTH)
        self._scene = 0

    def scene(self, title: str, what: str) -> None:
        self._scene += 1
        self._console.print(f"\n[bold]{self._scene} · {escape(title)}[/bold]  [dim]{escape(what)}[/dim]")

    def say(self, text: str) -> None:
        self._console.print(escape(text.rstrip()), highlight=False)

    def command(self, line: str, printed: str) -> None:
        self._console.print(f"[dim]$ {escape(line)}[/dim]\n{escape(printed.rstrip())}", highlight=False, soft_wrap=True)

    def bullets(self, title: str, items: Iterable[str]) -> None:
        self.say(title)
        for item in items:
            self.say(f"  · {item}")

    def table(self, columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
        """The column named `verdict` is coloured by its first word."""
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
        for column in columns:
            table.add_column(column, no_wrap=column != "why", overflow="fold")
        verdict = columns.index("verdict")
        for row in rows:
            cells = [escape(cell) for cell in row]
            colour = COLOURS.get(row[verdict].split()[0], "default")
            cells[verdict] = f"[{colour}]{cells[verdict]}[/{colour}]"
            table.add_row(*cells)
        self._console.print(table, highlight=False)

    def expect(self, holds: bool, otherwise: str) -> None:
        """Ends the demo unless it holds."""
        if not holds:
            raise Unexpected(otherwise)

    def failed(self, error: Exception) -> None:
        self._console.print(f"\n[bold red]Not as expected:[/bold red] {escape(str(error))}", highlight=False)

    def end(self, seconds: float) -> None:
        self._console.print(
            f"\n[bold green]All as expected[/bold green], in {seconds:.0f} s. Where to go next:\n"
            "  README.md                  the first guarded call in your own code, and the raw API by curl\n"
            "  docs/getting-started.md    a Vault that stays, keys, policies\n"
            "  docs/verifying.md          what the proof proves, for auditors\n"
            "  examples/refunds/          this demo: change a rule in policy.json and run it again",
            highlight=False,
        )
