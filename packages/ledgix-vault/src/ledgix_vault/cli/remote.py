"""A Vault behind its HTTP API, as the commands for policies as code need it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx2

from ledgix.formats import json
from ledgix.formats.json import JsonObject
from ledgix_vault.errors import Unauthenticated, Unavailable, VaultError
from ledgix_vault.jsontext import encode
from ledgix_vault.policy.model import PolicyDocument
from ledgix_vault.policy.schemas import ToolSchema

KEY_VARIABLE = "LEDGIX_VAULT_API_KEY"
PATIENCE = 30.0


class RemoteVault:
    """Speaks with the Vault at `url` by the API key in LEDGIX_VAULT_API_KEY. Use it as a context."""

    def __init__(self, url: str) -> None:
        key = os.environ.get(KEY_VARIABLE, "")
        if not key:
            raise Unauthenticated(f"Set {KEY_VARIABLE} to an API key with the scopes “policy” and “schemas”.")
        self.url = url.rstrip("/")
        self._http = httpx2.Client(base_url=self.url, headers={"X-Vault-API-Key": key}, timeout=PATIENCE)

    def __enter__(self) -> RemoteVault:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def schemas(self) -> dict[str, ToolSchema]:
        """The registered tool schemas."""
        found: Any = self._sent("GET", "/tool-schemas")["tool_schemas"]
        return {each["tool_name"]: ToolSchema.parse(each["tool_name"], each["schema"]) for each in found}

    def active(self) -> tuple[dict[str, PolicyDocument], dict[str, JsonObject]]:
        """The active version of each policy and how each policy stands, both by policy id."""
        listed: Any = self._sent("GET", "/policies")["policies"]
        standing = {each["policy_id"]: _standing(each) for each in listed}
        active = {each["policy_id"]: self._document(each["active"]) for each in listed if each["active"] is not None}
        return active, standing

    def _document(self, version: Mapping[str, Any]) -> PolicyDocument:
        path = f"/policies/{quote(version['policy_id'], safe='')}/versions/{version['version']}"
        document: Any = self._sent("GET", path)["document"]
        return PolicyDocument.from_json(document, {})

    def put_schema(self, schema: ToolSchema) -> None:
        """Registers a tool's schema in place of an earlier one."""
        self._sent("PUT", f"/tool-schemas/{quote(schema.tool_name)}", schema.to_json())

    def register(self, registration: JsonObject, key: str) -> JsonObject:
        """Registers a policy; the same `key` again makes no second version."""
        return self._sent("POST", "/register-policy", registration, {"Idempotency-Key": key})

    def _sent(
        self, method: str, path: str, body: JsonObject | None = None, headers: Mapping[str, str] | None = None
    ) -> JsonObject:
        content = None if body is None else encode(body)
        try:
            answer = self._http.request(method, path, content=content, headers=headers)
        except httpx2.HTTPError as error:
            raise Unavailable(f"{self.url} can't be asked: {error}") from error
        if answer.is_error:
            raise _refused(answer.text)
        return json.parse_object(answer.content, max_depth=64)


def _standing(policy: Mapping[str, Any]) -> JsonObject:
    """What a rollback or a retirement changes, and a draft that waits does not."""
    active, newest = policy["active"], policy["newest"]
    found: JsonObject = {}
    if active is not None:
        found["active"] = [active["policy_version_id"], active["activated_at"]]
    if newest["state"] == "retired":
        found["retired"] = newest["policy_version_id"]
    return found


def _refused(text: str) -> VaultError:
    try:
        problem: Any = json.parse_object(text.encode(), max_depth=64)
    except ValueError:
        return VaultError("The answer is not a Vault's.")
    return VaultError(str(problem.get("detail")), code=str(problem.get("code")))
