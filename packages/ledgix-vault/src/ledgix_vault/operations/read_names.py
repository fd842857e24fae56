"""Names for the ids that the store and the ledger keep: who a person is, what a key is called."""

from __future__ import annotations

from functools import partial

from ledgix_vault.operations.steps.reviews import names_of
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.vault import Vault


async def read_names(vault: Vault, caller: Caller) -> dict[str, str]:
    """Id → name of every member and every API key of the caller's tenant, revoked ones too; "" is the command line.
    Who was removed isn't in it: their id is all that is left to show."""
    return await vault.store.read(partial(names_of, state=vault.store.tenant(caller.tenant_id)))
