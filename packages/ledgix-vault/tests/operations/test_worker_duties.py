"""What the Vault does by itself: due jobs and checkpoints, none of which a correct answer waits for."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace

import pytest
from vault_testing.faults import Fault
from vault_testing.house import REVIEWED, House, told

from ledgix_vault.clearance.clearance import Clearance
from ledgix_vault.clearance.decision import SYSTEM
from ledgix_vault.errors import HighWaterConflict, Unavailable
from ledgix_vault.operations import run_due_jobs
from ledgix_vault.operations.manage_api_keys import create_api_key, revoke_api_key, rotate_api_key
from ledgix_vault.store import schema
from ledgix_vault.store.high_water import HighWater
from ledgix_vault.store.unit import Unit
from ledgix_vault.tenancy.api_keys import hash_secret
from ledgix_vault.tenancy.scopes import PRESETS, Preset

pytestmark = pytest.mark.anyio

DAY = 24 * 3600


async def test_no_growth_no_checkpoint(vault: House) -> None:
    assert await vault.checkpoint() == 2  # both tenants grew when they were made
    assert await vault.checkpoint() == 0
    await vault.ask()
    assert await vault.checkpoint() == 1
    vault.reopen()
    assert await vault.checkpoint() == 0


async def test_a_clock_that_runs_behind_signs_nothing(vault: House) -> None:
    await vault.ask()
    vault.clock.advance(5)
    await vault.checkpoint()
    vault.close()
    vault.clock.advance(-10)
    vault.open()
    await vault.ask()  # its time is the log's own, which never runs backwards
    with pytest.raises(Unavailable, match="clock runs behind"):
        await vault.checkpoint()
    vault.clock.advance(10)
    assert await vault.checkpoint() == 1


async def test_a_cell_of_another_history_stops_its_log_and_no_other(vault: House) -> None:
    await vault.checkpoint()
    mine, other = vault.owner.tenant_id, vault.stranger.tenant_id
    for tenant in (vault.owner, vault.stranger):
        await vault.ask(by=tenant)
    key_id = vault.core.store.log(mine).key_id
    cell = vault.cells.read(key_id)
    assert cell is not None
    moved = replace(cell, checkpoint_id=cell.checkpoint_id + 1, checkpoint_hash="0" * 64)
    vault.cells.advance(cell, moved)
    for _ in range(2):
        with pytest.raises(HighWaterConflict, match="another history"):
            await vault.checkpoint()
    ids = [published.checkpoint.checkpoint_id for of in (mine, other) if (published := vault.core.store.published(of))]
    assert ids == [1, 2]
    vault.close()  # nor would it start again


async def test_a_cell_that_is_gone_stops_its_log(vault: House) -> None:
    await vault.checkpoint()
    await vault.ask()
    vault.settings.high_water.unlink()
    with contextlib.closing(HighWater.create(vault.settings.high_water)) as empty:
        vault.cells.real = empty
        with pytest.raises(HighWaterConflict, match="is gone"):
            await vault.checkpoint()
    vault.close()


async def test_checkpoints_while_the_log_grows(vault: House) -> None:
    async def sign() -> None:
        for _ in range(5):
            await vault.checkpoint()

    await asyncio.gather(sign(), *(vault.ask() for _ in range(40)))
    await vault.checkpoint()
    published = vault.core.store.published(vault.owner.tenant_id)
    assert published is not None
    assert published.checkpoint.tree_size == vault.core.store.log(vault.owner.tenant_id).integrator.size


async def test_one_job_that_fails_does_not_hold_up_the_others(vault: House, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [await vault.ask(REVIEWED) for _ in range(3)]
    vault.clock.advance(DAY)
    real = run_due_jobs.expire_if_due

    def fail_for_the_first(unit: Unit, clearance: Clearance) -> Clearance:
        if clearance.request_id == asked[0]["request_id"]:
            raise Unavailable("not now")
        return real(unit, clearance)

    with monkeypatch.context() as patch:
        patch.setattr(run_due_jobs, "expire_if_due", fail_for_the_first)
        with pytest.raises(Unavailable, match="not now"):
            await vault.do_what_is_due()
    assert [told(vault, request)[-1] for request in asked] == ["clearance.decided"] + ["review.expired"] * 2
    assert await vault.do_what_is_due() == 0  # its lease
    vault.clock.advance(31)
    assert await vault.do_what_is_due() == 1
    assert told(vault, asked[0])[-1] == "review.expired"


@pytest.mark.parametrize("fault", Fault)
async def test_a_job_whose_commit_failed_is_done_after_its_lease(fault: Fault, vault: House) -> None:
    asked = await vault.ask(REVIEWED)
    vault.clock.advance(DAY)
    vault.commit.fail(fault)
    with pytest.raises(Unavailable):
        await vault.do_what_is_due()
    vault.clock.advance(31)
    await vault.do_what_is_due()
    assert told(vault, asked) == ["clearance.decided", "review.expired"]
    assert await vault.do_what_is_due() == 0


async def test_keys_open_from_creation_to_revocation(vault: House) -> None:
    store, tenant_id = vault.core.store, vault.owner.tenant_id
    key, secret = await create_api_key(vault.core, tenant_id, "k", PRESETS[Preset.AGENT], ("a-*",), SYSTEM)
    for _ in range(2):
        assert store.key_by_hash(hash_secret(secret)) == key
        assert store.key_by_hash(hash_secret(secret + "x")) is None
        vault.reopen()
        store = vault.core.store
    fresh, fresh_secret = await rotate_api_key(vault.core, tenant_id, key.key_id, SYSTEM)
    assert (fresh.scopes, fresh.agent_ids, fresh.lineage) == (key.scopes, key.agent_ids, key.key_id)
    assert store.key_by_hash(hash_secret(secret)) == key  # until it is revoked
    for _ in range(2):
        revoked = await revoke_api_key(vault.core, tenant_id, key.key_id, SYSTEM)
        assert revoked.is_revoked
    assert store.key_by_hash(hash_secret(secret)) == revoked
    assert store.key_by_hash(hash_secret(fresh_secret)) == fresh


async def test_no_secret_is_stored(vault: House) -> None:
    _, secret = await create_api_key(vault.core, vault.owner.tenant_id, "k", PRESETS[Preset.AGENT], (), SYSTEM)
    token = str((await vault.ask())["token"])
    with vault.core.store.database.reader.connect() as connection:
        for table in schema.metadata.sorted_tables:
            stored = repr(connection.execute(table.select()).all())
            for hidden in (secret, secret.removeprefix("lgx_"), token, token.split(".")[2]):
                assert hidden not in stored
