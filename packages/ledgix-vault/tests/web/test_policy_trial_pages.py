"""The pages on which a policy is tried out, and those about tools and limits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from vault_testing.house import TOOL, House
from vault_testing.visitor import ORIGIN, signed_in, text_of

from ledgix_vault.operations.confirm_policy_version import Marks, confirm_policy_version
from ledgix_vault.operations.register_tool_schema import register_tool_schema
from ledgix_vault.operations.shadow_policy_version import shadow_policy_version
from ledgix_vault.tenancy.people import Role
from ledgix_vault.web.dashboard.shown.starters import starters

pytestmark = pytest.mark.anyio

SIMULATION = "/app/policies/refunds/simulation"
TESTS = "/app/policies/refunds/tests"
EXAMPLES = Path(__file__).parents[4] / "examples/policies"
CASES = f"""\
- why: A small refund needs nobody.
  call: {{tool_name: {TOOL}, tool_args: {{amount: 45, currency: USD}}}}
  expect: approve
- why: Nobody refunds that much.
  call: {{tool_name: {TOOL}, tool_args: {{amount: 450, currency: USD}}}}
  expect: deny
"""
SCHEMA = {
    "type": "object",
    "properties": {
        "amount": {"type": "integer", "x-ledgix-money": {"currency": "USD", "unit": "minor"}},
        "reason": {"enum": ["late", "damaged"], "description": "Why it is given back"},
        "order": {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]},
    },
    "required": ["amount"],
}
LIMITED = """\
otherwise: approve
rules: [{id: r, effect: deny, when: ['args.amount > 1000']}]
limits: [{id: daily, sum: 'args.amount', per: [agent_id], window: 24h, max: 100, source: A hundred a day.}]
"""


async def test_a_draft_is_run_over_past_requests(vault: House) -> None:
    asked = await vault.ask(450)
    await vault.ask(45)
    await vault.draft("Refunds must not exceed $40")
    async with signed_in(vault, Role.POLICY_EDITOR) as (visitor, _):
        assert "Requests looked at" not in text_of(await visitor.get(SIMULATION))
        page = await visitor.get(SIMULATION + "?version=2&last=100")
        said = text_of(page)
        assert "Requests looked at 2" in said
        assert "Would change 2" in said
        assert f"/app/requests/{asked['request_id']}" in page.text
        assert "450.00 in a currency that no schema names" in said
        assert "more calls would wait" not in said
        assert "1 fewer call would wait for a person: 0 instead of 1" in said
        assert "stripe_refund amount 450" in said
        assert "stripe_refund amount 45 " in said
        same = text_of(await visitor.get(SIMULATION + "?version=1&last=100"))
        assert "Every one of these requests would get the same verdict as now." in same
        assert (await visitor.get(SIMULATION + "?version=9&last=100")).status_code == 404


async def test_a_simulation_tells_how_far_it_is(vault: House) -> None:
    await vault.ask(450)
    async with signed_in(vault, Role.POLICY_EDITOR) as (visitor, _):
        answer = await visitor.get(SIMULATION + "/steps?version=1&last=100")
        steps = [json.loads(line) for line in answer.text.splitlines()]
        assert steps[0] == {"examined": 1, "total": 1}
        assert "Requests looked at" in steps[-1]["html"]
        unknown = await visitor.get(SIMULATION + "/steps?version=9&last=100", headers={"Accept": "application/json"})
        assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")


async def test_a_simulation_without_requests_says_what_to_do(vault: House) -> None:
    async with signed_in(vault, Role.POLICY_EDITOR) as (visitor, _):
        assert "There are no requests to run it over yet." in text_of(await visitor.get(SIMULATION + "?last=100"))
        steps = await visitor.get(SIMULATION + "/steps?version=1&last=100")
        assert "There are no requests" in json.loads(steps.text)["html"]


async def test_what_a_shadow_would_have_decided(vault: House) -> None:
    async with signed_in(vault, Role.POLICY_EDITOR) as (visitor, _):
        assert "No shadow runs" in text_of(await visitor.get("/app/policies/refunds/shadow"))
        draft = await vault.draft("Refunds must not exceed $40")
        await confirm_policy_version(vault.core, vault.owner, "refunds", draft.version, Marks(), None)
        await shadow_policy_version(vault.core, vault.owner, "refunds", draft.version, None)
        asked = await vault.ask(45)
        page = await visitor.get("/app/policies/refunds/shadow")
        assert "Requests beside it 1 Agreed 0 Would differ 1" in text_of(page)
        assert f"/app/requests/{asked['request_id']}" in page.text
        assert (await visitor.get("/app/policies/refunds/shadow?version=9")).status_code == 404


async def test_tests_run_pasted_or_from_a_file(vault: House) -> None:
    async with signed_in(vault, Role.POLICY_EDITOR) as (visitor, _):
        page = await visitor.post(TESTS, version="1", cases=CASES)
        assert "1 of 2 tests failed" in text_of(page)
        assert "expected deny, but it is review" in text_of(page)
        answer = await visitor.client.post(
            TESTS,
            data={"version": "1", "cases": ""},
            files={"file": ("cases.yaml", CASES.replace("expect: deny", "expect: review").encode())},
            headers={"Origin": ORIGIN},
        )
        assert "All 2 tests passed" in text_of(answer)
        broken = await visitor.post(TESTS, version="1", cases="- why: x\n  call: {}\n")
        assert (broken.status_code, "These tests can’t be run." in text_of(broken)) == (422, True)
        assert (await visitor.post(TESTS, version="1", cases=" ")).status_code == 422
        assert (await visitor.post(TESTS, version="7", cases=CASES)).status_code == 404


async def test_a_tool_is_registered_and_shown(vault: House) -> None:
    async with signed_in(vault, Role.DEVELOPER) as (visitor, _):
        assert "No tool is registered" in text_of(await visitor.get("/app/tools"))
        added = await visitor.post("/app/tools", name="pay & go", schema=json.dumps(SCHEMA))
        said = text_of(await visitor.get(added.headers["location"]))
        assert "money in cents (the smallest unit), USD" in said
        assert "one of “late”, “damaged”" in said
        assert "Why it is given back" in said
        assert "id text always" in said
        assert (await visitor.get("/app/tools/unknown")).status_code == 404


async def test_all_tools_of_a_server_are_registered_at_once(vault: House) -> None:
    listed = {"result": {"tools": [{"name": "a", "inputSchema": SCHEMA}, {"name": "b"}]}, "jsonrpc": "2.0", "id": 1}
    async with signed_in(vault, Role.OWNER) as (visitor, _):
        await visitor.post("/app/tools", schema=json.dumps(listed))
        said = text_of(await visitor.get("/app/tools"))
    assert "Tools: 1 registered, 0 unchanged, 1 without declared arguments left out." in said


@pytest.mark.parametrize(
    ("name", "schema", "said"),
    [
        ("a", "", "Paste a JSON Schema"),
        ("a", "{", "This is no JSON"),
        ("a", "[]", "A schema is a JSON object."),
        ("", '{"type": "object"}', "Give the tool’s name"),
        ("a", '{"type": "string"}', "the arguments of a tool are an object"),
        ("", '{"tools": [{"name": ""}]}', "must be a string of 1 to"),
        ("stripe_refund", '{"type": "object", "properties": {"amount": {"type": "string"}}}', "does not fit"),
    ],
)
async def test_a_schema_that_cant_be_used_is_said_so(name: str, schema: str, said: str, vault: House) -> None:
    async with signed_in(vault, Role.OWNER) as (visitor, _):
        refused = await visitor.post("/app/tools", name=name, schema=schema)
    assert refused.status_code == 422
    assert said in text_of(refused)


async def test_how_full_a_budget_is(vault: House) -> None:
    async with signed_in(vault, Role.POLICY_EDITOR) as (visitor, _):
        assert "No limit is in force" in text_of(await visitor.get("/app/limits"))
        await vault.register(policy_id="limited", definition=LIMITED)
        assert "Nothing was taken of it yet." in text_of(await visitor.get("/app/limits"))
        await vault.ask(45, agent_id="bot-1")
        await vault.ask(45, agent_id="bot-1")
        page = await visitor.get("/app/limits")
    assert "A hundred a day." in text_of(page)
    assert "bot-1 90 of 100 nearly used" in text_of(page)
    assert 'aria-label="90 percent used"' in page.text


async def test_starters_are_the_examples_policies(vault: House) -> None:
    for starter in starters():
        example = EXAMPLES / starter.name / f"{starter.name}.yaml"
        if starter.definition:
            shipped = Path(__file__).parents[2] / f"src/ledgix_vault/policy/templates/{starter.name}.yaml"
            assert shipped.read_text() == example.read_text()


@pytest.mark.parametrize("role", [Role.REVIEWER, Role.AUDITOR])
async def test_whoever_lacks_the_right_tries_nothing(role: Role, vault: House) -> None:
    async with signed_in(vault, role) as (visitor, _):
        for path in (SIMULATION, SIMULATION + "/steps?version=1&last=1", TESTS, "/app/tools", "/app/limits"):
            assert (await visitor.get(path)).status_code == 403
        assert (await visitor.post("/app/tools", name="a", schema="{}")).status_code == 403
        assert (await visitor.post(TESTS, version="1", cases=CASES)).status_code == 403


async def test_another_tenants_policies_and_tools_are_as_if_they_did_not_exist(vault: House) -> None:
    await vault.register("No refunds", policy_id="secret", by=vault.stranger)
    await register_tool_schema(vault.core, vault.stranger, "secret_tool", SCHEMA)
    async with signed_in(vault, Role.OWNER) as (visitor, _):
        for path in (
            "simulation",
            "simulation?version=1&last=10",
            "simulation/steps?version=1&last=10",
            "shadow",
            "tests",
        ):
            assert (await visitor.get(f"/app/policies/secret/{path}")).status_code == 404
        assert (await visitor.post("/app/policies/secret/tests", version="1", cases=CASES)).status_code == 404
        assert (await visitor.get("/app/tools/secret_tool")).status_code == 404
        assert "secret_tool" not in (await visitor.get("/app/tools")).text
