"""What operations about judges share."""

from __future__ import annotations


def judge_key_place(tenant_id: str) -> str:
    """The place for which the API key of a tenant's model server is sealed."""
    return f"{tenant_id}/judge"
