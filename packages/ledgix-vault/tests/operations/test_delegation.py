"""What an approval may be the parent of (contract section 2, "Delegation")."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select
from vault_testing.house import REVIEWED, TOOL, Answer, House

from ledgix.formats import json, tokens
from ledgix.formats.keys import unb64url
from ledgix_vault.errors import Conflict, Forbidden
from ledgix_vault.store import schema

pytestmark = pytest.mark.anyio

CHILD = {"tool_name": "send_mail", "tool_args": {"amount": 5}}
CHILD_POLICY = ("Amounts must not exceed 100 USD",)


def jti(asked: Answer) -> str:
    return str(json.parse_object(unb64url(asked["token"].split(".")[1]))["jti"])


async def ask_child(vault: House, parent: Answer, **further: Any) -> Answer:
    return await vault.ask(**{**CHILD, "parent_jti": jti(parent), **further})


@pytest.fixture
async def parent(vault: House) -> Answer:
    """An approval under `refunds`, and a policy that approves the child by itself."""
    await vault.register(*CHILD_POLICY, policy_id="mails", tools=("send_mail",))
    return await vault.ask()


async def test_a_child_of_an_approval_is_decided_and_names_it(vault: House, parent: Answer) -> None:
    child = await ask_child(vault, parent)
    assert child["status"] == "approved"
    claims = tokens.verify(child["token"], vault.core.token_keys(), issuer="alcv-vault", audience="ledgix-sdk", now=0)
    assert claims.parent_jti == jti(parent)


async def test_a_used_or_lapsed_parent_is_fine(vault: House, parent: Answer) -> None:
    await vault.consume(parent)
    assert (await ask_child(vault, parent))["status"] == "approved"
    vault.clock.advance(3600)
    assert (await ask_child(vault, parent))["status"] == "approved"


async def test_the_window_closes(vault: House, parent: Answer) -> None:
    vault.clock.advance(3601)
    assert (await ask_child(vault, parent))["reason_code"] == "delegation_invalid"


async def test_a_cancelled_parent_delegates_nothing(vault: House, parent: Answer) -> None:
    await vault.deny(parent)
    child = await ask_child(vault, parent)
    assert (child["status"], child["reason_code"]) == ("denied", "delegation_invalid")


async def test_another_tenants_approval_is_no_parent(vault: House, parent: Answer) -> None:
    foreign = await vault.ask(by=vault.stranger)
    assert (await ask_child(vault, foreign))["reason_code"] == "delegation_invalid"


async def test_an_approval_that_nobody_fetched_is_no_parent(vault: House, parent: Answer) -> None:
    """Its `jti` is not known to anybody, so whoever names it guessed."""
    asked = await vault.ask(REVIEWED)
    await vault.approve(asked)
    unseen = vault.core.store.read_and_wait(
        lambda connection: connection.execute(
            select(schema.clearance.c.jti).where(schema.clearance.c.request_id == asked["request_id"])
        ).scalar_one()
    )
    assert (await vault.ask(**CHILD, parent_jti=unseen))["reason_code"] == "delegation_invalid"


async def test_depth_is_limited(vault: House, parent: Answer) -> None:
    last = parent
    for _ in range(5):
        last = await ask_child(vault, last)
        assert last["status"] == "approved"
    sixth = await ask_child(vault, last)
    assert (sixth["status"], sixth["reason_code"]) == ("denied", "delegation_invalid")


async def test_the_parents_policy_judges_the_child_too(vault: House, parent: Answer) -> None:
    assert (await vault.ask(**{**CHILD, "tool_args": {"amount": 50}}))["status"] == "approved"
    await vault.register("Refunds must not exceed $10")  # the policy that approved the parent
    child = await ask_child(vault, parent, tool_args={"amount": 50})
    assert child["status"] == "denied"
    assert (await ask_child(vault, parent))["status"] == "approved"


async def test_a_reviewer_cannot_lift_a_child_above_its_parents_policy(vault: House, parent: Answer) -> None:
    child = await ask_child(vault, parent, tool_name="unknown_tool", tool_args={"amount": 50})
    assert child["status"] == "pending_review"
    await vault.register("Refunds must not exceed $10")
    with pytest.raises(Conflict) as refused:
        await vault.approve(child)
    assert refused.value.code == "policy_changed"
    await vault.register("Refunds must not exceed $100")
    vault.clock.advance(4000)  # the window is for asking; people may take longer
    assert (await vault.approve(child))["status"] == "approved"


async def test_a_reviewer_cannot_approve_the_child_of_a_cancelled_parent(vault: House, parent: Answer) -> None:
    child = await ask_child(vault, parent, tool_name="unknown_tool")
    assert child["status"] == "pending_review"
    await vault.deny(parent)
    with pytest.raises(Conflict) as refused:
        await vault.approve(child)
    assert refused.value.code == "delegation_invalid"


async def test_a_mint_is_delegated_anew(vault: House, parent: Answer) -> None:
    child = await ask_child(vault, parent)
    assert (await vault.mint(child, **CHILD))["token"]
    await vault.deny(parent)
    with pytest.raises(Forbidden) as refused:
        await vault.mint(child, **CHILD)
    assert refused.value.code == "delegation_invalid"


async def test_the_parents_arguments_are_not_the_childs(vault: House, parent: Answer) -> None:
    child = await ask_child(vault, parent, tool_name=TOOL, tool_args={"amount": 5000})
    assert child["status"] == "denied"
