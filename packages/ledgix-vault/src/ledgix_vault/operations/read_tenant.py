"""A tenant as its people and auditors need to know it: name, ledger keys, and how far its ledger is signed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from ledgix_vault.store.signing_keys import SigningKey, load_ledger_keys
from ledgix_vault.store.tenants import tenant_created_at
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.vault import Vault


@dataclass(frozen=True, slots=True)
class TenantFacts:
    """`entries` is the size of the log; `signed_entries` of them are under the newest published checkpoint, which is
    None (with `signed_at` "") before the first. Ledger keys are oldest first; moments in microseconds."""

    tenant_id: str
    name: str
    created_at: int
    ledger_keys: tuple[SigningKey, ...]
    entries: int
    checkpoint_id: int | None
    signed_entries: int
    signed_at: str


async def read_tenant(vault: Vault, caller: Caller) -> TenantFacts:
    """The caller's own tenant. Every member may know this: it is what a proof is held against."""
    tenant_id = caller.tenant_id
    keys = await vault.store.read(partial(load_ledger_keys, tenant_id=tenant_id))
    created_at = await vault.store.read(partial(tenant_created_at, tenant_id=tenant_id))
    published = vault.store.published(tenant_id)
    return TenantFacts(
        tenant_id=tenant_id,
        name=vault.store.tenant(tenant_id).name,
        created_at=created_at,
        ledger_keys=tuple(keys),
        entries=vault.store.log(tenant_id).integrator.size,
        checkpoint_id=None if published is None else published.checkpoint.checkpoint_id,
        signed_entries=0 if published is None else published.checkpoint.tree_size,
        signed_at="" if published is None else published.checkpoint.signed_at,
    )
