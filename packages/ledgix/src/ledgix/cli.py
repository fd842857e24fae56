"""The `ledgix` command line. Exit status: 0 intact, 1 not intact, 2 the file can't be read as evidence."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from ledgix.errors import JsonError, VerificationError
from ledgix.formats.bundles import BUNDLE_DEPTH
from ledgix.formats.json import JsonObject, dumps, parse_object
from ledgix.verify import BundleReport, Outcome, verify_bundle

NOT_INTACT = 1
UNREADABLE = 2
MAX_BUNDLE_BYTES = 16 * 1024 * 1024

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)


def main() -> None:
    """The entry point of the `ledgix` executable."""
    app()


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ledgix {version('ledgix')}")
        raise typer.Exit


@app.callback()
def ledgix(
    _version: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True)] = False,
) -> None:
    """Check evidence from a Ledgix Vault, offline."""


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A proof bundle (JSON) as the Vault gave it.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    key: Annotated[
        list[str] | None,
        typer.Option(metavar="KID", help="A ledger key that you know from elsewhere; may be given more than once."),
    ] = None,
) -> None:
    """Verify a proof bundle. Needs no network. Exit status 0 only if it is intact."""
    bundle = _read(file, as_json)
    try:
        report = verify_bundle(bundle, pinned_keys=key or ())
    except VerificationError as error:
        _refuse(as_json, NOT_INTACT, "NOT INTACT", error.message, error.step)
    typer.echo(dumps(report.to_json()).decode() if as_json else _in_words(report))


def _read(file: Path, as_json: bool) -> JsonObject:
    try:
        with file.open("rb") as source:
            raw = source.read(MAX_BUNDLE_BYTES + 1)
    except OSError as error:
        _refuse(as_json, UNREADABLE, "UNREADABLE", f"{file}: {error.strerror or error}")
    if raw.startswith(b"PK"):
        _refuse(
            as_json, UNREADABLE, "NOT SUPPORTED", f"{file} is a ZIP; this version verifies proof bundles (JSON) only"
        )
    if len(raw) > MAX_BUNDLE_BYTES:
        _refuse(as_json, UNREADABLE, "UNREADABLE", f"{file} is larger than any proof bundle")
    try:
        return parse_object(raw, max_depth=BUNDLE_DEPTH)
    except JsonError as error:
        _refuse(as_json, UNREADABLE, "UNREADABLE", f"{file} is not a proof bundle: {error}")


def _in_words(report: BundleReport) -> str:
    marks = {Outcome.CHECKED: "ok", Outcome.SKIPPED: "open"}
    lines = [f"{step.number:>3}  {marks[step.outcome]:<4}  {step.name:<11}  {step.detail}" for step in report.steps]
    what = " ".join(filter(None, (report.kind, report.tool_name, report.decision_status))) or "redacted event"
    left_open = [str(step.number) for step in report.steps if step.outcome is Outcome.SKIPPED]
    lines += ["", f"INTACT  {what}, accepted {report.accepted_at}, event {report.event_uuid}"]
    if left_open:
        lines.append(f"        not checked, see above: {', '.join(left_open)}")
    return "\n".join(map(_printable, lines))


def _printable(line: str) -> str:
    """Evidence is somebody else's text: its control characters must not reach the terminal."""
    return "".join(sign if sign.isprintable() else f"\\x{ord(sign):02x}" for sign in line)


def _refuse(as_json: bool, status: int, verdict: str, why: str, step: str = "") -> NoReturn:
    """Says what is wrong, where it is expected, and ends with `status`."""
    if as_json:
        typer.echo(json.dumps({"intact": False, "step": step, "error": why}))
    else:
        typer.echo(_printable(f"{verdict}  {f'{step}: ' if step else ''}{why}"), err=True)
    raise typer.Exit(status)
