"""The pages about policies: writing, reading, confirming, putting in force and going back, and who may."""

from __future__ import annotations

import re

import pytest
from vault_testing.house import House
from vault_testing.visitor import Visitor, signed_in, text_of

from ledgix_vault.operations.change_review_settings import change_review_settings
from ledgix_vault.operations.confirm_policy_version import Marks, confirm_policy_version
from ledgix_vault.operations.read_policies import read_policy
from ledgix_vault.tenancy.people import Role
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.web.dashboard.words import RIGHTS

pytestmark = pytest.mark.anyio

VERSION = "/app/policies/refunds/versions/{}"
SENTENCES = "Refunds must not exceed $500\nBe kind to customers."


async def test_the_library_has_a_row_for_each_policy_with_who_changed_it(vault: House) -> None:
    await vault.draft("Refunds must not exceed $40")
    async with signed_in(vault, Role.POLICY_EDITOR) as (visitor, _):
        said = text_of(await visitor.get("/app/policies"))
    assert "version 1 in force" in said
    assert "draft 2 waits" in said
    assert "stripe_refund" in said
    assert "API key “" in said


async def test_a_check_shows_what_was_understood_and_keeps_nothing(vault: House) -> None:
    async with signed_in(vault, Role.POLICY_EDITOR) as (visitor, member):
        page = await visitor.post("/app/policies-new", policy_id="gifts", tools="stripe_refund", sentences=SENTENCES)
        said = text_of(page)
        with pytest.raises(Exception, match="no such policy"):
            await read_policy(vault.core, member, "gifts")
    assert page.status_code == 200
    assert "Denied if the amount is more than 500 USD." in said
    assert "amount = 500.01 denied" in said
    assert "No rule stands for this, so a person looks at every call that the policy covers" in said


async def test_a_sentence_is_replaced_by_the_one_that_was_offered(vault: House) -> None:
    fields = {"policy_id": "gifts", "tools": "stripe_refund", "sentences": "Refunds must not exceed $100 per day"}
    async with signed_in(vault, Role.POLICY_EDITOR) as (visitor, _):
        assert "Did you mean" in text_of(await visitor.post("/app/policies-new", **fields))
        page = await visitor.post("/app/policies-new", **fields, use="0:0")
        assert ">Refunds must not exceed $100</textarea>" in page.text
        for nonsense in ("9:9", "x", "0:99", "0"):
            assert (await visitor.post("/app/policies-new", **fields, use=nonsense)).status_code == 200


async def test_what_is_wrong_stands_beside_its_field(vault: House) -> None:
    async with signed_in(vault, Role.POLICY_EDITOR) as (visitor, _):
        nothing = await visitor.post("/app/policies-new", policy_id="gifts", do="save")
        nameless = await visitor.post("/app/policies-new", sentences=SENTENCES, do="save")
        taken = await visitor.post("/app/policies-new", policy_id="refunds", sentences=SENTENCES, do="save")
        rules = "rules:\n  - {id: a, effect: maybe, when: []}"
        broken = await visitor.post("/app/policies-new", policy_id="gifts", definition=rules, do="save")
    assert [page.status_code for page in (nothing, nameless, taken, broken)] == [422] * 4
    assert "Write at least one sentence." in text_of(nothing)
    assert "Give the policy a name" in text_of(nameless)
    assert "There is a policy with this name already" in text_of(taken)
    assert "Line 2:" in text_of(broken)


