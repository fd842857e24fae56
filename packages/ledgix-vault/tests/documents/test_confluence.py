"""Importing from Confluence: pages and spaces, what goes wrong there, and a token that nobody gets back."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from fake_confluence import EMAIL, SPACE_KEY, TOKEN, FakeConfluence, confluence
from sqlalchemy import select, update
from vault_testing.house import House

from ledgix.formats.events import EventKind
from ledgix_vault.documents.confluence import ConfluenceAccess
from ledgix_vault.errors import (
    Busy,
    Conflict,
    DocumentRefused,
    Invalid,
    MissingScope,
    NotFound,
    Unavailable,
    VaultError,
)
from ledgix_vault.keys.sealing import Seal, SealBroken
from ledgix_vault.operations.check_vault import check_vault
from ledgix_vault.operations.connect_confluence import confluence_connection, connect_confluence
from ledgix_vault.operations.import_from_confluence import import_from_confluence
from ledgix_vault.operations.read_documents import list_documents, read_text
from ledgix_vault.outbound.guard import is_public
from ledgix_vault.sources.document import DocumentVersion, MediaKind, Origin
from ledgix_vault.store import schema
from ledgix_vault.store.crosscheck.reading import entries_of_kinds
from ledgix_vault.tenancy.scopes import Preset

pytestmark = pytest.mark.anyio
BODY = "<h1>Refunds</h1><p>At most&nbsp;100 USD.</p>"


@pytest.fixture
def wiki() -> Iterator[FakeConfluence]:
    with confluence() as fake:
        fake.pages = {str(n): (f"Page {n}", 1, BODY.replace("100", str(n))) for n in range(101, 106)}
        yield fake


@pytest.fixture
def vault(new_vault: Callable[..., House]) -> House:
    return new_vault(confluence_allow_private=True)


async def connect(vault: House, wiki: FakeConfluence, token: str = TOKEN) -> None:
    await connect_confluence(vault.core, vault.owner, ConfluenceAccess(wiki.url, EMAIL, token))


async def page(vault: House, page_id: str) -> list[DocumentVersion]:
    return await import_from_confluence(vault.core, vault.owner, page_id=page_id, space_key=None)


async def space(vault: House, key: str = SPACE_KEY) -> list[DocumentVersion]:
    return await import_from_confluence(vault.core, vault.owner, page_id=None, space_key=key)


async def test_a_page_becomes_a_document(vault: House, wiki: FakeConfluence) -> None:
    await connect(vault, wiki)
    (version,) = await page(vault, "101")
    assert (version.document_id, version.name, version.version) == ("confluence-101", "Page 101", 1)
    assert (version.media_type, version.origin) == (MediaKind.CONFLUENCE, Origin.CONFLUENCE)
    _, text = await read_text(vault.core, vault.owner, "confluence-101", 1)
    assert text == "Refunds\n\nAt most\u00a0101 USD."
    assert await page(vault, "101") == [version]  # unchanged
    wiki.pages["101"] = ("Page 101", 2, BODY)
    assert [found.version for found in await page(vault, "101")] == [2]


async def test_a_space_is_followed_to_its_last_page(vault: House, wiki: FakeConfluence) -> None:
    await connect(vault, wiki)
    wiki.pages["999"] = ("Empty", 1, "")
    assert [version.document_id for version in await space(vault)] == [f"confluence-{n}" for n in range(101, 106)]
    assert len(wiki.asked) == 1 + 3


async def test_one_page_that_cannot_be_read_keeps_out_all(vault: House, wiki: FakeConfluence) -> None:
    await connect(vault, wiki)
    wiki.pages["105"] = ("Images only", 1, "<ac:image/>")
    with pytest.raises(DocumentRefused) as refused:
        await space(vault)
    assert "Images only" in refused.value.detail
    assert await list_documents(vault.core, vault.owner, after="", limit=10) == []


@pytest.mark.parametrize(
    ("status", "headers", "error", "code"),
    [
        (401, {}, Invalid, "confluence_refused"),
        (403, {}, Invalid, "confluence_refused"),
        (404, {}, NotFound, "confluence_not_found"),
        (429, {"Retry-After": "17"}, Busy, "confluence_busy"),
        (429, {}, Busy, "confluence_busy"),
        (302, {"Location": "http://127.0.0.1/"}, Invalid, "confluence_moved"),
        (500, {}, Unavailable, "confluence_unavailable"),
    ],
)
async def test_what_confluence_refuses_is_told(
    status: int, headers: dict[str, str], error: type[VaultError], code: str, vault: House, wiki: FakeConfluence
) -> None:
    await connect(vault, wiki)
    wiki.status, wiki.headers = status, headers
    with pytest.raises(error) as refused:
        await page(vault, "101")
    assert refused.value.code == code
    assert TOKEN not in str(refused.value)
    if isinstance(refused.value, Busy):
        assert refused.value.retry_after == int(headers.get("Retry-After", 60))
    assert len(wiki.asked) == 1


@pytest.mark.parametrize("raw", [b"<html>", b"[]", b'{"id": "101"}', b'{"results": 5}', b'{"id": 1, "id": 2}'])
async def test_strange_answers_are_refused(raw: bytes, vault: House, wiki: FakeConfluence) -> None:
    await connect(vault, wiki)
    wiki.raw = raw
    for attempt in (page(vault, "101"), space(vault)):
        with pytest.raises(Unavailable) as refused:
            await attempt
        assert refused.value.code == "confluence_unavailable"


@pytest.mark.parametrize("link", ["http://localhost:1/wiki/api", "https://example.com/next", "//example.com/x"])
async def test_the_next_page_is_taken_from_the_same_place_only(link: str, vault: House, wiki: FakeConfluence) -> None:
    await connect(vault, wiki)
    wiki.next_link = link
    with pytest.raises(Unavailable, match="another server"):
        await space(vault)


async def test_a_list_that_goes_in_circles_ends(vault: House, wiki: FakeConfluence) -> None:
    await connect(vault, wiki)
    wiki.next_link = "/wiki/api/v2/spaces/98765/pages?body-format=storage&cursor=0"
    assert {version.document_id for version in await space(vault)} == {"confluence-101", "confluence-102"}


async def test_nobody_there(vault: House, wiki: FakeConfluence) -> None:
    with pytest.raises(Conflict, match="No Confluence"):
        await page(vault, "101")
    await connect(vault, wiki)
    with pytest.raises(NotFound):
        await space(vault, "NONE")
    with pytest.raises(NotFound):
        await page(vault, "7")
    wrong = await connect_and_ask(vault, ConfluenceAccess("http://127.0.0.1:1/wiki", EMAIL, TOKEN))
    assert isinstance(wrong, Unavailable)


async def connect_and_ask(vault: House, access: ConfluenceAccess) -> VaultError:
    await connect_confluence(vault.core, vault.owner, access)
    with pytest.raises(VaultError) as refused:
        await page(vault, "101")
    return refused.value


@pytest.mark.parametrize(
    ("page_id", "space_key"), [(None, None), ("1", "A"), ("1/../2", None), ("", None), ("٣", None), (None, "\n")]
)
async def test_wrong_questions(page_id: str | None, space_key: str | None, vault: House) -> None:
    with pytest.raises(Invalid):
        await import_from_confluence(vault.core, vault.owner, page_id=page_id, space_key=space_key)


async def test_the_token_is_sealed_and_never_comes_back(vault: House, wiki: FakeConfluence) -> None:
    await connect(vault, wiki)
    assert await confluence_connection(vault.core, vault.owner) == (wiki.url, EMAIL)
    with pytest.raises(NotFound):
        await confluence_connection(vault.core, vault.stranger)
    agent = await vault.key(Preset.AGENT)
    with pytest.raises(MissingScope):
        await confluence_connection(vault.core, agent)
    table = schema.confluence_connection
    stored = vault.core.store.read_and_wait(lambda connection: connection.execute(select(table)).one())
    assert TOKEN.encode() not in bytes(stored.sealed_token)
    recorded = vault.core.store.read_and_wait(
        lambda connection: list(entries_of_kinds(connection, vault.owner.tenant_id, [EventKind.CONFLUENCE_CONNECTED]))
    )
    assert len(recorded) == 1
    assert TOKEN not in recorded[0].intent_text
    assert TOKEN not in repr(ConfluenceAccess(wiki.url, EMAIL, TOKEN))
    vault.reopen()
    assert len(await page(vault, "101")) == 1


async def test_an_edited_connection_is_found(vault: House, wiki: FakeConfluence) -> None:
    await connect(vault, wiki)
    vault.close()
    with vault.edited() as connection:
        connection.execute(update(schema.confluence_connection).values(base_url="https://evil.example"))
    vault.open()
    report = vault.core.store.read_and_wait(lambda connection: check_vault(connection, [], lambda _: None))
    assert any("Confluence" in flaw for tenant in report.tenants for flaw in tenant.flaws)


@pytest.mark.parametrize(
    "url",
    [
        "http://acme.atlassian.net/wiki",
        "https://",
        "ftp://acme.example",
        "https://a:b@acme.example",
        "https://x/?q=1",
        "no",
    ],
)
async def test_only_https_addresses(url: str, new_vault: Callable[..., House]) -> None:
    vault = new_vault()
    with pytest.raises(Invalid):
        await connect_confluence(vault.core, vault.owner, ConfluenceAccess(url, EMAIL, TOKEN))


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "localhost", "10.0.0.1", "169.254.169.254", "[::ffff:10.0.0.1]"]
)
async def test_no_private_address_is_asked(host: str, new_vault: Callable[..., House]) -> None:
    vault = new_vault()
    refused = await connect_and_ask(vault, ConfluenceAccess(f"https://{host}/wiki", EMAIL, TOKEN))
    assert refused.code == "address_private"


def test_what_is_public() -> None:
    private = ["127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.0.1", "169.254.169.254", "0.0.0.0", "100.64.0.1",
               "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:127.0.0.1",
               "64:ff9b::7f00:1", "2002:7f00:1::", "no address"]  # fmt: skip
    assert not [address for address in private if is_public(address)]
    assert all(is_public(address) for address in ("8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"))


def test_a_seal_opens_in_its_own_context_only() -> None:
    seal = Seal(b"password")
    sealed = seal.close("secret", "tenant")
    assert seal.open(sealed, "tenant") == "secret"
    assert seal.close("secret", "tenant") != sealed
    for wrong in (sealed[:-1], b"", bytes(40), sealed[:12] + b"x" + sealed[13:]):
        with pytest.raises(SealBroken):
            seal.open(wrong, "tenant")
    for other, context in ((seal, "another"), (Seal(b"other"), "tenant")):
        with pytest.raises(SealBroken):
            other.open(sealed, context)
    assert "password" not in repr(seal)
