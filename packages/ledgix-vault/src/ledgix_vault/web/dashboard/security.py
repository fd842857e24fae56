"""What every answer of the dashboard carries, and what no request passes without.

- Nothing is changed by another site's page: a request that may change something must come from our own origin
  (`Sec-Fetch-Site`, or else `Origin`, Fetch standard); one that says neither is refused.
- No inline script or style runs, nothing is loaded from elsewhere, nobody frames us (Content Security Policy level 3).
- Pages are never cached: the next person at this browser must not see them with the back button.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders

from ledgix_vault.web.problems import Problem

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not `no-referrer`: browsers then send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
TRANSPORT_SECURITY = "max-age=31536000"
ANOTHER_SITE = "This request came from another site, so nothing was done. Open the page here and try again."


class Guarded:
    """The application behind the checks and headers above. `public_url` is where people reach it."""

    def __init__(self, app: App, public_url: str) -> None:
        self._app = app
        self._origin = origin_of(public_url)
        self._headers = dict(HEADERS)
        if public_url.startswith("https://"):
            self._headers["Strict-Transport-Security"] = TRANSPORT_SECURITY

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        app = self._app if self._is_ours(scope) else _refuse
        await app(scope, receive, send_with_headers)

    def _is_ours(self, scope: Scope) -> bool:
        """Whether the request may change something."""
        if scope["method"] in SAFE_METHODS:
            return True
        headers = Headers(scope=scope)
        site = headers.get("sec-fetch-site")
        if site is not None:
            return site == "same-origin"
        origin = headers.get("origin")
        return origin is not None and origin in (self._origin, f"{scope['scheme']}://{headers.get('host', '')}")


def origin_of(url: str) -> str:
    """Scheme, host and port of an address, as browsers write an origin."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    await Problem(403, "another_site", ANOTHER_SITE).response()(scope, receive, send)
