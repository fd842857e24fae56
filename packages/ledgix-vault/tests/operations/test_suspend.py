"""The kill switch: what is suspended neither gets nor uses an approval, until it is released."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from vault_testing.house import APPROVED, REVIEWED, TOOL, Answer, House, idempotency, told
from vault_testing.invariants import check_invariants

from ledgix.formats import json
from ledgix.formats.keys import unb64url
from ledgix_vault.clearance.decision import SYSTEM
from ledgix_vault.errors import Conflict, Forbidden, NotFound
from ledgix_vault.operations.suspend import release, suspend
from ledgix_vault.store.logs import read_entries
from ledgix_vault.tenancy.scopes import Preset
from ledgix_vault.tenancy.suspensions import Suspension, SuspensionKind

pytestmark = pytest.mark.anyio

AGENT = "default-agent"
EVERY_KIND = [("agent", AGENT), ("agent", "default-*"), ("tool", TOOL), ("tool", "stripe_?efund"), ("tenant", "")]
every_kind = pytest.mark.parametrize(("kind", "subject"), EVERY_KIND)


def read(answer: Answer) -> tuple[Any, ...]:
    return answer["status"], answer["reason_code"], answer["token"], answer["outcome"]


def jti(asked: Answer) -> str:
    return str(json.parse_object(unb64url(asked["token"].split(".")[1]))["jti"])


@every_kind
async def test_nothing_is_cleared_until_the_release(kind: str, subject: str, vault: House) -> None:
    made = await vault.suspend(kind, subject)
    refused = await vault.ask()
    assert read(refused) == ("denied", "suspended", None, "denied")
    assert "It does harm." in refused["reason"]
    assert refused["policy_version_id"] is None
    assert refused["citations"] == []
    assert told(vault, refused) == ["clearance.decided"]
    await vault.release(made)
    assert (await vault.ask())["status"] == "approved"
    check_invariants(vault, by_own_check=True)


@pytest.mark.parametrize(("kind", "subject"), [("agent", "Default-agent"), ("agent", "default"), ("tool", "refund")])
async def test_others_go_on(kind: str, subject: str, vault: House) -> None:
    await vault.suspend(kind, subject)
    await vault.suspend("tenant", tenant=1)
    assert (await vault.ask())["status"] == "approved"
    assert (await vault.ask(by=vault.stranger))["reason_code"] == "suspended"


@every_kind
async def test_an_issued_token_is_not_consumed_and_not_burned(kind: str, subject: str, vault: House) -> None:
    asked = await vault.ask()
    made = await vault.suspend(kind, subject)
    with pytest.raises(Forbidden) as refused:
        await vault.consume(asked, key="first")
    assert refused.value.code == "suspended"
    await vault.release(made)
    await vault.consume(asked, key="first")
    assert told(vault, asked) == ["clearance.decided", "token.consumed"]


@every_kind
async def test_an_approval_reads_denied_while_it_is_suspended(kind: str, subject: str, vault: House) -> None:
    """Old clients run the tool unless they read `denied`."""
    asked = await vault.ask(key="k")
    made = await vault.suspend(kind, subject)
    for answer in (await vault.poll(asked), await vault.ask(key="k")):
        assert read(answer) == ("denied", "suspended", None, "approved")
        assert answer["decision_status"] == "denied"
    await vault.release(made)
    assert (await vault.poll(asked))["token"] == asked["token"]


@every_kind
async def test_a_reviewed_approval_is_not_handed_out(kind: str, subject: str, vault: House) -> None:
    asked = await vault.ask(REVIEWED)
    reviewer = await vault.key(Preset.REVIEWER)
    await vault.approve(asked, by=reviewer)
    made = await vault.suspend(kind, subject)
    assert read(await vault.poll(asked)) == ("denied", "suspended", None, "approved")
    vault.clock.advance(3600)  # its token's time doesn't begin
    await vault.release(made)
    approved = await vault.poll(asked)
    assert approved["status"] == "approved"
    await vault.consume(approved)
    check_invariants(vault, by_own_check=True)


async def test_a_suspension_does_not_stop_the_time_to_fetch_it(vault: House) -> None:
    asked = await vault.ask(REVIEWED)
    await vault.approve(asked, by=await vault.key(Preset.REVIEWER))
    made = await vault.suspend("agent", AGENT)
    vault.clock.advance(25 * 3600)
    await vault.release(made)
    assert (await vault.poll(asked))["reason_code"] == "approval_lapsed"


@every_kind
async def test_a_review_cannot_override_it_but_deny(kind: str, subject: str, vault: House) -> None:
    asked, other = await vault.ask(REVIEWED), await vault.ask(REVIEWED)
    reviewer = await vault.key(Preset.REVIEWER)
    made = await vault.suspend(kind, subject)
    with pytest.raises(Conflict, match="override a suspension") as refused:
        await vault.approve(asked, by=reviewer)
    assert refused.value.code == "policy_changed"
    assert (await vault.poll(asked))["status"] == "pending_review"
    assert (await vault.deny(other, by=reviewer))["reason_code"] == "review_denied"
    await vault.release(made)
    assert (await vault.approve(asked, by=reviewer))["status"] == "approved"


@every_kind
async def test_nothing_is_minted(kind: str, subject: str, vault: House) -> None:
    asked = await vault.ask()
    minted = await vault.mint(asked, key="before")
    assert minted["token"]
    made = await vault.suspend(kind, subject)
    for key in ("before", "during"):  # also not again, by the key of a mint from before
        with pytest.raises(Forbidden) as refused:
            await vault.mint(asked, key=key)
        assert refused.value.code == "suspended"
    await vault.release(made)
    assert (await vault.mint(asked, key="before"))["token"] == minted["token"]
    assert (await vault.mint(asked, key="during"))["token"]


async def test_a_suspended_agent_delegates_nothing(vault: House) -> None:
    await vault.register("Amounts must not exceed 100 USD", policy_id="mails", tools=("send_mail",))
    parent = await vault.ask(agent_id="boss")
    child = {"tool_name": "send_mail", "agent_id": "hand", "parent_jti": jti(parent)}
    await vault.register("Mails need review", policy_id="second", tools=("send_mail",))
    waiting = await vault.ask(**child)
    made = await vault.suspend("agent", "boss")
    refused = await vault.ask(**child)
    assert (refused["status"], refused["reason_code"]) == ("denied", "delegation_invalid")
    with pytest.raises(Conflict) as conflict:
        await vault.approve(waiting, by=await vault.key(Preset.REVIEWER))
    assert conflict.value.code == "delegation_invalid"
    await vault.release(made)
    assert (await vault.ask(**child))["status"] == "pending_review"
    await vault.suspend("agent", "hand")
    assert (await vault.ask(**child))["reason_code"] == "suspended"
    assert (await vault.ask(**{**child, "parent_jti": "x"}))["reason_code"] == "suspended"


async def test_suspending_twice_and_releasing_twice_change_nothing(vault: House) -> None:
    first, again = await vault.suspend("agent", "a"), await vault.suspend("agent", "a")
    assert again == first
    released, again = await vault.release(first), await vault.release(first)
    assert again == released
    assert released.released_at == vault.clock.now
    anew = await vault.suspend("agent", "a")
    assert anew.suspension_id != first.suspension_id
    assert kinds(vault) == ["agent.suspended", "agent.released", "agent.suspended"]
    vault.reopen()
    assert vault.core.store.tenant(vault.owner.tenant_id).suspensions == (anew,)


async def test_a_retry_gets_what_became_of_it(vault: House) -> None:
    tenant_id = vault.owner.tenant_id

    async def once(work: str) -> tuple[Suspension, bool]:
        key = idempotency(vault.owner, "/suspensions", "k", {})
        return await suspend(vault.core, tenant_id, SuspensionKind.AGENT, "a", work, SYSTEM, key)

    first, replayed = await once("why")
    assert not replayed
    await vault.release(first)
    again, replayed = await once("why")
    assert replayed
    assert again == first.released(vault.clock.now, "", "It was mended.")
    assert vault.core.store.tenant(tenant_id).suspensions == ()


async def test_another_tenants_suspension_is_unknown(vault: House) -> None:
    made = await vault.suspend("tenant")
    for suspension_id in (made.suspension_id, "nonsense\0"):
        with pytest.raises(NotFound):
            await release(vault.core, vault.stranger.tenant_id, suspension_id, "mine?", SYSTEM)
    assert (await vault.ask())["reason_code"] == "suspended"


async def test_there_is_an_end_to_them(vault: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledgix_vault.operations.suspend.MOST_STANDING", 3)
    await asyncio.gather(*(vault.suspend("agent", f"a{i}") for i in range(3)))
    await vault.suspend("agent", "a1")
    with pytest.raises(Conflict) as refused:
        await vault.suspend("agent", "one more")
    assert refused.value.code == "too_many_suspensions"


async def test_a_suspension_between_preparing_and_recording_wins(vault: House) -> None:
    """64 requests are prepared while nothing is suspended; the suspension stands before them in the writer's queue."""
    async with vault.held_writer():
        suspending = asyncio.create_task(vault.suspend("agent", AGENT))
        await asyncio.sleep(0)
        asking = [asyncio.create_task(vault.ask()) for _ in range(64)]
    await suspending
    answers = await asyncio.gather(*asking)
    assert Counter(answer["reason_code"] for answer in answers) == {"suspended": 64}
    assert all(answer["outcome"] == "denied" for answer in answers)


