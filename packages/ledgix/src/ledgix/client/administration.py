"""Policies, reviews, settings and tool schemas: what people and deployments tell the Vault."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ledgix.client.answers import (
    PolicyRegistered,
    ReviewPage,
    ReviewSettings,
    ToolSchema,
    read_policy,
    read_review_page,
    read_review_settings,
    read_tool_schema,
    read_tool_schemas,
)
from ledgix.client.exchange import Exchange
from ledgix.client.flow import Flow
from ledgix.client.requests import segment


@dataclass(frozen=True, slots=True)
class Administration:
    exchange: Exchange

    def register_policy(
        self,
        policy_id: str,
        rules: Sequence[str],
        *,
        tools: Sequence[str],
        description: str,
        definition: str | None,
    ) -> Flow[PolicyRegistered]:
        """POST /register-policy; an existing id gets a new version."""
        body: dict[str, object] = {
            "policy_id": policy_id,
            "description": description,
            "rules": list(rules),
            "tools": list(tools),
        }
        if definition is not None:
            body["definition"] = definition
        return self.exchange.read(self.exchange.build.post("/register-policy", body), read_policy)

    def review_page(self, status: str | None, limit: int, cursor: str | None) -> Flow[ReviewPage]:
        """GET /reviews; without a status, reviews of any (the Vault by itself would list the pending ones)."""
        get = self.exchange.build.get("/reviews", status=status or "any", limit=limit, cursor=cursor)
        return self.exchange.read(get, read_review_page)

    def review_settings(self) -> Flow[ReviewSettings]:
        return self.exchange.read(self.exchange.build.get("/review-settings"), read_review_settings)

    def set_review_settings(self, settings: Mapping[str, object]) -> Flow[ReviewSettings]:
        return self.exchange.read(self.exchange.build.put("/review-settings", settings), read_review_settings)

    def register_tool_schema(self, tool_name: str, schema: Mapping[str, object]) -> Flow[ToolSchema]:
        """PUT /tool-schemas/{tool_name}: the JSON Schema that conditions about this tool are typed against."""
        put = self.exchange.build.put(f"/tool-schemas/{segment(tool_name)}", schema)
        return self.exchange.read(put, read_tool_schema)

    def tool_schemas(self) -> Flow[tuple[ToolSchema, ...]]:
        return self.exchange.read(self.exchange.build.get("/tool-schemas"), read_tool_schemas)

    def tool_schema(self, tool_name: str) -> Flow[ToolSchema]:
        return self.exchange.read(self.exchange.build.get(f"/tool-schemas/{segment(tool_name)}"), read_tool_schema)
