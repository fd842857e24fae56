"""`check` holds what judges decided, and whom a tenant asks, against the ledger."""

from __future__ import annotations

import asyncio
import shutil
from functools import partial
from pathlib import Path

import pytest
from vault_testing.fake_model import allows, denies, doubts, fake_model
from vault_testing.house import House, Template

from ledgix_vault.app import open_keys
from ledgix_vault.operations.check_vault import CheckReport, check_vault
from ledgix_vault.settings import Settings
from ledgix_vault.store.dbapi import sqlite
from ledgix_vault.store.high_water import read_cells
from ledgix_vault.store.read_only import frozen_view
from ledgix_vault.tenancy.scopes import Preset

GIFT = "send_gift"
POLICY = "judge: {may: approve, when: ['args.amount <= 50'], times: 2}"
TEXT = "Gifts are for customers who had to wait unreasonably long."


@pytest.fixture(scope="module")
def judged(sqlite_template: Template, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of a Vault whose judge approved, denied, left to a person, and has one request before it."""
    directory = tmp_path_factory.mktemp("judged") / "vault"
    with fake_model() as model, sqlite_template.copy(judge_hosts=model.host) as house:

        async def live() -> None:
            await house.register(TEXT, policy_id="gifts", tools=(GIFT,), definition=POLICY)
            await house.change(minimum_confidence_bucket="medium", review_expiry_seconds=600)
            await house.change_judge(**model.settings())
            for brain in (allows, denies, doubts, doubts):
                model.brain = brain
                await _ask(house, judged=True)
            left = await _ask(house, judged=True)
            await house.approve(left, by=await house.key(Preset.REVIEWER))
            await house.change(quorum=2)
            await house.change_judge(model="newer")
            await _ask(house, judged=False)
            await house.checkpoint()

        asyncio.run(live())
        house.close()
        shutil.copytree(house.settings.data_dir, directory)
    return directory


async def _ask(house: House, *, judged: bool) -> dict[str, object]:
    asked = await house.ask(20, tool_name=GIFT)
    if judged:
        assert await house.judge_what_waits() == 1
        house.clock.advance(1)
    return asked


@pytest.fixture
def settings(judged: Path, tmp_path: Path) -> Settings:
    shutil.copytree(judged, tmp_path / "vault")
    return Settings.load(data_dir=tmp_path / "vault")


def checked(settings: Settings) -> CheckReport:
    with frozen_view(settings) as connection:
        return check_vault(connection, read_cells(settings.high_water), partial(open_keys, settings))


GIFTS = "request LIKE '%send_gift%'"
APPROVED = f"{GIFTS} AND outcome = 'approved' AND decision LIKE '%\"type\":\"judge\"%'"
WAITING = "decision LIKE '%\"awaits_judge\":true%'"
LEFT = "status = 'pending'"

EDITS = {
    "a judge that was none": (
        f"UPDATE clearance SET decision = json_set(decision, '$.decider.type', 'engine') WHERE {APPROVED}",
        "decider",
    ),
    "what it said": (
        f"UPDATE clearance SET decision = json_set(decision, '$.judgement.model', 'x') WHERE {APPROVED}",
        "action_metadata",
    ),
    "that it was asked": (
        f"UPDATE clearance SET decision = json_set(decision, '$.judgement', NULL) WHERE {APPROVED}",
        "action_metadata",
    ),
    "what it quoted": (
        f"UPDATE clearance SET decision = json_set(decision, '$.citations[0].quote', 'x') WHERE {APPROVED}",
        "citations",
    ),
    "the time to fetch": (f"UPDATE clearance SET pick_up_until = pick_up_until + 1 WHERE {APPROVED}", "be fetched"),
    "no time to fetch": (f"UPDATE clearance SET pick_up_until = NULL WHERE {APPROVED}", "be fetched"),
    "that it waits": (
        f"UPDATE clearance SET decision = json_set(decision, '$.awaits_judge', json('false')) WHERE {WAITING}",
        "decision.status",
    ),
    "an outcome while it waits": (f"UPDATE clearance SET outcome = 'approved' WHERE {WAITING}", "outcome"),
    "a review while it waits": (
        "INSERT INTO review SELECT tenant_id, request_id, 'pending', requested_at, requested_at, 1, NULL, NULL, '',"
        f" x'00', '[]', '[]', NULL FROM clearance WHERE {WAITING}",
        "needed none",
    ),
    "a review's opening": (f"UPDATE review SET opened_at = opened_at - 1 WHERE {LEFT}", "time of opening"),
    "a review's deadline": (f"UPDATE review SET expires_at = expires_at + 1 WHERE {LEFT}", "another deadline"),
    "a review's quorum": (f"UPDATE review SET quorum = 3 WHERE {LEFT}", "needs 3 approvals"),
    "a review gone": (f"DELETE FROM review WHERE {LEFT}", "its review is missing"),
    "a review's end": ("UPDATE review SET status = 'denied' WHERE status = 'approved'", "says approved"),
    "whom it asks": (
        "UPDATE judge_setting SET settings = json_set(settings, '$.base_url', 'https://evil.example')",
        "the judge's settings base_url",
    ),
    "how far it goes": (
        "UPDATE judge_setting SET settings = json_set(settings, '$.may', 'lower')",
        "the judge's settings may",
    ),
    "its key": ("UPDATE judge_setting SET sealed_key = x'0102'", "the judge's settings sealed_key_sha256"),
    "its settings gone": ("DELETE FROM judge_setting", "the judge's settings"),
    "settings that are none": ("UPDATE judge_setting SET settings = '[]'", "the judge can't be read"),
}


def test_an_untouched_vault_is_intact(settings: Settings) -> None:
    assert checked(settings).intact, checked(settings)


@pytest.mark.parametrize(("sql", "said"), EDITS.values(), ids=EDITS.keys())
def test_every_edit_is_found(settings: Settings, sql: str, said: str) -> None:
    connection = sqlite.connect(settings.database_file)
    assert connection.execute(sql).rowcount > 0, "this edit changes nothing"
    connection.commit()
    connection.close()
    report = checked(settings)
    assert not report.intact
    assert said in "\n".join(flaw for tenant in report.tenants for flaw in tenant.flaws)
