"""Mutated samples: whatever comes, the outcome is a document or a `DocumentError`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import STYLES, docx, paragraph, pdf

from ledgix_vault.documents.child import read_document
from ledgix_vault.documents.refusal import DocumentError
from ledgix_vault.sources.document import MediaKind

SAMPLES = {
    MediaKind.PDF: pdf("1. Scope\n\nThese rules are for support.", "2. Limits\n\nAt most 100 USD."),
    MediaKind.DOCX: docx(paragraph("Refunds", "berschrift1") + paragraph("At most 100 USD."), zipped=0, styles=STYLES),
    MediaKind.HTML: b"<h1>A</h1><p hidden>b &amp; c<table><tr><td>d</table><script>e</script><!-- f -->",
    MediaKind.CONFLUENCE: b"<p>a</p><ac:structured-macro ac:name='code'><ac:plain-text-body><![CDATA[b]]>"
    b"</ac:plain-text-body></ac:structured-macro><ac:link><ri:page ri:content-title='c'/></ac:link>",
    MediaKind.MARKDOWN: b"# A\n\ntext\n\n```\nb\n```\n\nTitle\n---\n- c\n",
    MediaKind.TEXT: "1. Scope\n\nÄ rule — at most 100 €.\n".encode(),
    MediaKind.CSV: b'a,b\n1,"2,3"\n',
    MediaKind.JSON: b'{"a": [1, {"b": "c"}], "d": null}',
}

changes = st.lists(
    st.tuples(st.integers(0, 1 << 16), st.sampled_from(["flip", "cut", "insert", "repeat"]), st.binary(max_size=12)),
    min_size=1,
    max_size=6,
)


def mutated(content: bytes, steps: list[tuple[int, str, bytes]]) -> bytes:
    for place, what, more in steps:
        at = place % (len(content) + 1)
        if what == "flip":
            content = content[:at] + more + content[at + len(more) :]
        elif what == "cut":
            content = content[:at] + content[at + 1 + place % 40 :]
        elif what == "insert":
            content = content[:at] + more + content[at:]
        else:
            content = content[:at] + content[max(0, at - 30) : at] * 3 + content[at:]
    return content


@pytest.mark.parametrize("kind", list(MediaKind), ids=lambda kind: kind.name)
@given(steps=changes)
def test_mutated_documents(kind: MediaKind, steps: list[tuple[int, str, bytes]]) -> None:
    _outcome(kind, mutated(SAMPLES[kind], steps))


@pytest.mark.parametrize("kind", list(MediaKind), ids=lambda kind: kind.name)
@given(content=st.binary(max_size=400) | st.text(max_size=200).map(str.encode))
def test_any_bytes(kind: MediaKind, content: bytes) -> None:
    _outcome(kind, content)


def _outcome(kind: MediaKind, content: bytes) -> None:
    try:
        made = read_document(kind, content)
    except DocumentError as error:
        assert error.message  # noqa: PT017
        return
    assert made.text
    made.text.encode()
    assert "\0" not in made.text
    assert all(made.text[chunk.begins : chunk.ends].strip() for chunk in made.chunks)
