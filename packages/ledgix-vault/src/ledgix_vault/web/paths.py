"""Paths whose segments may hold any text, a slash too.

Below the prefixes here a path is routed as it was sent, so that `%2F` in a segment stays inside it: a policy with the
id `eu/refunds` is `/policies/eu%2Frefunds`, whatever follows. The endpoint decodes its segment itself (`decoded`).
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any
from urllib.parse import unquote

from ledgix_vault.errors import NotFound

AS_SENT = ("/policies/", "/app/policies/")


class AsSent:
    """Hands requests on to `rest`, the path of those below `AS_SENT` percent-encoded as the client sent it."""

    def __init__(self, rest: Any) -> None:
        self._rest = rest

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"].startswith(AS_SENT):
            scope["path"] = scope["raw_path"].decode("ascii", "replace")
        await self._rest(scope, receive, send)


def decoded(segment: str) -> str:
    """The text that a segment stands for; nothing has a name that isn't UTF-8."""
    try:
        return unquote(segment, errors="strict")
    except UnicodeDecodeError:
        raise NotFound("There is no such policy.") from None
