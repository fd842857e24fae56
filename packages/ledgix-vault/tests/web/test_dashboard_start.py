"""Getting started and the playground: the short path is true, and a call is tried or asked as its page says."""

from __future__ import annotations

import re

import pytest
from vault_testing.house import APPROVED, DENIED, TOOL, House, told
from vault_testing.visitor import Visitor, signed_in, text_of

from ledgix.formats import json
from ledgix_vault.clearance.request import ClearanceRequest
from ledgix_vault.operations.create_tenant import Owner, create_tenant
from ledgix_vault.operations.register_tool_schema import register_tool_schema
from ledgix_vault.operations.request_clearance import request_clearance
from ledgix_vault.policy.schemas import ToolSchema
from ledgix_vault.tenancy.api_keys import hash_secret
from ledgix_vault.tenancy.passwords import hash_password
from ledgix_vault.tenancy.people import Role
from ledgix_vault.web.dashboard.examples import example_of
from ledgix_vault.web.dashboard.shown.starters import FIRST_CALLS, starter_named

pytestmark = pytest.mark.anyio
START, PLAYGROUND = "/app/start", "/app/playground"
SECRET = re.compile(r"lgx_[A-Za-z0-9_-]{43}")
ONCE = re.compile(r'name="once" value="([^"]+)"')


async def once(visitor: Visitor, path: str) -> str:
    found = ONCE.search((await visitor.get(path)).text)
    assert found is not None
    return found[1]


def call(**fields: str) -> dict[str, str]:
    return {"tool_name": TOOL, "tool_args": '{"amount": 45}', "agent_id": "bot", "context": "{}", **fields}


@pytest.mark.parametrize("name", FIRST_CALLS)
async def test_each_first_call_does_what_it_says(name: str, vault: House) -> None:
    """The snippet's call is approved; the larger ones of the sentence beside it go to a person and are denied."""
    starter, call = starter_named(name), FIRST_CALLS[name]
    assert starter is not None
    async with signed_in(vault, Role.POLICY_EDITOR) as (visitor, _):
        assert (await visitor.post(f"{START}/policy", starter=name)).status_code == 303
        assert call.further in (await visitor.get(START)).text
    larger = [int(number) for number in re.findall(r"\d{3,}", call.further)]
    for amount, outcome in zip([call.args["amount"], *larger], ["approved", "pending", "denied"], strict=True):
        answer = await vault.ask(tool_name=call.tool, tool_args={**call.args, "amount": amount})
        assert answer["outcome"] == outcome


async def test_the_short_path_from_nothing_to_a_first_request(vault: House) -> None:
    made = create_tenant(vault.core, "fresh", Owner("new@example.com", hash_password("a password of mine")))
    async with signed_in(vault, Role.OWNER) as (visitor, _):
        await visitor.post("/app/sign-out")
        await visitor.post("/app/sign-in", email="new@example.com", password="a password of mine", next="/app/")
        overview = await visitor.get("/app/")
        assert f'href="{START}"' in overview.text
        page = await visitor.get(START)
        assert page.text.count('data-done="no"') == 4
        assert "PUT-YOUR-KEY-HERE" in page.text
        number = await once(visitor, START)
        answer = await visitor.post(f"{START}/key", once=number)
        (secret,) = set(SECRET.findall(answer.text))
        assert f"LEDGIX_VAULT_API_KEY={secret}" in text_of(answer)
        assert not SECRET.search((await visitor.post(f"{START}/key", once=number)).text)
        chosen = await visitor.post(f"{START}/policy", starter="refunds-in-sentences")
        assert (chosen.status_code, chosen.headers["location"]) == (303, START)
        page = await visitor.get(START)
        assert page.text.count('data-done="yes"') == 2
        body = json.parse_object(re.search(r"-d '(.*?)'", text_of(page))[1].encode())  # type: ignore[index]
        key = vault.core.store.key_by_hash(hash_secret(secret))
        assert key is not None
        asked, _ = await request_clearance(vault.core, key, ClearanceRequest.parse(body), None)
        page = await visitor.get(START)
        assert page.text.count('data-done="yes"') == 4
        assert f'href="/app/requests/{asked.request_id}"' in page.text
        assert "approved" in text_of(page)
    assert made.tenant_id == key.tenant_id


async def test_who_may_not_is_told_whom_to_ask(vault: House) -> None:
    for role, key, policy in ((Role.REVIEWER, 403, 403), (Role.DEVELOPER, 200, 403), (Role.POLICY_EDITOR, 403, 303)):
        async with signed_in(vault, role) as (visitor, _):
            assert (await visitor.get(START)).status_code == 200
            assert (await visitor.post(f"{START}/key")).status_code == key
            assert (await visitor.post(f"{START}/policy", starter="payments")).status_code == policy
            assert (await visitor.get(f"{START}/key")).headers["location"] == START
    async with signed_in(vault, Role.OWNER) as (visitor, _):
        assert (await visitor.post(f"{START}/policy", starter="none")).status_code == 404


