"""Checking a whole log: every hash, every receipt, every checkpoint, derived anew from what is stored."""

from __future__ import annotations

from ledgix.formats.json import JsonObject
from ledgix_vault.store.audit import audit_log
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.vault import Vault


async def verify_ledger(vault: Vault, caller: Caller) -> JsonObject:
    """What `GET /ledger/verify` answers: `intact`, how much was verified, and the first flaw if there is one."""
    caller.require_any(Scope.LEDGER, Scope.LEDGER_FULL)
    published = vault.store.published(caller.tenant_id)
    up_to = published.checkpoint.checkpoint_id if published else 0
    found = await vault.store.read(lambda connection: audit_log(connection, caller.tenant_id, up_to=up_to))
    answer: JsonObject = {
        "intact": found.flaw is None,
        "verified_entries": found.entries,
        "verified_checkpoints": found.checkpoints,
    }
    if found.latest_leaf_hash:
        answer["latest_leaf_hash"] = found.latest_leaf_hash
    if found.latest_checkpoint_hash:
        answer["latest_checkpoint_hash"] = found.latest_checkpoint_hash
    if found.flaw is not None:
        answer["error"] = found.flaw
    return answer
