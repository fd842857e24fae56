"""The child process that reads one document: bytes on standard input, one JSON object on standard output.

It limits itself before the first byte is read, knows no store, no key and no network, and writes no file.
Run as `python -I -m ledgix_vault.documents.child MEDIA_TYPE`.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Callable

from ledgix_vault.documents.assembly import Assembly
from ledgix_vault.documents.limits import LARGEST_FILE, MEMORY, OPEN_FILES, PROCESSOR_SECONDS
from ledgix_vault.documents.refusal import DocumentError, RefusalCode
from ledgix_vault.sources.document import MediaKind, ReadDocument

Parser = Callable[[bytes, Assembly], None]


def read_document(kind: MediaKind, content: bytes) -> ReadDocument:
    """The document that these bytes are; raises `DocumentError`. Call it in the child only: it may take anything."""
    assembly = Assembly()
    _parser(kind)(content, assembly)
    return assembly.finish()


def _parser(kind: MediaKind) -> Parser:
    """Loads what this kind needs, and no more: a child that starts fast."""
    if kind is MediaKind.PDF:
        from ledgix_vault.documents.pdf import read_pdf

        return read_pdf
    if kind is MediaKind.DOCX:
        from ledgix_vault.documents.docx import read_docx

        return read_docx
    if kind is MediaKind.HTML:
        from ledgix_vault.documents.markup import read_html

        return read_html
    if kind is MediaKind.CONFLUENCE:
        from ledgix_vault.documents.storage_format import read_storage_format

        return read_storage_format
    from ledgix_vault.documents import plain

    parsers: dict[MediaKind, Parser] = {
        MediaKind.TEXT: plain.read_text,
        MediaKind.MARKDOWN: plain.read_markdown,
        MediaKind.CSV: plain.read_csv,
        MediaKind.JSON: plain.read_json,
    }
    return parsers[kind]


def limit_this_process() -> None:
    """Memory, processor time, files, cores: hard limits that nothing in this process can raise again."""
    for what, most in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CPU, PROCESSOR_SECONDS),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
    ):
        resource.setrlimit(what, (most, most))


def main() -> None:
    limit_this_process()
    try:
        content = sys.stdin.buffer.read(LARGEST_FILE + 1)
        read = read_document(MediaKind(sys.argv[1]), content)
        answer: dict[str, object] = {"document": read.to_json()}
    except DocumentError as error:
        answer = {"refusal": str(error.code), "message": error.message}
    except (MemoryError, RecursionError):
        answer = {
            "refusal": str(RefusalCode.TOO_COSTLY),
            "message": "Reading this document takes more memory than any document needs.",
        }
    sys.stdout.buffer.write(json.dumps(answer, ensure_ascii=True).encode())


if __name__ == "__main__":
    main()
