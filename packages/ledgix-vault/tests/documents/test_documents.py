"""Documents from the door to the ledger, on both engines."""

from __future__ import annotations

import pytest
from samples import pdf
from sqlalchemy import func, select, text, update
from vault_testing.faults import Fault
from vault_testing.house import House, idempotency

from ledgix.formats.events import EventKind
from ledgix_vault.errors import Conflict, DocumentRefused, Invalid, MissingScope, NotFound, Unavailable
from ledgix_vault.operations.add_document import add_document
from ledgix_vault.operations.check_vault import check_vault
from ledgix_vault.operations.read_documents import (
    list_documents,
    read_chunks,
    read_document,
    read_original,
    read_text,
)
from ledgix_vault.operations.remove_document import remove_document
from ledgix_vault.operations.steps.documents import Incoming
from ledgix_vault.operations.steps.drafting import SourceRef
from ledgix_vault.sources.document import DocumentVersion, MediaKind, Origin, hash_bytes
from ledgix_vault.sources.quotes import Quote, QuoteWrong, find_quote, verify_quote
from ledgix_vault.sources.source import source_of
from ledgix_vault.store import schema
from ledgix_vault.store.crosscheck.reading import entries_of_kinds
from ledgix_vault.tenancy.scopes import Preset

pytestmark = pytest.mark.anyio
POLICY = "# Refunds\n\nAt most 100 USD a day.\n\n# Währung\n\nOnly “€” and $.".encode()


def incoming(content: bytes = POLICY, name: str = "refunds.md", document_id: str | None = "refunds") -> Incoming:
    kind = MediaKind.PDF if name.endswith(".pdf") else MediaKind.MARKDOWN
    return Incoming(document_id, name, kind, Origin.UPLOAD, content)


async def add(vault: House, document: Incoming | None = None) -> DocumentVersion:
    version, _ = await add_document(vault.core, vault.owner, document or incoming(), None)
    return version


def events(vault: House, kind: EventKind) -> int:
    tenant_id = vault.owner.tenant_id
    return vault.core.store.read_and_wait(lambda connection: len(list(entries_of_kinds(connection, tenant_id, [kind]))))


def rows(vault: House) -> list[int]:
    tables = (schema.document_version, schema.document_chunk)
    return vault.core.store.read_and_wait(
        lambda connection: (
            [connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables]
            + [connection.execute(text("SELECT count(*) FROM chunk_search")).scalar_one()]
        )
    )


async def test_a_document_is_kept_whole(vault: House) -> None:
    version = await add(vault)
    assert (version.version, version.newest, version.chunks, version.findings) == (1, True, 2, ())
    assert version.original_hash == hash_bytes(POLICY)
    about, original = await read_original(vault.core, vault.owner, "refunds", 1)
    assert (about, original) == (version, POLICY)
    _, whole = await read_text(vault.core, vault.owner, "refunds", 1)
    assert hash_bytes(whole.encode()) == version.text_hash
    _, chunks = await read_chunks(vault.core, vault.owner, "refunds", 1)
    assert [whole[stored.chunk.begins : stored.chunk.ends] for stored in chunks] == [stored.text for stored in chunks]
    assert [stored.chunk.heading for stored in chunks] == [("Refunds",), ("Währung",)]
    assert await list_documents(vault.core, vault.owner, after="", limit=10) == [version]
    assert events(vault, EventKind.DOCUMENT_ADDED) == 1


async def test_versions_follow_each_other(vault: House) -> None:
    first = await add(vault)
    assert await add(vault) == first  # the same again is no new version
    second = await add(vault, incoming(POLICY + b"\n\nMore."))
    listed = await read_document(vault.core, vault.owner, "refunds")
    assert [(version.version, version.newest) for version in listed] == [(2, True), (1, False)]
    assert second.document_version_id == listed[0].document_version_id
    assert events(vault, EventKind.DOCUMENT_ADDED) == 2
    vault.reopen()
    assert await read_document(vault.core, vault.owner, "refunds") == listed


