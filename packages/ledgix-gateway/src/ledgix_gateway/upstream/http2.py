"""HTTP/2, by httpx2: over TLS as negotiated, without TLS by prior knowledge (RFC 9113 section 3.3)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2

from ledgix_gateway.config.routing import UpstreamConfig
from ledgix_gateway.errors import NoAnswer, NotSent
from ledgix_gateway.upstream.exchange import Answer, Outbound, Socket


class Http2Sender:
    def __init__(self, config: UpstreamConfig) -> None:
        self._url = config.url
        self._prefix = httpx2.URL(config.url).raw_path.rstrip(b"/")
        self._client = httpx2.AsyncClient(
            http1=False,
            http2=True,
            timeout=httpx2.Timeout(config.timeout_seconds, connect=config.connect_seconds, pool=config.connect_seconds),
            limits=httpx2.Limits(
                max_connections=None, max_keepalive_connections=None, keepalive_expiry=config.idle_seconds
            ),
            trust_env=False,
            follow_redirects=False,
        )
        self._client.headers.clear()  # it would add some of its own

    async def send(self, outbound: Outbound) -> Answer:
        headers = [*outbound.headers]
        if outbound.content_length is not None:
            headers.append((b"content-length", str(outbound.content_length).encode()))
        # The exact bytes of the target: the library would write some paths in another way.
        target = self._prefix + outbound.path_and_query.encode()
        request = self._client.build_request(
            outbound.method, self._url, headers=headers, content=outbound.body or None, extensions={"target": target}
        )
        try:
            response = await self._client.send(request, stream=True)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            raise NotSent(f"no connection: {type(error).__name__}") from error
        except httpx2.TimeoutException as error:
            raise NoAnswer("no answer in time", timed_out=True) from error
        except httpx2.TransportError as error:
            raise NoAnswer(f"no answer: {type(error).__name__}") from error
        return Answer(response.status_code, tuple(response.headers.raw), _parts(response), response.aclose)

    async def connect(self, outbound: Outbound, subprotocols: tuple[str, ...]) -> Socket:
        raise NotSent("WebSockets over HTTP/2 are not supported; the configuration refuses such routes")

    async def aclose(self) -> None:
        await self._client.aclose()


async def _parts(response: httpx2.Response) -> AsyncIterator[bytes]:
    try:
        async for part in response.aiter_raw():
            yield part
    except httpx2.TransportError as error:
        raise NoAnswer(f"the answer broke off: {type(error).__name__}") from error
