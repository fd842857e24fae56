"""How full the budgets of a limit are, as people and programs see it."""

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
from ledgix_vault.times import rfc3339


def limit_use(
    connection: Connection, tenant_id: str, document: PolicyDocument, limit: Limit, now: int, most: int
) -> JsonObject:
    """The limit with its fullest budgets, at most so many, as of `now`."""
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
