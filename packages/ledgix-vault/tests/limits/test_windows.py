"""Windows at their edges: the moment itself, clock changes, ends of months and years."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ledgix_vault.limits.windows import ALWAYS, Window

SECOND = 1_000_000


def at(text: str) -> int:
    """Microseconds of a moment with its offset."""
    return (datetime.fromisoformat(text).astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // (datetime.resolution)


@pytest.mark.parametrize(
    ("text", "seconds"), [("1s", 1), ("90s", 90), ("15m", 900), ("24h", 86_400), ("30d", 30 * 86_400)]
)
def test_a_rolling_window_is_so_long(text: str, seconds: int) -> None:
    now = at("2026-03-29T12:00:00+00:00")
    assert Window(text).since(now) == now - seconds * SECOND
    assert Window(text).next_start(now) is None


def test_ever_has_no_beginning() -> None:
    assert Window("ever").since(at("2026-03-29T12:00:00+00:00")) == ALWAYS
    assert Window("ever").next_start(0) is None


BERLIN = "Europe/Berlin"


@pytest.mark.parametrize(
    ("window", "now", "start", "following"),
    [
        # Clocks go forward on 29 March 2026: that day has 23 hours; back on 25 October: 25 hours.
        (Window("day", BERLIN), "2026-03-29T23:59:59+02:00", "2026-03-29T00:00:00+01:00", "2026-03-30T00:00:00+02:00"),
        (Window("day", BERLIN), "2026-10-25T23:59:59+01:00", "2026-10-25T00:00:00+02:00", "2026-10-26T00:00:00+01:00"),
        (Window("week", BERLIN), "2026-03-29T12:00:00+02:00", "2026-03-23T00:00:00+01:00", "2026-03-30T00:00:00+02:00"),
        (
            Window("month", BERLIN),
            "2026-03-31T23:59:59+02:00",
            "2026-03-01T00:00:00+01:00",
            "2026-04-01T00:00:00+02:00",
        ),
        # The same moment is another day elsewhere.
        (Window("day"), "2026-03-29T00:30:00+02:00", "2026-03-28T00:00:00+00:00", "2026-03-29T00:00:00+00:00"),
        # Midnight doesn't exist in Havana on 10 March 2024: the day begins at one o'clock.
        (
            Window("day", "America/Havana"),
            "2024-03-10T01:00:00-04:00",
            "2024-03-10T01:00:00-04:00",
            "2024-03-11T00:00:00-04:00",
        ),
        # It comes twice on 3 November 2024: the day begins at the first.
        (
            Window("day", "America/Havana"),
            "2024-11-03T00:30:00-05:00",
            "2024-11-03T00:00:00-04:00",
            "2024-11-04T00:00:00-05:00",
        ),
        (Window("month"), "2028-02-29T12:00:00+00:00", "2028-02-01T00:00:00+00:00", "2028-03-01T00:00:00+00:00"),
        (Window("month"), "2026-12-31T23:59:59+00:00", "2026-12-01T00:00:00+00:00", "2027-01-01T00:00:00+00:00"),
        (Window("week"), "2027-01-01T00:00:00+00:00", "2026-12-28T00:00:00+00:00", "2027-01-04T00:00:00+00:00"),
        (Window("week"), "2026-11-23T00:00:00+00:00", "2026-11-23T00:00:00+00:00", "2026-11-30T00:00:00+00:00"),
        (Window("year"), "2028-02-29T00:00:00+00:00", "2028-01-01T00:00:00+00:00", "2029-01-01T00:00:00+00:00"),
    ],
)
def test_a_calendar_window_begins_and_ends(window: Window, now: str, start: str, following: str) -> None:
    assert window.since(at(now)) == at(start) - 1
    assert window.next_start(at(now)) == at(following)
    assert window.since(at(following) - 1) == at(start) - 1
    assert window.since(at(following)) == at(following) - 1


@pytest.mark.parametrize("window", [Window("24h"), Window("ever"), Window("day"), Window("month", BERLIN)])
def test_a_name_says_everything(window: Window) -> None:
    assert Window.named(window.name) == window
