"""The connections to the Vault, by aiohttp: every call passes here, and httpx2 costs several times as much.

What is asked, when it is asked again, and which answers are believed is decided by the `ledgix` client; this only
transports one request.
"""

from __future__ import annotations

from typing import Final

import aiohttp
from yarl import URL

from ledgix.client.flow import NoReply, Reply, Request

_KEPT: Final = 30.0
"""Seconds that an idle connection is kept: shorter than a Vault keeps it, so that no request meets a closed one."""


class VaultConnection:
    """To one Vault; used and closed in one event loop. Redirects are answers: an API key follows none."""

    def __init__(self, url: str, timeout_seconds: float) -> None:
        self._url = url
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._session: aiohttp.ClientSession | None = None

    async def send(self, request: Request) -> Reply | NoReply:
        """The answer, whatever its status; NoReply if there was none in time."""
        try:
            async with self._opened().request(
                request.method,
                URL(self._url + request.path, encoded=True),
                headers=request.headers,
                data=request.body or None,
                allow_redirects=False,
            ) as response:
                body = await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            return NoReply(f"{type(error).__name__}: {error}")
        return Reply(response.status, {name.lower(): value for name, value in response.headers.items()}, body)

    async def aclose(self) -> None:
        """Ends all connections."""
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEPT),
                timeout=self._timeout,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
            )
        return self._session