async def test_a_draft_is_read_marked_confirmed_and_put_in_force(vault: House) -> None:
    async with signed_in(vault, Role.POLICY_EDITOR) as (visitor, member):
        saved = await visitor.post("/app/policies/refunds/edit", tools="stripe_refund", sentences=SENTENCES, do="save")
        assert saved.headers["location"] == VERSION.format(2)
        page = text_of(await visitor.get(VERSION.format(2)))
        assert "What the Vault understood" in page
        assert "What it would change of version 1" in page
        unread = await visitor.post(VERSION.format(2) + "/confirm", set_aside="0")
        assert (unread.status_code, "tick the box" in text_of(unread)) == (422, True)
        confirmed = await visitor.post(VERSION.format(2) + "/confirm", set_aside="0", read="on")
        assert confirmed.headers["location"] == VERSION.format(3)
        page = text_of(await visitor.get(VERSION.format(3)))
        assert "From this moment version 3 decides every call of stripe_refund, in place of version 1." in page
        await visitor.post(VERSION.format(3) + "/activate")
        said = text_of(await visitor.get("/app/policies/refunds"))
        active = (await read_policy(vault.core, member, "refunds")).active
    assert active is not None
    assert (active.version, active.document.set_aside) == (3, ("Be kind to customers.",))
    assert "In force: version 3" in said
    assert "Go back to version 1" in said


async def test_going_back_retiring_and_shadows_say_what_changes(vault: House) -> None:
    second = await vault.register("Refunds must not exceed $40")
    third = await vault.draft("Refunds must not exceed $30")
    await confirm_policy_version(vault.core, vault.owner, "refunds", third.version, Marks(), None)
    async with signed_in(vault, Role.OWNER) as (visitor, member):
        shadowed = await visitor.post(VERSION.format(3) + "/shadow")
        assert shadowed.headers["location"] == "/app/policies/refunds/shadow"
        await visitor.post("/app/policies/refunds/rollback")
        active = (await read_policy(vault.core, member, "refunds")).active
        assert active is not None
        assert active.version == 1
        await visitor.post("/app/policies/refunds/rollback", version=str(second.version))
        await visitor.post(VERSION.format(2) + "/retire")
        said = text_of(await visitor.get("/app/policies/refunds"))
        assert "Nothing of this policy is in force" in said
        again = await visitor.post("/app/policies/refunds/rollback", version="x")
        assert again.status_code == 422


async def test_it_is_said_whose_turn_it_is_where_two_people_are_asked_for(vault: House) -> None:
    await change_review_settings(vault.core, vault.owner, {"two_person_activation": True})
    async with signed_in(vault, Role.POLICY_EDITOR) as (author, _):
        await author.post("/app/policies/refunds/edit", tools="stripe_refund", sentences="No refunds", do="save")
        await author.post(VERSION.format(2) + "/confirm", read="on")
        assert "It is somebody else’s turn" in text_of(await author.get(VERSION.format(2)))
        assert (await author.post(VERSION.format(2) + "/activate")).status_code == 403
    async with signed_in(vault, Role.OWNER, email="second@example.com") as (other, _):
        assert "It is your turn" in text_of(await other.get(VERSION.format(2)))
        assert (await other.post(VERSION.format(2) + "/activate")).status_code == 303


async def test_two_versions_are_compared_in_words(vault: House) -> None:
    await vault.register("Refunds must not exceed $40")
    async with signed_in(vault, Role.POLICY_EDITOR) as (visitor, _):
        said = text_of(await visitor.get("/app/policies/refunds/diff?from=1&to=2"))
        assert "Denied if the amount is more than 1,000 USD." in said
        assert "Denied if the amount is more than 40 USD." in said
        assert (await visitor.get("/app/policies/refunds/diff?from=1&to=9")).status_code == 404


async def test_every_starter_can_be_kept_as_it_is(vault: House) -> None:
    async with signed_in(vault, Role.POLICY_EDITOR) as (visitor, _):
        page = await visitor.get("/app/policies-new")
        names = sorted({part.partition('"')[0] for part in page.text.split("/app/policies-new?starter=")[1:]})
        assert len(names) >= 6
        for name in names:
            form = await visitor.get(f"/app/policies-new?starter={name}")
            fields = {field: _field(form.text, field) for field in ("description", "tools", "sentences", "definition")}
            saved = await visitor.post("/app/policies-new", policy_id=f"from {name}", do="save", **fields)
            assert saved.status_code == 303, (name, text_of(saved))


