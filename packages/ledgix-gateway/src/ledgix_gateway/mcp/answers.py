"""Refusals as tool results that a model can read: that the call did not run, why, and what can be done about it.

The text is for the model. Programs read `_meta["ledgix/refusal"]`. It does not stand in `structuredContent`, because
clients hold that against the tool's own output schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from ledgix.client.errors import (
    AnswerInvalid,
    ArgumentsError,
    ClearanceDenied,
    ReviewExpired,
    TokenReplayed,
    VaultBusy,
    VaultError,
    VaultFailed,
    VaultRefused,
    VaultUnreachable,
)
from ledgix.errors import FormatError, LedgixError, TokenError
from ledgix.formats.json import JsonObject

META: Final = "ledgix/refusal"
_LONGEST_QUOTE: Final = 600


class Code(StrEnum):
    """Why a call did not run, or what is not known of it. The set is closed; docs/gateway-mcp.md lists it."""

    DENIED = "denied"
    REVIEW_PENDING = "review_pending"
    REVIEW_EXPIRED = "review_expired"
    WITHDRAWN = "withdrawn"
    ARGUMENTS_NOT_EXACT = "arguments_not_exact"
    CALL_MALFORMED = "call_malformed"
    APPROVAL_INVALID = "approval_invalid"
    VAULT_UNAVAILABLE = "vault_unavailable"
    VAULT_REFUSED = "vault_refused"
    SERVER_GONE = "server_gone"
    OUTCOME_UNKNOWN = "outcome_unknown"


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the model is told instead of a tool's result. `reason_code` is the Vault's (contract section 2)."""

    code: Code
    what: str
    do: str
    request_id: str = ""
    reason: str = ""
    reason_code: str = ""
    clauses: tuple[str, ...] = ()

    def result(self) -> dict[str, Any]:
        """The `CallToolResult`."""
        meta = {"code": self.code, "request_id": self.request_id, "reason_code": self.reason_code}
        return {
            "content": [{"type": "text", "text": self.text()}],
            "isError": True,
            "_meta": {META: {name: str(value) for name, value in meta.items() if value}},
        }

    def text(self) -> str:
        """For a model, and for the person who reads over its shoulder."""
        lines = [self.what]
        if self.reason:
            lines.append(f"Reason: {self.reason}")
        lines += [f"Clause: {clause}" for clause in self.clauses]
        if self.request_id:
            lines.append(f"Request: {self.request_id}")
        return "\n".join([*lines, f"What to do: {self.do}"])


def denied(error: ClearanceDenied) -> Refusal:
    """A rule or a person said no."""
    citations = error.clearance.citations if error.clearance is not None else ()
    return Refusal(
        Code.DENIED,
        "This call was not made: it is denied.",
        "don't make this call again as it is. Tell the user why it was denied, or ask for something that is allowed.",
        request_id=error.request_id,
        reason=error.reason,
        reason_code=error.reason_code or "",
        clauses=tuple(clause for citation in citations if (clause := _clause(citation))),
    )


def waiting(request_id: str, waited: float, link: str) -> Refusal:
    """Nobody has decided yet, and we stopped waiting; the request stays open."""
    where = f" It can be decided at {link}." if link else ""
    return Refusal(
        Code.REVIEW_PENDING,
        f"This call was not made yet: it is waiting for a person, request {request_id} (waited {waited:.0f} s).{where}",
        "tell the user that the call waits for an approval. Later make exactly this call again: once it is approved, "
        "it runs, and only once. With other arguments it is another request.",
        request_id=request_id,
    )


def withdrawn(request_id: str) -> Refusal:
    """The user took the request back."""
    return Refusal(
        Code.WITHDRAWN,
        "This call was not made: the user withdrew the request.",
        "don't make this call again unless the user asks for it.",
        request_id=request_id,
    )


def server_gone() -> Refusal:
    """The server's connection had ended before anything was asked."""
    return Refusal(
        Code.SERVER_GONE,
        "This call was not made: the MCP server behind the gateway is not running.",
        "tell the user that the server has to be started again.",
    )


def outcome_unknown(request_id: str) -> Refusal:
    """The connection ended after the call went out."""
    return Refusal(
        Code.OUTCOME_UNKNOWN,
        "This call was sent, and the connection with the MCP server ended before it answered. It may have run.",
        "don't make this call again before somebody has looked whether it ran. Its approval is used up.",
        request_id=request_id,
    )


def malformed(code: str, message: str) -> Refusal:
    """The message has no exact meaning. `message` names the place in it."""
    return Refusal(Code(code), f"This call was not made: {message}.", "mend the arguments and make the call again.")


def of_error(error: LedgixError, request_id: str = "") -> Refusal:
    """Any other way in which there is no approval. Raises `error` itself if it isn't about a call."""
    match error:
        case ClearanceDenied():
            return denied(error)
        case ReviewExpired():
            return Refusal(
                Code.REVIEW_EXPIRED,
                "This call was not made: nobody decided about it in time.",
                "ask the user whether it is still wanted. The same call again is a new request.",
                request_id=error.request_id,
            )
        case FormatError() | ArgumentsError():
            return malformed(Code.ARGUMENTS_NOT_EXACT, str(error))
        case VaultUnreachable() | VaultBusy() | VaultFailed():
            return Refusal(
                Code.VAULT_UNAVAILABLE,
                "This call was not made: the Vault that has to approve it can't be reached.",
                "try again later, or tell the user. Nothing runs without its approval.",
                request_id=request_id,
            )
        case VaultRefused():
            return _vault_refused(error, request_id)
        case TokenReplayed() | TokenError() | AnswerInvalid():
            return Refusal(
                Code.APPROVAL_INVALID,
                "This call was not made: what the Vault answered is no valid approval of this call.",
                "tell the user; whoever runs the gateway has to look at its log.",
                request_id=request_id,
                reason=str(error),
            )
        case _:
            raise error


def _vault_refused(error: VaultError, request_id: str) -> Refusal:
    assert isinstance(error, VaultRefused)
    return Refusal(
        Code.VAULT_REFUSED,
        "This call was not made: the Vault did not accept the gateway's question.",
        "tell the user; whoever runs the gateway has to look at its key and its configuration.",
        request_id=error.request_id or request_id,
        reason=error.detail or error.title,
        reason_code=error.code,
    )


def _clause(citation: Mapping[str, object] | JsonObject) -> str:
    """One citation on one line: the quote, and where it stands."""
    quote = citation.get("quote")
    if not isinstance(quote, str) or not quote:
        return ""
    places = [str(citation[name]) for name in ("document", "section", "policy_id") if citation.get(name)]
    return f"“{quote[:_LONGEST_QUOTE]}” ({', '.join(places)})" if places else f"“{quote[:_LONGEST_QUOTE]}”"
