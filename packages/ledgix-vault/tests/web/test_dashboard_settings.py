"""Settings in the dashboard: decisions, the judge, the kill switch, the tenant, and who sees which of them."""

from __future__ import annotations

from dataclasses import fields

import pytest
from vault_testing.house import APPROVED, House
from vault_testing.visitor import signed_in, text_of

from ledgix.formats.events import EventKind
from ledgix_vault.store.logs import read_entries
from ledgix_vault.tenancy.people import Role
from ledgix_vault.tenancy.settings import ReasonRequired, ReviewSettings
from ledgix_vault.web.dashboard.described import DESCRIBED, ELSEWHERE, typed_settings

pytestmark = pytest.mark.anyio
DECISIONS, JUDGE, SWITCH = "/app/settings/decisions", "/app/settings/judge", "/app/settings/kill-switch"
TENANT = "/app/settings/tenant"


def settings(house: House) -> ReviewSettings:
    return house.core.store.tenant(house.owner.tenant_id).settings


def as_typed(house: House, **changes: object) -> dict[str, object]:
    """The form as a browser sends it: a switch that is off isn't in it."""
    return {name: value for name, value in (typed_settings(settings(house)) | changes).items() if value is not False}


def last_event(house: House) -> dict[str, object]:
    tenant_id = house.owner.tenant_id
    (entry,) = house.core.store.read_and_wait(
        lambda connection: read_entries(connection, tenant_id, newest=1, published=0)
    )
    intent = entry["intent"]
    assert isinstance(intent, dict)
    return {"kind": intent["kind"], "decider": intent["decider"], "metadata": intent["action_metadata"]}


def test_every_setting_is_described() -> None:
    here = {each.name for each in DESCRIBED}
    assert here | ELSEWHERE.keys() == {field.name for field in fields(ReviewSettings)}
    assert here.isdisjoint(ELSEWHERE)
    assert all(each.label and each.sentence.endswith(".") for each in DESCRIBED)


async def test_every_setting_has_its_field(vault: House) -> None:
    async with signed_in(vault, Role.OWNER) as (visitor, _):
        for name, path in ({each.name: DECISIONS for each in DESCRIBED} | ELSEWHERE).items():
            assert f'name="{name}"' in (await visitor.get(path)).text


async def test_decisions_are_shown_and_changed(vault: House) -> None:
    await vault.ask(APPROVED)
    async with signed_in(vault, Role.OWNER) as (visitor, member):
        page = await visitor.get(DECISIONS)
        for each in DESCRIBED:
            assert f'name="{each.name}"' in page.text
            assert each.label in text_of(page)
        assert "1 without a person" in text_of(page)
        changed = as_typed(
            vault,
            minimum_confidence_bucket="extra_high",
            review_expiry_seconds="90",
            review_expiry_seconds_unit="60",
            quorum="2",
            separation_of_duties=True,
            default_verdict="deny",
            quorum_roles=["owner", "reviewer"],
            reason_required="on_denial",
            escalation_seconds="1",
        )
        answer = await visitor.post(DECISIONS, **changed)
        assert (answer.status_code, answer.headers["location"]) == (303, DECISIONS)
        now = settings(vault)
        assert (now.review_expiry_seconds, now.quorum, now.separation_of_duties) == (5400, 2, True)
        assert (str(now.minimum_confidence_bucket), str(now.default_verdict)) == ("extra_high", "deny")
        assert (now.quorum_roles, now.reason_required, now.escalation_seconds) == (
            (Role.OWNER, Role.REVIEWER),
            ReasonRequired.ON_DENIAL,
            3600,
        )
        told = last_event(vault)
        assert told["decider"] == {"type": "person", "id": member.person_id}
        page = await visitor.get(DECISIONS)
        assert "The settings are in force." in text_of(page)
        assert 'value="90"' in page.text
        await visitor.post(DECISIONS, **changed)
        assert "Nothing was changed." in text_of(await visitor.get(DECISIONS))
        assert last_event(vault) == told


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"quorum": "11"}, "from 1 to 10"),
        ({"quorum": "many"}, "must be a whole number"),
        ({"review_expiry_seconds": "400", "review_expiry_seconds_unit": "86400"}, "from 1 to 2592000"),
        ({"review_expiry_seconds_unit": "7"}, "one of the units"),
        ({"minimum_confidence_bucket": "sure"}, "must be one of"),
        ({"default_verdict": "approve"}, "must be one of"),
    ],
)
async def test_a_wrong_setting_is_told_and_nothing_changed(wrong: dict[str, str], told: str, vault: House) -> None:
    before = settings(vault)
    async with signed_in(vault, Role.OWNER) as (visitor, _):
        answer = await visitor.post(DECISIONS, **as_typed(vault, **wrong))
    assert answer.status_code == 422
    assert told in text_of(answer)
    assert settings(vault) == before


