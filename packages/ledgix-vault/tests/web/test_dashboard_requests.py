"""Overview, requests and one request as pages: what they show to whom, and what of it stays in the address."""

from __future__ import annotations

from typing import Any

import pytest
from vault_testing.house import House
from vault_testing.visitor import Visitor, signed_in, text_of

from ledgix_vault.clearance.reports import Reported
from ledgix_vault.operations.add_document import add_document
from ledgix_vault.operations.steps.documents import Incoming
from ledgix_vault.operations.steps.drafting import SourceRef
from ledgix_vault.sources.document import MediaKind, Origin
from ledgix_vault.tenancy.people import Role
from ledgix_vault.tenancy.scopes import Preset

pytestmark = pytest.mark.anyio

RULES = ("Refunds must not exceed $500", "Amounts above 100 USD need review")
HOSTILE = '"><script>alert(1)</script>'


async def page_of(visitor: Visitor, path: str, status: int = 200) -> str:
    answer = await visitor.get(path)
    assert answer.status_code == status, answer.text
    return text_of(answer)


async def test_an_empty_tenant_is_told_what_to_do(vault: House) -> None:
    async with signed_in(vault, Role.OWNER) as (visitor, _):
        for path in ("/app/", "/app/requests"):
            assert "No agent has asked yet" in await page_of(visitor, path)
        assert "Nothing was found" in await page_of(visitor, "/app/requests?tool=x")


@pytest.mark.parametrize("span", ["", "?range=24h", "?range=7d", "?range=30d", "?range=nonsense"])
async def test_the_overview(span: str, vault: House) -> None:
    await vault.register(*RULES)
    await vault.ask(45, agent_id="billing-bot")
    await vault.ask(4500)
    await vault.ask(450)
    vault.clock.advance(120)
    async with signed_in(vault, Role.AUDITOR) as (visitor, _):
        shown = await page_of(visitor, f"/app/{span}")
    assert "Requests 3" in shown
    assert "Decided without a person 100 %" in shown
    assert "Waiting for a person 1 the oldest for 2 min" in shown
    assert "billing-bot 1 1 0 0" in shown
    assert "Rules took, median ≤ 1 ms 95 of 100 within 1 ms" in shown
    assert "How long rules took" in shown
    assert "amount 45" in shown


async def test_looking_for_requests_by_the_address(vault: House) -> None:
    await vault.register(*RULES)
    small, large = await vault.ask(45), await vault.ask(4500)
    async with signed_in(vault, Role.AUDITOR) as (visitor, _):
        found = (await visitor.get("/app/requests?outcome=denied&text=4500")).text
        assert str(large["request_id"]) in found
        assert str(small["request_id"]) not in found
        assert 'value="4500"' in found
        assert '<option value="denied" selected>' in found
        assert str(small["request_id"]) in (await visitor.get("/app/requests?from=2026-05-28&to=2026-05-28")).text
        assert str(small["request_id"]) not in (await visitor.get("/app/requests?to=2026-05-27")).text
        wrong = await visitor.get("/app/requests?from=yesterday&outcome=fine")
        assert wrong.status_code == 422
        assert "must be" in text_of(wrong)


async def test_pages_lead_to_older_ones_and_keep_what_is_looked_for(vault: House) -> None:
    for amount in range(51):
        await vault.ask(amount, agent_id="a b&c")
    async with signed_in(vault, Role.AUDITOR) as (visitor, _):
        first = (await visitor.get("/app/requests", params={"agent_id": "a b&c"})).text
        (link,) = [part.partition('"')[0] for part in first.split('href="') if "cursor=" in part.partition('"')[0]]
        older = (await visitor.get(f"/app/requests{link.replace('&amp;', '&')}")).text
    assert first.count("data-item") == 50
    assert older.count("data-item") == 1
    assert 'href="?agent_id=a+b%26c"' in older


async def test_one_request(vault: House) -> None:
    await vault.register(*RULES)
    asked = await vault.ask(450, session_id="session-1", context={"facts": {"order": "A-1"}})
    async with signed_in(vault, Role.REVIEWER) as (visitor, member):
        waiting = await page_of(visitor, f"/app/requests/{asked['request_id']}")
        await vault.approve(asked, by=member, reason="Twice charged.")
        shown = await page_of(visitor, f"/app/requests/{asked['request_id']}")
    assert "Decided: waits for a person by policies" in waiting
    assert "0 of 1 approvals" in waiting
    for part in (
        "amount 450",
        "session session-1",
        "fact “order” A-1",
        'money(args.amount, "USD") > 100',
        "(amount = 450)",
        f"Decided by {member.name or member.email}",
        "Twice charged.",
        "not fetched yet",
        "Reviewed: approved",
        "not under a checkpoint yet",
        f"ledgix verify ledgix-{asked['request_id']}.json",
    ):
        assert part in shown, part


