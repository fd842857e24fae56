"""Who did something, by name."""

from __future__ import annotations

from ledgix_vault.operations.read_names import read_names
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.vault import Vault


class Names(dict[str, str]):
    """Names by id; of who isn't there any more the id is left."""

    def __missing__(self, identity: str) -> str:
        return identity


async def names_for(vault: Vault, caller: Caller) -> Names:
    """The tenant's people and API keys."""
    return Names(await read_names(vault, caller))
