"""Finding requests: by tool, agent, outcome, time and more, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from ledgix.formats.json import JsonObject
from ledgix_vault.clearance.searching import Sought
from ledgix_vault.errors import Invalid
from ledgix_vault.ids import is_id
from ledgix_vault.operations.steps.requests import row_of
from ledgix_vault.store.clearances import load_clearances
from ledgix_vault.store.requests import Place, search_clearances
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.times import rfc3339
from ledgix_vault.vault import Vault

MOST = 200


@dataclass(frozen=True, slots=True)
class RequestPage:
    """One page. `next_cursor` is "" when there is nothing further back; otherwise requests were looked through back to
    `searched_to`, which may have found fewer than asked for."""

    requests: list[JsonObject]
    next_cursor: str
    searched_to: str


async def search_requests(vault: Vault, caller: Caller, sought: Sought, *, limit: int, cursor: str) -> RequestPage:
    """Requests of the caller's tenant; `limit` is clamped to 1–200. Looking by text or session takes `ledger.full`:
    whether something is found would tell what the redacted view keeps back."""
    caller.require_any(Scope.LEDGER, Scope.LEDGER_FULL)
    full = caller.allows(Scope.LEDGER_FULL)
    if sought.session_id or (sought.text and not is_id(sought.text)):
        caller.require(Scope.LEDGER_FULL)
    before, most = _read_cursor(cursor), max(1, min(limit, MOST))
    found = await vault.store.read(
        lambda connection: search_clearances(connection, caller.tenant_id, sought, before, most)
    )
    return RequestPage(
        requests=[row_of(clearance, full=full) for clearance in found.clearances],
        next_cursor="" if found.further is None else f"{found.further[0]}_{found.further[1]}",
        searched_to="" if found.further is None else rfc3339(found.further[0]),
    )


async def read_rows(vault: Vault, caller: Caller, request_ids: Sequence[str]) -> dict[str, JsonObject]:
    """These requests of the caller's tenant as a list shows them, by id, as far as they are there."""
    caller.require_any(Scope.LEDGER, Scope.LEDGER_FULL)
    full = caller.allows(Scope.LEDGER_FULL)
    found = await vault.store.read(partial(load_clearances, tenant_id=caller.tenant_id, request_ids=list(request_ids)))
    return {request_id: row_of(clearance, full=full) for request_id, clearance in found.items()}


def _read_cursor(cursor: str) -> Place | None:
    if not cursor:
        return None
    at, _, request_id = cursor.partition("_")
    if not (at.isascii() and at.isdigit() and len(at) <= 18 and is_id(request_id)):
        raise Invalid("is not a cursor that this list gave", path="cursor")
    return int(at), request_id
