"""The forms of a page, as a browser without scripts would send them."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

Attributes = list[tuple[str, str | None]]


@dataclass
class Form:
    """Where a form goes, and its fields as they are filled when the page comes."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[Form] = []
        self._open: Form | None = None
        self._select = ""
        self._area = ""

    def handle_starttag(self, tag: str, attributes: Attributes) -> None:
        having = {name: value or "" for name, value in attributes}
        if tag == "form":
            self._open = Form(having.get("action", ""), having.get("method", "get").lower())
            self.found.append(self._open)
        elif self._open is None or "disabled" in having:
            return
        elif tag in ("input", "button") and "name" in having:
            self._input(having)
        elif tag == "textarea":
            self._area = having["name"]
            self._open.fields[self._area] = ""
        elif tag == "select":
            self._select = having["name"]
        elif tag == "option" and (self._select not in self._open.fields or "selected" in having):
            self._open.fields[self._select] = having.get("value", "")

    def _input(self, having: dict[str, str]) -> None:
        assert self._open is not None
        kind = having.get("type", "text")
        if kind in ("checkbox", "radio") and "checked" not in having:
            return
        self._open.fields.setdefault(having["name"], having.get("value", ""))

    def handle_data(self, data: str) -> None:
        if self._open is not None and self._area:
            self._open.fields[self._area] += data

    def handle_endtag(self, tag: str) -> None:
        match tag:
            case "form":
                self._open = None
            case "textarea":
                self._area = ""
            case "select":
                self._select = ""


def forms_of(html: str) -> list[Form]:
    """All forms of a page."""
    parser = _Forms()
    parser.feed(html)
    return parser.found


def filled(form: Form) -> dict[str, str]:
    """Its fields; what a person still has to say is said."""
    return {name: value or "Because the test says so." for name, value in form.fields.items()}
