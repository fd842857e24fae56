"""Who the ids in a tenant's records are: people by name, API keys by theirs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ledgix_vault.store.engine import Connection
from ledgix_vault.store.people import find_person, list_members
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.vault import Vault


async def name_callers(vault: Vault, caller: Caller, identities: Iterable[str]) -> Mapping[str, str]:
    """A name for each of `identities`, which come from the tenant's own records; people who have left keep theirs."""
    keys = {key.key_id: f"the API key {key.name}" for key in vault.store.tenant(caller.tenant_id).keys}
    wanted = {identity for identity in identities if identity}
    people = sorted(wanted - keys.keys())

    def look(connection: Connection) -> dict[str, str]:
        members = {
            member.person_id: member.name or member.email for member in list_members(connection, caller.tenant_id)
        }
        gone = [find_person(connection, person_id) for person_id in people if person_id not in members]
        return members | {person.person_id: person.name or person.email for person in gone if person}

    named = await vault.store.read(look) if people else {}
    return {identity: keys.get(identity) or named.get(identity) or identity for identity in wanted}
