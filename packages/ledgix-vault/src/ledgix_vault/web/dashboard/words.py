"""How values are written for people: moments, money, names of states."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from html import escape

from markupsafe import Markup

from ledgix_vault.limits.demands import CALLS
from ledgix_vault.policy.money import MINOR_DIGITS
from ledgix_vault.policy.parts import CALENDAR_WINDOWS, EVER
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.times import MICROSECONDS, rfc3339

MINUTE, HOUR, DAY = 60, 3600, 86_400
RIGHTS: Mapping[Scope, str] = {
    Scope.CLEARANCE: "ask for clearance",
    Scope.CONSUME: "use tokens up, report outcomes",
    Scope.POLICY: "write and activate policies",
    Scope.SCHEMAS: "register tools",
    Scope.REVIEW: "decide reviews",
    Scope.SETTINGS: "change settings and keys",
    Scope.LEDGER: "read the ledger without contents",
    Scope.LEDGER_FULL: "read the whole ledger",
    Scope.REPORT: "make reports",
}
"""What each scope is the right to."""


def moment(value: int | str | None) -> Markup:
    """A moment as `<time>`: day and minute in UTC, the exact value in `datetime` and as a tooltip."""
    if value is None or value == "":
        return Markup("–")
    text = rfc3339(value) if isinstance(value, int) else value
    at = datetime.fromisoformat(text)
    shown = f"{at.astimezone(UTC):%-d %b %Y, %H:%M} UTC"
    return Markup('<time datetime="{0}" title="{0}">{1}</time>').format(text, shown)


def ago(value: int, now: int) -> Markup:
    """How long ago, or in how long, in words; the exact moment as a tooltip."""
    seconds = (now - value) // MICROSECONDS
    shown = f"in {duration(-seconds)}" if seconds < 0 else f"{duration(seconds)} ago"
    if abs(seconds) < 5:
        shown = "now"
    text = rfc3339(value)
    return Markup('<time datetime="{0}" title="{0}">{1}</time>').format(text, shown)


def duration(seconds: float) -> str:
    """A span of time in its one or two largest units."""
    whole = int(seconds)
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return f"{whole // MINUTE} min"
    if whole < DAY:
        minutes = whole % HOUR // MINUTE
        return f"{whole // HOUR} h {minutes} min" if minutes else f"{whole // HOUR} h"
    hours = whole % DAY // HOUR
    return f"{whole // DAY} d {hours} h" if hours else f"{whole // DAY} d"


def milliseconds(count: int) -> str:
    """A span of time that may be short."""
    return f"{count} ms" if count < 1000 else duration(count / 1000)


def money(amount: object, currency: object = "") -> str:
    """An amount with thousands separated and its currency behind it, with the currency's decimal places (two where it
    isn't known). Digits are never dropped."""
    if isinstance(amount, bool) or not isinstance(amount, int | float | Decimal):
        return str(amount)
    exact = Decimal(str(amount))
    exponent = exact.as_tuple().exponent
    usual = MINOR_DIGITS.get(str(currency), 2)
    places = max(usual, -exponent) if isinstance(exponent, int) else usual
    return f"{exact:,.{places}f} {currency}".strip()


def quantity(amount: str, unit: str) -> str:
    """What a limit counts: `12 calls`, an amount of money, or a plain number."""
    if not amount:
        return "–"
    exact = Decimal(amount)
    return plural(int(exact), "call") if unit == CALLS else money(exact, unit) if unit else f"{exact:,f}"


def window(name: str) -> str:
    """A limit's window in words: `this month (UTC)`, `in 24 h`, `in all`."""
    span, _, zone = name.partition(" ")
    if span in CALENDAR_WINDOWS:
        return f"{'today' if span == 'day' else f'this {span}'}{f' ({zone})' if zone else ''}"
    return "in all" if span == EVER else f"in {span[:-1]} {span[-1:]}"


def words(name: object) -> str:
    """A name from the wire as words: `pending_review` → `pending review`."""
    return str(name).replace("_", " ")


def plural(count: int, one: str, many: str = "") -> str:
    """`1 request`, `2 requests`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


_BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


def device(told: str) -> str:
    """`Firefox on Windows`: what a browser says it is, shortened to what its owner recognises."""
    browser = next((name for sign, name in _BROWSERS if sign in told), "")
    system = next((name for sign, name in _SYSTEMS if sign in told), "")
    return " on ".join(part for part in (browser, system) if part) or told[:40] or "unknown"


def highlighted(text: str, quote: str) -> Markup:
    """The text with the quote marked, where it stands in it word for word."""
    at = text.find(quote) if quote else -1
    if at < 0:
        return Markup(escape(text))  # noqa: S704 - escaped
    before, after = escape(text[:at]), escape(text[at + len(quote) :])
    return Markup(f"{before}<mark>{escape(quote)}</mark>{after}")  # noqa: S704 - escaped


FILTERS = {
    "moment": moment,
    "device": device,
    "duration": duration,
    "money": money,
    "quantity": quantity,
    "window": window,
    "words": words,
    "plural": plural,
}
