"""What each format gives: text, headings, pages, findings."""

from __future__ import annotations

import pytest
from samples import STYLES, W, docx, paragraph, pdf

from ledgix_vault.documents.child import read_document
from ledgix_vault.documents.refusal import DocumentError, RefusalCode
from ledgix_vault.sources.document import FindingCode, MediaKind, ReadDocument


def read(kind: MediaKind, content: bytes | str) -> ReadDocument:
    made = read_document(kind, content if isinstance(content, bytes) else content.encode())
    ends = 0
    for chunk in made.chunks:  # in order, inside, never empty
        assert ends <= chunk.begins < chunk.ends <= len(made.text)
        ends = chunk.ends
    covered = "".join(made.text[chunk.begins : chunk.ends] for chunk in made.chunks)
    assert "".join(covered.split()) == "".join(made.text.split())  # nothing is in no chunk
    return made


def codes(made: ReadDocument) -> list[FindingCode]:
    return [finding.code for finding in made.findings]


def sections(made: ReadDocument) -> list[tuple[tuple[str, ...], str]]:
    return [(chunk.heading, made.text[chunk.begins : chunk.ends]) for chunk in made.chunks]


def refused(kind: MediaKind, content: bytes | str) -> RefusalCode:
    with pytest.raises(DocumentError) as error:
        read(kind, content)
    return error.value.code


def test_a_pdf_has_pages_and_headings() -> None:
    made = read(MediaKind.PDF, pdf("1. Scope\n\nThese rules are for support.", "", "2. Limits\n\nAt most 100 USD."))
    assert made.pages == 3
    assert [(chunk.page, chunk.heading) for chunk in made.chunks] == [(1, ("1. Scope",)), (3, ("2. Limits",))]
    assert "At most 100 USD." in made.text
    assert codes(made) == [FindingCode.PAGES_WITHOUT_TEXT]
    assert "2" in made.findings[0].message


def test_printed_lines_become_sentences() -> None:
    sentence = "Refunds that are larger than one hundred dollars need the approval of a manager who knows the customer."
    assert sentence in read(MediaKind.PDF, pdf(f"{sentence} {sentence}")).text


def test_a_docx_is_what_a_reader_sees() -> None:
    body = (
        paragraph("Refunds", "berschrift1")
        + paragraph("Limits", "Mine")
        + "<w:p><w:r><w:t>At most </w:t></w:r><w:del><w:r><w:delText>100</w:delText></w:r></w:del>"
        "<w:ins><w:r><w:t>200</w:t></w:r></w:ins><w:r><w:t> USD.</w:t></w:r></w:p>"
        + paragraph("Seen by nobody.", run="<w:vanish/>")
        + paragraph("Seen by all.", run='<w:vanish w:val="false"/>')
        + f"<w:tbl><w:tr><w:tc>{paragraph('gold')}</w:tc>"
        f"<w:tc>{paragraph('3')}{paragraph('bags')}</w:tc></w:tr></w:tbl>"
    )
    made = read(
        MediaKind.DOCX,
        docx(
            body,
            styles=STYLES,
            comments=f"<w:comments {W}><w:comment/><w:comment/></w:comments>",
            footnotes=f"<w:footnotes {W}>{paragraph('A note.')}</w:footnotes>",
        ),
    )
    assert made.text.split("\n\n") == [
        "Refunds",
        "Limits",
        "At most 200 USD.",
        "Seen by nobody.",
        "Seen by all.",
        "gold | 3 bags",
        "A note.",
    ]
    assert made.chunks[-1].heading == ("Refunds", "Limits")
    assert codes(made) == [
        FindingCode.TRACKED_DELETIONS,
        FindingCode.TRACKED_INSERTIONS,
        FindingCode.HIDDEN_TEXT,
        FindingCode.COMMENTS,
    ]
    assert "“100”" in made.findings[0].message
    assert "Seen by nobody." in made.findings[2].message


def test_a_text_box_is_read_once() -> None:
    choice = "http://schemas.openxmlformats.org/markup-compatibility/2006"
    box = f"<w:txbxContent>{paragraph('Boxed.')}</w:txbxContent>"
    body = (
        f'<w:p><w:r><mc:AlternateContent xmlns:mc="{choice}"><mc:Choice>{box}</mc:Choice>'
        f"<mc:Fallback>{box}</mc:Fallback></mc:AlternateContent></w:r></w:p>"
    )
    assert read(MediaKind.DOCX, docx(body)).text == "Boxed."


