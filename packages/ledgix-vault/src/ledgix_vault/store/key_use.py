"""When each API key was last used: known in memory at once, stored now and then."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from sqlalchemy import Connection, bindparam, select, update

from ledgix_vault.store import schema
from ledgix_vault.store.unit import Unit

KeyPlace = tuple[str, str]
"""(tenant id, key id)"""
_K = schema.api_key
_STORE = (
    update(_K)
    .where(_K.c.tenant_id == bindparam("of_tenant"), _K.c.key_id == bindparam("of_key"))
    .values(last_used_at=bindparam("used"))
)


class KeyUse:
    """What this process saw. Lives in the event loop's thread; µs since 1970."""

    def __init__(self) -> None:
        self._seen: dict[KeyPlace, int] = {}
        self._stored: dict[KeyPlace, int] = {}

    def saw(self, tenant_id: str, key_id: str, at: int) -> None:
        """A key opened a door at this moment."""
        self._seen[tenant_id, key_id] = at

    def last_seen(self, tenant_id: str, key_id: str) -> int | None:
        """When this process saw the key last."""
        return self._seen.get((tenant_id, key_id))

    def unstored(self) -> Mapping[KeyPlace, int]:
        """What was seen since it was stored last."""
        return MappingProxyType({place: at for place, at in self._seen.items() if self._stored.get(place) != at})

    def stored(self, seen: Mapping[KeyPlace, int]) -> None:
        """These are stored by now."""
        self._stored.update(seen)


def store_key_use(unit: Unit, seen: Mapping[KeyPlace, int]) -> int:
    """Writes when keys were used last, all in one statement; no fact of the ledger."""
    rows = [{"of_tenant": tenant_id, "of_key": key_id, "used": at} for (tenant_id, key_id), at in seen.items()]
    return unit.write(_STORE, rows)


def load_key_use(connection: Connection, tenant_id: str) -> dict[str, int]:
    """By key id, when each key of the tenant was used last, as far as that is stored."""
    rows = connection.execute(
        select(_K.c.key_id, _K.c.last_used_at).where(_K.c.tenant_id == tenant_id, _K.c.last_used_at.is_not(None))
    )
    return {row.key_id: row.last_used_at for row in rows}
