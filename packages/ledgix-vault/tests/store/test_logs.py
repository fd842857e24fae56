"""Logs across the boundaries of tiles: what is loaded is what was written, and every old size can be proven."""

from __future__ import annotations

import hashlib
import random
from typing import Any

import pytest
from sqlalchemy import Connection
from vault_testing.house import House

from ledgix.formats import checkpoints, tree
from ledgix.formats.checkpoints import Checkpoint
from ledgix.formats.keys import PrivateKey
from ledgix_vault.operations.read_ledger import (
    Wanted,
    list_checkpoints,
    list_entries,
    prove_consistency,
    prove_inclusion,
)
from ledgix_vault.store import schema
from ledgix_vault.store.logs import edges_at, load_integrator
from ledgix_vault.store.proofs import LogProofs
from ledgix_vault.store.store import Published

pytestmark = pytest.mark.anyio

LARGE = 65_536 + 256 + 100
TENANT = "the large log's tenant"


def sizes_around(boundary: int) -> list[int]:
    return [boundary - 1, boundary, boundary + 1]


async def test_a_log_that_grows_across_tiles_is_loaded_as_it_was_written(vault: House) -> None:
    tenant_id = vault.owner.tenant_id
    store = vault.core.store
    for target in (*sizes_around(256), *sizes_around(512), 600):
        vault.grow(target - store.log(tenant_id).integrator.size)
        written = store.log(tenant_id).integrator
        assert written.size == target
        _, loaded, _ = store.read_and_wait(lambda connection: load_integrator(connection, tenant_id))
        assert (loaded.frontier, loaded.edges()) == (written.frontier, written.edges())
        await vault.checkpoint()
    vault.reopen()
    vault.grow(1)
    await vault.checkpoint()
    assert (await prove_consistency(vault.core, vault.owner, 1, 8))["path"]


async def test_every_entry_and_every_pair_of_checkpoints_can_be_proven(vault: House) -> None:
    choose = random.Random(7)
    for growth in (250, 5, 1, 1, 255, 120):
        vault.grow(growth)
        await vault.checkpoint()
    vault.reopen()
    listed = await list_checkpoints(vault.core, vault.owner, 9)
    signed: dict[int, Any] = {found["checkpoint_id"]: found for found in listed}
    entries = await list_entries(vault.core, vault.owner, 500)
    for entry in choose.sample(entries, 20):
        wanted = Wanted(event_uuid=str(entry["event_uuid"]))
        proof: Any = await prove_inclusion(vault.core, vault.owner, wanted, nobody_signs)
        tree.verify_inclusion(
            bytes.fromhex(proof["leaf_hash"]),
            proof["leaf_index"],
            proof["tree_size"],
            [bytes.fromhex(node) for node in proof["path"]],
            bytes.fromhex(proof["checkpoint"]["root_hash"]),
        )
        assert proof["leaf_index"] == entry["seq"] - 1
        covering = signed[entry["checkpoint_id"]]
        assert covering["tree_size"] > proof["leaf_index"]
        earlier = signed.get(entry["checkpoint_id"] - 1)
        assert earlier is None or earlier["tree_size"] <= proof["leaf_index"]
    for old in signed:
        for new in range(old, len(signed) + 1):
            proof = await prove_consistency(vault.core, vault.owner, old, new)
            tree.verify_consistency(
                signed[old]["tree_size"],
                signed[new]["tree_size"],
                bytes.fromhex(signed[old]["root_hash"]),
                bytes.fromhex(signed[new]["root_hash"]),
                [bytes.fromhex(node) for node in proof["path"]],
            )


async def nobody_signs(tenant_id: str) -> None:
    pytest.fail("everything is covered already")


async def test_nothing_is_shown_above_what_is_published(vault: House) -> None:
    vault.grow(300)
    await vault.checkpoint()
    covered = vault.core.store.log(vault.owner.tenant_id).integrator.size
    vault.grow(5)
    entries = await list_entries(vault.core, vault.owner, 10)
    assert [entry["seq"] for entry in entries] == list(range(covered + 5, covered - 5, -1))
    assert [entry["checkpoint_id"] for entry in entries] == [None] * 5 + [1] * 5
    assert [entry["leaf_index"] for entry in entries][:5] == [None] * 5
    assert await list_entries(vault.core, vault.owner, 0) == entries[:1]
    assert len(await list_entries(vault.core, vault.owner, 10**9)) == covered + 5


@pytest.fixture(scope="module")
def large_log() -> tuple[list[bytes], list[tree.Tile], dict[int, tree.Integrator]]:
    """65,892 leaves with their tiles, and what the tree was at sizes around every kind of boundary."""
    whole, event_hashes, known = tree.Integrator(), [], {}
    remembered = {1, 2, LARGE, *sizes_around(256), *sizes_around(512), *sizes_around(32_768), *sizes_around(65_536)}
    remembered.update(sizes_around(65_792))
    for number in range(LARGE):
        event_hashes.append(hashlib.sha256(number.to_bytes(4)).digest())
        whole.append(tree.leaf_hash(event_hashes[-1]))
        if whole.size in remembered:
            known[whole.size] = whole.copy()
    return event_hashes, whole.take_tiles(), known


@pytest.mark.parametrize("template", ["sqlite"], indirect=True)  # the same queries as in the smaller logs above
def test_a_large_log_is_loaded_and_proven_at_every_old_size(
    vault: House, large_log: tuple[list[bytes], list[tree.Tile], dict[int, tree.Integrator]]
) -> None:
    event_hashes, tiles, known = large_log
    vault.close()
    database = vault.database()
    with database.writer.connect() as connection, connection.begin() as transaction:
        log = known[LARGE]
        database.insert(connection, schema.event, [event_row(index, of) for index, of in enumerate(event_hashes)])
        database.insert(connection, schema.tile, [(TENANT, tile.level, tile.index, tile.data) for tile in tiles])
        database.insert(connection, schema.log, [(TENANT, "key", LARGE, log.root(), log.frontier, 0)])
        _, loaded, _ = load_integrator(connection, TENANT)
        assert loaded.edges() == log.edges()
        for size, then in known.items():
            assert edges_at(connection, TENANT, size) == then.edges()
        check_proofs(connection, event_hashes, known)
        transaction.rollback()
    database.close()
    vault.open()


def event_row(index: int, event_hash: bytes) -> tuple[object, ...]:
    return (TENANT, index, f"e{index}", "", "", "", "{}", "{}", event_hash, "", b"")


def check_proofs(connection: Connection, event_hashes: list[bytes], known: dict[int, tree.Integrator]) -> None:
    """Through one cache that grows with the log, as the Vault keeps it."""
    choose, proofs = random.Random(7), LogProofs()
    for size, then in sorted(known.items()):
        bound = proofs.of(
            connection, TENANT, Published(checkpoint_over(then), tuple(edges_at(connection, TENANT, size)))
        )
        for index in {0, size - 1, *(choose.randrange(size) for _ in range(5))}:
            leaf = tree.leaf_hash(event_hashes[index])
            tree.verify_inclusion(leaf, index, size, bound.inclusion(index, size), then.root())
        for old in (known_size for known_size in known if known_size <= size):
            path = bound.consistency(old, size)
            tree.verify_consistency(old, size, known[old].root(), then.root(), path)


def checkpoint_over(then: tree.Integrator) -> Checkpoint:
    key = PrivateKey.from_seed(bytes(32))
    return checkpoints.sign(1, then.size, then.root_hex(), "", "2026-01-01T00:00:00.000000Z", 30, key)
