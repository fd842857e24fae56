"""The right clause is among the first five, on both engines; and nobody sees another tenant's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from vault_testing.house import House

from ledgix_vault.operations.add_document import add_document
from ledgix_vault.operations.remove_document import remove_document
from ledgix_vault.operations.search_documents import Question, search_documents
from ledgix_vault.operations.steps.documents import Incoming
from ledgix_vault.sources.document import DocumentVersion, MediaKind, Origin
from ledgix_vault.sources.words import words_of_action, words_of_text
from ledgix_vault.store.search import Found, search_chunks
from ledgix_vault.tenancy.api_keys import ApiKey

pytestmark = pytest.mark.anyio
HERE = Path(__file__).parent
LABELLED: list[dict[str, Any]] = yaml.safe_load((HERE / "labelled.yaml").read_text("utf-8"))
FIRST = 5


async def add(
    vault: House, name: str, content: bytes, *, by: ApiKey | None = None, document_id: str | None = None
) -> DocumentVersion:
    incoming = Incoming(document_id, name, MediaKind.MARKDOWN, Origin.UPLOAD, content)
    version, _ = await add_document(vault.core, by or vault.owner, incoming, None)
    return version


async def found(vault: House, text: str, *, by: ApiKey | None = None) -> list[Found]:
    return await search_documents(vault.core, by or vault.owner, Question(text), limit=FIRST)


def words(label: dict[str, Any]) -> tuple[str, ...]:
    return words_of_text(label["q"]) if "q" in label else words_of_action(label["tool"], label["args"])


async def test_the_right_clause_is_among_the_first_five(vault: House) -> None:
    assert len(LABELLED) >= 60
    for path in sorted((HERE / "policies").glob("*.md")):
        await add(vault, path.name, path.read_bytes())
    missed = []
    for label in LABELLED:
        asked = words(label)
        clauses = await vault.core.store.read(
            lambda connection, asked=asked: search_chunks(
                connection, vault.owner.tenant_id, asked, versions=None, limit=FIRST
            )
        )
        if not any(label["find"] in clause.text for clause in clauses):
            missed.append((label, [clause.text[:60] for clause in clauses]))
    assert len(missed) <= 0.05 * len(LABELLED), missed


def test_every_label_names_one_clause() -> None:
    whole = "".join(path.read_text("utf-8") for path in (HERE / "policies").glob("*.md"))
    assert all(whole.count(label["find"]) == 1 for label in LABELLED)


@pytest.mark.parametrize(
    "text", ['"', "a OR", "NEAR(", "*", "' | '", "text:", "\\", "!!", "%s :x", "(((", "é ß 漢字", ""]
)
async def test_no_question_is_syntax(text: str, vault: House) -> None:
    await add(vault, "a.md", b"# Refunds\n\nRefunds above 100 USD need approval.")
    assert [clause.name for clause in await found(vault, f"{text} refund")] == ["a.md"]


async def test_only_the_newest_version_is_found(vault: House) -> None:
    first = await add(vault, "a.md", b"# Refunds\n\nRefunds above 100 USD need approval.")
    second = await add(
        vault, "a.md", b"# Refunds\n\nRefunds above 200 USD need approval.", document_id=first.document_id
    )
    assert [clause.document_version_id for clause in await found(vault, "refunds")] == [second.document_version_id]
    old = await vault.core.store.read(
        lambda connection: search_chunks(
            connection,
            vault.owner.tenant_id,
            ("refunds",),
            versions=[first.document_version_id],
            limit=FIRST,
        )
    )
    assert [clause.version for clause in old] == [1]
    await remove_document(vault.core, vault.owner, first.document_id)
    assert await found(vault, "refunds") == []


async def test_another_tenant_finds_nothing(vault: House) -> None:
    mine = await add(vault, "a.md", b"# Refunds\n\nRefunds need approval.")
    assert await found(vault, "refunds", by=vault.stranger) == []
    theirs = await vault.core.store.read(
        lambda connection: search_chunks(
            connection, vault.stranger.tenant_id, ("refunds",), versions=[mine.document_version_id], limit=FIRST
        )
    )
    assert theirs == []


def test_words_of_an_action() -> None:
    assert words_of_action("stripeRefund", ["amount_usd", "orderID"], "for the customer") == (
        "stripe",
        "refund",
        "amount",
        "usd",
        "order",
        "id",
        "customer",
    )
    assert len(words_of_text(" ".join(f"w{number}" for number in range(100)))) == 32
