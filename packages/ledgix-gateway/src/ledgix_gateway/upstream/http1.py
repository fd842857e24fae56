"""HTTP/1.1, by aiohttp's client with everything switched off that would change a request or send it twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from ledgix_gateway.config.routing import UpstreamConfig
from ledgix_gateway.errors import NoAnswer, NotSent
from ledgix_gateway.upstream.exchange import LARGEST_MESSAGE, Answer, Outbound, Socket

_UNASKED: Final = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
"""Headers that aiohttp would add."""
_LONGEST_LINE: Final = 65_536
"""Bytes of one header of an answer: more than tools send, so that no answer is lost for a long one."""


class Http1Sender:
    def __init__(self, config: UpstreamConfig) -> None:
        self._url = config.url
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,  # `Upstream` counts the calls, before a token is burned
                keepalive_timeout=config.idle_seconds or None,
                force_close=config.idle_seconds == 0,
            ),
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=config.connect_seconds, sock_read=config.timeout_seconds
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=_UNASKED,
            auto_decompress=False,
            max_line_size=_LONGEST_LINE,
            max_field_size=_LONGEST_LINE,
            trust_env=False,
        )
        # It would send methods that it takes for harmless a second time when a kept connection turns out to be closed.
        self._session._retry_connection = False

    async def send(self, outbound: Outbound) -> Answer:
        headers = CIMultiDict((name.decode(), value.decode()) for name, value in outbound.headers)
        if outbound.content_length is not None:
            headers["Content-Length"] = str(outbound.content_length)
        try:
            response = await self._session.request(
                outbound.method,
                URL(self._url + outbound.path_and_query, encoded=True),
                headers=headers,
                data=outbound.body or None,
                allow_redirects=False,
            )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NotSent(f"no connection: {type(error).__name__}") from error
        except TimeoutError as error:
            raise NoAnswer("no answer in time", timed_out=True) from error
        except aiohttp.ClientError as error:
            raise NoAnswer(f"no answer: {type(error).__name__}") from error

        async def close() -> None:
            response.close()

        return Answer(response.status, response.raw_headers, _parts(response), close)

    async def connect(self, outbound: Outbound, subprotocols: tuple[str, ...]) -> Socket:
        try:
            response = await self._session.ws_connect(
                URL(self._url + outbound.path_and_query, encoded=True),
                headers=CIMultiDict((name.decode(), value.decode()) for name, value in outbound.headers),
                protocols=subprotocols,
                max_msg_size=LARGEST_MESSAGE,
            )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NotSent(f"no connection: {type(error).__name__}") from error
        except TimeoutError as error:
            raise NoAnswer("no answer in time", timed_out=True) from error
        except aiohttp.WSServerHandshakeError as error:
            raise NoAnswer(f"the tool opened no WebSocket ({error.status})") from error
        except aiohttp.ClientError as error:
            raise NoAnswer(f"no answer: {type(error).__name__}") from error
        return _Socket(response)

    async def aclose(self) -> None:
        await self._session.close()


class _Socket:
    def __init__(self, response: aiohttp.ClientWebSocketResponse[bool]) -> None:
        self._response = response

    @property
    def subprotocol(self) -> str | None:
        return self._response.protocol

    @property
    def close_code(self) -> int:
        return self._response.close_code or 1006

    async def send(self, message: str | bytes) -> None:
        try:
            await (self._response.send_str(message) if isinstance(message, str) else self._response.send_bytes(message))
        except (aiohttp.ClientError, ConnectionError) as error:
            raise NoAnswer(f"the WebSocket broke off: {type(error).__name__}") from error

    async def receive(self) -> str | bytes | None:
        message = await self._response.receive()
        return message.data if message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY) else None

    async def aclose(self, code: int) -> None:
        await self._response.close(code=code)


async def _parts(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        async for part in response.content.iter_any():
            yield part
    except (aiohttp.ClientError, TimeoutError) as error:
        raise NoAnswer(f"the answer broke off: {type(error).__name__}") from error
