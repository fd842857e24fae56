"""Changing whom a tenant asks as its judge."""

from __future__ import annotations

from functools import partial

import httpx2

from ledgix.formats.events import EventKind
from ledgix.formats.json import JsonObject
from ledgix_vault.clearance.decision import decider_of
from ledgix_vault.errors import Invalid
from ledgix_vault.operations.steps.judges import judge_key_place
from ledgix_vault.operations.steps.record import record_administration
from ledgix_vault.outbound.guard import Trust
from ledgix_vault.store.administration import change_judge_settings as store_judge_settings
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome as Stored
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.tenancy.judge_settings import JUDGE, JudgeSettings
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.vault import Vault


async def change_judge_settings(vault: Vault, caller: Caller, changes: JsonObject) -> JudgeSettings:
    """Applies the members that are given and keeps the others; raises `Invalid` naming a wrong one.

    Durable on return, and in force for every decision from now on. The event has the settings before and after; of the
    model server's key it has the hash of its encrypted form, which tells nothing but that it changed.
    """
    caller.require(Scope.SETTINGS)
    settings: JudgeSettings = await vault.store.run(partial(_change, vault, caller, changes))
    return settings


def _change(vault: Vault, caller: Caller, changes: JsonObject, unit: Unit) -> Stored[JudgeSettings]:
    before = unit.tenant(caller.tenant_id).judge
    place = judge_key_place(caller.tenant_id)
    after = before.changed(changes, lambda secret: vault.keys.seal.close(secret, place))
    if after == before:
        return Stored(before)
    if after.enabled and (after.base_url, after.enabled) != (before.base_url, before.enabled):
        caller.require(Scope.LEDGER_FULL)  # a judge reads what calls are about
    trust = Trust(vault.settings.trusted_judge_hosts)
    if after.base_url.startswith("http:") and not trust.covers(httpx2.URL(after.base_url)):
        raise Invalid("must be https, except for hosts that VAULT_JUDGE_HOSTS names", path="$.base_url")
    store_judge_settings(unit, caller.tenant_id, after)
    record_administration(
        unit,
        caller.tenant_id,
        EventKind.SETTINGS_CHANGED,
        reason="The judge's settings were changed.",
        decider=decider_of(caller),
        metadata={"settings": JUDGE, "before": before.for_ledger(), "after": after.for_ledger()},
    )
    return Stored(after)
