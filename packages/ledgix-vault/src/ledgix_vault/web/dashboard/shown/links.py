"""Addresses of the pages about policies and documents."""

from __future__ import annotations

from urllib.parse import quote, urlencode


def policy_href(policy_id: str, *rest: object, **query: object) -> str:
    """A page of a policy, whatever its id holds: one percent-encoded segment."""
    segment = quote(policy_id, safe="")
    if not segment.strip("."):
        segment = segment.replace(".", "%2E")
    path = "/".join(["/app/policies", segment, *map(str, rest)])
    return f"{path}?{urlencode(query)}" if query else path


def version_href(policy_id: str, version: int, *rest: object) -> str:
    """A page of one version."""
    return policy_href(policy_id, "versions", version, *rest)


def document_href(document_id: str, *rest: object, **query: object) -> str:
    """A page of a document."""
    path = "/".join(["/app/documents", quote(document_id, safe=""), *map(str, rest)])
    return f"{path}?{urlencode(query)}" if query else path


def tool_href(tool_name: str) -> str:
    """The page of a tool's schema."""
    return f"/app/tools/{quote(tool_name, safe='')}"
