"""Growth: wakes whoever waits for a log to grow, so that nobody has to look again and again.

The writer's thread tells, after each commit; the event loop waits. Nothing is ever lost by a late waker: who is woken
reads from the store.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Collection, Iterator, Mapping


class Watch:
    """One who waits, for any event of a log or for those about one request."""

    def __init__(self, request_id: str) -> None:
        self.request_id = request_id
        self._loop = asyncio.get_running_loop()
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """From any thread."""
        with contextlib.suppress(RuntimeError):  # that loop is closed: nobody waits there any more
            self._loop.call_soon_threadsafe(self._woken.set)

    def rest(self) -> None:
        """From here on `wait` waits for what comes next: look at the log after this, not before."""
        self._woken.clear()

    async def wait(self, seconds: float) -> bool:
        """Until the log grew; False if it didn't in that time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        return self._woken.is_set()


class Growth:
    """All who wait, by tenant."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watches: dict[str, set[Watch]] = {}
        self.is_over = False

    @property
    def is_watched(self) -> bool:
        return bool(self._watches)

    @contextlib.contextmanager
    def watching(self, tenant_id: str, request_id: str = "") -> Iterator[Watch]:
        """Is told of every growth of the tenant's log from now on, or of events about this request."""
        watch = Watch(request_id)
        with self._lock:
            self._watches.setdefault(tenant_id, set()).add(watch)
        try:
            yield watch
        finally:
            with self._lock:
                self._watches[tenant_id].discard(watch)
                if not self._watches[tenant_id]:
                    del self._watches[tenant_id]

    def grew(self, grown: Mapping[str, Collection[str]]) -> None:
        """Committed: these tenants' logs have new events, about these requests."""
        with self._lock:
            woken = [
                watch
                for tenant_id, about in grown.items()
                for watch in self._watches.get(tenant_id, ())
                if not watch.request_id or watch.request_id in about
            ]
        for watch in woken:
            watch.wake()

    def wake_all(self) -> None:
        """What grew is unknown: everybody looks."""
        with self._lock:
            woken = [watch for watches in self._watches.values() for watch in watches]
        for watch in woken:
            watch.wake()

    def end(self) -> None:
        """The process leaves: whoever waits ends, and nobody begins."""
        self.is_over = True
        self.wake_all()
