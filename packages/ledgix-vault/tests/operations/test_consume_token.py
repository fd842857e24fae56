"""A token is used exactly once, by whoever may, for the call that was approved."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from vault_testing.house import APPROVED, REVIEWED, TOOL, Answer, House, told

from ledgix.formats import tokens
from ledgix_vault.errors import Conflict, Forbidden, Invalid, MissingScope, TokenRefused
from ledgix_vault.tenancy.scopes import Preset

pytestmark = pytest.mark.anyio


async def test_of_64_concurrent_consumers_one_succeeds(vault: House) -> None:
    asked = await vault.ask()
    gateways = [await vault.key(Preset.GATEWAY, f"gateway {i}") for i in range(4)]
    attempts = [vault.consume(asked, by=gateways[i % 4], key=f"k{i}") for i in range(64)]
    results = await asyncio.gather(*attempts, return_exceptions=True)
    codes = Counter("ok" if isinstance(result, Answer) else getattr(result, "code", "?") for result in results)
    assert codes == {"ok": 1, "token_already_consumed": 63}
    assert told(vault, asked) == ["clearance.decided", "token.consumed"]


@pytest.mark.parametrize("together", [True, False])
async def test_of_two_consumers_one_succeeds(together: bool, vault: House) -> None:
    """In one group, and in two."""
    asked = await vault.ask()
    if together:
        results = await asyncio.gather(vault.consume(asked), vault.consume(asked), return_exceptions=True)
        assert [type(result) for result in results] == [Answer, Conflict]
        return
    await vault.consume(asked)
    vault.reopen()
    with pytest.raises(Conflict) as refused:
        await vault.consume(asked)
    assert refused.value.code == "token_already_consumed"


async def test_a_retry_of_the_consumer_gets_its_answer(vault: House) -> None:
    asked = await vault.ask()
    first = await vault.consume(asked, key="k")
    vault.clock.advance(3600)  # long after the token's end
    again = await vault.consume(asked, key="k")
    assert again == first
    assert again.replayed
    with pytest.raises(Conflict):
        await vault.consume(asked, key="another inbound call")


async def test_a_burnt_key_cannot_vouch_for_another_token(vault: House) -> None:
    first, second = await vault.ask(), await vault.ask()
    await vault.consume(first, key="k")
    with pytest.raises(Invalid):
        await vault.consume(second, key="k")
    await vault.consume(second, key="k2")


OTHER_CALLS: list[tuple[dict[str, object], str]] = [
    ({"tool_name": "stripe_charge"}, "token_tool_mismatch"),
    ({"tool_args": {"amount": 46}}, "token_args_mismatch"),
    ({"tool_args": {}}, "token_args_mismatch"),
    ({"tool_args": {"amount": 45, "to": "me"}}, "token_args_mismatch"),
    ({"tool_args": {"amount": "45"}}, "token_args_mismatch"),
    ({"tool_args": {"amount": True}}, "token_args_mismatch"),
]


async def test_another_call_burns_nothing(vault: House) -> None:
    asked = await vault.ask()
    for call, code in OTHER_CALLS:
        with pytest.raises(Forbidden) as refused:
            await vault.consume(asked, **call)
        assert refused.value.code == code
    assert told(vault, asked) == ["clearance.decided"]
    await vault.consume(asked, tool_name=TOOL, tool_args={"amount": 45.0})


async def test_changed_arguments_are_the_ones_that_may_run(vault: House) -> None:
    asked = await vault.ask(REVIEWED, accepts=["changed_args"])
    await vault.approve(asked, args={"amount": 50})
    handed_out = await vault.poll(asked)
    with pytest.raises(Forbidden):
        await vault.consume(handed_out, tool_args={"amount": REVIEWED})
    await vault.consume(handed_out, tool_args={"amount": 50})


async def test_an_expired_token_is_refused(vault: House) -> None:
    asked = await vault.ask()
    vault.clock.advance(300)
    with pytest.raises(TokenRefused) as refused:
        await vault.consume(asked)
    assert refused.value.code == "token_expired"
    assert told(vault, asked) == ["clearance.decided"]


async def test_a_token_of_another_tenant_burns_nothing(vault: House) -> None:
    asked = await vault.ask()
    with pytest.raises(TokenRefused) as refused:
        await vault.consume(asked, by=vault.stranger)
    assert refused.value.code == "token_invalid"
    assert told(vault, asked) == ["clearance.decided"]
    await vault.consume(asked)


async def test_a_forged_token_is_refused(vault: House) -> None:
    """Also one that our own key signed for an approval that was never stored."""
    asked = await vault.ask()
    key = vault.core.keys.private(vault.core.token_key)
    claims = tokens.verify(asked["token"], vault.core.token_keys(), issuer="alcv-vault", audience="ledgix-sdk", now=0)
    header, payload, signature = asked["token"].split(".")
    unknown = tokens.issue(tokens.TokenClaims(**{**_members(claims), "jti": claims.request_id}), key)
    for forged in (f"{header}.{payload}.{signature[::-1]}", f"{header}.{payload}.", "x", unknown):
        with pytest.raises(TokenRefused) as refused:
            await vault.consume({"token": forged})
        assert refused.value.code == "token_invalid"
    await vault.consume(asked)


def _members(claims: tokens.TokenClaims) -> dict[str, object]:
    return {name: getattr(claims, name) for name in tokens.TokenClaims.__dataclass_fields__}


async def test_a_cancel_voids_the_token(vault: House) -> None:
    asked = await vault.ask()
    await vault.deny(asked)
    with pytest.raises(TokenRefused) as refused:
        await vault.consume(asked)
    assert refused.value.code == "token_invalid"


async def test_cancel_and_consumption_exclude_each_other(vault: House) -> None:
    for first_is_cancel in (True, False):
        asked = await vault.ask(APPROVED)
        acts = [vault.deny(asked), vault.consume(asked)]
        results = await asyncio.gather(*(acts if first_is_cancel else acts[::-1]), return_exceptions=True)
        assert isinstance(results[0], Answer)
        assert isinstance(results[1], TokenRefused if first_is_cancel else Conflict)


async def test_consuming_needs_the_scope(vault: House) -> None:
    asked = await vault.ask()
    for preset in (Preset.AGENT, Preset.REVIEWER, Preset.AUDITOR):
        with pytest.raises(MissingScope, match="consume"):
            await vault.consume(asked, by=await vault.key(preset))
