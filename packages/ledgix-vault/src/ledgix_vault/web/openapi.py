"""The OpenAPI 3.1 description: FastAPI's routes, and the hot ones that pass it by."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from ledgix_vault.web.api.shapes import COMPONENTS, answers, body
from ledgix_vault.web.doors import API_KEY_HEADER

_SECURITY: list[dict[str, list[str]]] = [{"APIKeyHeader": []}]


def describe(api: FastAPI) -> dict[str, Any]:
    """The whole description, made once."""
    document = get_openapi(
        title=api.title, version=api.version, description=api.description, routes=api.routes, openapi_version="3.1.0"
    )
    components = document.setdefault("components", {})
    components["schemas"] = COMPONENTS
    components["securitySchemes"] = {"APIKeyHeader": {"type": "apiKey", "in": "header", "name": API_KEY_HEADER}}
    document["paths"] = {**_HOT_PATHS, **document["paths"]}
    for path in document["paths"].values():
        for operation in path.values():
            for status in tuple(operation["responses"]):
                operation["responses"][str(status)] = operation["responses"].pop(status)
    return document


def _hot(summary: str, description: str, answer: str, request: str | None, *errors: int, **more: Any) -> dict[str, Any]:
    return {
        "tags": ["Clearance"],
        "summary": summary,
        "description": description,
        "operationId": summary.lower().replace(" ", "_"),
        "security": _SECURITY,
        **answers(answer, *errors),
        **(body(request) if request else {}),
        **more,
    }


_HOT_PATHS: dict[str, Any] = {
    "/request-clearance": {
        "post": _hot(
            "Request clearance",
            "Ask whether a tool may be called with exactly these arguments. An approval carries a token for that one"
            " call. Run the tool only when `status` is `approved`.",
            "Clearance",
            "ClearanceRequest",
        )
    },
    "/clearance-status/{request_id}": {
        "get": _hot(
            "Clearance status",
            "How a request stands that the same API key asked. The token of a reviewed approval is handed out here.",
            "Clearance",
            None,
            404,
            parameters=[{"name": "request_id", "in": "path", "required": True, "schema": {"type": "string"}}],
        )
    },
    "/mint-token": {
        "post": _hot(
            "Mint token",
            "Decide the same call anew, shortly after rules alone approved it, and get a fresh token. After its outcome"
            " was reported as unknown this works once, and only if its policy allows a retry.",
            "Minted",
            "MintRequest",
            404,
        )
    },
    "/consume-token": {
        "post": _hot(
            "Consume token",
            "Burn a token exactly once, right before the call that it is for. Give tool and arguments, and they are"
            " compared with what was approved.",
            "Consumed",
            "ConsumeRequest",
            409,
        )
    },
}