async def test_a_removed_document_is_gone(vault: House) -> None:
    await add(vault)
    await add(vault, incoming(POLICY + b"\n\nMore."))
    assert await remove_document(vault.core, vault.owner, "refunds") == 2
    assert rows(vault) == [0, 0, 0]
    assert events(vault, EventKind.DOCUMENT_REMOVED) == 1
    for look in (
        read_document(vault.core, vault.owner, "refunds"),
        remove_document(vault.core, vault.owner, "refunds"),
    ):
        with pytest.raises(NotFound):
            await look
    assert (await add(vault)).version == 1


async def test_what_cannot_be_read_leaves_nothing(vault: House) -> None:
    with pytest.raises(DocumentRefused) as refused:
        await add(vault, incoming(pdf(""), "scan.pdf"))
    assert refused.value.code == "document_no_text_layer"
    assert "scan.pdf" in refused.value.detail
    assert rows(vault) == [0, 0, 0]
    assert events(vault, EventKind.DOCUMENT_ADDED) == 0


@pytest.mark.parametrize("fault", list(Fault))
async def test_a_failed_commit_leaves_all_or_nothing(fault: Fault, vault: House) -> None:
    document = incoming()
    key = idempotency(vault.owner, "/documents", "once", {})
    vault.commit.fail(fault)
    if fault is Fault.LOST:
        await _tolerating(add_document(vault.core, vault.owner, document, key))
    else:
        await add_document(vault.core, vault.owner, document, key)
    version, _ = await add_document(vault.core, vault.owner, document, key)
    assert version.version == 1
    assert rows(vault) == [1, 2, 2]
    assert events(vault, EventKind.DOCUMENT_ADDED) == 1


async def _tolerating(attempt: object) -> None:
    try:
        await attempt  # type: ignore[misc]
    except Unavailable:
        return


async def test_a_retry_gets_the_same_version(vault: House) -> None:
    key = idempotency(vault.owner, "/documents", "once", {})
    fresh = incoming(document_id=None)
    version, replayed = await add_document(vault.core, vault.owner, fresh, key)
    again, replayed_again = await add_document(vault.core, vault.owner, fresh, key)
    assert (version, replayed, replayed_again) == (again, False, True)
    await remove_document(vault.core, vault.owner, version.document_id)
    with pytest.raises(NotFound):
        await add_document(vault.core, vault.owner, fresh, key)


async def test_tenants_have_their_own(vault: House) -> None:
    mine = await add(vault)
    theirs, _ = await add_document(vault.core, vault.stranger, incoming(b"# Theirs\n\nSecret."), None)
    assert theirs.version == mine.version == 1
    assert await read_document(vault.core, vault.owner, "refunds") == [mine]
    assert await remove_document(vault.core, vault.stranger, "refunds") == 1
    assert await read_document(vault.core, vault.owner, "refunds") == [mine]


@pytest.mark.parametrize(
    "wrong",
    [incoming(name=""), incoming(name="a\nb.md"), incoming(name="x" * 257), incoming(document_id="a b"),
     incoming(document_id="\0"), incoming(document_id="x" * 129)],
)  # fmt: skip
async def test_names_and_ids_are_checked(wrong: Incoming, vault: House) -> None:
    with pytest.raises(Invalid):
        await add(vault, wrong)


async def test_only_who_may_write_policies(vault: House) -> None:
    agent = await vault.key(Preset.AGENT)
    for attempt in (
        add_document(vault.core, agent, incoming(), None),
        remove_document(vault.core, agent, "refunds"),
        list_documents(vault.core, agent, after="", limit=1),
        read_document(vault.core, agent, "refunds"),
        read_text(vault.core, agent, "refunds", 1),
    ):
        with pytest.raises(MissingScope):
            await attempt


