"""The story of one tool call, from the client's bytes to a result."""

from __future__ import annotations

import logging
from typing import Any, Final, Protocol

from mcp.shared.dispatcher import ProgressFnT
from mcp.shared.exceptions import MCPError
from mcp_types import CONNECTION_CLOSED, METHOD_NOT_FOUND, REQUEST_TIMEOUT

from ledgix.client.answers import ReportedOutcome
from ledgix.client.errors import VaultError, VaultRefused
from ledgix.errors import LedgixError, TokenError
from ledgix_gateway.ended import Verdict
from ledgix_gateway.mcp import answers
from ledgix_gateway.mcp.answers import Refusal
from ledgix_gateway.mcp.approvals import Burned, StillOpen, Withdrawn
from ledgix_gateway.mcp.desk import Desk
from ledgix_gateway.mcp.exactness import CallRefused, ToolCall, read_call
from ledgix_gateway.mcp.gate import Gate
from ledgix_gateway.mcp.record import Record, recorded
from ledgix_gateway.outcomes import Report

_ENDED: Final = (CONNECTION_CLOSED, REQUEST_TIMEOUT)
logger: Final = logging.getLogger(__name__)


class Server(Protocol):
    """The connection with the server behind the gateway, as far as a call needs it."""

    @property
    def is_open(self) -> bool:
        """Whether a call could be sent now."""

    async def call_tool(self, burned: Burned, on_progress: ProgressFnT | None) -> dict[str, Any]:
        """Sends the call; raises MCPError for an error answer, and for a connection that ended."""


async def call_tool(
    gate: Gate, server: Server, raw: bytes, params: dict[str, Any], session_id: str, desk: Desk
) -> dict[str, Any]:
    """The server's result, or one that says why there is none. Raises MCPError for the server's own errors."""
    with recorded(gate, params) as record:
        found = await _approved(gate, server, raw, params, session_id, desk)
        if isinstance(found, Refusal):
            record.refused(found)
            return found.result()
        record.burned(found)
        return await _made(gate, server, found, desk, record)


async def _made(gate: Gate, server: Server, found: Burned, desk: Desk, record: Record) -> dict[str, Any]:
    # Burned: from here on the call may run, and this approval is good for nothing else.
    try:
        result = await server.call_tool(found, desk.progress if _wants_progress(found.call) else None)
    except MCPError as error:
        record.detail = f"error {error.code}"
        return _failed(gate, found, error)
    except BaseException:
        _report(gate, found, ReportedOutcome.UNKNOWN, "cancelled while it ran")
        raise
    _report(gate, found, ReportedOutcome.DELIVERED)
    record.verdict = Verdict.FORWARDED
    return result


async def _approved(
    gate: Gate, server: Server, raw: bytes, params: dict[str, Any], session_id: str, desk: Desk
) -> Burned | Refusal:
    try:
        call = read_call(raw, params)
        if not server.is_open:
            return answers.server_gone()
        return await gate.approvals.obtain(call, session_id, desk)
    except CallRefused as refused:
        return answers.malformed(refused.code, str(refused))
    except StillOpen as waiting:
        return answers.waiting(waiting.request_id, waiting.waited, desk.link(waiting.request_id))
    except Withdrawn as withdrawn:
        return answers.withdrawn(withdrawn.request_id)
    except LedgixError as error:
        return _no_approval(error)


def _no_approval(error: LedgixError) -> Refusal:
    """What a denial says holds arguments, so the log has it only when something is wrong with the Vault or the key."""
    match error:
        case VaultRefused():
            logger.error("the Vault refused: %d %s", error.status, error.code)
        case VaultError() | TokenError():
            logger.error("no approval: %s", error)
    return answers.of_error(error)


def _failed(gate: Gate, burned: Burned, error: MCPError) -> dict[str, Any]:
    """The server answered with an error, or not at all."""
    if error.code == METHOD_NOT_FOUND:
        _report(gate, burned, ReportedOutcome.REFUSED, "the server knows no tools/call")
        raise error
    _report(gate, burned, ReportedOutcome.UNKNOWN, f"error {error.code}")
    if error.code in _ENDED:
        return answers.outcome_unknown(burned.request_id).result()
    raise error


def _report(gate: Gate, burned: Burned, outcome: ReportedOutcome, detail: str = "") -> None:
    """In the background: no client waits for it, and no cancellation stops it."""
    gate.outcomes.report(Report(burned.jti, burned.request_id, outcome, detail))


def _wants_progress(call: ToolCall) -> bool:
    meta = call.params.get("_meta")
    return isinstance(meta, dict) and "progressToken" in meta
