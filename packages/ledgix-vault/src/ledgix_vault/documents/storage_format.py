"""Confluence's storage format: XHTML with `ac:` and `ri:` elements. It is no valid XML (undeclared names and entities),
so it is read as a stream of tags.

- Headings, tables, lists, code, panels and expanding sections are read for what they are.
- A macro that isn't known is reported, and what stands inside it is kept: nothing is lost silently.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field

from ledgix_vault.documents.assembly import Assembly
from ledgix_vault.documents.encodings import decode
from ledgix_vault.documents.markup import Attributes, Flow, parse
from ledgix_vault.sources.document import FindingCode

_CDATA = re.compile(r"<!\[CDATA\[(.*?)\]\]>", re.S)
_WITH_BODY = frozenset(
    {"code", "noformat", "info", "note", "tip", "warning", "panel", "expand", "quote", "excerpt", "section", "column",
     "details", "status", "anchor"}
)  # fmt: skip
_WITHOUT_TEXT = frozenset({"toc", "toc-zone", "children", "pagetree", "recently-updated", "contributors", "livesearch"})
_TITLES = frozenset({"title"})
_NOT_TEXT = frozenset({"ac:task-id", "ac:task-status", "ac:task-uuid", "ac:placeholder", "ac:adf-attribute"})
_BREAKING = frozenset(
    {"ac:rich-text-body", "ac:plain-text-body", "ac:task", "ac:task-body", "ac:layout-section", "ac:layout-cell"}
)


@dataclass(slots=True)
class _Macro:
    name: str
    known: bool


@dataclass(slots=True)
class _Link:
    title: str = ""
    has_text: bool = False


@dataclass(slots=True)
class _Report:
    unknown: dict[str, int] = field(default_factory=dict)
    images: int = 0
    mentions: int = 0


class _Storage(Flow):
    def __init__(self, assembly: Assembly) -> None:
        super().__init__(assembly)
        self.report = _Report()
        self._macros: list[_Macro] = []
        self._links: list[_Link] = []

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        values = {name: value or "" for name, value in attrs}
        if self.skipping or tag in _NOT_TEXT:
            self.skipping += 1
        elif tag in ("ac:structured-macro", "ac:macro"):
            self._open_macro(values.get("ac:name", "").lower())
        elif tag == "ac:parameter":
            self._open_parameter(values.get("ac:name", "").lower())
        elif tag == "ac:link":
            self._links.append(_Link())
        elif tag.startswith("ri:"):
            self._open_resource(tag, values)
        elif tag == "ac:image":
            self.report.images += 1
            self.handle_data(values.get("ac:alt", ""))
        elif tag == "time":
            self.handle_data(values.get("datetime", ""))
        elif tag == "ac:emoticon":
            self.handle_data(values.get("ac:emoji-fallback", ""))
        elif tag in _BREAKING:
            self.flush()
        else:
            self.open_flow(tag)

    def handle_startendtag(self, tag: str, attrs: Attributes) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.skipping:
            self.skipping -= 1
        elif tag in ("ac:structured-macro", "ac:macro"):
            inline = self._macros.pop().name == "status" if self._macros else True
            if not inline:
                self.flush()
        elif tag == "ac:parameter":
            self.handle_data(" ")
        elif tag == "ac:link":
            self._close_link()
        elif tag in _BREAKING:
            self.flush()
        else:
            self.close_flow(tag)

    def handle_data(self, data: str) -> None:
        if self._links and data.strip():
            self._links[-1].has_text = True
        super().handle_data(data)

    def _open_macro(self, name: str) -> None:
        known = name in _WITH_BODY or name in _WITHOUT_TEXT
        if not known:
            self.report.unknown[name or "without a name"] = self.report.unknown.get(name or "without a name", 0) + 1
        if name != "status":
            self.flush()
        self._macros.append(_Macro(name, known))

    def _open_parameter(self, name: str) -> None:
        """Titles are text; other parameters of known macros say how it looks. An unknown macro may say anything."""
        macro = self._macros[-1] if self._macros else None
        if name in _TITLES or macro is None or not macro.known:
            return
        self.skipping = 1

    def _open_resource(self, tag: str, values: dict[str, str]) -> None:
        if tag == "ri:user":
            self.report.mentions += 1
        title = values.get("ri:content-title") or values.get("ri:filename") or values.get("ri:value") or ""
        if self._links and title:
            self._links[-1].title = title

    def _close_link(self) -> None:
        link = self._links.pop() if self._links else _Link()
        if link.title and not link.has_text:
            self.handle_data(link.title)


def read_storage_format(content: bytes, assembly: Assembly) -> None:
    """Adds the page's text, with a finding for whatever isn't understood."""
    text = _CDATA.sub(lambda found: html.escape(found[1], quote=False), decode(content, assembly))
    parser = _Storage(assembly)
    parse(parser, text)
    for name, times in sorted(parser.report.unknown.items()):
        assembly.find(
            FindingCode.UNKNOWN_MACRO,
            f"The macro “{name}” ({times}×) isn't known: its text is in, what it would show else isn't.",
        )
    if parser.report.images:
        assembly.find(FindingCode.LEFT_OUT, f"{parser.report.images} images were left out.")
    if parser.report.mentions:
        assembly.find(FindingCode.LEFT_OUT, f"{parser.report.mentions} mentions of people were left out.")
