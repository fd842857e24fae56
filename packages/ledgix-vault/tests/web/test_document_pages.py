"""The pages about documents: in, read, searched, chosen from, and out again; and who may."""

from __future__ import annotations

import httpx
import pytest
from fpdf import FPDF
from vault_testing.house import House
from vault_testing.visitor import ORIGIN, Visitor, signed_in, text_of

from ledgix_vault.operations.read_documents import list_documents
from ledgix_vault.operations.read_policies import read_policy
from ledgix_vault.tenancy.people import Role

pytestmark = pytest.mark.anyio

TEXT = "1. Refunds\n\nRefunds must not exceed $500.\nRefunds over $100 need review.\n\nWe are kind to customers."


def a_pdf(*paragraphs: str) -> bytes:
    page = FPDF()
    page.set_font("helvetica", size=11)
    page.add_page()
    page.multi_cell(0, 6, "\n\n".join(paragraphs))
    return bytes(page.output())


async def upload(visitor: Visitor, name: str, content: bytes, **fields: str) -> httpx.Response:
    return await visitor.client.post(
        "/app/documents", data=fields, files={"file": (name, content)}, headers={"Origin": ORIGIN}
    )


async def paste(visitor: Visitor, text: str = TEXT, name: str = "Refund policy") -> str:
    """The address of the pasted document."""
    return (await visitor.post("/app/documents", name=name, text=text)).headers["location"]


async def test_from_a_pdf_to_a_policy_in_force(vault: House) -> None:
    async with signed_in(vault, Role.POLICY_EDITOR) as (visitor, member):
        added = await upload(visitor, "Gift policy.pdf", a_pdf("1. Gifts", *TEXT.split("\n\n")[1].split("\n")))
        page = await visitor.get(added.headers["location"] + "?tools=stripe_refund")
        assert "Denied if the amount is more than 500 USD." in text_of(page)
        source = page.text.partition('name="source" value="')[2].partition('"')[0]
        form = await visitor.post(
            "/app/policies-new",
            do="open",
            source=source,
            policy_id="gift-policy",
            tools="stripe_refund",
            sentence=["Refunds must not exceed $500.", "Refunds over $100 need review."],
        )
        assert "Rests on Gift policy.pdf" in text_of(form)
        assert "Refunds must not exceed $500.\nRefunds over $100 need review.</textarea>" in form.text
        saved = await visitor.post(
            "/app/policies-new",
            do="save",
            source=source,
            policy_id="gift-policy",
            tools="stripe_refund",
            sentences="Refunds must not exceed $500.\nRefunds over $100 need review.",
        )
        version = await visitor.get(saved.headers["location"])
        assert "Settled: the rules say all that it says" in text_of(version)
        document_id = source.partition("@")[0]
        confirmed = await visitor.post(saved.headers["location"] + "/confirm", read="on", settle=document_id)
        await visitor.post(confirmed.headers["location"] + "/activate")
        active = (await read_policy(vault.core, member, "gift-policy")).active
        assert active is not None
        assert [(each.name, each.settled) for each in active.document.sources] == [("Gift policy.pdf", True)]
        refused = await visitor.post(f"/app/documents/{document_id}/remove")
        assert (refused.status_code, "rests on this document" in text_of(refused)) == (409, True)
        again = await visitor.get(f"/app/policies/gift-policy/edit?version={active.version}")
        assert f'name="source" value="{source}"' in again.text
    assert (await vault.ask(450)).get("status") == "pending_review"


async def test_text_is_pasted_searched_and_removed(vault: House) -> None:
    async with signed_in(vault, Role.OWNER) as (visitor, member):
        address = await paste(visitor)
        found = text_of(await visitor.get("/app/documents?q=kind"))
        assert "Found for “kind” Refund policy" in found
        assert "Nothing has these words" in text_of(await visitor.get("/app/documents?q=zebra"))
        assert "Added" in text_of(await visitor.get(address))
        await visitor.post(address + "/remove")
        assert (await visitor.get(address)).status_code == 404
        assert await list_documents(vault.core, member, after="", limit=10) == []


async def test_the_file_comes_back_as_it_came_and_is_never_shown(vault: House) -> None:
    content = b"<script>alert(1)</script> Refunds must not exceed $500."
    async with signed_in(vault, Role.POLICY_EDITOR) as (visitor, _):
        address = (await upload(visitor, "evil.html", content)).headers["location"]
        original = await visitor.get(address + "/versions/1/original")
        page = await visitor.get(address)
    assert original.content == content
    assert original.headers["content-disposition"].startswith("attachment")
    assert original.headers["content-type"] == "application/octet-stream"
    assert "sandbox" in original.headers["content-security-policy"]
    assert "<script>alert" not in page.text


