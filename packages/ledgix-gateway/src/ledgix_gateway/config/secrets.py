"""Secrets of the configuration: named there, kept elsewhere, never shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ledgix_gateway.errors import ConfigError

_HOW = "must be given as {env: NAME} or {file: PATH}; secrets never stand in the configuration itself"


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret: one line of printable ASCII, so that it can stand in a header."""

    value: str = field(repr=False)


def secret_of(value: object, place: str, directory: Path, environment: Mapping[str, str]) -> Secret:
    """The secret that `value` names; a relative file is looked for in `directory`."""
    match value:
        case {"env": str(name), **more} if not more:
            found = environment.get(name, "")
            source = f"the environment variable {name}"
        case {"file": str(name), **more} if not more:
            found = _read(directory / name, place)
            source = f"the file {name}"
        case _:
            raise ConfigError(place, _HOW)
    if not found:
        raise ConfigError(place, f"{source} is empty or not set")
    if not (found.isascii() and found.isprintable()):
        raise ConfigError(place, f"{source} holds a line break or a sign that no secret has (it is not shown here)")
    return Secret(found)


def _read(path: Path, place: str) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(place, f"{path} can't be read: {type(error).__name__}") from None
