"""`check` holds where news go, and whose click counts as whose, against the ledger."""

from __future__ import annotations

import asyncio
import shutil
from functools import partial
from hashlib import sha256
from pathlib import Path

import pytest
from vault_testing.house import House, Template
from vault_testing.telling import change

from ledgix_vault.app import open_keys
from ledgix_vault.operations.check_vault import CheckReport, check_vault
from ledgix_vault.operations.link_slack_user import link_slack_user, unlink_slack_user
from ledgix_vault.settings import Settings
from ledgix_vault.store.dbapi import sqlite
from ledgix_vault.store.high_water import read_cells
from ledgix_vault.store.read_only import frozen_view
from ledgix_vault.store.slack import add_code
from ledgix_vault.store.writer import Outcome
from ledgix_vault.tenancy.people import Role


@pytest.fixture(scope="module")
def told(sqlite_template: Template, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of a Vault with webhooks and Slack users, one of them unlinked again."""
    directory = tmp_path_factory.mktemp("told") / "vault"
    with sqlite_template.copy() as house:
        asyncio.run(_live(house))
        house.close()
        shutil.copytree(house.settings.data_dir, directory)
    return directory


async def _live(house: House) -> None:
    await change(house, webhooks=[{"url": "https://receiver.invalid/x"}])
    await change(house, email={"enabled": True, "recipients": ["a@example.com"]})
    member = await house.member(Role.REVIEWER)
    for user in ("U1", "U2"):
        hashed = sha256(user.encode()).digest()

        def store(unit: object, user: str = user, hashed: bytes = hashed) -> Outcome[None]:
            add_code(unit, member.tenant_id, hashed, user, house.clock() + 1_000_000)  # type: ignore[arg-type]
            return Outcome(None)

        house.core.store.run_and_wait(store)
        await link_slack_user(house.core, member, user)
    await unlink_slack_user(house.core, member, "U2")
    await house.ask(450)
    await house.do_what_is_due()
    await house.checkpoint()


@pytest.fixture
def settings(told: Path, tmp_path: Path) -> Settings:
    shutil.copytree(told, tmp_path / "vault")
    return Settings.load(data_dir=tmp_path / "vault")


def checked(settings: Settings) -> CheckReport:
    with frozen_view(settings) as connection:
        return check_vault(connection, read_cells(settings.high_water), partial(open_keys, settings))


EDITS = {
    "whom mails go to": (
        "UPDATE notification_setting SET settings = json_set(settings, '$.email.recipients[0]', 'x@evil.example')",
        "the notification settings email",
    ),
    "where a webhook is": (
        "UPDATE notification_setting SET settings = json_set(settings, '$.webhooks[0].url', 'https://evil.example')",
        "the notification settings webhooks",
    ),
    "a secret": (
        "UPDATE notification_setting SET sealed = replace(sealed, 'a', 'b')",
        "the notification settings sealed_sha256",
    ),
    "settings gone": ("DELETE FROM notification_setting", "the notification settings"),
    "settings that are none": ("UPDATE notification_setting SET settings = '[]'", "the notifications can't be read"),
    "another user": ("UPDATE slack_link SET slack_user_id = 'U9'", "the link to the Slack user 'U9'"),
    "another person": ("UPDATE slack_link SET person_id = 'x'", "is not the one that entry"),
    "another time": ("UPDATE slack_link SET linked_at = linked_at + 1", "is not the one that entry"),
    "a link gone": ("DELETE FROM slack_link", "is missing"),
    "a link that was ended": (
        "INSERT INTO slack_link SELECT tenant_id, 'U2', person_id, linked_at FROM slack_link",
        "the link to the Slack user 'U2'",
    ),
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
