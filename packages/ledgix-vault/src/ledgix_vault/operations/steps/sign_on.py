"""What operations about single sign-on share."""

from __future__ import annotations


def client_secret_place(tenant_id: str) -> str:
    """The place for which the client secret of a tenant's provider is sealed."""
    return f"{tenant_id}/single sign-on"
