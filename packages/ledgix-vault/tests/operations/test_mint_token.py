"""Minting is a new decision over the same call, never a copy of the old one."""

from __future__ import annotations

import asyncio

import pytest
from vault_testing.house import APPROVED, DENIED, REVIEWED, House, told

from ledgix_vault.errors import Forbidden, NotFound
from ledgix_vault.operations.read_ledger import list_entries

pytestmark = pytest.mark.anyio


async def test_a_mint_has_its_own_id_token_and_event(vault: House) -> None:
    asked = await vault.ask()
    vault.clock.advance(200)
    minted = await vault.mint(asked)
    assert minted["request_id"] != asked["request_id"]
    assert minted["token"] not in {None, asked["token"]}
    assert told(vault, minted) == ["token.minted"]
    assert told(vault, asked) == ["clearance.decided"]
    await vault.consume(asked)
    await vault.consume(minted)
    assert (await vault.poll(minted))["reason_code"] == "approval_used"


async def test_a_retry_gives_the_same_token(vault: House) -> None:
    asked = await vault.ask()
    first = await vault.mint(asked, key="k")
    vault.clock.advance(100)
    again = await vault.mint(asked, key="k")
    assert again.replayed
    assert again["token"] == first["token"]
    assert (await vault.mint(asked, key="k2"))["token"] != first["token"]


async def test_concurrent_mints_under_one_key_are_one(vault: House) -> None:
    asked = await vault.ask()
    minted = await asyncio.gather(*(vault.mint(asked, key="k") for _ in range(8)))
    assert len({answer["token"] for answer in minted}) == 1


async def test_absent_null_and_empty_are_the_same(vault: House) -> None:
    asked = await vault.ask(purpose="", data_categories=[], human_principal=None)
    assert (await vault.mint(asked, human_principal="", purpose=None))["token"]


async def test_the_session_is_the_mints_own_and_the_context_the_originals(vault: House) -> None:
    context = {"policy_id": "refunds", "facts": {"order": 7}}
    asked = await vault.ask(session_id="s-1", context=context)
    minted = await vault.mint(asked, session_id="s-2", context={"policy_id": "nonsense"}, parent_jti="nonsense")
    assert minted["token"]
    event = await newest_intent(vault, minted)
    assert event["request"]["session_id"] == "s-2"
    assert event["request"]["context"] == context
    assert event["request"]["parent_jti"] is None
    assert event["original_request_id"] == asked["request_id"]


async def newest_intent(vault: House, asked: dict) -> dict:
    entries = await list_entries(vault.core, vault.owner, 1)
    assert entries[0]["request_id"] == asked["request_id"]
    return entries[0]["intent"]


OTHER_CALLS: list[dict[str, object]] = [
    {"tool_name": "stripe_refunds"},
    {"tool_args": {"amount": 46}},
    {"tool_args": {"amount": "45"}},
    {"tool_args": {"amount": 45, "x": None}},
    {"agent_id": "another"},
    {"human_principal": "somebody"},
    {"destination_uri": "https://elsewhere.example"},
    {"destination_provider": "elsewhere"},
    {"destination_account_ref": "acct_2"},
    {"data_categories": ["health"]},
    {"purpose": "marketing"},
    {"processing_register_ref": "r-2"},
    {"dataset_ref": "d-2"},
]


async def test_another_call_is_refused(vault: House) -> None:
    asked = await vault.ask()
    for different in OTHER_CALLS:
        with pytest.raises(Forbidden) as refused:
            await vault.mint(asked, **different)
        assert refused.value.code == "mint_mismatch"
        assert next(iter(different)) in refused.value.detail


async def test_the_window_closes(vault: House) -> None:
    asked = await vault.ask()
    vault.clock.advance(300)
    assert (await vault.mint(asked))["token"]
    vault.clock.advance(1)
    with pytest.raises(Forbidden) as refused:
        await vault.mint(asked)
    assert refused.value.code == "mint_window_passed"


@pytest.mark.parametrize("how", ["pending", "denied", "approved in review", "cancelled", "expired"])
async def test_only_what_rules_alone_approved_can_be_minted_from(how: str, vault: House) -> None:
    asked = await vault.ask(
        {"denied": DENIED, "cancelled": APPROVED}.get(how, REVIEWED), accepts=["changed_args"], key="k"
    )
    if how == "approved in review":
        await vault.approve(asked)
    elif how == "cancelled":
        await vault.deny(asked)
    elif how == "expired":
        await vault.change(review_expiry_seconds=1)
        asked = await vault.ask(REVIEWED, accepts=["changed_args"])
        vault.clock.advance(1)
        await vault.poll(asked)
    amount = {"denied": DENIED, "cancelled": APPROVED}.get(how, REVIEWED)
    with pytest.raises(Forbidden) as refused:
        await vault.mint(asked, tool_args={"amount": amount})
    assert refused.value.code == "mint_not_possible"


async def test_consumption_does_not_end_the_window(vault: House) -> None:
    asked = await vault.ask()
    await vault.consume(asked)
    assert (await vault.mint(asked))["token"]


@pytest.mark.parametrize(
    ("sentence", "code"),
    [("Refunds must not exceed $10", "policy_denied"), ("Amounts above 10 USD need review", "review_required")],
)
async def test_the_rules_of_now_decide_and_a_refusal_is_recorded(sentence: str, code: str, vault: House) -> None:
    asked = await vault.ask()
    await vault.register(sentence)
    with pytest.raises(Forbidden) as refused:
        await vault.mint(asked, key="k")
    assert refused.value.code == code
    recorded = {"request_id": refused.value.request_id}
    assert told(vault, recorded) == ["clearance.decided"]
    assert (await vault.poll(recorded))["status"] == "denied"  # a mint never opens a review
    with pytest.raises(Forbidden) as refused:
        await vault.mint(asked, key="k")  # a refusal is not remembered
    assert refused.value.request_id != recorded["request_id"]
    await vault.register("Refunds must not exceed $1000")
    assert not (await vault.mint(asked, key="k")).replayed


async def test_a_foreign_original_is_unknown(vault: House) -> None:
    asked = await vault.ask()
    with pytest.raises(NotFound):
        await vault.mint(asked, by=vault.stranger)
