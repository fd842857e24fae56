"""Charts as SVG that the server draws: geometry here, marks in `parts.html`, and the same figures as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 720, 180
LEFT, BOTTOM, TOP = 44, 22, 8
PLOT_WIDTH, PLOT_HEIGHT = WIDTH - LEFT, HEIGHT - BOTTOM - TOP


@dataclass(frozen=True, slots=True)
class Series:
    """One kind of figure. `kind` picks its colour: `approved`, `denied`, `pending`, `expired`, `cancelled`, `plain`."""

    name: str
    kind: str
    values: tuple[float | None, ...]  # None where nothing was measured


@dataclass(frozen=True, slots=True)
class Mark:
    """A column's part."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    title: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A label of an axis, and where it stands."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Columns, with the figures behind them. Coordinates are those of a `WIDTH` × `HEIGHT` view box."""

    title: str
    unit: str
    labels: tuple[str, ...]
    series: tuple[Series, ...]
    marks: tuple[Mark, ...]
    ticks: tuple[Tick, ...]
    steps: tuple[Tick, ...]

    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    baseline: int = HEIGHT - BOTTOM

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to see."""
        return not any(value for series in self.series for value in series.values)


def columns(title: str, labels: Sequence[str], series: Sequence[Series]) -> Chart:
    """A chart of stacked columns, one for each label: series that add up."""
    totals = [sum(each.values[place] or 0 for each in series) for place in range(len(labels))]
    top = nice_ceiling(max(totals, default=0))
    marks = []
    for place, label in enumerate(labels):
        below = 0.0
        for each in series:
            if value := each.values[place]:
                said = f"{label}: {value:g} {each.name}"
                marks.append(_mark(place, len(labels), below / top, value / top, each.kind, said))
                below += value
    return _chart(title, labels, series, marks, top)


def layers(title: str, labels: Sequence[str], series: Sequence[Series], unit: str) -> Chart:
    """A chart of columns that stand before each other, one for each label: each series is never above the one before
    it."""
    top = nice_ceiling(max((value or 0 for each in series for value in each.values), default=0))
    marks = [
        _mark(place, len(labels), 0, value / top, each.kind, f"{label}: {each.name} {value:g} {unit}")
        for place, label in enumerate(labels)
        for each in series
        if (value := each.values[place])
    ]
    return _chart(title, labels, series, marks, top, unit)


def _mark(place: int, places: int, below: float, share: float, kind: str, said: str) -> Mark:
    """A part of the column at `place`; `below` and `share` of the plot's height are what is under it, and its own."""
    step = PLOT_WIDTH / places
    top = HEIGHT - BOTTOM - PLOT_HEIGHT * (below + share)
    return Mark(LEFT + step * (place + 0.12), top, step * 0.76, PLOT_HEIGHT * share, kind, said)


def _chart(
    title: str, labels: Sequence[str], series: Sequence[Series], marks: Sequence[Mark], top: float, unit: str = ""
) -> Chart:
    step = PLOT_WIDTH / max(1, len(labels))
    every = max(1, -(-len(labels) // 8))
    ticks = [Tick(LEFT + step * (place + 0.5), label) for place, label in enumerate(labels) if place % every == 0]
    steps = [Tick(HEIGHT - BOTTOM - PLOT_HEIGHT * share, f"{top * share:g} {unit}".strip()) for share in (0, 0.5, 1)]
    return Chart(title, unit, tuple(labels), tuple(series), tuple(marks), tuple(ticks), tuple(steps))


def nice_ceiling(value: float) -> float:
    """The smallest of 1, 2, 4, 5, 10, 20 … that isn't below `value`; 1 for nothing."""
    if value <= 0:
        return 1
    power = 1.0
    while power * 10 <= value:
        power *= 10
    while power > value:
        power /= 10
    return next(power * factor for factor in (1, 2, 4, 5, 10) if power * factor >= value)
