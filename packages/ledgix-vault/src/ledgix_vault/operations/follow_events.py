"""Following the ledger: each event as it happens, from any position on.

- Whoever follows is told that something happened, never its arguments, never a token; the reason only where the whole
  ledger may be read.
- With the scope `clearance` alone a caller follows what it asked itself, nothing else.
- Events are read from the store: who goes on after the last one that they saw misses none, whatever happened between.
- A key that is revoked or expires stops following at once, a person whose session or role ends within seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial

from ledgix.formats.intents import derive
from ledgix.formats.json import JsonObject
from ledgix_vault.errors import Busy, NotFound, Unavailable
from ledgix_vault.store.following import Followed, LoggedEvent, has_events, read_followed
from ledgix_vault.tenancy.api_keys import ApiKey
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.times import MICROSECONDS
from ledgix_vault.vault import Vault

HEARTBEAT = 15.0
ASK_AGAIN = 15 * MICROSECONDS
PAUSE = 0.1
"""Seconds between two readings of one stream, at least: under load several commits are read at once."""
PAGE = 200


@dataclass(frozen=True, slots=True)
class Told:
    """How far the stream has come (a leaf index, −1 before the first), and the event there; None: a sign of life."""

    position: int
    event: JsonObject | None = None


def position_now(vault: Vault, tenant_id: str) -> int:
    """Where the tenant's newest event is, −1 for none: who follows after it misses nothing that comes later."""
    return vault.store.log(tenant_id).integrator.size - 1


async def follow_events(
    vault: Vault,
    caller: Caller,
    *,
    after: int | None = None,
    request_id: str = "",
    holds: Callable[[], Awaitable[bool]] | None = None,
) -> AsyncGenerator[Told, None]:
    """Events after a position, by default what comes from now on; the first item only says where the stream begins.

    With `request_id` those about one request; raises `NotFound` unless the caller may follow it, `Busy` beyond the
    tenant's number of streams. Ends when the Vault stops, or the caller is no longer known: `holds` says it of a
    person, and is asked each 15 seconds.
    """
    followed = _followed(caller, request_id)
    if request_id and not await vault.store.read(partial(has_events, followed=followed)):
        raise NotFound("There is no request with this id.")
    newest = position_now(vault, caller.tenant_id)
    position = newest if after is None else max(-1, min(after, newest))
    asked, growth = vault.clock(), vault.store.growth
    with _admitted(vault, caller.tenant_id), growth.watching(caller.tenant_id, request_id) as watch:
        yield Told(position)
        while _goes_on(vault, caller):
            if holds is not None and vault.clock() - asked >= ASK_AGAIN:
                if not await holds():
                    return
                asked = vault.clock()
            watch.rest()
            size = _size(vault, caller)
            while position < size - 1 and _goes_on(vault, caller):
                page = await vault.store.read(
                    partial(read_followed, followed=followed, after=position, size=size, most=PAGE)
                )
                for event in page:
                    yield Told(event.leaf_index, _shown(event, caller))
                position = page[-1].leaf_index if len(page) == PAGE else size - 1
            if not await watch.wait(HEARTBEAT):
                yield Told(position)
            elif not growth.is_over:
                await asyncio.sleep(PAUSE)


def _followed(caller: Caller, request_id: str) -> Followed:
    caller.require_any(Scope.LEDGER, Scope.LEDGER_FULL, Scope.REVIEW, Scope.CLEARANCE)
    sees_all = any(caller.allows(scope) for scope in (Scope.LEDGER, Scope.LEDGER_FULL, Scope.REVIEW))
    return Followed(caller.tenant_id, None if sees_all else caller.lineage, request_id)


def _size(vault: Vault, caller: Caller) -> int:
    return vault.store.log(caller.tenant_id).integrator.size


def _goes_on(vault: Vault, caller: Caller) -> bool:
    if vault.store.growth.is_over or not isinstance(caller, ApiKey):
        return not vault.store.growth.is_over
    now = vault.clock()
    return any(key.key_id == caller.key_id and key.is_valid(now) for key in vault.store.tenant(caller.tenant_id).keys)


@contextlib.contextmanager
def _admitted(vault: Vault, tenant_id: str) -> Iterator[None]:
    if vault.store.growth.is_over:
        raise Unavailable("The Vault is shutting down.")
    if vault.following.get(tenant_id, 0) >= vault.settings.streams_per_tenant:
        raise Busy(5, "This tenant follows its events with as many streams as it may.", code="too_many_streams")
    vault.following[tenant_id] = vault.following.get(tenant_id, 0) + 1
    try:
        yield
    finally:
        vault.following[tenant_id] -= 1
        if not vault.following[tenant_id]:
            del vault.following[tenant_id]


def _shown(event: LoggedEvent, caller: Caller) -> JsonObject:
    derived, decision = derive(event.intent), event.intent["decision"]
    shown: JsonObject = {
        "event_uuid": event.event_uuid,
        "request_id": derived.request_id,
        "kind": derived.kind,
        "tool_name": derived.tool_name,
        "agent_id": derived.agent_id,
        "decision_status": derived.decision_status,
        "outcome": decision.get("outcome") if isinstance(decision, dict) else None,
        "accepted_at": event.accepted_at,
    }
    return shown | {"reason": event.reason} if caller.allows(Scope.LEDGER_FULL) else shown
