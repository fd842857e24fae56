"""The page at /docs: every endpoint in words, made from the OpenAPI description. No script, nothing fetched."""

from __future__ import annotations

from html import escape
from typing import Any


def render_docs(document: dict[str, Any]) -> str:
    """The whole page."""
    rows = [
        f"<h2><code>{method.upper()} {escape(path)}</code></h2><p>{escape(operation.get('description', ''))}</p>"
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]
    return f"<!doctype html><html lang=en><title>Ledgix Vault API</title><main>{''.join(rows)}</main></html>"
