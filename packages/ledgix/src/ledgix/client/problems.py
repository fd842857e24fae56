"""From an HTTP answer that is no success to an error that says what to do (RFC 9457, contract section 1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ledgix.client.answers import OutcomeReport, read_outcome
from ledgix.client.errors import (
    ClearanceDenied,
    TokenReplayed,
    VaultBusy,
    VaultError,
    VaultFailed,
    VaultRefused,
    VaultUnreachable,
)
from ledgix.client.flow import NoReply, Reply, Request
from ledgix.client.reading import Members
from ledgix.client.retry import retry_after
from ledgix.errors import FormatError, LedgixError, TokenError
from ledgix.formats import json as exact
from ledgix.formats.json import JsonObject

_SHOWN = 400
_FIRST_REFUSAL = 400

_BY_CODE = {
    "idempotency_key_reused": "an Idempotency-Key was sent with two bodies; let the client choose its own keys",
    "client_cannot_change_args": "the agent has to ask with accepts=['changed_args']; or approve as asked",
    "review_already_decided": "somebody else has decided the opposite; look at the review before deciding again",
    "policy_changed": "the policy now denies this; the approval can't be given any more",
    "token_args_mismatch": "what is about to run is not what was approved: don't run it; ask for these arguments",
    "token_tool_mismatch": "this approval is for another tool: don't run this one under it",
    "outcome_already_reported": "an outcome is told once, for good: keep to the first report",
    "outcome_without_approval": "report only what was approved and whose token was handed out",
    "mint_after_unknown_not_allowed": "a person has to find out what became of the call; then ask for clearance again",
    "mint_after_unknown_used": "the one retry was given already: find out what became of the call before asking again",
    "not_yet_checkpointed": "no checkpoint covers this entry yet; ask again in a second",
}
_BY_STATUS = {
    401: "check LEDGIX_VAULT_API_KEY (and that LEDGIX_VAULT_URL is the Vault that issued it)",
    403: "use a key that has the scope named here, for the agent named here",
    404: "check the id; a key sees its own tenant only, and for tokens only its own requests",
    409: "read the state again before deciding what to do",
    413: "a request is at most 256 KiB; send a reference instead of the content",
    422: "mend the member that the message names; nothing was decided",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """The members of a problem+json body, empty where a proxy answered something else."""

    title: str = ""
    detail: str = ""
    code: str = ""
    path: str = ""
    request_id: str = ""


def read_problem(body: bytes) -> Problem:
    try:
        value = exact.parse_object(body)
    except FormatError:
        return Problem()  # not from a Vault: a proxy's page; the status alone speaks

    def text(name: str) -> str:
        member: Any = value.get(name)
        return member[:_SHOWN] if isinstance(member, str) else ""

    return Problem(text("title"), text("detail"), text("code"), text("path"), text("request_id"))


def error_of(request: Request, outcome: Reply | NoReply) -> LedgixError:
    """The error for the final outcome of `request`, which was no success."""
    where = f"{request.method} {request.path.partition('?')[0]}"
    if isinstance(outcome, NoReply):
        return VaultUnreachable(
            f"no answer from the Vault to {where}: {outcome.trouble}. Is LEDGIX_VAULT_URL right, and the Vault running?"
        )
    problem = read_problem(outcome.body)
    said = problem.detail or problem.title or "no explanation"
    if problem.path not in ("", "$") and problem.path not in said:
        said = f"{problem.path} {said}"
    if outcome.status in (429, 503):
        return VaultBusy(f"the Vault is busy ({outcome.status} to {where}): {said}", retry_after(outcome))
    if outcome.status >= 500:
        return VaultFailed(f"the Vault failed ({outcome.status} to {where}): {said}", outcome.status)
    if outcome.status < 400:
        sentence = f"the Vault answered {outcome.status} to {where}"
        return _refused(outcome.status, problem, sentence, _redirection(outcome))
    advice = _BY_CODE.get(problem.code) or _BY_STATUS.get(outcome.status, "")
    code = f" {problem.code}" if problem.code else ""
    return _refused(outcome.status, problem, f"the Vault refused {where} ({outcome.status}{code}): {said}", advice)


def _redirection(reply: Reply) -> str:
    target = reply.headers.get("location", "")
    return f"it points to {target!r}; an API key follows no redirects, so mend LEDGIX_VAULT_URL" if target else ""


def _refused(status: int, problem: Problem, sentence: str, advice: str) -> VaultRefused:
    return VaultRefused(
        f"{sentence} → {advice}" if advice else sentence,
        status=status,
        code=problem.code,
        title=problem.title,
        detail=problem.detail,
        path=problem.path,
        request_id=problem.request_id,
    )


def read_outcomes(answer: JsonObject, request: Request) -> tuple[OutcomeReport | VaultError, ...]:
    """POST /outcomes/batch: what was recorded of each report, or the error that it would have met alone."""
    return tuple(_outcome(result, request) for result in Members(answer, "reported outcomes").objects("results"))


def _outcome(result: JsonObject, request: Request) -> OutcomeReport | VaultError:
    problem = result.get("problem")
    if isinstance(problem, dict) and isinstance(status := problem.get("status"), int) and status >= _FIRST_REFUSAL:
        error = error_of(request, Reply(status, {}, exact.dumps(problem)))
        assert isinstance(error, VaultError)
        return error
    return read_outcome(Members(result, "reported outcome").object("recorded"))


def consume_error(error: VaultRefused) -> LedgixError | None:
    """POST /consume-token: the refusal of a token, if it is one, rather than of the caller (contract section 2)."""
    match error.code:
        case "token_already_consumed":
            return TokenReplayed(error.detail or "the Vault has already burned this token")
        case "token_invalid" | "token_expired":
            return TokenError(error.code, error.detail or error.title)
        case _:
            return None


def mint_error(error: VaultRefused) -> LedgixError | None:
    """POST /mint-token: the verdict on the call, if it is one: a 403 about a new request, not about the caller."""
    if error.status == 403 and error.request_id:
        return ClearanceDenied(error.detail, error.code, error.request_id)
    return None