async def test_a_policys_name_may_hold_anything(vault: House) -> None:
    name = "eu/refunds & <b>co</b>"
    async with signed_in(vault, Role.POLICY_EDITOR) as (visitor, _):
        saved = await visitor.post("/app/policies-new", policy_id=name, tools="t", sentences="No refunds", do="save")
        page = await visitor.get(saved.headers["location"])
        assert page.status_code == 200
        assert "<b>co</b>" not in page.text
        assert (await visitor.get("/app/policies/eu%2Frefunds%20%26%20%3Cb%3Eco%3C%2Fb%3E")).status_code == 200


READ = ("/app/policies", "/app/policies/refunds", VERSION.format(1), "/app/policies/refunds/diff?from=1&to=2")
WRITTEN = ("/app/policies-new", "/app/policies/refunds/edit")


async def changes_nothing(visitor: Visitor) -> None:
    for path in WRITTEN:
        assert (await visitor.get(path)).status_code == 403
    moves = ("confirm", "activate", "shadow", "retire")
    for path in (*(f"{VERSION.format(1)}/{move}" for move in moves), "/app/policies/refunds/rollback", *WRITTEN):
        assert (await visitor.post(path, sentences="x", policy_id="x", do="save")).status_code == 403


@pytest.mark.parametrize("role", [Role.REVIEWER, Role.AUDITOR])
async def test_whoever_reads_the_ledger_reads_policies_and_changes_none(role: Role, vault: House) -> None:
    """Nothing that they see leads to a page that they may not open, and no form changes a policy."""
    await vault.register("No refunds above $50")
    async with signed_in(vault, Role.POLICY_EDITOR) as (editor, _):
        kept = {"policy_id": "refunds", "tools": "stripe_refund", "sentences": "No refunds above $20", "do": "save"}
        draft = (await editor.post("/app/policies/refunds/edit", **kept)).headers["location"]
    async with signed_in(vault, role) as (visitor, _):
        for path in (*READ, draft):
            page = await visitor.get(path)
            assert page.status_code == 200, path
            posted = re.findall(r'<form[^>]*method="post" action="([^"]*)"', page.text)
            assert not [action for action in posted if "/policies" in action], path
            for link in set(re.findall(r'href="(/app/[^"?#]*)', page.text)):
                if not link.startswith("/app/static/"):
                    assert (await visitor.get(link)).status_code == 200, (path, link)
        assert "No refunds above $50" in (await visitor.get(READ[1])).text
        await changes_nothing(visitor)


async def test_whoever_reads_no_contents_reads_no_policies(vault: House) -> None:
    async with signed_in(vault, Role.DEVELOPER) as (visitor, _):
        for path in READ:
            refused = await visitor.get(path)
            assert refused.status_code == 403
            assert "needs the right to <strong>write and activate policies</strong>" in refused.text
            assert "Your role here, developer," in refused.text
            assert "missing_scope" not in refused.text
        await changes_nothing(visitor)


def test_every_right_has_its_words() -> None:
    assert set(RIGHTS) == set(Scope)


async def test_another_tenants_policy_is_as_if_it_did_not_exist(vault: House) -> None:
    await vault.register("No refunds", policy_id="secret", by=vault.stranger)
    async with signed_in(vault, Role.OWNER) as (visitor, _):
        for path in ("", "/versions/1", "/edit", "/diff?from=1&to=1"):
            assert (await visitor.get(f"/app/policies/secret{path}")).status_code == 404
            assert (await visitor.get(f"/app/policies/unknown{path}")).status_code == 404
        for path in (
            "/versions/1/confirm",
            "/versions/1/activate",
            "/versions/1/retire",
            "/versions/1/shadow",
            "/edit",
        ):
            assert (await visitor.post(f"/app/policies/secret{path}", read="on")).status_code == 404
        assert "secret" not in (await visitor.get("/app/policies")).text


def _field(page: str, name: str) -> str:
    """The value of a form's field."""
    import re
    from html import unescape

    if found := re.search(rf'<textarea[^>]*name="{name}"[^>]*>(.*?)</textarea>', page, re.DOTALL):
        return unescape(found[1])
    found = re.search(rf'<input[^>]*name="{name}"[^>]*value="([^"]*)"', page)
    return unescape(found[1]) if found else ""
