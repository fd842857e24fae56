"""How full the budgets of the active limits are."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, cast

from ledgix.formats import json
from ledgix.formats.json import Json, JsonObject
from ledgix_vault.limits.demands import plain, unit_of
from ledgix_vault.limits.windows import Window
from ledgix_vault.policy.cel.inputs import EXACT
from ledgix_vault.policy.model import PolicyDocument
from ledgix_vault.policy.parts import Limit
from ledgix_vault.store.engine import Connection
from ledgix_vault.store.limits import Budget, budgets_of, up_to_date
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.times import rfc3339
from ledgix_vault.vault import Vault

MOST_KEYS = 100


async def read_limits(vault: Vault, caller: Caller, *, keys: int) -> list[JsonObject]:
    """Every limit of the active policies with its fullest budgets, `keys` of each (clamped to 1–100), as of now."""
    caller.require(Scope.POLICY)
    policies = vault.store.tenant(caller.tenant_id).snapshot.policies
    now, most = vault.clock(), max(1, min(keys, MOST_KEYS))

    def read(connection: Connection) -> list[JsonObject]:
        return [
            _shown(connection, caller.tenant_id, policy.document, limit, now, most)
            for policy in sorted(policies, key=lambda policy: policy.document.policy_id)
            for limit in policy.document.limits
        ]

    return await vault.store.read(read)


def _shown(
    connection: Connection, tenant_id: str, document: PolicyDocument, limit: Limit, now: int, most: int
) -> JsonObject:
    window, unit = Window(limit.window, limit.timezone), unit_of(limit.sum)
    names = sorted(expression.text for expression in limit.per)
    budgets = []
    for row in budgets_of(connection, tenant_id, document.policy_id, limit.id):
        per = json.parse_object(row.per.encode())
        if row.unit == unit and sorted(per) == names:  # those of an earlier version count for nobody
            stored = Budget(row.window_name, row.since, Decimal(row.total))
            budgets.append((up_to_date(connection, tenant_id, row.budget, stored, window, now).total, per))
    budgets.sort(key=lambda budget: (-budget[0], str(budget[1])))
    following = window.next_start(now)
    shown: JsonObject = {
        "policy_id": document.policy_id,
        "limit_id": limit.id,
        "effect": str(limit.effect),
        "window": window.name,
        "maximum": plain(limit.most),
        "unit": unit,
        "per": cast(Json, names),
        "budgets": [_budget(used, per, limit.most) for used, per in budgets[:most]],
        "total_budgets": len(budgets),
    }
    return shown if following is None else shown | {"next_period_at": rfc3339(following)}


def _budget(used: Decimal, per: JsonObject, most: Decimal) -> dict[str, Any]:
    return {"per": per, "used": plain(used), "remaining": plain(max(EXACT.subtract(most, used), Decimal(0)))}
