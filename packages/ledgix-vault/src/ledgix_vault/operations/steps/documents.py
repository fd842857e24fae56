"""What adding documents shares: reading them outside of the transaction, storing them inside."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ledgix.formats.events import EventKind
from ledgix_vault.clearance.decision import decider_of
from ledgix_vault.documents.reader import DocumentReader
from ledgix_vault.documents.refusal import DocumentError
from ledgix_vault.errors import DocumentRefused, Invalid
from ledgix_vault.ids import new_id
from ledgix_vault.operations.steps.record import record_administration
from ledgix_vault.sources.document import (
    LONGEST_NAME,
    DocumentVersion,
    MediaKind,
    Origin,
    ReadDocument,
    hash_bytes,
    hash_chunks,
)
from ledgix_vault.store.documents import add_document_version, load_versions
from ledgix_vault.store.unit import Unit
from ledgix_vault.tenancy.callers import Caller

_DOCUMENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")


@dataclass(frozen=True, slots=True)
class Incoming:
    """A document at the door. Without a `document_id` it is a new one."""

    document_id: str | None
    name: str
    kind: MediaKind
    origin: Origin
    content: bytes


@dataclass(frozen=True, slots=True)
class Reading:
    """A document that was read and can be stored."""

    incoming: Incoming
    read: ReadDocument


def check_incoming(incoming: Incoming) -> None:
    """Raises `Invalid` for a name or id that can't be kept."""
    if not 1 <= len(incoming.name) <= LONGEST_NAME or not incoming.name.isprintable():
        raise Invalid(f"is required: 1 to {LONGEST_NAME} printable characters", path="name")
    if incoming.document_id is not None:
        check_document_id(incoming.document_id)


def check_document_id(document_id: str) -> None:
    """Raises `Invalid` for what can't be a document's id."""
    if not _DOCUMENT_ID.fullmatch(document_id):
        raise Invalid(
            "must be 1 to 128 letters, digits, dots, colons, hyphens or underscores, the first a letter or digit",
            path="document_id",
        )


async def read_incoming(reader: DocumentReader, incoming: Incoming) -> Reading:
    """Reads it in a child process; raises `DocumentRefused`, and then nothing is kept."""
    try:
        return Reading(incoming, await reader.read(incoming.kind, incoming.content))
    except DocumentError as error:
        raise DocumentRefused(f"{incoming.name}: {error.message}", path="$", code=f"document_{error.code}") from error


def store_reading(unit: Unit, caller: Caller, reading: Reading) -> DocumentVersion:
    """Stores the next version with its event. The same bytes under the same name again change nothing."""
    incoming, read = reading.incoming, reading.read
    document_id = incoming.document_id or new_id()
    before = load_versions(unit.connection, caller.tenant_id, document_id)
    original_hash = hash_bytes(incoming.content)
    if before and _is_same(before[-1], incoming, original_hash):
        return before[-1]
    version = DocumentVersion(
        tenant_id=caller.tenant_id,
        document_version_id=new_id(),
        document_id=document_id,
        version=before[-1].version + 1 if before else 1,
        name=incoming.name,
        media_type=incoming.kind,
        origin=incoming.origin,
        original_hash=original_hash,
        original_size=len(incoming.content),
        text_hash=hash_bytes(read.text.encode()),
        text_length=len(read.text),
        pages=read.pages,
        chunks=len(read.chunks),
        chunks_hash=hash_chunks(read.chunks),
        findings=read.findings,
        newest=True,
        added_at=unit.now,
        added_by=caller.identity,
    )
    add_document_version(unit, version, incoming.content, read)
    record_administration(
        unit,
        caller.tenant_id,
        EventKind.DOCUMENT_ADDED,
        reason=f"The document {version.name} was added as version {version.version}.",
        decider=decider_of(caller),
        metadata=version.facts(),
    )
    return version


def _is_same(before: DocumentVersion, incoming: Incoming, original_hash: str) -> bool:
    return (before.original_hash, before.name, before.media_type) == (original_hash, incoming.name, incoming.kind)