async def test_a_quote_is_verified_byte_for_byte(vault: House) -> None:
    version = await add(vault)
    _, whole = await read_text(vault.core, vault.owner, "refunds", 1)
    quote = find_quote(version.document_version_id, whole, "At most 100 USD a day.", 0, len(whole))
    assert quote is not None
    verify_quote(quote, version.document_version_id, whole)
    assert find_quote(version.document_version_id, whole, "at most 100 USD", 0, len(whole)) is None
    assert find_quote(version.document_version_id, whole, " ", 0, len(whole)) is None
    wrong = [
        Quote(quote.document_version_id, quote.text_hash, quote.begins, quote.ends, "At most 999 USD a day."),
        Quote(quote.document_version_id, quote.text_hash, quote.begins + 1, quote.ends + 1, quote.words),
        Quote(quote.document_version_id, "0" * 64, quote.begins, quote.ends, quote.words),
        Quote("another", quote.text_hash, quote.begins, quote.ends, quote.words),
        Quote(quote.document_version_id, quote.text_hash, -1, quote.ends, quote.words),
        Quote(quote.document_version_id, quote.text_hash, 0, 0, ""),
    ]
    for lie in wrong:
        with pytest.raises(QuoteWrong):
            verify_quote(lie, version.document_version_id, whole)
    with pytest.raises(QuoteWrong):
        verify_quote(quote, version.document_version_id, whole + " ")


async def test_a_version_is_a_source_of_a_policy(vault: House) -> None:
    version = await add(vault)
    source = source_of(version)
    assert (source.document_id, source.version_id) == ("refunds", version.document_version_id)
    assert (source.name, source.content_hash, source.settled) == ("refunds.md", hash_bytes(POLICY), False)


EDITS = {
    "its text": (update(schema.document_version).values(text="# Refunds\n\nAt most 900 USD a day."), "its text is not"),
    "its bytes": (update(schema.document_version).values(original=b"x"), "its bytes are not"),
    "its hash": (update(schema.document_version).values(text_hash="0" * 64), "about text_sha256"),
    "its name": (update(schema.document_version).values(name="other.md"), "about name"),
    "its findings": (
        update(schema.document_version).values(findings='[{"code":"comments","message":"x"}]'),
        "about findings",
    ),
    "its time": (update(schema.document_version).values(added_at=1), "about added_at"),
    "its author": (update(schema.document_version).values(added_by="me"), "about added_by"),
    "its age": (update(schema.document_version).values(newest=False), "newest"),
    "its kind": (update(schema.document_version).values(media_type="nothing"), "can't be read"),
    "a chunk's text": (update(schema.document_chunk).values(text="At most 900 USD"), "says something else"),
    "a chunk's heading": (update(schema.document_chunk).values(heading="Other"), "its chunks are not"),
    "a chunk's place": (update(schema.document_chunk).values(begins=1), "its chunks are not"),
    "its chunks": (schema.document_chunk.delete(), "its chunks are not"),
    "all of it": (schema.document_version.delete(), "is missing"),
}  # fmt: skip


@pytest.mark.parametrize("edit", EDITS)
async def test_an_edited_document_is_found(edit: str, vault: House) -> None:
    statement, flaw = EDITS[edit]
    await add(vault)
    vault.close()
    with vault.edited() as connection:
        assert connection.execute(statement).rowcount
    vault.open()
    report = vault.core.store.read_and_wait(lambda connection: check_vault(connection, [], lambda _: None))
    flaws = [found for tenant in report.tenants for found in tenant.flaws]
    assert any(flaw in found for found in flaws), flaws
    vault.close()


async def test_an_index_that_lost_a_chunk_is_found(vault: House) -> None:
    await add(vault)
    vault.close()
    with vault.edited() as connection:
        lost = "chunk_search_docsize WHERE id" if vault.is_sqlite else "chunk_search WHERE search_id"
        connection.execute(text(f"DELETE FROM {lost} = 1"))
    vault.open()
    report = vault.core.store.read_and_wait(lambda connection: check_vault(connection, [], lambda _: None))
    assert any("full-text index" in found for tenant in report.tenants for found in tenant.flaws)
    vault.close()


async def test_a_document_in_use_stays(vault: House) -> None:
    await add(vault)
    drafted = await vault.draft("Refunds must not exceed $10", sources=(SourceRef("refunds"),))
    await vault.confirm(drafted.version)
    await vault.activate(drafted.version)
    with pytest.raises(Conflict) as refused:
        await remove_document(vault.core, vault.owner, "refunds")
    assert refused.value.code == "document_in_use"
    vault.close()
