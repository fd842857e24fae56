"""Changing by which channels a tenant is told, and the secrets that webhooks are signed with."""

from __future__ import annotations

from functools import partial

import httpx2

from ledgix.formats.events import EventKind
from ledgix.formats.json import JsonObject
from ledgix_vault.clearance.decision import decider_of
from ledgix_vault.errors import Invalid, NotFound
from ledgix_vault.ids import new_id
from ledgix_vault.notices.settings import NOTIFICATIONS, SIGNING_SECRET, Hands, NotificationSettings
from ledgix_vault.notify.webhooks import new_webhook_secret
from ledgix_vault.operations.steps.record import record_administration
from ledgix_vault.operations.steps.sending import secret_place
from ledgix_vault.operations.steps.slack import unlink_all
from ledgix_vault.outbound.guard import Trust, check_url
from ledgix_vault.store.idempotency import IdempotencyKey
from ledgix_vault.store.notifications import change_notification_settings as store_settings
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome as Stored
from ledgix_vault.store.writer import Replayed
from ledgix_vault.tenancy.callers import Caller, require_own
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.times import MICROSECONDS
from ledgix_vault.vault import Vault

LONGEST_OVERLAP = 7 * 24


async def change_notification_settings(vault: Vault, caller: Caller, changes: JsonObject) -> JsonObject:
    """Applies the members that are given and keeps the others; what the API shows, with the secrets of webhooks that
    are new: they are told this once. Raises `Invalid` naming a wrong member.

    Durable on return. The event has the settings before and after; of secrets it has the hash of their encrypted form.
    """
    caller.require(Scope.SETTINGS)
    shown: JsonObject = await vault.store.run(partial(_change, vault, caller, changes))
    return shown


async def rotate_webhook_secret(
    vault: Vault, caller: Caller, webhook_id: str, overlap_hours: int, key: IdempotencyKey | None
) -> tuple[JsonObject, bool]:
    """Gives a webhook another secret; the settings with it, told this once, and whether this is a replay (which has no
    secret). For the hours of the overlap what is sent is signed with the old one, too. Durable on return."""
    caller.require(Scope.SETTINGS)
    if not 0 <= overlap_hours <= LONGEST_OVERLAP:
        raise Invalid(f"must be 0 to {LONGEST_OVERLAP}", path="$.overlap_hours")
    stored = await vault.store.run(partial(_rotate, vault, caller, webhook_id, overlap_hours), key)
    if isinstance(stored, Replayed):
        return vault.store.tenant(caller.tenant_id).notifications.masked(), True
    shown: JsonObject = stored
    return shown, False


def _change(vault: Vault, caller: Caller, changes: JsonObject, unit: Unit) -> Stored[JsonObject]:
    before = unit.tenant(caller.tenant_id).notifications
    trust = Trust(vault.settings.trusted_notify_hosts)
    hands = Hands(
        seal=lambda secret, place: vault.keys.seal.close(secret, secret_place(caller.tenant_id, place)),
        check_url=lambda url, path: check_url(_parsed(url, path), trust, path),
        new_id=new_id,
        new_secret=new_webhook_secret,
    )
    after, fresh = before.changed(changes, hands)
    if after.speaks_otherwise(before):
        require_own(caller, Scope)  # whoever holds the signing secret speaks for every member that is linked
    if after.tells_arguments_beyond(before):
        caller.require(Scope.LEDGER_FULL)
    if after.sealed.get(SIGNING_SECRET) != before.sealed.get(SIGNING_SECRET):
        unlink_all(unit, caller)
    if after != before:
        _store(unit, caller, before, after, "The notification settings were changed.")
    return Stored(after.masked(fresh))


def _rotate(vault: Vault, caller: Caller, webhook_id: str, overlap_hours: int, unit: Unit) -> Stored[JsonObject]:
    before = unit.tenant(caller.tenant_id).notifications
    webhook = before.webhook(webhook_id)
    if webhook is None:
        raise NotFound("There is no webhook with this id.")
    secret = new_webhook_secret()
    sealed = vault.keys.seal.close(secret, secret_place(caller.tenant_id, webhook.secret_place))
    until = unit.now + overlap_hours * 3600 * MICROSECONDS
    # The old secret gets a seal for its new place: what is sealed opens at its own place alone.
    old = vault.keys.seal.open(
        before.sealed[webhook.secret_place], secret_place(caller.tenant_id, webhook.secret_place)
    )
    previous = vault.keys.seal.close(old, secret_place(caller.tenant_id, webhook.previous_place))
    after = before.rotated(webhook_id, sealed, previous, until)
    _store(unit, caller, before, after, f"The secret of the webhook {webhook_id} was rotated.")
    return Stored(after.masked({webhook_id: secret}), reference=webhook_id)


def _store(unit: Unit, caller: Caller, before: NotificationSettings, after: NotificationSettings, reason: str) -> None:
    store_settings(unit, caller.tenant_id, after)
    record_administration(
        unit,
        caller.tenant_id,
        EventKind.SETTINGS_CHANGED,
        reason=reason,
        decider=decider_of(caller),
        metadata={"settings": NOTIFICATIONS, "before": before.for_ledger(), "after": after.for_ledger()},
    )


def _parsed(url: str, path: str) -> httpx2.URL:
    try:
        return httpx2.URL(url)
    except httpx2.InvalidURL:
        raise Invalid("must be an address: https://host/…", path=path) from None
