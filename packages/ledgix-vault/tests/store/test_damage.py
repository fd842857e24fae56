"""What was changed behind the Vault's back is found: at start where it would sign on it, by the audit anywhere."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, text
from vault_testing.house import House, ignore_triggers
from vault_testing.invariants import check_invariants

from ledgix_vault.errors import StartRefused
from ledgix_vault.operations.verify_ledger import verify_ledger
from ledgix_vault.store.audit import audit_log
from ledgix_vault.store.engine import Database
from ledgix_vault.store.high_water import Cell, HighWater
from ledgix_vault.store.logs import load_checkpoints, load_integrator

pytestmark = pytest.mark.anyio

HEX = "'" + "ab" * 32 + "'"
OTHER_UUID = "'01234567-89ab-7cde-8f01-23456789abcd'"
SWAP = "; ".join(
    f"UPDATE event SET leaf_index = {new} WHERE leaf_index = {old}"
    for old, new in (("{0}", -1), ("{1}", "{0}"), (-1, "{1}"))
)
# {bytes32} and the like are filled in for each engine.
AT_START = {
    "an event's hash in the last tile": "UPDATE event SET event_hash = {bytes32} WHERE leaf_index = 290",
    "two events of the last tile change places": SWAP.format(290, 291),
    "an event of the last tile is gone": "DELETE FROM event WHERE leaf_index = 290",
    "the newest event is gone": "DELETE FROM event WHERE leaf_index = (SELECT max(leaf_index) FROM event)",
    "an event that the head doesn't count": "INSERT INTO event SELECT tenant_id, leaf_index + 1, " + OTHER_UUID + ","
    " request_id, kind, accepted_at, grounds, intent, event_hash, receipt_key_id, receipt_signature FROM event"
    " WHERE tenant_id = {tenant} ORDER BY leaf_index DESC LIMIT 1",
    "a tile": "UPDATE tile SET hashes = {bytes8192}",
    "a tile is gone": "DELETE FROM tile",
    "the head's size": "UPDATE log SET size = size - 1",
    "the head's larger size": "UPDATE log SET size = size + 1",
    "the head's root": "UPDATE log SET root = {bytes32}",
    "the head's frontier": "UPDATE log SET frontier = {bytes32}",
    "the head is gone": "DELETE FROM log",
}
BY_AUDIT = {
    "an event's hash": "UPDATE event SET event_hash = {bytes32} WHERE leaf_index = 3",
    "two events change places": SWAP.format(2, 3),
    "an event is gone": "DELETE FROM event WHERE leaf_index = 3",
    "an event's uuid": "UPDATE event SET event_uuid = " + OTHER_UUID + " WHERE leaf_index = 3",
    "an event's request": "UPDATE event SET request_id = " + OTHER_UUID + " WHERE leaf_index = 3",
    "an event's kind": "UPDATE event SET kind = 'token.consumed' WHERE leaf_index = 3",
    "an event's time": "UPDATE event SET accepted_at = '2026-01-01T00:00:00.000000Z' WHERE leaf_index = 3",
    "an event's reason": "UPDATE event SET grounds = replace(grounds, 'registered', 'regretted') WHERE leaf_index = 2",
    "an event's intent": "UPDATE event SET intent = replace(intent, '\"number\":0', '\"number\":7')",
    "an intent in another spelling": "UPDATE event SET intent = replace(intent, '\"number\":0', '\"number\": 0')",
    "an intent that is no JSON": "UPDATE event SET intent = 'x' WHERE leaf_index = 3",
    "an intent that is no object": "UPDATE event SET intent = '[]' WHERE leaf_index = 3",
    "an intent without members": "UPDATE event SET intent = '{{}}' WHERE leaf_index = 3",
    "an intent of another shape": "UPDATE event SET intent = replace(intent, '\"request\":null', '\"request\":5')",
    "grounds that are no object": "UPDATE event SET grounds = '5' WHERE leaf_index = 3",
    "grounds without a reason": "UPDATE event SET grounds = '{{}}' WHERE leaf_index = 3",
    "a receipt's signature": "UPDATE event SET receipt_signature = {bytes64} WHERE leaf_index = 3",
    "a receipt's short signature": "UPDATE event SET receipt_signature = {bytes32} WHERE leaf_index = 3",
    "a receipt's key": "UPDATE event SET receipt_key_id = " + HEX + " WHERE leaf_index = 3",
    "a checkpoint's root": "UPDATE checkpoint SET root_hash = " + HEX + " WHERE checkpoint_id = 2",
    "a checkpoint's size": "UPDATE checkpoint SET tree_size = tree_size - 1 WHERE checkpoint_id = 2",
    "a checkpoint's hash": "UPDATE checkpoint SET checkpoint_hash = " + HEX + " WHERE checkpoint_id = 1",
    "a checkpoint's predecessor": "UPDATE checkpoint SET prev_checkpoint_hash = " + HEX + " WHERE checkpoint_id = 2",
    "a checkpoint's signer": "UPDATE checkpoint SET signer_key_id = " + HEX + " WHERE checkpoint_id = 2",
    "a checkpoint's signature": "UPDATE checkpoint SET signature = {bytes64} WHERE checkpoint_id = 2",
    "a checkpoint's payload": "UPDATE checkpoint SET payload = {bytes64} WHERE checkpoint_id = 2",
    "a checkpoint's time": "UPDATE checkpoint SET signed_at = '2026-01-01T00:00:00.000000Z' WHERE checkpoint_id = 2",
    "a checkpoint's promise": "UPDATE checkpoint SET mmd_seconds = 31 WHERE checkpoint_id = 2",
    "a checkpoint is gone": "DELETE FROM checkpoint WHERE checkpoint_id = 1",
    "the log's key": "UPDATE signing_key SET public_key = {bytes32} WHERE tenant_id = {tenant}",
}


@pytest.fixture
async def long_log(vault: House) -> House:
    """A Vault whose first tenant has 300 events, one full tile, and three checkpoints."""
    await vault.ask()
    await vault.checkpoint()
    vault.grow(300 - 1 - len_of(vault))
    await vault.checkpoint()
    await vault.ask()
    await vault.checkpoint()
    return vault


def len_of(vault: House) -> int:
    return vault.core.store.log(vault.owner.tenant_id).integrator.size


@contextlib.contextmanager
def damaged(database: Database, change: str) -> Iterator[Connection]:
    """A connection that sees the change, past all triggers; afterwards nothing has happened."""
    with database.writer.connect() as connection, connection.begin() as transaction:
        ignore_triggers(connection)
        for statement in change.split("; "):
            assert connection.exec_driver_sql(statement.replace("%", "%%")).rowcount
        yield connection
        transaction.rollback()


def filled_in(change: str, *, sqlite: bool, tenant_id: str) -> str:
    def blob(size: int) -> str:
        return f"x'{'ab' * size}'" if sqlite else f"'\\x{'ab' * size}'"

    blobs: dict[str, Any] = {f"bytes{size}": blob(size) for size in (32, 64, 8192)}
    return change.format(tenant=f"'{tenant_id}'", **blobs)


async def test_every_change_of_a_log_is_found(long_log: House) -> None:
    vault, tenant_id = long_log, long_log.owner.tenant_id
    vault.close()
    database = vault.database()
    for name, change in (AT_START | BY_AUDIT).items():
        statements = filled_in(change, sqlite=vault.is_sqlite, tenant_id=tenant_id)
        with damaged(database, statements) as connection:
            flaw = audit_log(connection, tenant_id).flaw
            assert flaw is not None, name
            if name in AT_START:
                with pytest.raises(StartRefused, match="damaged"):
                    pytest.fail(f"not found at start: {name} {load_integrator(connection, tenant_id)}")
    with database.writer.connect() as connection:
        assert audit_log(connection, tenant_id).flaw is None
    database.close()
    vault.open()


async def test_a_damaged_log_is_reported_and_refuses_the_start(long_log: House) -> None:
    vault = long_log
    vault.close()
    with vault.edited() as connection:
        connection.exec_driver_sql("UPDATE event SET intent = replace(intent, '\"number\":3', '\"number\":4')")
    vault.open()  # far from the right edge: only the audit looks there
    verified = await verify_ledger(vault.core, vault.owner)
    assert not verified["intact"]
    assert "was changed" in verified["error"]
    vault.close()
    with vault.edited() as connection:
        connection.execute(text("UPDATE log SET root = frontier"))
    with pytest.raises(StartRefused, match="damaged"):
        vault.open()
    vault.close()


async def test_an_older_database_is_refused(vault: House) -> None:
    await vault.ask()
    await vault.checkpoint()
    vault.keep_database()
    await vault.ask()
    await vault.checkpoint()
    vault.restore_database()
    with pytest.raises(StartRefused, match="a checkpoint over 5 was signed") as refused:
        vault.open()
    assert "restored backup" in refused.value.remedy
    vault.close()


async def test_another_history_of_the_same_length_is_refused(vault: House) -> None:
    """Signing it would give one size two roots."""
    await vault.checkpoint()
    vault.keep_database()
    await vault.ask()
    await vault.checkpoint()
    cells = vault.settings.high_water.read_bytes()
    vault.restore_database()
    vault.settings.high_water.unlink()
    HighWater.create(vault.settings.high_water).close()
    vault.open()
    await vault.ask()
    await vault.checkpoint()
    vault.close()
    vault.settings.high_water.write_bytes(cells)  # the cell knows the first history
    with pytest.raises(StartRefused, match="lacks checkpoint 2, which was signed"):
        vault.open()
    vault.close()


async def test_a_younger_backup_with_the_signed_checkpoint_is_fine(vault: House) -> None:
    await vault.ask()
    await vault.checkpoint()
    vault.keep_database()
    await vault.ask()
    vault.restore_database()
    vault.acknowledged.pop()  # the one answer that this restore loses; no checkpoint covered it
    vault.open()
    check_invariants(vault)


async def test_a_cell_for_an_unknown_checkpoint_refuses(vault: House) -> None:
    await vault.checkpoint()
    key_id = vault.core.store.log(vault.owner.tenant_id).key_id
    cell = vault.cells.read(key_id)
    assert cell is not None
    vault.cells.advance(cell, Cell(key_id, cell.checkpoint_id + 1, cell.tree_size, cell.root_hash, "0" * 64))
    vault.close()
    with pytest.raises(StartRefused, match="lacks checkpoint 2, which was signed"):
        vault.open()
    vault.close()


async def test_an_empty_high_water_file_refuses_a_log_that_was_signed(vault: House) -> None:
    for _ in range(2):
        await vault.ask()
        await vault.checkpoint()
    vault.close()
    vault.settings.high_water.unlink()
    with pytest.raises(StartRefused, match="is missing"):
        vault.open()
    HighWater.create(vault.settings.high_water).close()
    with pytest.raises(StartRefused, match="knows nothing of the ledger"):
        vault.open()
    vault.close()


async def test_a_row_above_the_cell_is_published_at_start(vault: House) -> None:
    await vault.ask()
    await vault.checkpoint()
    cells = vault.settings.high_water.read_bytes()
    await vault.ask()
    await vault.checkpoint()
    tenant_id = vault.owner.tenant_id
    vault.close()
    vault.settings.high_water.write_bytes(cells)  # as if the process had died before the swap
    vault.open()
    published = vault.core.store.published(tenant_id)
    assert published is not None
    assert published.checkpoint.checkpoint_id == 2
    assert vault.cells.read(vault.core.store.log(tenant_id).key_id) == Cell.of(published.checkpoint)
    rows = vault.core.store.read_and_wait(lambda connection: load_checkpoints(connection, tenant_id))
    assert rows[-1] == published.checkpoint


async def test_a_damaged_tenant_refuses_the_start(vault: House) -> None:
    for change in (
        "UPDATE tenant SET settings = 'x'",
        "UPDATE policy_version SET document = '{}'",
        "UPDATE api_key SET scopes = 'everything'",
    ):
        vault.keep_database()
        vault.close()
        with vault.edited() as connection:
            connection.execute(text(change))
        with pytest.raises(StartRefused, match="damaged"):
            vault.open()
        vault.restore_database()
        vault.open()


async def test_a_file_that_is_no_database_refuses_the_start(vault: House) -> None:
    if not vault.is_sqlite:
        return
    vault.close()
    content = vault.settings.database_file.read_bytes()
    for damage in (b"no database at all" * 100, content[:5000], content[:100] + b"\xff" * 4000 + content[4100:]):
        vault.settings.database_file.write_bytes(damage)
        with pytest.raises(StartRefused, match=r"vault\.db"):
            vault.open()
        vault.close()
    vault.settings.database_file.unlink()
    with pytest.raises(StartRefused, match="is missing"):
        vault.open()
    vault.close()
