"""Importing pages from a tenant's Confluence: all that were asked for become documents, or none."""

from __future__ import annotations

from functools import partial

from ledgix_vault.documents.confluence import PAGE_ID, ConfluenceAccess, Page, fetch_pages
from ledgix_vault.errors import Conflict, Invalid, Unavailable
from ledgix_vault.keys.sealing import SealBroken
from ledgix_vault.operations.steps.documents import Incoming, Reading, read_incoming, store_reading
from ledgix_vault.sources.document import LONGEST_NAME, DocumentVersion, MediaKind, Origin
from ledgix_vault.store.documents import find_confluence_connection
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome as Stored
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.vault import Vault

LONGEST_KEY = 255


async def import_from_confluence(
    vault: Vault, caller: Caller, *, page_id: str | None, space_key: str | None
) -> list[DocumentVersion]:
    """The imported pages as document versions; the page 123 is the document `confluence-123`, whenever it is imported.

    A page that didn't change stays as it is. Raises what Confluence refuses, and `DocumentRefused` for a page that
    can't be read; nothing is kept then.
    """
    caller.require(Scope.POLICY)
    _check(page_id, space_key)
    found = await vault.store.read(partial(find_confluence_connection, tenant_id=caller.tenant_id))
    if found is None:
        raise Conflict("No Confluence is set for this tenant; set it first.", code="confluence_not_set")
    base_url, email, sealed = found
    access = ConfluenceAccess(base_url, email, _token(vault, caller.tenant_id, sealed))
    pages = await fetch_pages(
        access, page_id=page_id, space_key=space_key, allow_private=vault.settings.confluence_allow_private
    )
    filled = [page for page in pages if page.body.strip()]
    if not filled:
        raise Invalid("There is no page with text.", path="$", code="document_empty")
    readings = [await read_incoming(vault.documents, _incoming(page)) for page in filled]
    versions: list[DocumentVersion] = await vault.store.run(partial(_store, caller, readings))
    return versions


def _check(page_id: str | None, space_key: str | None) -> None:
    if (page_id is None) == (space_key is None):
        raise Invalid("must have either page_id or space_key")
    if page_id is not None and not (1 <= len(page_id) <= 32 and set(page_id) <= PAGE_ID):
        raise Invalid("must be the digits of a page's id", path="$.page_id")
    if space_key is not None and not (1 <= len(space_key) <= LONGEST_KEY and space_key.isprintable()):
        raise Invalid(f"must be 1 to {LONGEST_KEY} printable characters", path="$.space_key")


def _token(vault: Vault, tenant_id: str, sealed: bytes) -> str:
    try:
        return vault.keys.seal.open(sealed, tenant_id)
    except SealBroken as error:
        raise Unavailable(
            "The stored token of Confluence can't be opened with this Vault's keys; set it again.",
            code="confluence_token_sealed",
        ) from error


def _incoming(page: Page) -> Incoming:
    name = "".join(character for character in page.title if character.isprintable())[:LONGEST_NAME]
    return Incoming(
        document_id=f"confluence-{page.page_id}"[:128],
        name=name or f"Page {page.page_id}",
        kind=MediaKind.CONFLUENCE,
        origin=Origin.CONFLUENCE,
        content=page.body.encode("utf-8", "replace"),
    )


def _store(caller: Caller, readings: list[Reading], unit: Unit) -> Stored[list[DocumentVersion]]:
    return Stored([store_reading(unit, caller, reading) for reading in readings])
