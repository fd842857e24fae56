"""Reading a document in a child process, from the event loop, two at a time.

Whatever the child does (hangs, dies, answers rubbish or too much), the answer is a document or a `DocumentError`, and
the child is gone when it is given.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Iterator
from dataclasses import dataclass, field

import structlog

from ledgix.errors import JsonError
from ledgix.formats import json
from ledgix.formats.json import JsonObject
from ledgix_vault.documents.limits import AT_ONCE, IN_THE_HOUSE, LARGEST_ANSWER, LARGEST_FILE, WALL_SECONDS
from ledgix_vault.documents.refusal import DocumentError, RefusalCode
from ledgix_vault.errors import Busy
from ledgix_vault.sources.document import Chunk, Finding, MediaKind, ReadDocument

CHILD = "ledgix_vault.documents.child"
DEEPEST_ANSWER = 8
_TOO_COSTLY = "Reading this document takes more time or memory than any document needs."
_STOPPED = {-signal.SIGXCPU, -signal.SIGKILL}
_UNFINISHED = "The document can't be read: the program that reads it stopped at it."
logger = structlog.get_logger(__name__)


@dataclass(slots=True)
class DocumentReader:
    """The one place where documents from outside are read. Belongs to one event loop."""

    wall_seconds: float = WALL_SECONDS
    _children: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    _in_the_house: int = 0

    @contextlib.contextmanager
    def admitted(self) -> Iterator[None]:
        """Held while a document's bytes are in memory; raises `Busy` when too many are already."""
        if self._in_the_house >= IN_THE_HOUSE:
            raise Busy(5, "Too many documents are being taken in at once. Nothing was done; ask again shortly.")
        self._in_the_house += 1
        try:
            yield
        finally:
            self._in_the_house -= 1

    async def read(self, kind: MediaKind, content: bytes) -> ReadDocument:
        """The document that these bytes are; raises `DocumentError`."""
        if len(content) > LARGEST_FILE:
            raise DocumentError(RefusalCode.TOO_LONG, f"The document has more than {LARGEST_FILE:,} bytes.")
        async with self._children:
            answer = await _ask_child(kind, content, self.wall_seconds)
        return await asyncio.to_thread(_document, answer)


async def _ask_child(kind: MediaKind, content: bytes, seconds: float) -> bytes:
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-m", CHILD, str(kind)), stdin=PIPE, stdout=PIPE, stderr=DEVNULL, cwd="/", env={}
    )
    try:
        async with asyncio.timeout(seconds):
            feeding = asyncio.ensure_future(_feed(child, content))
            try:
                answer = await _take(child)
            finally:
                feeding.cancel()
                await asyncio.gather(feeding, return_exceptions=True)
            status = await child.wait()
    except TimeoutError:
        raise DocumentError(RefusalCode.TOO_COSTLY, _TOO_COSTLY) from None
    finally:
        await _end(child)
    if status in _STOPPED:
        raise DocumentError(RefusalCode.TOO_COSTLY, _TOO_COSTLY)
    if status != 0:
        logger.warning("document_child_failed", status=status, media_type=str(kind))
        raise DocumentError(RefusalCode.UNREADABLE, _UNFINISHED)
    return answer


async def _feed(child: Process, content: bytes) -> None:
    assert child.stdin is not None
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it has decided without the rest
        child.stdin.write(content)
        await child.stdin.drain()
    child.stdin.close()


async def _take(child: Process) -> bytes:
    assert child.stdout is not None
    parts, length = [], 0
    while chunk := await child.stdout.read(1 << 20):
        parts.append(chunk)
        length += len(chunk)
        if length > LARGEST_ANSWER:
            raise DocumentError(RefusalCode.TOO_LONG, "The document has more text than is read.")
    return b"".join(parts)


async def _end(child: Process) -> None:
    if child.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()


def _document(answer: bytes) -> ReadDocument:
    """The child has read hostile bytes: its answer is believed only as far as its form goes."""
    try:
        parsed = json.parse_object(answer, max_depth=DEEPEST_ANSWER)
        if "refusal" in parsed:
            raise DocumentError(RefusalCode(str(parsed["refusal"])), str(parsed["message"])[:1000])
        return _read_document(parsed)
    except (JsonError, ValueError, KeyError, TypeError, AssertionError) as error:
        logger.warning("document_child_answer_malformed", error=type(error).__name__)
        raise DocumentError(RefusalCode.UNREADABLE, _UNFINISHED) from error


def _read_document(parsed: JsonObject) -> ReadDocument:
    document = _an_object(parsed["document"])
    text, pages, findings, chunks = (document[name] for name in ("text", "pages", "findings", "chunks"))
    if not isinstance(text, str) or "\0" in text or not isinstance(findings, list) or not isinstance(chunks, list):
        raise ValueError("another form")
    text.encode()  # no lone surrogate may reach the store
    found = tuple(Finding.from_json(_an_object(finding)) for finding in findings)
    pieces = tuple(_chunk(_an_object(chunk)) for chunk in chunks)
    before = 0
    for piece in pieces:
        if not before <= piece.begins < piece.ends <= len(text):
            raise ValueError("a chunk out of place")
        before = piece.ends
    return ReadDocument(text, pieces, found, None if pages is None else _whole(pages))


def _chunk(stated: JsonObject) -> Chunk:
    heading, page = stated["heading"], stated["page"]
    if not isinstance(heading, list):
        raise TypeError("a heading is a list")
    path = tuple(str(title) for title in heading)
    return Chunk(None if page is None else _whole(page), path, _whole(stated["begins"]), _whole(stated["ends"]))


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError("no whole number")
    return value


def _an_object(value: object) -> JsonObject:
    if not isinstance(value, dict):
        raise TypeError("no object")
    return value
