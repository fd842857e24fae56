"""One thing to tell, and how it is told to people: a headline, lines of a name and a value, and where to look."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ledgix.formats.json import JsonObject
from ledgix_vault.notices.kinds import NAMES, NoticeKind
from ledgix_vault.times import rfc3339

LONGEST_LINE = 500
LONGEST_ARGUMENTS = 2000


@dataclass(frozen=True, slots=True)
class Notice:
    """What happened. `facts` hold ids, names, verdict and times, never a token and no arguments."""

    tenant_id: str
    notice_id: str
    kind: NoticeKind
    happened_at: int
    facts: JsonObject

    def fact(self, name: str) -> str:
        """A fact as text, "" without it."""
        value = self.facts.get(name)
        return "" if value is None else str(value)

    @property
    def request_id(self) -> str:
        return self.fact("request_id")

    def event(self, notification_id: str, arguments: JsonObject | None) -> JsonObject:
        """The body for other systems."""
        more: JsonObject = {} if arguments is None else {"tool_args": arguments}
        return {
            "id": notification_id,
            "type": str(self.kind),
            "timestamp": rfc3339(self.happened_at),
            "data": {**self.facts, **more},
        }


@dataclass(frozen=True, slots=True)
class Told:
    """A notice in words. `lines` are pairs of a name and a value."""

    headline: str
    lines: tuple[tuple[str, str], ...]
    link: str
    link_text: str

    def text(self) -> str:
        """All of it as plain text."""
        parts = [self.headline, "", *(f"{name}: {value}" for name, value in self.lines)]
        return "\n".join([*parts, "", f"{self.link_text}: {self.link}"])


@dataclass(frozen=True, slots=True)
class About:
    """What people are told of the request beside the facts: it is read when they are told."""

    reason: str = ""
    arguments: str = ""
    principal: str = ""


def tell(notice: Notice, public_url: str, about: About | None = None) -> Told:
    """A notice in words."""
    path, link_text = _PLACES[notice.kind]
    lines = tuple(
        (name, _one_line(value, LONGEST_ARGUMENTS if name == "What would happen" else LONGEST_LINE))
        for name, value in _lines(notice, about or About())
        if value
    )
    return Told(_headline(notice), lines, f"{public_url}{path.format(request_id=notice.request_id)}", link_text)


_REVIEW = ("/app/reviews/{request_id}", "Open the review")
_PLACES = {
    NoticeKind.REVIEW_REQUESTED: _REVIEW,
    NoticeKind.REVIEW_REMINDER: _REVIEW,
    NoticeKind.REVIEW_ESCALATED: _REVIEW,
    NoticeKind.REVIEW_DECIDED: ("/app/requests/{request_id}", "Look at the request"),
    NoticeKind.REVIEW_EXPIRED: ("/app/requests/{request_id}", "Look at the request"),
    NoticeKind.BUDGET_LOW: ("/app/limits", "Look at the limits"),
    NoticeKind.KILL_SWITCH: ("/app/settings/kill-switch", "Open the kill switch"),
    NoticeKind.KEY_CREATED: ("/app/settings/keys", "Look at the API keys"),
}


def _headline(notice: Notice) -> str:
    tool, agent = _one_line(notice.fact("tool_name"), 120), _one_line(notice.fact("agent_id"), 120)
    match notice.kind:
        case NoticeKind.REVIEW_REQUESTED:
            return f"{agent} asks to run {tool}"
        case NoticeKind.REVIEW_REMINDER:
            return f"Soon too late: {agent} still waits to run {tool}"
        case NoticeKind.REVIEW_ESCALATED:
            return f"Nobody has decided yet: {agent} waits to run {tool}"
        case NoticeKind.REVIEW_DECIDED:
            return f"{tool} by {agent} was {notice.fact('verdict')}"
        case NoticeKind.REVIEW_EXPIRED:
            return f"Nobody decided in time: {tool} by {agent} expired"
        case NoticeKind.KILL_SWITCH:
            return f"Kill switch: {_one_line(notice.fact('stopped'), 200)} {notice.fact('action')}"
        case NoticeKind.BUDGET_LOW | NoticeKind.KEY_CREATED:
            return NAMES[notice.kind]


def _lines(notice: Notice, about: About) -> Iterator[tuple[str, str]]:
    fact = notice.fact
    match notice.kind:
        case NoticeKind.BUDGET_LOW:
            yield "Limit", f"{fact('limit_id')} of policy {fact('policy_id')}"
            yield "Used", f"{fact('used')} of {fact('maximum')} {fact('unit')}, window {fact('window')}"
            yield "Shared by", ", ".join(f"{name} {value}" for name, value in _pairs(notice.facts.get("per")))
        case NoticeKind.KILL_SWITCH:
            yield "Why", fact("reason")
        case NoticeKind.KEY_CREATED:
            yield "Name", fact("name")
            yield "May", fact("scopes")
        case _:
            yield "Tool", fact("tool_name")
            yield "Who asks", fact("agent_id")
            yield "On behalf of", about.principal
            yield "What would happen", about.arguments
            yield "Why" if notice.kind is NoticeKind.REVIEW_DECIDED else "Why it paused", about.reason
            if notice.kind is not NoticeKind.REVIEW_DECIDED:
                yield "Deadline", readable_moment(fact("expires_at"))


def _pairs(value: object) -> list[tuple[str, str]]:
    return [(str(name), str(each)) for name, each in value.items()] if isinstance(value, dict) else []


def readable_moment(moment: str) -> str:
    """`2026-01-31T23:59:59.000001Z` as `2026-01-31 23:59 UTC`."""
    return f"{moment[:10]} {moment[11:16]} UTC" if moment else ""


def _one_line(text: str, longest: int) -> str:
    shown = "".join(sign if sign.isprintable() else " " for sign in text).strip()
    return shown if len(shown) <= longest else f"{shown[: longest - 1]}…"
