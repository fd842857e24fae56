"""Addresses of other servers, as a tenant's settings name them."""

from __future__ import annotations

from urllib.parse import urlsplit

from ledgix_vault.errors import Invalid


def read_address(value: object, path: str, longest: int) -> str:
    """An http(s) address that holds neither a user nor a query nor a fragment, or ""; raises `Invalid` at `path`."""
    refusal = Invalid("must be an http(s) address without user, query or fragment", path=path)
    if not isinstance(value, str) or len(value) > longest or not (value.isascii() and value.isprintable()):
        raise refusal
    value = value.strip()
    if not value:
        return ""
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        raise refusal from None
    is_plain = not (parts.username or parts.password or parts.query or parts.fragment or " " in value)
    if parts.scheme not in ("http", "https") or not parts.hostname or not is_plain:
        raise refusal
    return value
