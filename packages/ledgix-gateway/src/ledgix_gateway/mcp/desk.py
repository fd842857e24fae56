"""What the client hears while a person decides: progress, and a question whether the waiting goes on.

Nothing here decides about the call. The user of the client may stop waiting or take the request back; only the Vault
approves.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, TypeAlias

import anyio
from mcp.shared.dispatcher import DispatchContext
from mcp.shared.exceptions import MCPError
from mcp.shared.transport_context import TransportContext

from ledgix_gateway.mcp.config import Waiting

Context: TypeAlias = DispatchContext[TransportContext]
"""One request of a client, and the way back to it."""

logger: Final = logging.getLogger(__name__)


class Choice(StrEnum):
    """What the user of the client may say; the words stand in the form that they see."""

    KEEP_WAITING = "keep waiting"
    COME_BACK_LATER = "come back later"
    WITHDRAW = "withdraw the request"


class Desk:
    """One call's way back to its client. `choice` is what the user chose already, `said` the highest progress so far,
    which must only grow (MCP, progress)."""

    def __init__(
        self, context: Context, waiting: Waiting, *, may_ask: bool, choice: Choice = Choice.KEEP_WAITING
    ) -> None:
        self._context = context
        self._waiting = waiting
        self._may_ask = may_ask and waiting.elicitation and context.can_send_request
        self.choice = choice
        self.said = 0.0

    def link(self, request_id: str) -> str:
        """Where people decide about the request; empty if the configuration doesn't say."""
        return self._waiting.link.replace("{request_id}", request_id)

    async def until_user_leaves(self, request_id: str) -> Choice:
        """Tells of the waiting until the user chooses something else than to wait; if they don't, it never returns."""
        choice = Choice.KEEP_WAITING
        async with anyio.create_task_group() as group:
            group.start_soon(self._tell, request_id)
            if self._may_ask:
                choice = await self._ask(request_id)
            if choice is not Choice.KEEP_WAITING:
                group.cancel_scope.cancel()
        return choice

    async def progress(self, progress: float, total: float | None, message: str | None) -> None:
        """The server's own progress, once the call runs: counted on from what was said while waiting."""
        before = self.said
        await self._context.progress(before + progress, None if total is None else before + total, message)

    async def _tell(self, request_id: str) -> None:
        started = anyio.current_time()
        link = self.link(request_id)
        message = f"waiting for a person, request {request_id}" + (f": {link}" if link else "")
        while True:
            self.said = anyio.current_time() - started
            await self._context.progress(self.said, self._waiting.wait_seconds, message)
            await anyio.sleep(self._waiting.progress_seconds)

    async def _ask(self, request_id: str) -> Choice:
        try:
            asked = question(request_id, self.link(request_id))
            answer = await self._context.send_raw_request("elicitation/create", asked)
        except MCPError as error:
            logger.info("request %s: the client did not show the question: error %d", request_id, error.code)
            return Choice.KEEP_WAITING
        return chosen(answer, otherwise=Choice.KEEP_WAITING)


def question(request_id: str, link: str) -> dict[str, Any]:
    """The form that the user sees, as params of `elicitation/create`."""
    where = f" Whoever may decide finds it at {link}." if link else ""
    return {
        "message": f"This call needs the approval of a person (request {request_id}).{where} Go on waiting?",
        "requestedSchema": {
            "type": "object",
            "properties": {"choice": {"type": "string", "title": "What now?", "enum": list(map(str, Choice))}},
            "required": ["choice"],
        },
    }


def chosen(answer: Mapping[str, Any], *, otherwise: Choice) -> Choice:
    """What the user chose; `otherwise` for a form that was dismissed or holds anything else."""
    match answer:
        case {"action": "accept", "content": {"choice": str() as choice}} if choice in tuple(Choice):
            return Choice(choice)
        case _:
            return otherwise
