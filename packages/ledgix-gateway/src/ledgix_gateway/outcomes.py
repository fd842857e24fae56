"""Telling the Vault what became of approved calls (`POST /outcomes`), in the background.

Invariants:

- A report never delays a call. It is tried again, less and less often, until it is recorded or too old.
- There is a bound on reports that wait; a report that is given up is logged with its request and counted.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from opentelemetry.context import Context, get_current

from ledgix.client import ReportedOutcome
from ledgix.client.errors import VaultError, VaultRefused
from ledgix_gateway.config.vault import OutcomeReports
from ledgix_gateway.tracing import continuing
from ledgix_gateway.vault import Vault

logger = logging.getLogger(__name__)

_WAITING: Final = 10_000
_AT_ONCE: Final = 4
_OLDEST: Final = 900.0
_FIRST_DELAY: Final = 0.5
_LONGEST_DELAY: Final = 30.0
_FAREWELL: Final = 10.0
"""Seconds that the last reports get when the gateway stops."""


@dataclass(frozen=True, slots=True)
class Report:
    """What became of one approved call. `detail` is for people and holds nothing of the call itself."""

    jti: str
    request_id: str
    outcome: ReportedOutcome
    detail: str
    trace: Context = field(default_factory=get_current, repr=False)  # of the call


class Outcomes:
    """The reports that wait. `lost` counts those that were given up, `recorded` those that arrived."""

    def __init__(self, vault: Vault, reports: OutcomeReports, *, waiting: int = _WAITING) -> None:
        self._vault = vault
        self._reports = reports
        self._queue: asyncio.Queue[Report] = asyncio.Queue(waiting)
        self.lost = 0
        self.recorded = 0

    def report(self, report: Report) -> None:
        """Hands over a report; returns at once."""
        if self._reports is OutcomeReports.FAILURES and report.outcome is ReportedOutcome.DELIVERED:
            return
        try:
            self._queue.put_nowait(report)
        except asyncio.QueueFull:
            self._lose(report, "too many reports wait")

    @property
    def waiting(self) -> int:
        return self._queue.qsize()

    @asynccontextmanager
    async def reporting(self) -> AsyncIterator[None]:
        """Sends reports while the block runs, and the last ones after it."""
        workers = [asyncio.create_task(self._work(), name="outcome reports") for _ in range(_AT_ONCE)]
        try:
            yield
        finally:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_FAREWELL):
                    await self._queue.join()
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            while not self._queue.empty():
                self._lose(self._queue.get_nowait(), "the gateway stopped")

    async def _work(self) -> None:
        while True:
            report = await self._queue.get()
            try:
                with continuing(report.trace):
                    await self._send(report)
            finally:
                self._queue.task_done()

    async def _send(self, report: Report) -> None:
        deadline = time.monotonic() + _OLDEST
        delay = _FIRST_DELAY
        try:
            while True:
                try:
                    await self._vault.report(report.jti, report.outcome, report.detail)
                    self.recorded += 1
                    return None
                except VaultRefused as refused:
                    return self._lose(report, f"the Vault refused it: {refused.code or refused.status}")
                except VaultError as error:
                    if time.monotonic() >= deadline:
                        return self._lose(report, str(error))
                await asyncio.sleep(delay)
                delay = min(delay * 2, _LONGEST_DELAY)
        except asyncio.CancelledError:
            self._lose(report, "the gateway stopped")
            raise

    def _lose(self, report: Report, why: str) -> None:
        self.lost += 1
        logger.error("the outcome %s of request %s was not recorded: %s", report.outcome, report.request_id, why)
