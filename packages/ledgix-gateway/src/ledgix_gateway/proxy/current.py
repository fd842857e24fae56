"""What is served at the moment, and what still serves calls that it has begun."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager

from ledgix_gateway.gateway import Gateway

Opened = AbstractAsyncContextManager[Gateway]


class Current:
    """The gateway for new calls. One that was replaced is closed when its last call is over."""

    def __init__(self) -> None:
        self._served: tuple[Opened, Gateway] | None = None
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def gateway(self) -> Gateway:
        """Take it once for each call, and keep it `in_use` as long as the call goes on."""
        assert self._served is not None
        return self._served[1]

    async def replace(self, opened: Opened) -> None:
        """From here on new calls go to the gateway that `opened` gives."""
        before, self._served = self._served, (opened, await opened.__aenter__())
        if before is not None:
            task = asyncio.create_task(_close(*before), name="replaced gateway")
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def aclose(self) -> None:
        """Closes everything; calls that still go on have been cut off by then."""
        for task in tuple(self._closing):
            task.cancel()
        await asyncio.gather(*self._closing, return_exceptions=True)
        if self._served is not None:
            await self._served[0].__aexit__(None, None, None)


async def _close(opened: Opened, gateway: Gateway) -> None:
    try:
        await gateway.until_unused()
    finally:
        await opened.__aexit__(None, None, None)