async def test_the_judge_is_set_and_its_key_never_shown(vault: House) -> None:
    async with signed_in(vault, Role.OWNER) as (visitor, _):
        typed = {"provider": "openai", "base_url": "https://models.example/v1", "model": "m", "may": "lower"}
        answer = await visitor.post(JUDGE, enabled="on", api_key="sk-secret", **typed)
        assert answer.status_code == 303
        page = await visitor.get(JUDGE)
        assert "sk-secret" not in page.text
        assert "The judge is on." in text_of(page)
        stored = vault.core.store.tenant(vault.owner.tenant_id).judge
        assert (stored.enabled, stored.model, bool(stored.sealed_key)) == (True, "m", True)
        await visitor.post(JUDGE, enabled="on", api_key="", **typed | {"model": "n"})
        after = vault.core.store.tenant(vault.owner.tenant_id).judge
        assert (after.model, after.sealed_key) == ("n", stored.sealed_key)
        refused = await visitor.post(JUDGE, enabled="on", api_key="", **typed | {"base_url": "https://other.example"})
        assert refused.status_code == 422
        assert "is required again" in text_of(refused)
        await visitor.post(JUDGE, forget_key="on", api_key="", **typed)
        last = vault.core.store.tenant(vault.owner.tenant_id).judge
        assert (last.enabled, last.sealed_key) == (False, b"")


async def test_an_agent_is_stopped_and_released(vault: House) -> None:
    async with signed_in(vault, Role.OWNER) as (visitor, member):
        unsure = await visitor.post(SWITCH, kind="agent", subject="billing-*", reason="It does harm.")
        assert (unsure.status_code, "by mistake" in text_of(unsure)) == (422, True)
        stopped = await visitor.post(SWITCH, kind="agent", subject="billing-*", reason="It does harm.", sure="on")
        assert stopped.status_code == 303
        assert (await vault.ask(agent_id="billing-bot"))["reason_code"] == "suspended"
        (standing,) = vault.core.store.tenant(member.tenant_id).suspensions
        assert standing.suspended_by == member.person_id
        for path in (SWITCH, "/app/account", "/app/settings"):
            assert "Stopped: agent 'billing-*'." in text_of(await visitor.get(path))
        assert member.email in text_of(await visitor.get(SWITCH))
        address = f"{SWITCH}/{standing.suspension_id}/release"
        assert (await visitor.post(address, reason=" ")).status_code == 422
        assert (await visitor.post(address, reason="It was mended.")).status_code == 303
        page = text_of(await visitor.get(SWITCH))
        assert "It was mended." in page
        assert "Nothing is stopped." in page
        assert last_event(vault)["kind"] == EventKind.AGENT_RELEASED
        assert (await vault.ask(agent_id="billing-bot"))["outcome"] == "approved"


async def test_everything_is_stopped_only_when_the_name_was_typed(vault: House) -> None:
    async with signed_in(vault, Role.OWNER) as (visitor, _):
        for name in ("", "Acme"):
            refused = await visitor.post(SWITCH, kind="tenant", reason="Stop.", name=name, sure="on")
            assert (refused.status_code, "Type “acme”" in text_of(refused)) == (422, True)
        assert (await visitor.post(SWITCH, kind="everything", reason="x", sure="on")).status_code == 422
        assert (await visitor.post(SWITCH, kind="tool", subject="", reason="x", sure="on")).status_code == 422
        assert (await vault.ask(APPROVED))["outcome"] == "approved"
        assert (await visitor.post(SWITCH, kind="tenant", reason="Stop.", name="acme")).status_code == 303
        assert (await vault.ask(APPROVED))["reason_code"] == "suspended"


async def test_what_another_tenant_stopped_is_not_there(vault: House) -> None:
    theirs = await vault.suspend("agent", "their-bot", tenant=1)
    async with signed_in(vault, Role.OWNER) as (visitor, _):
        assert "their-bot" not in (await visitor.get(SWITCH)).text
        assert (await visitor.post(f"{SWITCH}/{theirs.suspension_id}/release", reason="x")).status_code == 404
        page = await visitor.get(TENANT)
        assert vault.stranger.tenant_id not in page.text
    assert vault.core.store.tenant(vault.stranger.tenant_id).suspensions == (theirs,)


async def test_the_tenant_names_its_ledger_key(vault: House) -> None:
    await vault.checkpoint()
    key_id = vault.core.store.log(vault.owner.tenant_id).key_id
    for role in Role:
        async with signed_in(vault, role) as (visitor, _):
            page = await visitor.get(TENANT)
            assert f'data-copy="{key_id}"' in page.text
            assert f'data-copy="{vault.owner.tenant_id}"' in page.text
            assert "number 1, signed" in text_of(page)
            assert "ledgix-vault tenants create" in text_of(page)


async def test_each_role_sees_what_it_may_open(vault: House) -> None:
    for role in Role:
        async with signed_in(vault, role) as (visitor, _):
            index = (await visitor.get("/app/settings")).text
            for path in (DECISIONS, JUDGE, SWITCH, "/app/settings/people", "/app/settings/keys", TENANT):
                status = (await visitor.get(path)).status_code
                assert (f'href="{path}"' in index, status) in ((True, 200), (False, 403)), (role, path)
            if role is not Role.OWNER:
                assert (await visitor.post(DECISIONS, **as_typed(vault, quorum="3"))).status_code == 403
                assert (await visitor.post(JUDGE, model="x")).status_code == 403
                assert (await visitor.post(SWITCH, kind="tenant", reason="x", name="acme")).status_code == 403
    assert settings(vault).quorum == 1


async def test_nobody_gets_in_without_signing_in(vault: House) -> None:
    async with signed_in(vault, Role.OWNER) as (visitor, _):
        await visitor.post("/app/sign-out")
        for path in (DECISIONS, JUDGE, SWITCH, TENANT, "/app/settings"):
            assert (await visitor.get(path)).headers["location"].startswith("/app/sign-in")