async def test_cited_words_are_marked_where_they_stand(vault: House) -> None:
    text = f"# Refunds\n\nBe kind. {RULES[1]}. Nobody refunds twice.\n"
    handbook = Incoming("handbook", "Handbook", MediaKind.MARKDOWN, Origin.UPLOAD, text.encode())
    await add_document(vault.core, vault.owner, handbook, None)
    drafted = await vault.draft(*RULES, sources=(SourceRef("handbook"),))
    marked = await vault.confirm(drafted.version, settle=("handbook",))
    await vault.activate(marked.version)
    asked = await vault.ask(450)
    async with signed_in(vault, Role.AUDITOR) as (visitor, _):
        shown = (await visitor.get(f"/app/requests/{asked['request_id']}")).text
    assert f"Be kind. <mark>{RULES[1]}</mark>. Nobody refunds twice." in shown
    assert "Handbook, version 1, Refunds" in shown


async def test_a_developer_sees_no_contents(vault: House) -> None:
    await vault.register(*RULES)
    asked = await vault.ask(4500, agent_id="billing-bot")
    async with signed_in(vault, Role.DEVELOPER) as (visitor, _):
        for path in ("/app/", "/app/requests", f"/app/requests/{asked['request_id']}"):
            shown = await page_of(visitor, path)
            assert "4500" not in shown, path
            assert "billing-bot" in shown
        assert "4500" not in (await visitor.get(f"/app/requests/{asked['request_id']}/bundle.json")).text
        assert (await visitor.get("/app/requests?text=4500")).status_code == 403


async def test_what_agents_send_is_text_and_nothing_else(vault: House) -> None:
    asked = await vault.ask(1, tool_name=HOSTILE, agent_id=HOSTILE, session_id=HOSTILE, tool_args={HOSTILE: [HOSTILE]})
    async with signed_in(vault, Role.AUDITOR) as (visitor, _):
        for path in ("/app/", "/app/requests", f"/app/requests/{asked['request_id']}", f"/app/requests?tool={HOSTILE}"):
            assert "<script>alert" not in (await visitor.get(path)).text


async def test_the_evidence_as_a_file(vault: House) -> None:
    asked: Any = await vault.ask(1)
    await vault.checkpoint()
    async with signed_in(vault, Role.AUDITOR) as (visitor, _):
        answer = await visitor.get(f"/app/requests/{asked['request_id']}/bundle.json?download=true")
    assert answer.headers["content-disposition"] == f'attachment; filename="ledgix-{asked["request_id"]}.json"'
    assert answer.json()["event"]["request_id"] == asked["request_id"]


async def test_another_tenants_request_is_not_there(vault: House) -> None:
    asked = await vault.ask(1)
    async with signed_in(vault, Role.OWNER, tenant=1) as (visitor, _):
        for path in (f"/app/requests/{asked['request_id']}", f"/app/requests/{asked['request_id']}/bundle.json"):
            assert (await visitor.get(path)).status_code == 404
        for path in ("/app/", "/app/requests"):
            assert str(asked["request_id"]) not in (await visitor.get(path)).text


RETRIED = "rules: [{id: all, effect: approve, when: []}]\nretry_after_unknown: true\n"


async def test_a_reported_outcome_and_what_can_be_done_about_it(vault: House) -> None:
    await vault.register(definition=RETRIED)
    gateway = await vault.key(Preset.GATEWAY, "the edge")
    asked = {outcome: await vault.ask(45) for outcome in Reported}
    for outcome, answer in asked.items():
        await vault.report(answer, outcome, by=gateway, detail=f"it is {outcome} {HOSTILE}")
    paths = {outcome: f"/app/requests/{answer['request_id']}" for outcome, answer in asked.items()}
    async with signed_in(vault, Role.OWNER) as (visitor, _):
        for outcome, path in paths.items():
            page = await visitor.get(path)
            assert HOSTILE not in page.text
            shown = text_of(page)
            assert f"Outcome reported: {outcome} by API key “the edge”" in shown
            assert f"“it is {outcome} " in shown
            assert ("What can be done" in shown) == (outcome is Reported.UNKNOWN)
        assert "The call that it was for was delivered." in await page_of(visitor, paths[Reported.DELIVERED])
        assert "asks for clearance again" in await page_of(visitor, paths[Reported.REFUSED])
        assert "Its policy allows one retry" in await page_of(visitor, paths[Reported.UNKNOWN])
        retry = await vault.mint(asked[Reported.UNKNOWN])
        shown = (await visitor.get(paths[Reported.UNKNOWN])).text
        assert "It was retried once, and there is no second retry." in shown
        assert f'<a href="/app/requests/{retry["request_id"]}">The retry</a>' in shown
        shown = await page_of(visitor, f"/app/requests/{retry['request_id']}")
        assert "Retried, since the outcome of the first call is unknown" in shown
        assert "may be tried once more" in await page_of(visitor, "/app/policies/refunds")
        await vault.register(definition=RETRIED.splitlines()[0])
        await vault.report(other := await vault.ask(45), Reported.UNKNOWN)
        assert "Its policy allows no retry." in await page_of(visitor, f"/app/requests/{other['request_id']}")