async def test_a_dry_run_shows_the_rules_and_leaves_nothing(vault: House) -> None:
    before = vault.core.store.log(vault.owner.tenant_id).integrator.size
    async with signed_in(vault, Role.POLICY_EDITOR) as (visitor, _):
        joined = vault.core.store.log(vault.owner.tenant_id).integrator.size
        answer = await visitor.post(PLAYGROUND, how="try", **call(tool_args=f'{{"amount": {DENIED}}}'))
        said = text_of(answer)
        assert answer.status_code == 200
        assert "A dry run: nothing was recorded" in said
        assert 'money(args.amount, "USD") > 1000' in said
        assert vault.core.store.log(vault.owner.tenant_id).integrator.size == joined > before
        assert (await visitor.post(PLAYGROUND, how="real", **call())).status_code == 403


async def test_asking_for_real_is_recorded_once_and_shows_no_token(vault: House) -> None:
    async with signed_in(vault, Role.DEVELOPER) as (visitor, member):
        number = await once(visitor, PLAYGROUND)
        answer = await visitor.post(PLAYGROUND, how="real", once=number, **call())
        found = re.search(r'href="/app/requests/([0-9a-f-]{36})"', answer.text)
        assert found is not None
        assert "A token was issued" in text_of(answer)
        assert "eyJ" not in answer.text
        assert told(vault, {"request_id": found[1]}) == ["clearance.decided"]
        again = await visitor.post(PLAYGROUND, how="real", once=number, **call())
        assert found[1] in again.text
        other = await visitor.post(PLAYGROUND, how="real", once=number, **call(tool_args='{"amount": 46}'))
        assert f'/app/requests/{found[1]}">See' not in other.text
        assert "money(args.amount" not in answer.text  # a developer reads no policies
        assert (await visitor.post(PLAYGROUND, how="try", **call())).status_code == 403
    assert member.role is Role.DEVELOPER


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"tool_args": '{"amount": 45,\n "b": }'}, "Line 2, character 7: expected a value, found '}'. (in b)"),
        ({"tool_args": "[1]"}, "Must be an object, not an array"),
        ({"context": '{"facts": {"a": NaN}}'}, "NaN is not a JSON value (in facts.a)"),
        ({"tool_name": ""}, "must be a string of 1 to 256 characters"),
    ],
)
async def test_what_is_wrong_is_told_with_its_place(fields: dict[str, str], said: str, vault: House) -> None:
    async with signed_in(vault, Role.OWNER) as (visitor, _):
        answer = await visitor.post(PLAYGROUND, how="try", **call(**fields))
    assert answer.status_code == 422
    assert said in text_of(answer)


async def test_examples_are_the_tenants_own(vault: House) -> None:
    mine = await vault.ask(APPROVED, agent_id="my-bot")
    theirs = await vault.ask(APPROVED, by=vault.stranger, agent_id="their-bot")
    schema = {"type": "object", "properties": {"to": {"type": "string"}, "amount": {"type": "integer", "minimum": 5}}}
    await register_tool_schema(vault.core, vault.owner, "wire", schema)
    async with signed_in(vault, Role.OWNER) as (visitor, _):
        page = await visitor.get(PLAYGROUND)
        assert "my-bot" not in page.text or "their-bot" not in page.text
        assert theirs["request_id"] not in page.text
        like = await visitor.get(PLAYGROUND, params={"like": mine["request_id"]})
        assert 'value="my-bot"' in like.text
        assert "&#34;amount&#34;: 45" in like.text
        assert (await visitor.get(PLAYGROUND, params={"like": theirs["request_id"]})).status_code == 404
        assert "&#34;amount&#34;: 5" in (await visitor.get(PLAYGROUND, params={"tool": "wire"})).text
    async with signed_in(vault, Role.DEVELOPER) as (visitor, _):
        like = await visitor.get(PLAYGROUND, params={"like": mine["request_id"]})
        assert "&#34;amount&#34;" not in like.text  # the redacted view has no arguments


async def test_the_playground_is_for_who_may_try_or_ask(vault: House) -> None:
    for role in (Role.REVIEWER, Role.AUDITOR):
        async with signed_in(vault, role) as (visitor, _):
            assert (await visitor.get(PLAYGROUND)).status_code == 403
            assert (await visitor.post(PLAYGROUND, how="try", **call())).status_code == 403


def test_an_example_is_made_of_what_the_schema_says() -> None:
    schema = ToolSchema.parse(
        "t",
        {
            "type": "object",
            "properties": {
                "a": {"enum": ["USD", "EUR"]},
                "b": {"type": "array", "items": {"type": "object", "properties": {"c": {"type": "number"}}}},
                "d": {"type": ["boolean", "null"]},
                "e": {"default": 3},
            },
        },
    )
    assert example_of(schema) == {"a": "USD", "b": [{"c": 10}], "d": True, "e": 3}
    assert example_of(None) == {}
