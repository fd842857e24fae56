"""What tests of notifications share."""

from __future__ import annotations

from typing import Any

from ledgix.formats import json
from ledgix.formats.json import JsonObject
from ledgix_vault.operations.change_notification_settings import change_notification_settings
from ledgix_vault.operations.read_deliveries import read_deliveries
from ledgix_vault.operations.send_notifications import claim_notifications, deliver
from ledgix_vault.tenancy.callers import Caller
from vault_testing.house import House


async def change(vault: House, *, by: Caller | None = None, **changes: Any) -> JsonObject:
    """`PUT /notification-settings`"""
    made = json.from_python(changes)
    assert isinstance(made, dict)
    return await change_notification_settings(vault.core, by or vault.owner, made)


async def send_what_waits(vault: House) -> int:
    """What the worker does, once: fans out, then sends what is due."""
    await vault.do_what_is_due()
    batches = await claim_notifications(vault.core, 100)
    for batch in batches:
        await deliver(vault.core, batch)
    return sum(len(batch) for batch in batches)


async def log(vault: House, *, by: Caller | None = None) -> list[Any]:
    """`GET /notification-deliveries`"""
    page = await read_deliveries(vault.core, by or vault.owner, limit=500, cursor="")
    found: Any = page["deliveries"]
    return list(found)
