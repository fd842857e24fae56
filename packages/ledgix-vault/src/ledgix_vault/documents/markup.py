"""HTML, read as a stream of tags: no tree, so nothing that is nested too deep or badly can lose text.

Hidden text is kept and reported. Scripts and styles are no text.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser

from ledgix_vault.documents.assembly import Assembly
from ledgix_vault.documents.encodings import decode
from ledgix_vault.documents.refusal import DocumentError, RefusalCode
from ledgix_vault.sources.document import FindingCode

BLOCKS = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "caption",
        "center",
        "dd",
        "details",
        "dialog",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "header",
        "hr",
        "html",
        "legend",
        "li",
        "main",
        "menu",
        "nav",
        "ol",
        "optgroup",
        "option",
        "p",
        "pre",
        "section",
        "select",
        "summary",
        "table",
        "tbody",
        "tfoot",
        "thead",
        "ul",
    ]
)
NO_TEXT = frozenset({"script", "style"})
_LEVELS = {f"h{level}": level for level in range(1, 7)}
_HIDING = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?![.\d])", re.I)
_SPACE = re.compile(r"[ \t\n\r\f]+")
_ODD_DECLARATION = re.compile(r"<!(?=\[(?!if\b|else\b|endif\b))")
"""What the parser stumbles over or would drop: it becomes text."""
CELL = " | "

Attributes = list[tuple[str, str | None]]


class Flow(HTMLParser):
    """What tags of every kind of markup have in common: text flows into blocks, headings and rows."""

    def __init__(self, assembly: Assembly) -> None:
        super().__init__(convert_charrefs=True)
        self.assembly = assembly
        self.skipping = 0
        self._text: list[str] = []
        self._level: int | None = None
        self._row: list[str] | None = None
        self._preserved = 0

    def handle_data(self, data: str) -> None:
        if not self.skipping:
            self._text.append(data if self._preserved else _SPACE.sub(" ", data))

    def flush(self) -> None:
        """Ends the block, heading or cell that is open."""
        text = "".join(self._text)
        text = text if self._preserved else re.sub(" *\n *", "\n", _SPACE_RUN.sub(" ", text)).strip()
        self._text.clear()
        if not text.strip():
            return
        if self._row is not None:
            self._row.append(" ".join(text.split()))
        elif self._level is not None:
            self.assembly.heading(text, self._level)
        else:
            self.assembly.block(text)

    def open_flow(self, tag: str) -> None:
        """A tag that means the same in HTML and in Confluence."""
        if tag in _LEVELS:
            self.flush()
            self._level = _LEVELS[tag]
        elif tag == "br":
            self._text.append("\n")
        elif tag == "tr":
            self.end_row()
            self._row = []
        elif tag in ("td", "th"):
            self.flush()
        elif tag in BLOCKS:
            self._break(tag)
            self._preserved += tag == "pre"

    def close_flow(self, tag: str) -> None:
        """Its end."""
        if tag in _LEVELS:
            self.flush()
            self._level = None
        elif tag in ("tr", "table"):
            self.end_row()
        elif tag in ("td", "th"):
            self.flush()
        elif tag in BLOCKS:
            self._break(tag)
            self._preserved = max(0, self._preserved - (tag == "pre"))

    def end_row(self) -> None:
        """The row's cells become one line."""
        self.flush()
        row, self._row = self._row, None
        if row:
            self.assembly.block(CELL.join(row))

    def finish(self) -> None:
        """To be called after `close`: whatever was left open ends here."""
        self.end_row()

    def _break(self, tag: str) -> None:
        if self._row is None or tag == "table":
            self.flush()
        else:
            self._text.append(" ")


_SPACE_RUN = re.compile(r"[ \t\f]+")


def parse(parser: Flow, text: str) -> None:
    """Sends the whole text through the parser; raises `DocumentError` for what it can't take."""
    try:
        parser.feed(_ODD_DECLARATION.sub("&lt;!", text))
        parser.close()
    except AssertionError as error:  # how this parser says so
        raise DocumentError(RefusalCode.UNREADABLE, f"The markup can't be read: {error}.") from error
    parser.finish()


class _Html(Flow):
    def __init__(self, assembly: Assembly) -> None:
        super().__init__(assembly)
        self.hidden = 0

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        if tag in NO_TEXT:
            self.skipping = 1
        elif tag == "title":
            self.flush()
        else:
            self.hidden += _is_hidden(attrs)
            self.open_flow(tag)

    def handle_startendtag(self, tag: str, attrs: Attributes) -> None:
        self.handle_starttag(tag, attrs)
        if tag in NO_TEXT:  # `<script/>` is an open one
            return
        if tag not in BLOCKS:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in NO_TEXT:
            self.skipping = 0
        elif tag == "title":
            self.flush()
        else:
            self.close_flow(tag)


def read_html(content: bytes, assembly: Assembly) -> None:
    """Adds the page's text; nothing is fetched."""
    parser = _Html(assembly)
    parse(parser, decode(content, assembly, is_html=True))
    if parser.hidden:
        assembly.find(
            FindingCode.HIDDEN_TEXT, f"{parser.hidden} elements are hidden from a reader of the page; their text is in."
        )


def _is_hidden(attrs: Attributes) -> bool:
    return any(name == "hidden" or (name == "style" and value and _HIDING.search(value)) for name, value in attrs)
