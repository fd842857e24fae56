"""Documents over HTTP: upload, paste, versions, findings, search, bounds."""

from __future__ import annotations

from typing import Any

import pytest
from fpdf import FPDF

from running_vault import Tenant, succeeded
from wire import problem

POLICY = "# Refunds\n\nRefunds above 100 USD need a manager.\n\n# Travel\n\nTaxis are taken at night.\n"


def upload(tenant: Tenant, content: bytes, **query: Any) -> Any:
    kind = query.pop("content_type", "application/octet-stream")
    return tenant.full.send("POST", "/documents", content=content, params=query, headers={"Content-Type": kind})


def pdf(*pages: str) -> bytes:
    made = FPDF()
    made.set_font("helvetica", size=11)
    for text in pages:
        made.add_page()
        if text:
            made.multi_cell(0, 6, text)
    return bytes(made.output())


def test_a_pdf_is_uploaded_searched_and_removed(tenant: Tenant) -> None:
    content = pdf("1. Refunds\n\nRefunds above 100 USD need a manager.", "2. Travel\n\nTaxis are taken at night.")
    added = succeeded(upload(tenant, content, name="Policy.PDF", document_id="policy"))
    assert (added["version"], added["pages"], added["media_type"]) == (1, 2, "application/pdf")
    (clause,) = tenant.full.read("/documents/search", q="Who may take a taxi?")["clauses"]
    assert (clause["page"], clause["heading"], clause["document_id"]) == (2, ["2. Travel"], "policy")
    text = tenant.full.read("/documents/policy/versions/1/text")
    assert text["text"][clause["begins"] : clause["ends"]] == clause["text"]
    assert text["text_sha256"] == clause["text_sha256"] == added["text_sha256"]
    original = tenant.full.http.get(
        "/documents/policy/versions/1/original", headers={"X-Vault-API-Key": tenant.full.secret}
    )
    assert original.content == content
    assert original.headers["x-content-type-options"] == "nosniff"
    assert len(tenant.full.read("/documents/policy/versions/1")["chunks"]) == added["chunks"] == 2
    assert succeeded(tenant.full.send("DELETE", "/documents/policy"))["removed_versions"] == 1
    assert tenant.full.read("/documents/search", q="taxi") == {"clauses": []}
    problem(tenant.full.get("/documents/policy/versions/1/text"), 404, "not_found")
    assert [entry["kind"] for entry in tenant.entries()[:2]] == ["document.removed", "document.added"]


def test_text_is_pasted_with_its_findings(tenant: Tenant) -> None:
    body = {"name": "Refunds", "text": POLICY.replace("100", "1\u200b00"), "format": "markdown"}
    first = tenant.full.post("/documents", body, once="paste")
    again = tenant.full.post("/documents", body, once="paste")
    assert succeeded(first) == succeeded(again)
    assert again.headers["idempotency-replayed"] == "true"
    assert [finding["code"] for finding in first.json()["findings"]] == ["invisible_characters"]
    assert "above 100 USD" in tenant.full.read("/documents/search", q="refunds")["clauses"][0]["text"]


def test_a_tool_finds_the_clauses_about_it(tenant: Tenant) -> None:
    succeeded(upload(tenant, POLICY.encode(), name="policy.md"))
    succeeded(tenant.full.put("/tool-schemas/bookTaxi", {"type": "object", "properties": {"night": {}}}))
    clauses = tenant.full.read("/documents/search", tool="bookTaxi", limit=1)["clauses"]
    assert clauses[0]["heading"] == ["Travel"]
    assert tenant.full.read("/documents/search", tool="bookTaxi", covering=True) == {"clauses": []}


@pytest.mark.parametrize(
    ("content", "query", "status", "code"),
    [
        (pdf(""), {"name": "scan.pdf"}, 422, "document_no_text_layer"),
        (b"%PDF-1.7 broken", {"name": "a.pdf"}, 422, "document_unreadable"),
        (b"<html>", {"name": "a.pdf"}, 422, "document_other_type"),
        (b"x", {"name": "a.exe"}, 422, "document_type_unknown"),
        (b"", {"name": "a.txt"}, 422, "document_empty"),
        (b"text", {"name": "a.txt", "document_id": "a b"}, 422, "invalid"),
        (b"{}", {}, 422, "invalid"),
        (b'{"name": "x", "text": "y", "format": "pdf"}', {}, 422, "invalid"),
        (b"x" * (20 * 1024 * 1024 + 1), {"name": "a.txt"}, 413, "too_large"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_refusals_say_why(content: bytes, query: dict[str, str], status: int, code: str, tenant: Tenant) -> None:
    problem(upload(tenant, content, **query), status, code)
    assert tenant.full.read("/documents") == {"documents": []}


def test_the_type_may_be_told_by_its_header(tenant: Tenant) -> None:
    added = succeeded(upload(tenant, b"a,b\n1,2\n", name="limits", content_type="text/csv; charset=utf-8"))
    assert added["media_type"] == "text/csv"


def test_documents_are_listed_page_by_page(tenant: Tenant) -> None:
    for name in ("a", "b", "c"):
        succeeded(upload(tenant, name.encode(), name="x.txt", document_id=name))
    listed = tenant.full.read("/documents", limit=2)["documents"]
    assert [document["document_id"] for document in listed] == ["a", "b"]
    rest = tenant.full.read("/documents", after="b")["documents"]
    assert [document["document_id"] for document in rest] == ["c"]


def test_only_who_may_write_policies(tenant: Tenant) -> None:
    for path in ("/documents", "/documents/search?q=x", "/documents/x", "/documents/x/versions/1"):
        problem(tenant.agent.get(path), 403, "missing_scope")
    problem(tenant.agent.post("/documents", {"name": "a", "text": "b"}), 403, "missing_scope")
    problem(tenant.agent.get("/confluence-settings"), 403, "missing_scope")


def test_the_token_of_confluence_never_comes_back(tenant: Tenant) -> None:
    settings = {"base_url": "https://acme.example/wiki", "email": "bot@acme.example", "token": "s3cret"}
    assert "s3cret" not in str(succeeded(tenant.full.put("/confluence-settings", settings)))
    assert "s3cret" not in str(tenant.full.read("/confluence-settings"))
    assert "s3cret" not in str(tenant.entries())
    problem(tenant.full.put("/confluence-settings", settings | {"base_url": "http://10.0.0.1"}), 422, "address_plain")
