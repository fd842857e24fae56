"""Changing where a tenant's members sign in."""

from __future__ import annotations

from functools import partial

from ledgix.formats.events import EventKind
from ledgix.formats.json import JsonObject
from ledgix_vault.clearance.decision import decider_of
from ledgix_vault.errors import Invalid
from ledgix_vault.operations.steps.record import record_administration
from ledgix_vault.operations.steps.sign_on import client_secret_place
from ledgix_vault.sign_on.provider import is_trusted
from ledgix_vault.store.sessions import end_single_sign_on_sessions
from ledgix_vault.store.sign_on import change_single_sign_on as store_single_sign_on
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome as Stored
from ledgix_vault.tenancy.callers import Caller, require_own
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.tenancy.sign_on import SINGLE_SIGN_ON, SingleSignOn
from ledgix_vault.vault import Vault


async def read_single_sign_on(vault: Vault, caller: Caller) -> SingleSignOn:
    """The tenant's provider, for callers with `settings`."""
    caller.require(Scope.SETTINGS)
    return vault.store.tenant(caller.tenant_id).single_sign_on


async def change_single_sign_on(vault: Vault, caller: Caller, changes: JsonObject) -> SingleSignOn:
    """Applies the members that are given and keeps the others; raises `Invalid` naming a wrong one.

    A provider can name any member, an owner too, so the caller must have every right. Durable on return. The event has
    the settings before and after; of the client's secret it has the hash of its encrypted form. Whoever came by
    a provider that counts no more is signed out.
    """
    caller.require(Scope.SETTINGS)
    require_own(caller, Scope)
    settings: SingleSignOn = await vault.store.run(partial(_change, vault, caller, changes))
    return settings


def _change(vault: Vault, caller: Caller, changes: JsonObject, unit: Unit) -> Stored[SingleSignOn]:
    before = unit.tenant(caller.tenant_id).single_sign_on
    place = client_secret_place(caller.tenant_id)
    after = before.changed(changes, lambda secret: vault.keys.seal.close(secret, place))
    if after == before:
        return Stored(before)
    if after.issuer.startswith("http:") and not is_trusted(after.issuer, vault.settings.trusted_sign_on_hosts):
        raise Invalid("must be https, except for hosts that VAULT_SIGN_ON_HOSTS names", path="$.issuer")
    store_single_sign_on(unit, caller.tenant_id, after)
    if not after.enabled or (after.issuer, after.client_id) != (before.issuer, before.client_id):
        end_single_sign_on_sessions(unit, caller.tenant_id)
    record_administration(
        unit,
        caller.tenant_id,
        EventKind.SETTINGS_CHANGED,
        reason="Single sign-on was changed.",
        decider=decider_of(caller),
        metadata={"settings": SINGLE_SIGN_ON, "before": before.for_ledger(), "after": after.for_ledger()},
    )
    return Stored(after)
