"""A route's path: literal segments and `{names}`, each a whole segment."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, Self

from ledgix_gateway.errors import Refusal
from ledgix_gateway.routes.path import segments_of

_NAME: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True, slots=True)
class Literal:
    """A segment that must be exactly this, unescaped."""

    text: str


@dataclass(frozen=True, slots=True)
class Variable:
    """Any segment that isn't empty; its decoded text is the argument `name`."""

    name: str


Segment = Literal | Variable


class Relation(Enum):
    """How the paths that one template fits lie to those that another one fits."""

    APART = auto()  # no path fits both
    SAME = auto()
    CLOSER = auto()  # all of its paths fit the other one too
    WIDER = auto()
    CROSSING = auto()  # some fit both, and each has some of its own


@dataclass(frozen=True, slots=True)
class Template:
    """`text` is how it is written, for example `/v1/charges/{charge_id}/refunds`."""

    text: str
    segments: tuple[Segment, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError, in words, for a path that no request could have."""
        if not text.startswith("/"):
            raise ValueError("must begin with a slash")
        segments = tuple(_segment(part) for part in text.split("/")[1:])
        names = [segment.name for segment in segments if isinstance(segment, Variable)]
        if len(set(names)) != len(names):
            raise ValueError("names one argument twice")
        if "%" in text:
            raise ValueError("must be written without escapes")
        try:
            segments_of(re.sub(_NAME, "x", text).encode())
        except Refusal as refused:
            raise ValueError(f"can't be asked for: {refused.problem.detail}") from None
        return cls(text, segments)

    @property
    def names(self) -> tuple[str, ...]:
        """The arguments that the path carries; all are mandatory."""
        return tuple(segment.name for segment in self.segments if isinstance(segment, Variable))

    def values(self, segments: tuple[str, ...]) -> dict[str, str] | None:
        """The arguments by name if the path fits, else None."""
        if len(segments) != len(self.segments):
            return None
        found: dict[str, str] = {}
        for wanted, given in zip(self.segments, segments, strict=True):
            match wanted:
                case Literal(text):
                    if text != given:
                        return None
                case Variable(name):
                    if not given:
                        return None
                    found[name] = given
        return found

    def relation(self, other: Template) -> Relation:
        """How the sets of paths that two templates fit lie to each other."""
        if len(self.segments) != len(other.segments):
            return Relation.APART
        closer = farther = False
        for mine, theirs in zip(self.segments, other.segments, strict=True):
            match mine, theirs:
                case Literal(one), Literal(two):
                    if one != two:
                        return Relation.APART
                case Literal(text), Variable():
                    closer = closer or bool(text)
                    if not text:
                        return Relation.APART
                case Variable(), Literal(text):
                    farther = farther or bool(text)
                    if not text:
                        return Relation.APART
                case _:
                    pass
        if closer and farther:
            return Relation.CROSSING
        return Relation.CLOSER if closer else Relation.WIDER if farther else Relation.SAME


def _segment(part: str) -> Segment:
    if named := _NAME.fullmatch(part):
        return Variable(named[1])
    if "{" in part or "}" in part:
        raise ValueError(f"{part!r} must be a {{name}} as a whole segment, or no name")
    return Literal(part)
