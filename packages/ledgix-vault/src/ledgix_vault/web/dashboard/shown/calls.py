"""Requests as lists show them: who asked and what, in one line."""

from __future__ import annotations

from typing import Any

from ledgix.formats.json import JsonObject
from ledgix_vault.notices.visible import visible
from ledgix_vault.vault import Vault
from ledgix_vault.web.dashboard.readable import summary


def shown_call(vault: Vault, tenant_id: str, row: JsonObject) -> dict[str, Any]:
    """A row of requests with names that can be seen, and the call's `summary`; "" where its contents are kept back."""
    args: Any = row["tool_args"]
    tool = str(row["tool_name"])
    shown = {"tool_name": visible(tool), "agent_id": visible(str(row["agent_id"]))}
    return {**row, **shown, "summary": summary(args, money_in(vault, tenant_id, tool))}


def money_in(vault: Vault, tenant_id: str, tool_name: str) -> Any:
    """Which arguments of a tool are money, as far as its schema says so."""
    schema = vault.store.tenant(tenant_id).snapshot.schemas.get(tool_name)
    return schema.money if schema is not None else None
