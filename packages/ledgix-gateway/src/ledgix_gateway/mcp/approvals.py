"""Approvals from the Vault: asked for with the exact call, waited for, and burned before the call goes out.

Invariants:

- A `Burned` is made in one place, after the Vault burned a verified token for this tool with these arguments.
- A request that a client cancels is cancelled in the Vault, also an approval that was not burned yet.
- A request that nobody waits for any more, and that is still open, is held for the same call.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Final, NoReturn

import anyio
import anyio.lowlevel

from ledgix.client import AsyncLedgix
from ledgix.client.answers import Clearance
from ledgix.client.asked import CallDetails, ClearanceRequest
from ledgix.client.errors import AnswerInvalid, ReviewPending, ReviewTimedOut, VaultBusy, VaultFailed, VaultUnreachable
from ledgix.errors import LedgixError
from ledgix_gateway.mcp.config import McpConfig
from ledgix_gateway.mcp.desk import Choice, Desk
from ledgix_gateway.mcp.exactness import ToolCall
from ledgix_gateway.mcp.held import Held, Open

_GRACE: Final = 5.0
"""Seconds for what the Vault is told although nobody waits any more."""

AWAY: Final = (VaultUnreachable, VaultBusy, VaultFailed)
"""The Vault gave no answer; what it was asked may stand."""

logger: Final = logging.getLogger(__name__)


class StillOpen(Exception):
    """Nobody decided while we waited. The request is held."""

    def __init__(self, request_id: str, waited: float) -> None:
        super().__init__(request_id)
        self.request_id = request_id
        self.waited = waited


class Withdrawn(Exception):
    """The user took the request back."""

    def __init__(self, request_id: str) -> None:
        super().__init__(request_id)
        self.request_id = request_id


@dataclass(frozen=True, slots=True)
class Burned:
    """The Vault burned an approval of this call: it may go to the server, once."""

    call: ToolCall
    request_id: str
    jti: str


class Approvals:
    """All sessions of a gateway share it: one key, one agent, one memory of what waits."""

    def __init__(self, client: AsyncLedgix, config: McpConfig) -> None:
        self._client = client
        self._config = config
        self.held = Held()

    async def obtain(self, call: ToolCall, session_id: str, desk: Desk) -> Burned:
        """The call's approval, already burned. Raises LedgixError, StillOpen or Withdrawn when there is none."""
        request = self._request(call, session_id)
        if desk.choice is not Choice.KEEP_WAITING:
            await self._leave(request, desk.choice)
        clearance = await self._clearance(request, desk)
        try:
            await anyio.lowlevel.checkpoint()
            return await self._burn(clearance, call)
        except anyio.get_cancelled_exc_class():
            await self._withdraw(clearance.request_id)
            raise
        except AWAY:
            # Whether the token is spent is unknown: the same call picks the approval up, and burns it or is refused.
            self.held.hold(Open(clearance.request_id, request))
            raise

    async def _leave(self, request: ClearanceRequest, choice: Choice) -> NoReturn:
        """What the user chose after the waiting was over."""
        waiting = self.held.take(request)
        if waiting is None:
            raise Withdrawn("")
        if choice is Choice.WITHDRAW:
            await self._client.cancel(waiting.request_id, "withdrawn by the user")
            raise Withdrawn(waiting.request_id)
        self.held.hold(waiting)
        raise StillOpen(waiting.request_id, self._config.waiting.wait_seconds)

    def _request(self, call: ToolCall, session_id: str) -> ClearanceRequest:
        caller = self._config.caller
        details = CallDetails(session_id=session_id, human_principal=caller.human_principal or None)
        return ClearanceRequest.build(
            self._client.settings, self._config.tool_prefix + call.name, call.arguments, details
        )

    async def _clearance(self, request: ClearanceRequest, desk: Desk) -> Clearance:
        waiting = self.held.take(request)
        if waiting is None:
            asked = await self._ask(request)
            if isinstance(asked, Clearance):
                return asked
            waiting = asked
        try:
            return await self._decision(waiting, desk)
        except anyio.get_cancelled_exc_class():
            await self._withdraw(waiting.request_id)
            raise

    async def _ask(self, request: ClearanceRequest) -> Clearance | Open:
        asked: Clearance | Open
        # Shielded: whoever cancels meanwhile must know which request to take back.
        with anyio.CancelScope(shield=True):
            try:
                asked = await self._client.request_clearance(
                    request.tool_name,
                    request.tool_args,
                    review_mode="detach",
                    agent_id=request.agent_id,
                    session_id=request.session_id,
                    human_principal=self._config.caller.human_principal or None,
                )
            except ReviewPending as pending:
                asked = Open(pending.request_id, request)
        return asked

    async def _decision(self, waiting: Open, desk: Desk) -> Clearance:
        found: Clearance | LedgixError | None = None
        chosen = Choice.KEEP_WAITING
        started = anyio.current_time()

        async with anyio.create_task_group() as group:

            async def watch() -> None:
                nonlocal chosen
                chosen = await desk.until_user_leaves(waiting.request_id)
                group.cancel_scope.cancel()

            group.start_soon(watch)
            found = await self._decided(waiting)
            group.cancel_scope.cancel()

        if isinstance(found, Clearance):
            return found
        if chosen is Choice.WITHDRAW:
            await self._client.cancel(waiting.request_id, "withdrawn by the user")
            raise Withdrawn(waiting.request_id)
        if isinstance(found, LedgixError) and not isinstance(found, (ReviewTimedOut, *AWAY)):
            raise found
        self.held.hold(waiting)
        if isinstance(found, AWAY):
            raise found
        raise StillOpen(waiting.request_id, anyio.current_time() - started)

    async def _decided(self, waiting: Open) -> Clearance | LedgixError:
        try:
            return await self._client.wait(
                waiting.request_id, timeout=self._config.waiting.wait_seconds, request=waiting.request
            )
        except LedgixError as error:
            return error

    async def _burn(self, clearance: Clearance, call: ToolCall) -> Burned:
        assert clearance.token is not None
        # Shielded: from here on the token may be spent, so the answer must be known.
        with anyio.CancelScope(shield=True):
            consumed = await self._client.consume(
                clearance.token, tool_name=self._config.tool_prefix + call.name, tool_args=call.arguments
            )
        if consumed.request_id != clearance.request_id:
            raise AnswerInvalid(f"asked to burn the token of {clearance.request_id}, not of {consumed.request_id}")
        return Burned(call, consumed.request_id, consumed.jti)

    async def _withdraw(self, request_id: str) -> None:
        telling = self._client.cancel(request_id, "cancelled by the client")
        await _although_cancelled(telling, f"request {request_id}: cancelling")


async def _although_cancelled(telling: Awaitable[object], what: str) -> None:
    """Tells the Vault something within a short time, whatever else ends. What it could not be told is logged."""
    with anyio.move_on_after(_GRACE, shield=True) as scope:
        try:
            await telling
        except LedgixError as error:
            logger.error("%s failed: %s", what, error)
    if scope.cancelled_caught:
        logger.error("%s took longer than %g s and was given up", what, _GRACE)