def test_html_loses_no_text() -> None:
    page = (
        "<html><head><title>Policy</title><style>p{}</style><script>alert('<p>no</p>')</script></head><body>"
        "<h1>Refunds &amp; more</h1><p>At most <b>100</b>&nbsp;USD<br>a day.<ul><li>one<li>two</ul>"
        "<table><tr><th>tier<th>bags<tr><td>gold<td><p>3</p></table><p hidden>psst</p><pre>a\n  b</pre>end"
    )
    made = read(MediaKind.HTML, page)
    parts = made.text.split("\n\n")
    assert parts == [
        "Policy", "Refunds & more", "At most 100\u00a0USD\na day.", "one", "two", "tier | bags", "gold | 3", "psst",
        "a\n  b", "end",
    ]  # fmt: skip
    assert codes(made) == [FindingCode.HIDDEN_TEXT]


def test_html_that_is_nested_too_deep_loses_nothing() -> None:
    assert read(MediaKind.HTML, "<div>" * 100_000 + "deep" + "</div>" * 100_000).text == "deep"


def test_html_in_its_own_encoding() -> None:
    page = '<meta charset="windows-1252"><p>50 € für alle'.encode("cp1252")
    assert "50 € für alle" in read(MediaKind.HTML, page).text


def test_markdown_headings_are_the_path() -> None:
    made = read(
        MediaKind.MARKDOWN, "Title\n=====\n\n## 1. Limits ##\ntext\n\n```\n# no heading\n```\n\n# Other\nmore\n"
    )
    assert [heading for heading, _ in sections(made)] == [("Title",), ("Title", "1. Limits"), ("Other",)]
    assert "# no heading" in made.text


def test_text_in_another_encoding_is_guessed_and_said() -> None:
    text = "Erstattungen über 100 € müssen geprüft werden. Gutschriften für Käufer gehören dazu. " * 5
    made = read(MediaKind.TEXT, text.encode("cp1252"))
    assert codes(made) == [FindingCode.ENCODING_GUESSED]
    assert read(MediaKind.TEXT, text.encode("utf-16")).text == text.strip()


def test_what_nobody_sees_is_taken_out_and_said() -> None:
    made = read(MediaKind.TEXT, "At most 1\u200b00 USD\u202e, never more\ufeff.\u0007")
    assert made.text == "At most 100 USD, never more."
    assert codes(made) == [FindingCode.INVISIBLE_CHARACTERS]
    assert "4 characters" in made.findings[0].message


def test_a_csv_names_its_columns_in_each_row() -> None:
    made = read(MediaKind.CSV, 'tier;bags;note\ngold;3;"a; b"\nsilver;1;\n')
    assert made.text.split("\n\n")[1:] == ["tier: gold | bags: 3 | note: a; b", "tier: silver | bags: 1"]
    assert refused(MediaKind.CSV, "a,b\n1,2,3\n") is RefusalCode.UNREADABLE
    assert refused(MediaKind.CSV, 'a,b\n"1,2\n') is RefusalCode.UNREADABLE


def test_json_names_the_place_of_each_value() -> None:
    made = read(MediaKind.JSON, '{"refunds": {"max": 100.50, "tools": ["a", "b"]}, "on": true, "none": null}')
    assert sections(made)[0] == (
        ("refunds",),
        "refunds\n\nrefunds.max: 100.5\nrefunds.tools[0]: a\nrefunds.tools[1]: b",
    )
    assert "on: true" in made.text
    for wrong in ('{"a": 1, "a": 2}', '{"a": NaN}', "{", "[" * 200 + "]" * 200):
        assert refused(MediaKind.JSON, wrong) is RefusalCode.UNREADABLE


def test_a_long_paragraph_is_cut_between_sentences() -> None:
    made = read(MediaKind.TEXT, "This is one sentence of the rules. " * 200 + "x" * 5000)
    assert all(chunk.ends - chunk.begins <= 1200 for chunk in made.chunks)
    assert made.text[made.chunks[0].begins : made.chunks[0].ends].endswith("rules.")


@pytest.mark.parametrize("kind", [MediaKind.TEXT, MediaKind.HTML, MediaKind.MARKDOWN, MediaKind.CSV])
def test_nothing_is_no_document(kind: MediaKind) -> None:
    assert refused(kind, " \n\u200b ") is RefusalCode.EMPTY