async def test_no_token_leaves_or_is_burned_after_a_suspension(vault: House) -> None:
    """Asked, consumed and suspended all at once: what got in before the suspension counts, nothing after it does."""
    early = [await vault.ask() for _ in range(16)]

    async def race() -> list[object]:
        asking = [vault.ask() for _ in range(32)]
        burning = [vault.consume(asked) for asked in early[:8]]
        late = [vault.consume(asked) for asked in early[8:]]
        return await asyncio.gather(*asking, *burning, vault.suspend("tool", TOOL), *late, return_exceptions=True)

    results = await race()
    assert all(isinstance(result, Answer | Forbidden | Suspension) for result in results)
    (position,) = [i for i, kind in enumerate(timeline(vault)) if kind[0] == "tool.suspended"]
    after = timeline(vault)[position + 1 :]
    assert all(kind == "clearance.decided" and status == "denied" for kind, status in after)
    check_invariants(vault, by_own_check=True)


async def test_released_suspensions_cost_nothing(vault: House) -> None:
    made = await vault.suspend("tenant")
    assert vault.core.store.tenant(vault.owner.tenant_id).suspensions == (made,)
    await vault.release(made)
    state = vault.core.store.tenant(vault.owner.tenant_id)
    assert state.suspensions == ()
    assert replace(made, released_at=1).released(2, "x", "y").released_at == 1
    assert (await vault.ask(APPROVED))["status"] == "approved"


def timeline(vault: House) -> list[tuple[str, str]]:
    """Kind and status of the first tenant's entries, oldest first."""
    tenant_id = vault.owner.tenant_id
    entries = vault.core.store.read_and_wait(
        lambda connection: read_entries(connection, tenant_id, newest=500, published=0)
    )
    return [(str(entry["kind"]), str(entry.get("decision_status", ""))) for entry in reversed(entries)]


def kinds(vault: House) -> list[str]:
    return [kind for kind, _ in timeline(vault) if "suspended" in kind or "released" in kind]