async def test_the_next_version_is_another_of_the_same_document(vault: House) -> None:
    async with signed_in(vault, Role.POLICY_EDITOR) as (visitor, _):
        address = (await upload(visitor, "a.txt", b"Refunds must not exceed $500.")).headers["location"]
        document_id = address.rpartition("/")[2]
        again = await upload(visitor, "a.txt", b"Refunds must not exceed $400.", document_id=document_id)
        assert again.headers["location"] == address
        assert "$400" in text_of(await visitor.get(address))
        assert "$500" in text_of(await visitor.get(address + "?version=1"))
        assert "there is a newer one" in text_of(await visitor.get(address + "?version=1"))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.exe", b"MZ", "This kind of file isn’t read."),
        ("a.pdf", b"no pdf", "a.pdf:"),
        ("", b"", "Choose a file."),
    ],
)
async def test_what_cant_be_read_is_said_beside_the_file(name: str, content: bytes, said: str, vault: House) -> None:
    async with signed_in(vault, Role.POLICY_EDITOR) as (visitor, _):
        refused = await upload(visitor, name, content)
        if not name:
            refused = await visitor.post("/app/documents", file="")
    assert refused.status_code == 422
    assert said in text_of(refused)


async def test_what_is_chosen_on_one_part_stays_chosen_on_the_next(vault: House) -> None:
    text = "\n\n".join(
        f"Clause {number}. " + "x" * 690 + f"\n\nRefunds must not exceed ${number}." for number in range(60)
    )
    async with signed_in(vault, Role.POLICY_EDITOR) as (visitor, _):
        address = await paste(visitor, text)
        first = await visitor.get(address)
        assert "part 1 of 3" in text_of(first)
        second = await visitor.post(f"{address}?version=1", part="2", sentence=["Refunds must not exceed $3."])
        assert '<input type="hidden" name="sentence" value="Refunds must not exceed $3.">' in second.text
        back = await visitor.post(f"{address}?version=1", part="1", sentence=["Refunds must not exceed $3."])
        assert 'value="Refunds must not exceed $3." checked' in back.text


async def test_confluence_is_connected_by_an_owner_and_says_what_is_wrong(vault: House) -> None:
    async with signed_in(vault, Role.POLICY_EDITOR) as (editor, _):
        assert "An owner connects Confluence once" in text_of(await editor.get("/app/documents"))
        unset = await editor.post("/app/documents/confluence", page_id="1")
        assert (unset.status_code, "No Confluence is set" in text_of(unset)) == (422, True)
        access = {"base_url": "https://acme.atlassian.net/wiki", "email": "a@acme.example", "token": "t"}
        assert (await editor.post("/app/documents/confluence/connection", **access)).status_code == 403
    async with signed_in(vault, Role.OWNER) as (owner, _):
        wrong = await owner.post("/app/documents/confluence/connection", **(access | {"base_url": "http://10.0.0.1"}))
        assert wrong.status_code == 422
        assert (await owner.post("/app/documents/confluence/connection", **access)).status_code == 303
        page = await owner.get("/app/documents")
        assert "Connected to https://acme.atlassian.net/wiki as a@acme.example." in text_of(page)


@pytest.mark.parametrize("role", [Role.REVIEWER, Role.AUDITOR, Role.DEVELOPER])
async def test_whoever_lacks_the_right_sees_no_document(role: Role, vault: House) -> None:
    async with signed_in(vault, role) as (visitor, _):
        assert (await visitor.get("/app/documents")).status_code == 403
        assert (await visitor.post("/app/documents", name="a", text="b")).status_code == 403


async def test_another_tenants_document_is_as_if_it_did_not_exist(vault: House) -> None:
    async with signed_in(vault, Role.OWNER, tenant=1, email="other@example.com") as (stranger, _):
        address = await paste(stranger)
    async with signed_in(vault, Role.OWNER) as (visitor, _):
        for path in (address, address + "/versions/1/original", "/app/documents/unknown"):
            assert (await visitor.get(path)).status_code == 404
        assert (await visitor.post(address + "/remove")).status_code == 404
        assert (await visitor.post(f"{address}?version=1", part="1")).status_code == 404
        document_id = address.rpartition("/")[2]
        drafted = await visitor.post(
            "/app/policies-new", policy_id="p", sentences="No refunds", source=f"{document_id}@1", do="save"
        )
        assert drafted.status_code == 422
        assert "Refund policy" not in text_of(await visitor.get("/app/documents?q=refunds"))
