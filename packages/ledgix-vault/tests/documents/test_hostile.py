"""Documents that want to hurt: each gets a clear refusal, in bounded time and memory, and the child is gone."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from samples import ENTITIES, EXTERNAL, docx, flate_bomb, looping_pdf, lying_zip, paragraph, pdf, raw_pdf, zip_bomb

from ledgix_vault.documents import child, reader
from ledgix_vault.documents.limits import AT_ONCE, IN_THE_HOUSE
from ledgix_vault.documents.reader import DocumentReader
from ledgix_vault.documents.refusal import DocumentError, RefusalCode
from ledgix_vault.errors import Busy
from ledgix_vault.sources.document import MediaKind

pytestmark = pytest.mark.anyio

CELLS = ("a," * 99 + "a\n").encode() * 1001
HOSTILE = {
    "a zip bomb": (MediaKind.DOCX, zip_bomb(200), {RefusalCode.BOMB}),
    "a zip that lies about its size": (MediaKind.DOCX, lying_zip(), {RefusalCode.BOMB, RefusalCode.UNREADABLE}),
    "a zip with a lot of text": (MediaKind.DOCX, zip_bomb(50), {RefusalCode.TOO_LONG}),
    "a flate bomb": (MediaKind.PDF, flate_bomb(512), {RefusalCode.BOMB, RefusalCode.TOO_COSTLY}),
    "a page tree in a loop": (MediaKind.PDF, looping_pdf(), {RefusalCode.UNREADABLE, RefusalCode.NO_TEXT_LAYER}),
    "no text layer": (MediaKind.PDF, raw_pdf(b"", b""), {RefusalCode.NO_TEXT_LAYER}),
    "empty pages": (MediaKind.PDF, pdf("", ""), {RefusalCode.NO_TEXT_LAYER}),
    "an encrypted PDF": (MediaKind.PDF, pdf("secret", password="x"), {RefusalCode.ENCRYPTED}),
    "entities in entities": (MediaKind.DOCX, docx(paragraph("&a9;"), prolog=ENTITIES), {RefusalCode.ENTITIES}),
    "an external entity": (MediaKind.DOCX, docx(paragraph("&e;"), prolog=EXTERNAL), {RefusalCode.ENTITIES}),
    "half a DOCX": (MediaKind.DOCX, docx(paragraph("x"))[:200], {RefusalCode.UNREADABLE}),
    "an old Word file": (MediaKind.DOCX, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512), {RefusalCode.ENCRYPTED}),
    "a PDF that is none": (MediaKind.PDF, b"<html>", {RefusalCode.OTHER_TYPE}),
    "a DOCX that is none": (MediaKind.DOCX, b"%PDF-1.7", {RefusalCode.OTHER_TYPE}),
    "binary as text": (MediaKind.TEXT, bytes(range(256)) * 50, {RefusalCode.UNREADABLE}),
    "deep XML": (MediaKind.DOCX, docx("<w:p>" * 300_000), {RefusalCode.UNREADABLE, RefusalCode.TOO_COSTLY}),
    "deep JSON": (MediaKind.JSON, b"[" * 500_000, {RefusalCode.UNREADABLE}),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_documents_are_refused(name: str) -> None:
    kind, content, expected = HOSTILE[name]
    started = time.monotonic()
    with pytest.raises(DocumentError) as refused:
        await DocumentReader().read(kind, content)
    assert refused.value.code in expected, refused.value.message
    assert refused.value.message
    assert time.monotonic() - started < 60


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (MediaKind.CSV, CELLS),
        (MediaKind.HTML, b"<div>" * 200_000 + b"deep"),
        (MediaKind.HTML, b"<!--" * 100_000 + b"<p>text"),
        (MediaKind.HTML, b"<![" * 50_000 + b"<p>text"),
        (MediaKind.CONFLUENCE, b"<![CDATA[" * 50_000 + b"]]>text"),
        (MediaKind.MARKDOWN, b"#" * 100_000 + b" " + b"`" * 100_000),
        (MediaKind.TEXT, b"\n" * 1_000_000 + b"text"),
    ],
    ids=["100k cells", "deep HTML", "comments", "declarations", "CDATA", "marks", "lines"],
)
async def test_heavy_documents_are_read_or_refused_in_time(kind: MediaKind, content: bytes) -> None:
    try:
        made = await DocumentReader().read(kind, content)
        assert made.chunks
    except DocumentError as error:
        assert error.code in (RefusalCode.EMPTY, RefusalCode.TOO_COSTLY, RefusalCode.UNREADABLE)  # noqa: PT017


async def test_a_child_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    await _with_child(monkeypatch, "import sys, time\nsys.stdin.buffer.read()\ntime.sleep(600)", tmp_path)
    with pytest.raises(DocumentError) as refused:
        await DocumentReader(wall_seconds=0.5).read(MediaKind.TEXT, b"x")
    assert refused.value.code is RefusalCode.TOO_COSTLY


@pytest.mark.parametrize(
    "program",
    [
        "print('{}')",
        "print('no JSON')",
        "raise SystemExit(3)",
        "import os; os.abort()",
        'print(\'{"document": {"text": "abc", "pages": null, "findings": [], "chunks": '
        '[{"page": null, "heading": [], "begins": 0, "ends": 9}]}}\')',
        'print(\'{"document": {"text": "a\\\\u0000c", "pages": null, "findings": [], "chunks": []}}\')',
        'print(\'{"refusal": "made up", "message": ""}\')',
    ],
)
async def test_a_child_that_answers_rubbish_is_not_believed(
    program: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    await _with_child(monkeypatch, program, tmp_path)
    with pytest.raises(DocumentError) as refused:
        await DocumentReader().read(MediaKind.TEXT, b"x")
    assert refused.value.code is RefusalCode.UNREADABLE


async def _with_child(monkeypatch: pytest.MonkeyPatch, program: str, directory: Path) -> None:
    """Another program in the place of the child."""
    script = directory / "python"
    script.write_text(f"#!{reader.sys.executable}\n{program}\n")
    script.chmod(0o700)
    monkeypatch.setattr(reader.sys, "executable", str(script))


async def test_many_at_once_take_turns() -> None:
    one = DocumentReader()
    made = await asyncio.gather(*(one.read(MediaKind.TEXT, f"text {n}".encode()) for n in range(4 * AT_ONCE)))
    assert [document.text for document in made] == [f"text {n}" for n in range(4 * AT_ONCE)]


def test_only_a_few_are_let_in() -> None:
    from contextlib import ExitStack

    one = DocumentReader()
    with ExitStack() as stack:
        for _ in range(IN_THE_HOUSE):
            stack.enter_context(one.admitted())
        with pytest.raises(Busy), one.admitted():
            pass
    with one.admitted():
        pass


def test_the_child_knows_no_store() -> None:
    """Nothing of the Vault but the documents themselves is loaded where hostile bytes are read."""
    import subprocess
    import sys

    listed = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys, {child.__name__}; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    ours = {name for name in listed if name.startswith("ledgix_vault.")}
    assert {name.split(".")[1] for name in ours} == {"documents", "sources"}
    assert not {"sqlalchemy", "httpx2", "cryptography"} & set(listed)
