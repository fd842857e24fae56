"""What the Vault does by itself: checkpoints every second or so, due jobs, judgements, notifications, when keys
were last used, forgetting what is old.

Each duty runs on its own; one that fails says so in the log and goes on with the next round. None of them is needed for
a correct answer: a late decision or proof does what is due by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

import structlog

from ledgix_vault.errors import VaultError
from ledgix_vault.operations.judge_requests import claim_judgements, judge_request
from ledgix_vault.operations.note_key_use import note_key_use
from ledgix_vault.operations.run_due_jobs import forget_old_keys, run_due_jobs
from ledgix_vault.operations.send_notifications import claim_notifications, deliver, forget_old_notifications
from ledgix_vault.operations.sign_checkpoints import sign_checkpoints
from ledgix_vault.store.high_water import HighWater
from ledgix_vault.vault import Vault

JOB_INTERVAL = 1.0
FORGET_INTERVAL = 3600.0
KEY_USE_INTERVAL = 60.0
JUDGE_INTERVAL = 0.2
MOST_JUDGED_AT_ONCE = 16
NOTIFY_INTERVAL = 0.5
MOST_SENT_AT_ONCE = 16
logger = structlog.get_logger(__name__)


class Worker:
    """The duties of one process. `sign_now` serves callers that can't wait for the next checkpoint."""

    def __init__(self, vault: Vault, high_water: HighWater) -> None:
        self._vault = vault
        self._high_water = high_water
        self._signing = asyncio.Lock()
        self._judging: set[asyncio.Task[None]] = set()
        self._sending: set[asyncio.Task[None]] = set()

    async def sign_now(self, tenant_id: str) -> None:
        """Signs and publishes a checkpoint of one log, if it grew."""
        async with self._signing:
            await sign_checkpoints(self._vault, self._high_water, [tenant_id])

    async def sign_all(self) -> None:
        """Signs and publishes a checkpoint of every log that grew."""
        async with self._signing:
            await sign_checkpoints(self._vault, self._high_water)

    async def judge(self) -> None:
        """Begins to judge what waits for it, a few requests at a time, and waits for none of them."""
        room = MOST_JUDGED_AT_ONCE - len(self._judging)
        for job in await claim_judgements(self._vault, room) if room else ():
            task = asyncio.create_task(_once("judge", partial(judge_request, self._vault, job)))
            self._judging.add(task)
            task.add_done_callback(self._judging.discard)

    async def notify(self) -> None:
        """Begins to send what is due, a few deliveries at a time, and waits for none of them."""
        room = MOST_SENT_AT_ONCE - len(self._sending)
        for batch in await claim_notifications(self._vault, room) if room > 0 else ():
            task = asyncio.create_task(_once("notify", partial(deliver, self._vault, batch)))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Runs all duties until the block ends; what is unsigned then gets its checkpoint."""
        duties = [
            asyncio.create_task(_repeat("checkpoints", self.sign_all, self._vault.settings.checkpoint_interval)),
            asyncio.create_task(_repeat("jobs", lambda: run_due_jobs(self._vault), JOB_INTERVAL)),
            asyncio.create_task(_repeat("judgements", self.judge, JUDGE_INTERVAL)),
            asyncio.create_task(_repeat("notifications", self.notify, NOTIFY_INTERVAL)),
            asyncio.create_task(_repeat("key use", lambda: note_key_use(self._vault), KEY_USE_INTERVAL)),
            asyncio.create_task(_repeat("forget", lambda: forget_old_keys(self._vault), FORGET_INTERVAL)),
            asyncio.create_task(
                _repeat("forget notices", lambda: forget_old_notifications(self._vault), FORGET_INTERVAL)
            ),
        ]
        try:
            yield
        finally:
            # What is cut off is done again after its lease.
            ending = [*duties, *self._judging, *self._sending]
            for duty in ending:
                duty.cancel()
            await asyncio.gather(*ending, return_exceptions=True)
            await _once("key use", lambda: note_key_use(self._vault))
            with contextlib.suppress(VaultError):  # the next start signs what this one couldn't
                await self.sign_all()


async def _repeat(duty: str, work: Callable[[], Awaitable[object]], interval: float) -> None:
    while True:
        await asyncio.sleep(interval)
        await _once(duty, work)


async def _once(duty: str, work: Callable[[], Awaitable[object]]) -> None:
    try:
        await work()
    except VaultError as error:
        logger.warning("duty_failed", duty=duty, code=error.code, detail=error.detail)
    except Exception:
        logger.exception("duty_failed", duty=duty)
