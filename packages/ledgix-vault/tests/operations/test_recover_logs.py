"""A database that is lost for good: the log goes on under a new key, and an auditor sees what is missing."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from ledgix.formats.events import EventKind
from ledgix_vault.app import initialise, open_vault
from ledgix_vault.clearance.decision import SYSTEM
from ledgix_vault.errors import StartRefused
from ledgix_vault.operations.create_tenant import Owner
from ledgix_vault.operations.manage_api_keys import create_api_key
from ledgix_vault.operations.recover_logs import RecoveredLog, recover_logs
from ledgix_vault.operations.sign_checkpoints import sign_checkpoints
from ledgix_vault.settings import Settings
from ledgix_vault.store.audit import audit_log
from ledgix_vault.store.logs import event_of_row, iterate_events
from ledgix_vault.store.signing_keys import load_ledger_keys
from ledgix_vault.tenancy.scopes import PRESETS, Preset


def grow(settings: Settings, tenant_id: str, times: int) -> None:
    """Adds events, a checkpoint after each."""

    async def work() -> None:
        for n in range(times):
            await create_api_key(opened.vault, tenant_id, f"key {n}", PRESETS[Preset.AGENT], (), SYSTEM)
            await sign_checkpoints(opened.vault, opened.high_water)

    with open_vault(settings) as opened:
        asyncio.run(work())


@pytest.fixture
def restored(tmp_path: Path) -> tuple[Settings, str]:
    """A data directory whose database is older than what was signed, and its tenant."""
    settings = Settings.load(data_dir=tmp_path / "vault")
    tenant_id = initialise(settings, "tenant", Owner("owner@example.com", "hash")).tenant_id
    grow(settings, tenant_id, 2)
    shutil.copy(tmp_path / "vault" / "vault.db", tmp_path / "older.db")
    grow(settings, tenant_id, 3)
    for rest in (tmp_path / "vault").glob("vault.db-*"):
        rest.unlink()
    shutil.copy(tmp_path / "older.db", tmp_path / "vault" / "vault.db")
    return settings, tenant_id


def test_an_older_database_is_refused(restored: tuple[Settings, str]) -> None:
    settings, _ = restored
    with pytest.raises(StartRefused, match="a checkpoint over 7 was signed"), open_vault(settings):
        pass


def test_recovery_goes_on_under_a_new_attested_key_and_names_what_is_lost(restored: tuple[Settings, str]) -> None:
    settings, tenant_id = restored
    recovered: list[RecoveredLog] = []
    with open_vault(settings, recovery=lambda o: recovered.extend(recover_logs(o.vault, o.high_water, "disk lost"))):
        pass
    grow(settings, tenant_id, 2)
    (found,) = recovered
    assert (found.events_left, found.lost.tree_size) == (4, 7)
    with open_vault(settings) as opened:
        store = opened.vault.store
        assert store.read_and_wait(lambda connection: audit_log(connection, tenant_id)).flaw is None
        events = store.read_and_wait(lambda connection: list(iterate_events(connection, tenant_id)))
        old, new = store.read_and_wait(lambda connection: load_ledger_keys(connection, tenant_id))
    recovery = next(row for row in events if row.kind == EventKind.LEDGER_RECOVERED)
    assert recovery.leaf_index == 4
    assert recovery.receipt_key_id == new.public.kid == found.new_key_id
    assert new.attestation_key_id == old.public.kid
    assert old.retired_at is not None
    event = event_of_row(recovery)
    assert event.reason == "disk lost"
    assert event.intent["action_metadata"]["lost_root_hash"] == found.lost.root_hash  # type: ignore[index,call-overload]
    assert all(row.receipt_key_id == new.public.kid for row in events[4:])


def test_a_whole_log_is_left_alone(tmp_path: Path) -> None:
    settings = Settings.load(data_dir=tmp_path / "vault")
    tenant_id = initialise(settings, "tenant", Owner("owner@example.com", "hash")).tenant_id
    grow(settings, tenant_id, 1)
    recovered: list[RecoveredLog] = []
    with open_vault(settings, recovery=lambda o: recovered.extend(recover_logs(o.vault, o.high_water, "no reason"))):
        pass
    assert recovered == []
