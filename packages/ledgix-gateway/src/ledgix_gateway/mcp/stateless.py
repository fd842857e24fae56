"""MCP 2026-07-28, where a question to the user is a result, and its answer comes with the same call made again. Pure.

Invariants:

- Only a client that says that it shows forms is asked, and never within a question of the server's own.
- An answer to our question never reaches the server, and it never approves: it can only stop the waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from mcp_types import CLIENT_CAPABILITIES_META_KEY, PROTOCOL_VERSION_META_KEY

from ledgix_gateway.mcp.answers import Code
from ledgix_gateway.mcp.desk import Choice, chosen, question

_STATE: Final = "ledgix/waiting/"
_KEY: Final = "ledgix"
_MOST_QUESTIONS: Final = 5
"""About one call; clients give up after about ten."""


def is_stateless(params: Mapping[str, Any]) -> bool:
    """Whether a request says its revision by itself."""
    meta = params.get("_meta")
    return isinstance(meta, dict) and PROTOCOL_VERSION_META_KEY in meta


def answer_in(params: dict[str, Any]) -> tuple[dict[str, Any], Choice]:
    """The call without the answer to our question, and that answer. A form that was dismissed means: later."""
    if _asked_before(params) == 0:
        return params, Choice.KEEP_WAITING
    call = {name: value for name, value in params.items() if name not in ("requestState", "inputResponses")}
    match params.get("inputResponses"):
        case {"ledgix": dict() as answer}:
            return call, chosen(answer, otherwise=Choice.COME_BACK_LATER)
        case _:
            return call, Choice.COME_BACK_LATER


def may_ask(params: Mapping[str, Any]) -> bool:
    """Whether the client shows forms, and no question of the server's is open."""
    meta = params.get("_meta")
    asked = _asked_before(params)
    if not isinstance(meta, dict) or asked >= _MOST_QUESTIONS or (asked == 0 and "requestState" in params):
        return False
    match meta.get(CLIENT_CAPABILITIES_META_KEY):
        case {"elicitation": dict() as modes}:
            return not modes or "form" in modes
        case _:
            return False


def asking(result: dict[str, Any], params: Mapping[str, Any], link: Callable[[str], str]) -> dict[str, Any]:
    """A result that says that a person has to decide, as the question whether the waiting goes on; others unchanged."""
    match result:
        case {"_meta": {"ledgix/refusal": {"code": Code.REVIEW_PENDING, "request_id": str() as request_id}}}:
            asked = {
                "method": "elicitation/create",
                "params": {"mode": "form", **question(request_id, link(request_id))},
            }
            state = f"{_STATE}{_asked_before(params) + 1}"
            return {"resultType": "input_required", "inputRequests": {_KEY: asked}, "requestState": state}
        case _:
            return result


def _asked_before(params: Mapping[str, Any]) -> int:
    """How often this call's user was asked; the client only hands it back, so it decides nothing else."""
    state = params.get("requestState")
    if not isinstance(state, str) or not state.startswith(_STATE):
        return 0
    count = state.removeprefix(_STATE)
    return int(count) if count.isascii() and count.isdigit() and 0 < len(count) < 3 else _MOST_QUESTIONS
