"""Sending a test: really, at once, and with the real answer of the other side."""

from __future__ import annotations

import asyncio

from ledgix.formats.json import Json, JsonObject
from ledgix_vault.errors import Invalid, NotFound
from ledgix_vault.ids import new_id
from ledgix_vault.notices.kinds import Channel
from ledgix_vault.notices.notice import Told
from ledgix_vault.operations.steps.sending import Message, send
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.times import rfc3339
from ledgix_vault.vault import Vault

TEST = "test"
"""`type` of a test's body."""


async def send_test_notification(vault: Vault, caller: Caller, channel: str, webhook_id: str) -> JsonObject:
    """Sends a test by a channel as it is set, enabled or not. Nothing of it is stored."""
    caller.require(Scope.SETTINGS)
    if channel not in tuple(Channel):
        raise Invalid(f"must be one of {', '.join(Channel)}", path="$.channel")
    settings = vault.store.tenant(caller.tenant_id).notifications
    targets = settings.email.recipients if channel == Channel.EMAIL else (webhook_id,)
    if channel == Channel.WEBHOOK and settings.webhook(webhook_id) is None:
        raise NotFound("There is no webhook with this id.")
    if not targets:
        raise Invalid("There is nobody to send to: set recipients first.", path="$.channel")
    replies = await asyncio.gather(
        *(
            send(vault, caller.tenant_id, Channel(channel), target, [_message(vault, caller.tenant_id)])
            for target in targets
        )
    )
    answers: list[Json] = [
        {"target": target, "ok": reply.ok, "status": reply.status, "answer": reply.answer}
        for target, reply in zip(targets, replies, strict=True)
    ]
    return {"ok": all(reply.ok for reply in replies), "answers": answers}


def _message(vault: Vault, tenant_id: str) -> Message:
    link = f"{vault.settings.public_url}/app/settings/notifications"
    told = Told(
        "This is a test from Ledgix",
        (("What would happen", "Nothing: somebody wants to see whether messages arrive."),),
        link,
        "Open the notification settings",
    )
    delivery_id = new_id()
    event: JsonObject = {"id": delivery_id, "type": TEST, "timestamp": rfc3339(vault.clock()), "data": {}}
    return Message(delivery_id, told, event, f"{tenant_id}/")
