"""One section of the configuration: members that are read by name and type, each error with its place."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final, TypeVar

from ledgix_gateway.config.secrets import Secret, secret_of
from ledgix_gateway.errors import ConfigError

E = TypeVar("E", bound=StrEnum)
_LONGEST: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the configuration came from: files that it names are relative to `directory`."""

    directory: Path
    environment: Mapping[str, str] = field(repr=False)


class Section:
    """Members by name. Whoever has read all that it knows calls `close`, which refuses what is left over.

    A method without a default raises ConfigError for a member that is missing.
    """

    def __init__(self, members: Mapping[str, object], place: str, origin: Origin, *, name: str = "") -> None:
        self._members = members
        self._place = place
        self._name = name
        self._read: set[str] = set()
        self.origin = origin

    @property
    def place(self) -> str:
        """Like `routes[2]`; of the top section the file's name."""
        return self._place or self._name

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def error(self, name: str, message: str) -> ConfigError:
        """What is wrong about one member."""
        return ConfigError(self._at(name), message)

    def text(self, name: str, default: str | None = None) -> str:
        """A text that isn't empty."""
        value = self._get(name, default)
        if not isinstance(value, str) or (not value and default is None):
            raise self.error(name, f"must be a text, not {value!r}")
        return value

    def flag(self, name: str, default: bool | None = None) -> bool:
        value = self._get(name, default)
        if not isinstance(value, bool):
            raise self.error(name, f"must be true or false, not {value!r}")
        return value

    def whole(self, name: str, default: int | None = None, *, least: int = 0, most: int = 2**31) -> int:
        value = self._get(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise self.error(name, f"must be a whole number from {least} to {most}, not {value!r}")
        return value

    def seconds(self, name: str, default: float | None = None, *, least: float = 0.0, most: float = _LONGEST) -> float:
        value = self._get(name, default)
        fits = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not fits or not least <= value <= most:  # type: ignore[operator]  # a number, as `fits` says
            raise self.error(name, f"must be from {least:g} to {most:g} seconds, not {value!r}")
        return float(value)  # type: ignore[arg-type]

    def choice(self, name: str, kind: type[E], default: E | None = None) -> E:
        value = self._get(name, default)
        if not isinstance(value, str) or value not in tuple(kind):
            raise self.error(name, f"must be one of {', '.join(kind)}, not {value!r}")
        return kind(value)

    def texts(self, name: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """A list of texts, none of them twice."""
        value = self._get(name, default)
        if not isinstance(value, list | tuple) or not all(isinstance(item, str) and item for item in value):
            raise self.error(name, f"must be a list of texts, not {value!r}")
        if len(set(value)) != len(value):
            raise self.error(name, "names something twice")
        return tuple(value)

    def words(self, name: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """A list of texts in their order; they may repeat, and be empty."""
        value = self._get(name, default)
        if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
            raise self.error(name, f"must be a list of texts, not {value!r}")
        return tuple(value)

    def wholes(self, name: str, default: tuple[int, ...] | None = None) -> tuple[int, ...]:
        """A list of whole numbers."""
        value = self._get(name, default)
        if not isinstance(value, list | tuple) or not all(
            isinstance(item, int) and not isinstance(item, bool) for item in value
        ):
            raise self.error(name, f"must be a list of whole numbers, not {value!r}")
        return tuple(value)

    def text_by_name(self, name: str) -> dict[str, str]:
        """Texts by name, or a list of names that stand for themselves; empty if it is left out."""
        value = self._get(name, {})
        if isinstance(value, list):
            return {text: text for text in self.texts(name)}
        if not isinstance(value, dict) or not all(isinstance(item, str) and item for item in value.values()):
            raise self.error(name, f"must be texts by name, or a list of names, not {value!r}")
        return dict(value)

    def section(self, name: str) -> Section:
        """The section under `name`; an empty one if it is left out."""
        return self._section(self._get(name, {}), self._at(name))

    def sections(self, name: str) -> tuple[Section, ...]:
        """A list of sections; empty if it is left out."""
        value = self._get(name, [])
        if not isinstance(value, list):
            raise self.error(name, f"must be a list, not {value!r}")
        return tuple(self._section(item, f"{self._at(name)}[{index}]") for index, item in enumerate(value))

    def sections_by_name(self, name: str) -> dict[str, Section]:
        """Sections by name; empty if it is left out."""
        value = self._get(name, {})
        if not isinstance(value, dict):
            raise self.error(name, f"must be sections by name, not {value!r}")
        return {key: self._section(item, f"{self._at(name)}.{key}") for key, item in value.items()}

    def secret(self, name: str) -> Secret:
        """A secret, given as `{env: NAME}` or `{file: PATH}`."""
        return secret_of(self._get(name, None), self._at(name), self.origin.directory, self.origin.environment)

    def secrets(self, name: str) -> dict[str, Secret]:
        """Secrets by name; empty if it is left out."""
        value = self._get(name, {})
        if not isinstance(value, dict):
            raise self.error(name, "must be secrets by name, each as {env: NAME} or {file: PATH}")
        origin = self.origin
        return {
            key: secret_of(item, f"{self._at(name)}.{key}", origin.directory, origin.environment)
            for key, item in value.items()
        }

    def leave(self, *names: str) -> None:
        """Leaves members to somebody else, who reads them from the same file."""
        self._read.update(names)

    def close(self) -> None:
        """Refuses members that nobody read."""
        if unknown := sorted(set(self._members) - self._read):
            known = ", ".join(sorted(self._read))
            raise self.error(unknown[0], f"is not known here; known are: {known}")

    def _get(self, name: str, default: object) -> object:
        self._read.add(name)
        value = self._members.get(name, default)
        if value is None:
            raise self.error(name, "is missing")
        return value

    def _section(self, value: object, place: str) -> Section:
        if not isinstance(value, dict):
            raise ConfigError(place, f"must be a section with members, not {value!r}")
        return Section(value, place, self.origin)

    def _at(self, name: str) -> str:
        return f"{self._place}.{name}" if self._place else name
