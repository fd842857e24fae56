"""Telling the Vault what became of approved calls (`POST /outcomes`), in the background.

Under load many go together, in one request.

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

from ledgix.client import OutcomeReport, OutcomeToReport, ReportedOutcome
from ledgix.client.errors import VaultError, VaultRefused
from ledgix_gateway.config.vault import OutcomeReports
from ledgix_gateway.tracing import continuing
from ledgix_gateway.vault import Vault

logger = logging.getLogger(__name__)

_WAITING: Final = 10_000
_AT_ONCE: Final = 2
_TOGETHER: Final = 100
_GATHERING: Final = 0.02
"""Seconds in which further reports join one that is about to be sent."""
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
        self._hands: list[list[Report]] = []  # what each worker is about to send
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
        """How many are neither recorded nor lost."""
        return self._queue.qsize() + sum(map(len, self._hands))

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
        reports: list[Report] = []
        self._hands.append(reports)
        while True:
            reports.append(await self._queue.get())
            try:
                await asyncio.sleep(_GATHERING)
                while len(reports) < _TOGETHER and not self._queue.empty():
                    reports.append(self._queue.get_nowait())
                await self._send(reports)
            except asyncio.CancelledError:
                self._lose_all(reports, "the gateway stopped")
                raise
            except Exception:  # nobody waits for this task: what nobody foresaw is logged, and later reports are sent
                logger.exception("reporting outcomes failed in the gateway itself")
                self._lose_all(reports, "the gateway failed")

    async def _send(self, reports: list[Report]) -> None:
        """Sends them until each is recorded or lost; those are taken out of the list."""
        deadline = time.monotonic() + _OLDEST
        delay = _FIRST_DELAY
        while True:
            trouble = await self._try(reports)
            if not reports:
                return
            if time.monotonic() >= deadline:
                self._lose_all(reports, trouble)
                return
            await asyncio.sleep(delay)
            delay = min(delay * 2, _LONGEST_DELAY)

    async def _try(self, reports: list[Report]) -> str:
        """Sends them once, and takes out what is recorded or refused for good; why the others are not."""
        told = [OutcomeToReport(each.outcome, jti=each.jti, detail=each.detail) for each in reports]
        trouble = ""
        try:
            with continuing(reports[0].trace if len(reports) == 1 else Context()):
                results = await self._vault.report(told)
        except VaultRefused as refused:
            results = [refused] * len(reports)
        except VaultError as error:
            return str(error)
        for report, result in zip(tuple(reports), results, strict=True):
            match result:
                case OutcomeReport():
                    self.recorded += 1
                case VaultRefused():
                    self._lose(report, f"the Vault refused it: {result.code or result.status}")
                case _:
                    trouble = str(result)
                    continue
            self._done(report, reports)
        return trouble

    def _done(self, report: Report, reports: list[Report]) -> None:
        reports.remove(report)
        self._queue.task_done()

    def _lose_all(self, reports: list[Report], why: str) -> None:
        for report in tuple(reports):
            self._lose(report, why)
            self._done(report, reports)

    def _lose(self, report: Report, why: str) -> None:
        self.lost += 1
        logger.error("the outcome %s of request %s was not recorded: %s", report.outcome, report.request_id, why)
