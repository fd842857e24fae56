"""All routes. A request belongs to the closest route that fits, or to none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

from ledgix_gateway.codes import Code, refusal
from ledgix_gateway.routes.path import segments_of
from ledgix_gateway.routes.route import Route
from ledgix_gateway.routes.template import Literal, Relation


class RoutesOverlap(ValueError):
    """Two routes of one method between which a path couldn't be decided. They are named by their positions."""

    def __init__(self, first: int, second: int, why: str) -> None:
        super().__init__(why)
        self.first = first
        self.second = second


@dataclass(frozen=True, slots=True)
class Match:
    """A request's route, and the arguments that its path carries, decoded once."""

    route: Route
    path_values: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Table:
    routes: tuple[Route, ...]
    _by_shape: Mapping[tuple[str, int], tuple[Route, ...]] = field(repr=False)

    @classmethod
    def of(cls, routes: Iterable[Route]) -> Self:
        """Raises RoutesOverlap unless of any two routes that a path fits, one is closer at every segment."""
        ordered = tuple(routes)
        _refuse_overlaps(ordered)
        by_shape: dict[tuple[str, int], list[Route]] = {}
        for route in sorted(ordered, key=_openness):
            by_shape.setdefault((route.method, len(route.template.segments)), []).append(route)
        return cls(ordered, {shape: tuple(found) for shape, found in by_shape.items()})

    def match(self, method: str, target: bytes) -> Match:
        """The route of a raw path without its query; raises Refusal for an ambiguous path, and where no route is."""
        segments = segments_of(target)
        for route in self._by_shape.get((method, len(segments)), ()):
            if (values := route.template.values(segments)) is not None:
                return Match(route, values)
        raise refusal(Code.ROUTE_UNMAPPED, f"No route is configured for this path with {method}.")


def _openness(route: Route) -> int:
    """Of two routes that a path fits, the closer one has fewer variables."""
    return sum(not isinstance(segment, Literal) for segment in route.template.segments)


def _refuse_overlaps(routes: tuple[Route, ...]) -> None:
    for second, route in enumerate(routes):
        for first, other in enumerate(routes[:second]):
            if route.method != other.method:
                continue
            match route.template.relation(other.template):
                case Relation.SAME:
                    raise RoutesOverlap(first, second, f"fits the same paths as {other.label}")
                case Relation.CROSSING:
                    raise RoutesOverlap(
                        first, second, f"crosses {other.label}: some paths fit both, and neither is closer"
                    )
                case Relation.APART | Relation.CLOSER | Relation.WIDER:
                    pass
