"""Holds answers against the OpenAPI description that the Vault gives of itself."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Any, ClassVar

import httpx2
import jsonschema_rs

AS_SENT = "/policies/"
"""Below it a parameter is one segment of the path as it was sent; elsewhere it may hold slashes."""


class Description:
    """What a running Vault says about its operations, fetched at first use, once in a process: it's the same code."""

    _fetched: ClassVar[dict[str, Any]] = {}
    _validators: ClassVar[dict[str, Any]] = {}

    def __init__(self, http: httpx2.Client) -> None:
        self._http = http

    @property
    def document(self) -> dict[str, Any]:
        if not self._fetched:
            self._fetched.update(self._http.get("/openapi.json").json())
        return self._fetched

    @cached_property
    def _paths(self) -> list[tuple[re.Pattern[str], dict[str, Any]]]:
        """Plain paths before those with parameters, and longer ones before those that would swallow them."""
        paths = sorted(
            self.document["paths"].items(), key=lambda item: ("{" in item[0], -item[0].count("/"), item[0].count("{"))
        )
        return [(re.compile(re.sub(r"\{\w+\}", _parameter(path), path)), operations) for path, operations in paths]

    def check(self, response: httpx2.Response) -> None:
        """Fails unless this is an answer that the operation may give; what isn't described may answer anything."""
        method, url = response.request.method, response.request.url
        path = url.raw_path.decode().partition("?")[0] if url.path.startswith(AS_SENT) else url.path
        operation = self._operation(method.lower(), path)
        if operation is None:
            return
        where = f"{method} {path[:80]} {response.status_code}"
        promised = operation["responses"].get(str(response.status_code))
        assert promised is not None, f"{where} is not in the description: {response.text[:300]}"
        media_type = response.headers["content-type"]
        assert media_type in promised["content"], f"{where} is {media_type}, not {list(promised['content'])}"
        flaw = next(self._validator(promised["content"][media_type]["schema"]).iter_errors(response.json()), None)
        assert flaw is None, f"{where}: {flaw}"

    def _operation(self, method: str, path: str) -> dict[str, Any] | None:
        for pattern, operations in self._paths:
            if pattern.fullmatch(path):
                found: dict[str, Any] | None = operations.get(method)
                return found
        return None

    def _validator(self, schema: dict[str, Any]) -> Any:
        name = str(schema)
        if name not in self._validators:
            whole = {**schema, "components": self.document["components"]}
            self._validators[name] = jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
        return self._validators[name]


def _parameter(path: str) -> str:
    return "[^/]+" if path.startswith(AS_SENT) else "(?:.+)"
