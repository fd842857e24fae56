"""Rules that look at the moment and at the session's earlier calls are decided inside the transaction."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from vault_testing.house import House

from ledgix_vault.errors import Forbidden

pytestmark = pytest.mark.anyio

ONCE = """
rules:
  - id: once
    effect: deny
    when: ['session.calls.exists(c, c.tool == tool && c.args.order == args.order)']
    source: "An order can be changed only once in a conversation."
  - {id: ok, effect: approve, when: ['given(args.order)']}
"""
WEEKDAYS = """
rules:
  - {id: weekend, effect: deny, when: ['now.getDayOfWeek("Europe/Berlin") in [0, 6]']}
  - {id: ok, effect: approve, when: []}
"""


async def registered(vault: House, definition: str, tool: str = "change_order") -> None:
    await vault.register(policy_id=tool, tools=(tool,), definition=definition)


async def change(vault: House, order: str, session: str = "s", **further: Any) -> str:
    answer = await vault.ask(tool_name="change_order", tool_args={"order": order}, session_id=session, **further)
    return str(answer["status"])


async def test_a_call_is_approved_once_in_a_session(vault: House) -> None:
    await registered(vault, ONCE)
    assert await change(vault, "A") == "approved"
    assert await change(vault, "A") == "denied"
    assert await change(vault, "B") == "approved"
    assert await change(vault, "A", session="another") == "approved"
    assert await change(vault, "A", session="") == "pending_review"


async def test_of_many_at_once_one_is_approved(vault: House) -> None:
    await registered(vault, ONCE)
    found = await asyncio.gather(*(change(vault, "A") for _ in range(64)))
    assert sorted(found) == ["approved"] + ["denied"] * 63


async def test_a_denied_call_used_nothing(vault: House) -> None:
    await registered(vault, ONCE)
    await registered(vault, "rules: [{id: never, effect: deny, when: []}]", "other")
    await vault.ask(tool_name="other", tool_args={"order": "A"}, session_id="s")
    assert await change(vault, "A") == "approved"


async def test_another_tenants_session_of_the_same_name_is_another(vault: House) -> None:
    await registered(vault, ONCE)
    assert await change(vault, "A", session="\0😀") == "approved"
    assert await change(vault, "A", session="\0😀") == "denied"
    await vault.register(policy_id="change_order", tools=("change_order",), definition=ONCE, by=vault.stranger)
    assert await change(vault, "A", session="\0😀", by=vault.stranger) == "approved"


async def test_the_moment_is_the_transactions(vault: House) -> None:
    await registered(vault, WEEKDAYS)
    day = 24 * 3600
    statuses = []
    for _ in range(7):
        statuses.append(await change(vault, "A"))
        vault.clock.advance(day)
    assert sorted(statuses) == ["approved"] * 5 + ["denied"] * 2


async def test_a_mint_is_a_second_use(vault: House) -> None:
    """The original is an approved call of the session, so what may happen once can't be minted again."""
    await registered(vault, ONCE)
    call: dict[str, Any] = {"tool_name": "change_order", "tool_args": {"order": "A"}, "session_id": "s"}
    approved = await vault.ask(**call)
    with pytest.raises(Forbidden) as refused:
        await vault.mint(approved, **call)
    assert refused.value.code == "policy_denied"
    assert (await vault.mint(approved, **{**call, "session_id": "another"}))["status"] == "approved"
