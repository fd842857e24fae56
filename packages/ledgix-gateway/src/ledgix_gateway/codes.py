"""Every way in which the gateway says no, as a closed set: the code for programs, its status, its title.

`docs/gateway.md` lists them; a test compares.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from ledgix_gateway.errors import Problem, Refusal


class Code(StrEnum):
    """A stable code. What the caller did wrong is 4xx; what the caller can't help is 5xx."""

    http_status: int
    heading: str

    def __new__(cls, code: str, status: int, title: str) -> Self:
        member = str.__new__(cls, code)
        member._value_ = code
        member.http_status = status
        member.heading = title
        return member

    PATH_AMBIGUOUS = "path_ambiguous", 400, "The path can be read in more than one way"
    HEAD_AMBIGUOUS = "head_ambiguous", 400, "The request's head can be read in more than one way"
    QUERY_AMBIGUOUS = "query_ambiguous", 400, "The query can be read in more than one way"
    QUERY_UNMAPPED = "query_unmapped", 400, "The route knows no such query parameter"
    ARGUMENTS_AMBIGUOUS = "arguments_ambiguous", 400, "An argument comes from two places"
    ARGUMENT_INVALID = "argument_invalid", 400, "An argument isn't of its type"
    BODY_INVALID = "body_invalid", 400, "The body can't be read in exactly one way"
    BODY_UNEXPECTED = "body_unexpected", 400, "The route takes no body"
    DIGEST_INVALID = "content_digest_invalid", 400, "Content-Digest is missing or can't be used"
    DIGEST_MISMATCH = "content_digest_mismatch", 400, "The body isn't the one that Content-Digest names"
    TOKEN_AMBIGUOUS = "token_ambiguous", 400, "More than one token"
    TOKEN_MISSING = "token_missing", 401, "No approval token"
    TOKEN_INVALID = "token_invalid", 401, "The approval token isn't valid"
    TOKEN_EXPIRED = "token_expired", 401, "The approval token has expired"
    ROUTE_UNMAPPED = "route_unmapped", 403, "No route leads there"
    UPGRADE_REFUSED = "upgrade_refused", 403, "The route allows no upgrade of the connection"
    TOOL_MISMATCH = "token_tool_mismatch", 403, "The token is for another tool"
    ARGS_MISMATCH = "token_args_mismatch", 403, "The token is for other arguments"
    AGENT_MISMATCH = "token_agent_mismatch", 403, "The token is for another agent"
    SUSPENDED = "suspended", 403, "The agent or the tool is suspended"
    CLEARANCE_DENIED = "clearance_denied", 403, "The Vault denied the call"
    REVIEW_EXPIRED = "review_expired", 403, "Nobody decided in time"
    CALL_UNKNOWN = "call_unknown", 404, "No such call is held here"
    REQUEST_UNKNOWN = "request_unknown", 404, "The Vault knows no such request of this gateway"
    EDGE_INCOMPLETE = "edge_incomplete", 400, "The edge doesn't tell the whole request"
    EDGE_UNKNOWN = "edge_unknown", 403, "Only a known edge may ask"
    HOLD_ENDED = "hold_ended", 410, "The call is no longer held"
    HEAD_TOO_SLOW = "head_too_slow", 408, "The head took too long"
    BODY_TOO_SLOW = "body_too_slow", 408, "The body took too long"
    TOKEN_CONSUMED = "token_already_consumed", 409, "The token was used before"
    BODY_TOO_LARGE = "body_too_large", 413, "The body is too large"
    CONTENT_TYPE = "content_type_unexpected", 415, "The route takes another content type"
    CONTENT_ENCODED = "content_encoded", 415, "Encoded bodies are not accepted"
    EXPECTATION_FAILED = "expectation_failed", 417, "Only 100-continue can be expected"
    INTERNAL = "gateway_failed", 500, "The gateway failed"
    TOKEN_SPENT = "token_spent", 502, "The tool gave no answer, and the token is spent"
    UPSTREAM_FAILED = "upstream_failed", 502, "The tool gave no answer"
    ANSWER_TOO_LARGE = "answer_too_large", 502, "The tool's answer is too large to be held"
    VAULT_UNAVAILABLE = "vault_unavailable", 503, "The Vault can't be asked"
    VAULT_REFUSED = "vault_refused_gateway", 503, "The Vault refuses this gateway"
    UPSTREAM_UNAVAILABLE = "upstream_unavailable", 503, "The tool is not available"
    GATEWAY_BUSY = "gateway_busy", 503, "The gateway is busy"


def problem(
    code: Code,
    detail: str,
    *,
    request_id: str = "",
    reason_code: str = "",
    retry_after: int | None = None,
    status: int | None = None,
) -> Problem:
    """The problem that carries this code; `status` replaces the code's own."""
    return Problem(
        status=code.http_status if status is None else status,
        code=str(code),
        title=code.heading,
        detail=detail,
        request_id=request_id,
        reason_code=reason_code,
        retry_after=retry_after,
    )


def refusal(
    code: Code, detail: str, *, request_id: str = "", reason_code: str = "", retry_after: int | None = None
) -> Refusal:
    """The error to raise for this code."""
    return Refusal(problem(code, detail, request_id=request_id, reason_code=reason_code, retry_after=retry_after))
