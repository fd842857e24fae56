"""The delivery log of a tenant's notifications, newest first."""

from __future__ import annotations

from functools import partial

from ledgix.formats.json import Json, JsonObject
from ledgix_vault.errors import Invalid
from ledgix_vault.ids import is_id
from ledgix_vault.store.notifications import Delivery, DeliveryState, list_deliveries
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.times import rfc3339
from ledgix_vault.vault import Vault

MOST = 500


async def read_deliveries(vault: Vault, caller: Caller, *, limit: int, cursor: str) -> JsonObject:
    """One page of what was sent, or is to be: who, how often, and what the other side answered last. `limit` is clamped
    to 1–500; `next_cursor` is "" on the last page."""
    caller.require(Scope.SETTINGS)
    limit = max(1, min(limit, MOST))
    found = await vault.store.read(
        partial(list_deliveries, tenant_id=caller.tenant_id, before=_read_cursor(cursor), limit=limit + 1)
    )
    page: list[Json] = [_shown(each) for each in found[:limit]]
    last = found[limit - 1] if len(found) > limit else None
    return {"deliveries": page, "next_cursor": f"{last.created_at}_{last.delivery_id}" if last else ""}


def _read_cursor(cursor: str) -> tuple[int, str] | None:
    if not cursor:
        return None
    moment, _, delivery_id = cursor.partition("_")
    if not (moment.isascii() and moment.isdigit() and len(moment) < 18 and is_id(delivery_id)):
        raise Invalid("is not a cursor of this list", path="cursor")
    return int(moment), delivery_id


def _shown(delivery: Delivery) -> JsonObject:
    waits = delivery.state is DeliveryState.WAITING
    return {
        "delivery_id": delivery.delivery_id,
        "event": str(delivery.kind),
        "request_id": delivery.request_id,
        "channel": str(delivery.channel),
        "target": delivery.target,
        "state": str(delivery.state),
        "attempts": delivery.attempts,
        "created_at": rfc3339(delivery.created_at),
        "last_attempt_at": None if delivery.last_tried_at is None else rfc3339(delivery.last_tried_at),
        "next_attempt_at": rfc3339(delivery.due_at) if waits else None,
        "status": delivery.status,
        "answer": delivery.answer,
    }
