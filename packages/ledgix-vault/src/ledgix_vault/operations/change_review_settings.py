"""Changing what a tenant sets about confidence and reviews."""

from __future__ import annotations

from functools import partial

from ledgix.formats.events import EventKind
from ledgix.formats.json import JsonObject
from ledgix_vault.clearance.decision import decider_of
from ledgix_vault.operations.steps.record import record_administration
from ledgix_vault.store.administration import change_settings
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome as Stored
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.tenancy.settings import ReviewSettings
from ledgix_vault.vault import Vault


async def change_review_settings(vault: Vault, caller: Caller, changes: JsonObject) -> ReviewSettings:
    """Applies the members that are given and keeps the others; raises `Invalid` naming a wrong one.

    Durable on return, and in force for every decision from now on. Setting what is set already changes nothing and
    leaves no event.
    """
    caller.require(Scope.SETTINGS)
    settings: ReviewSettings = await vault.store.run(partial(_change, caller, changes))
    return settings


def _change(caller: Caller, changes: JsonObject, unit: Unit) -> Stored[ReviewSettings]:
    before = unit.tenant(caller.tenant_id).settings
    after = before.changed(changes)
    if after == before:
        return Stored(before)
    change_settings(unit, caller.tenant_id, after)
    record_administration(
        unit,
        caller.tenant_id,
        EventKind.SETTINGS_CHANGED,
        reason="The review settings were changed.",
        decider=decider_of(caller),
        metadata={"before": before.to_json(), "after": after.to_json()},
    )
    return Stored(after)
