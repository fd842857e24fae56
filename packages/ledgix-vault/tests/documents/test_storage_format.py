"""Confluence's storage format: explicit about what it knows, and loud about what it doesn't."""

from __future__ import annotations

from ledgix_vault.documents.child import read_document
from ledgix_vault.sources.document import FindingCode, MediaKind, ReadDocument


def read(body: str) -> ReadDocument:
    return read_document(MediaKind.CONFLUENCE, body.encode())


def macro(name: str, inside: str, **parameters: str) -> str:
    stated = "".join(f'<ac:parameter ac:name="{key}">{value}</ac:parameter>' for key, value in parameters.items())
    return f'<ac:structured-macro ac:name="{name}" ac:schema-version="1">{stated}{inside}</ac:structured-macro>'


def rich(inside: str) -> str:
    return f"<ac:rich-text-body>{inside}</ac:rich-text-body>"


def plain(inside: str) -> str:
    return f"<ac:plain-text-body><![CDATA[{inside}]]></ac:plain-text-body>"


def test_headings_paragraphs_lists_and_tables() -> None:
    made = read(
        "<h1>Refunds</h1><p>At&nbsp;most <strong>100</strong>&euro;&mdash;a day.</p><h2>Who</h2>"
        "<ul><li><p>agents</p><ul><li>managers</li></ul></li></ul>"
        "<table><tbody><tr><th><p>tier</p></th><th>bags</th></tr><tr><td><p>gold</p><p>plus</p></td><td>3</td></tr>"
        "</tbody></table>"
    )
    assert made.text.split("\n\n") == [
        "Refunds", "At\u00a0most 100€—a day.", "Who", "agents", "managers", "tier | bags", "gold plus | 3",
    ]  # fmt: skip
    assert made.chunks[-1].heading == ("Refunds", "Who")
    assert made.findings == ()


def test_known_macros_are_read_for_what_they_are() -> None:
    made = read(
        macro("code", plain("if a < b && c > d:\n    <stop/>"), language="python")
        + macro("info", rich("<p>Ask first.</p>"), icon="false")
        + macro("panel", rich("<p>In a panel.</p>"), title="Note well", bgColor="#fff")
        + macro("expand", rich("<p>Unfolded.</p>"), title="More")
        + f"<p>State: {macro('status', '', title='APPROVED', colour='Green')} today</p>"
        + macro("toc", "", maxLevel="3")
    )
    for text in ("if a < b && c > d:", "<stop/>", "Ask first.", "Note well", "In a panel.", "More", "Unfolded."):
        assert text in made.text
    assert "State: APPROVED" in " ".join(made.text.split())
    for setting in ("python", "#fff", "Green", "false", "3"):
        assert setting not in made.text
    assert made.findings == ()


def test_an_unknown_macro_is_reported_and_its_text_kept() -> None:
    made = read(macro("rules-table", rich("<p>At most 5.</p>") + plain("raw & text"), source="list 7") + "<p>after</p>")
    for text in ("At most 5.", "raw & text", "list 7", "after"):
        assert text in made.text
    (finding,) = made.findings
    assert finding.code is FindingCode.UNKNOWN_MACRO
    assert "rules-table" in finding.message


def test_links_dates_tasks_and_images() -> None:
    made = read(
        '<p>See <ac:link><ri:page ri:content-title="Travel policy" /></ac:link>, '
        '<ac:link><ri:page ri:content-title="X" /><ac:plain-text-link-body><![CDATA[the <rules>]]>'
        "</ac:plain-text-link-body></ac:link>"
        ' from <time datetime="2026-01-31" />.</p>'
        "<ac:task-list><ac:task><ac:task-id>7</ac:task-id><ac:task-status>incomplete</ac:task-status>"
        "<ac:task-body>Ask finance</ac:task-body></ac:task></ac:task-list>"
        '<ac:image><ri:attachment ri:filename="scan.png" /></ac:image>'
        '<p><ac:link><ri:user ri:account-id="u" /></ac:link><ac:inline-comment-marker ac:ref="r">kept'
        "</ac:inline-comment-marker></p>"
    )
    text = " ".join(made.text.split())
    assert "See Travel policy, the <rules> from 2026-01-31." in text
    assert "Ask finance" in text
    assert "kept" in text
    assert "incomplete" not in text
    assert [finding.code for finding in made.findings] == [FindingCode.LEFT_OUT, FindingCode.LEFT_OUT]


def test_what_was_left_open_is_no_loss() -> None:
    made = read("<h1>A<p>b<ac:structured-macro ac:name='info'><ac:rich-text-body>c<table><tr><td>d")
    assert all(letter in made.text for letter in "Abcd")
