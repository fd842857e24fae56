"""Policies, reviews, settings and tool schemas: what people and deployments tell the Vault."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ledgix.client.answers import (
    PolicyDifference,
    PolicyRegistered,
    PolicySummary,
    PolicyVersion,
    ReviewPage,
    ReviewSettings,
    ShadowReport,
    ToolSchema,
    ToolSchemasImported,
    read_import,
    read_policies,
    read_policy,
    read_policy_difference,
    read_policy_summary,
    read_policy_version,
    read_policy_versions,
    read_review_page,
    read_review_settings,
    read_shadow_report,
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

    def policies(self) -> Flow[tuple[PolicySummary, ...]]:
        """GET /policies"""
        return self.exchange.read(self.exchange.build.get("/policies"), read_policies)

    def policy(self, policy_id: str) -> Flow[PolicySummary]:
        return self.exchange.read(self.exchange.build.get(_place(policy_id)), read_policy_summary)

    def policy_versions(self, policy_id: str, limit: int, before: int | None) -> Flow[tuple[PolicyVersion, ...]]:
        get = self.exchange.build.get(f"{_place(policy_id)}/versions", limit=limit, before=before)
        return self.exchange.read(get, read_policy_versions)

    def policy_version(self, policy_id: str, version: int) -> Flow[PolicyVersion]:
        get = self.exchange.build.get(f"{_place(policy_id)}/versions/{version:d}")
        return self.exchange.read(get, read_policy_version)

    def draft_policy_version(self, policy_id: str, draft: Mapping[str, object]) -> Flow[PolicyVersion]:
        """POST /policies/{policy_id}/versions; `draft` has the members of a registration, sources and set_aside."""
        post = self.exchange.build.post(f"{_place(policy_id)}/versions", draft)
        return self.exchange.read(post, read_policy_version)

    def move_policy_version(
        self, policy_id: str, version: int, move: str, body: Mapping[str, object]
    ) -> Flow[PolicyVersion]:
        """POST /policies/{policy_id}/versions/{version}/…; `move` is confirm, activate, shadow or retire."""
        post = self.exchange.build.post(f"{_place(policy_id)}/versions/{version:d}/{move}", body)
        return self.exchange.read(post, read_policy_version)

    def roll_back_policy(self, policy_id: str, version: int | None) -> Flow[PolicyVersion]:
        body = {} if version is None else {"version": version}
        return self.exchange.read(self.exchange.build.post(f"{_place(policy_id)}/rollback", body), read_policy_version)

    def policy_difference(self, policy_id: str, before: int, after: int) -> Flow[PolicyDifference]:
        get = self.exchange.build.get(f"{_place(policy_id)}/diff", from_=before, to=after)
        return self.exchange.read(get, read_policy_difference)

    def shadow_report(self, policy_id: str, last: int, version: int | None) -> Flow[ShadowReport]:
        get = self.exchange.build.get(f"{_place(policy_id)}/shadow-report", last=last, version=version)
        return self.exchange.read(get, read_shadow_report)

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

    def import_tool_schemas(
        self, tools_list: Mapping[str, object], money: Mapping[str, object]
    ) -> Flow[ToolSchemasImported]:
        """POST /tool-schemas/import: all tools of a list, or none."""
        body = {"tools_list": tools_list, **({"money": money} if money else {})}
        return self.exchange.read(self.exchange.build.post("/tool-schemas/import", body), read_import)

    def tool_schemas(self) -> Flow[tuple[ToolSchema, ...]]:
        return self.exchange.read(self.exchange.build.get("/tool-schemas"), read_tool_schemas)

    def tool_schema(self, tool_name: str) -> Flow[ToolSchema]:
        return self.exchange.read(self.exchange.build.get(f"/tool-schemas/{segment(tool_name)}"), read_tool_schema)


def _place(policy_id: str) -> str:
    return f"/policies/{segment(policy_id)}"
