"""Names for the ids that the store and the ledger keep: who a person is, what a key is called."""

from __future__ import annotations

from functools import partial

from ledgix_vault.store.people import list_members
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.vault import Vault

COMMAND_LINE = "the command line"


async def read_names(vault: Vault, caller: Caller) -> dict[str, str]:
    """Id → name of every member and every API key of the caller's tenant, revoked ones too; "" is the command line.
    Who was removed isn't in it: their id is all that is left to show."""
    members = await vault.store.read(partial(list_members, tenant_id=caller.tenant_id))
    keys = vault.store.tenant(caller.tenant_id).keys
    return (
        {"": COMMAND_LINE}
        | {key.key_id: f"API key “{key.name}”" for key in keys}
        | {member.person_id: member.name or member.email for member in members}
    )
