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
    values: tuple[float, ...]


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
    """Stacked columns, with the figures behind them. Coordinates are those of a `WIDTH` × `HEIGHT` view box."""

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


def columns(title: str, labels: Sequence[str], series: Sequence[Series], unit: str = "") -> Chart:
    """A chart of stacked columns, one for each label."""
    totals = [sum(each.values[place] for each in series) for place in range(len(labels))]
    top = nice_ceiling(max(totals, default=0))
    step = PLOT_WIDTH / max(1, len(labels))
    marks = []
    for place, label in enumerate(labels):
        base = float(HEIGHT - BOTTOM)
        for each in series:
            value = each.values[place]
            height = PLOT_HEIGHT * value / top if top else 0.0
            base -= height
            if value:
                title_ = f"{label}: {value:g} {each.name}"
                mark = Mark(LEFT + step * place + step * 0.12, base, step * 0.76, height, each.kind, title_)
                marks.append(mark)
    every = max(1, -(-len(labels) // 8))
    ticks = [Tick(LEFT + step * (place + 0.5), label) for place, label in enumerate(labels) if place % every == 0]
    steps = [Tick(HEIGHT - BOTTOM - PLOT_HEIGHT * share, f"{top * share:g}") for share in (0, 0.5, 1)]
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
