"""Trying a policy out: a simulation over many calls, a dry run of one."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing

from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from ledgix.formats.json import Json, JsonObject
from ledgix_vault.clearance.request import ClearanceRequest
from ledgix_vault.errors import Invalid
from ledgix_vault.jsontext import encode
from ledgix_vault.operations.simulate_policy import simulate_policy
from ledgix_vault.operations.steps.drafts import Draft
from ledgix_vault.operations.steps.simulation import MOST_CALLS
from ledgix_vault.operations.try_clearance import Tried, try_clearance
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.web.api.context import AKnock, TheVault, exact_json
from ledgix_vault.web.api.policies import LONGEST_POLICY_ID, strings
from ledgix_vault.web.api.policy_versions import PolicyId
from ledgix_vault.web.api.shapes import answers, body, streamed

router = APIRouter(tags=["Policies"])
NDJSON, SSE = "application/x-ndjson", "text/event-stream"


@router.post(
    "/policies/{policy_id}/simulate",
    **streamed(answers("SimulationResult", 404, 422), NDJSON, SSE),
    openapi_extra=body("SimulationRequest", idempotent=False),
)
async def post_simulate(
    policy_id: PolicyId, request: Request, vault: TheVault, asked: AKnock, stream: bool = False
) -> Response:
    """Run a draft of a policy over the last requests, or over calls that you give: what would change, by rule, with
    amounts, and how many more reviews there would be. Nothing is stored.

    What the draft leaves out is as in the active version. With `stream=true` or `Accept: application/x-ndjson` the
    answer is a line of JSON for each step (`examined` of `total`) and the result as the last line; with `Accept:
    text/event-stream` the same as events `progress` and `result`.
    """
    asked.caller.require(Scope.POLICY)
    content = asked.json()
    draft = _draft(policy_id, content, "$")
    last, calls = _which(content)
    steps = simulate_policy(vault, asked.caller, draft, last=last, calls=calls)
    step = await anext(steps)  # flaws of the draft are refused here, before an answer begins
    wanted = request.headers.get("accept", "")
    if SSE in wanted:
        return StreamingResponse(_told(step, steps, _event), media_type=SSE, headers={"Cache-Control": "no-store"})
    if stream or NDJSON in wanted:
        return StreamingResponse(_told(step, steps, _line), media_type=NDJSON, headers={"Cache-Control": "no-store"})
    async for later in steps:
        step = later
    return exact_json(step)


@router.post("/clearance-dry-run", **answers("DryRun", 404, 422), openapi_extra=body("DryRunRequest", idempotent=False))
async def post_dry_run(vault: TheVault, asked: AKnock) -> Response:
    """What would be decided of a call now, with every rule, every condition and its value. Records nothing, gives no
    token. With `draft`, a policy as it is written there stands in for the active one."""
    asked.caller.require(Scope.POLICY)
    content = asked.json()
    written = content.get("draft")
    draft = None
    if written is not None:
        if not isinstance(written, dict):
            raise Invalid("must be an object", path="$.draft")
        draft = _draft(written.get("policy_id"), written, "$.draft")
    return exact_json(_dry_run(await try_clearance(vault, asked.caller, ClearanceRequest.parse(content), draft)))


async def _told(
    first: JsonObject, later: AsyncGenerator[JsonObject], write: Callable[[JsonObject], bytes]
) -> AsyncIterator[bytes]:
    async with aclosing(later):  # also when whoever asked has gone: the next simulation may begin
        yield write(first)
        async for step in later:
            yield write(step)


def _line(step: JsonObject) -> bytes:
    return encode(step) + b"\n"


def _event(step: JsonObject) -> bytes:
    return (b"event: result\n" if "changes" in step else b"event: progress\n") + b"data: " + encode(step) + b"\n\n"


def _draft(policy_id: Json, content: JsonObject, path: str) -> Draft:
    if not isinstance(policy_id, str) or not 1 <= len(policy_id) <= LONGEST_POLICY_ID or not policy_id.isprintable():
        raise Invalid(f"is required: 1 to {LONGEST_POLICY_ID} printable characters", path=f"{path}.policy_id")
    definition, version = content.get("definition"), content.get("version")
    if definition is not None and not isinstance(definition, str):
        raise Invalid("must be a string: the rules as YAML or JSON text", path=f"{path}.definition")
    if version is not None and (isinstance(version, bool) or not isinstance(version, int) or not 1 <= version < 2**31):
        raise Invalid("must be the number of a version", path=f"{path}.version")
    given = [name for name in ("definition", "rules", "tools") if content.get(name) is not None]
    if version is not None and given:
        raise Invalid(f"is the whole draft; leave {', '.join(given)} out", path=f"{path}.version")
    return Draft(
        policy_id=policy_id,
        sentences=strings(content, "rules") if content.get("rules") is not None else None,
        definition=definition,
        tools=strings(content, "tools") if content.get("tools") is not None else None,
        version=version,
    )


def _which(content: JsonObject) -> tuple[int, tuple[ClearanceRequest, ...]]:
    last, calls = content.get("last"), content.get("calls")
    if (last is None) == (calls is None):
        raise Invalid("Say which calls: the `last` requests, or `calls`.", path="$.last")
    if calls is None:
        if isinstance(last, bool) or not isinstance(last, int) or not 1 <= last <= MOST_CALLS:
            raise Invalid(f"must be a whole number from 1 to {MOST_CALLS}", path="$.last")
        return last, ()
    if not isinstance(calls, list) or not calls:
        raise Invalid("must be a list of calls, like bodies of /request-clearance", path="$.calls")
    return 0, tuple(_call(call, i) for i, call in enumerate(calls))


def _call(call: Json, number: int) -> ClearanceRequest:
    if not isinstance(call, dict):
        raise Invalid("must be an object", path=f"$.calls[{number}]")
    try:
        return ClearanceRequest.parse(call)
    except Invalid as error:
        raise Invalid(error.detail, path=f"$.calls[{number}]{error.path[1:]}") from error


def _dry_run(tried: Tried) -> JsonObject:
    decision = tried.decision
    return {
        "dry_run": True,
        "with_draft": tried.with_draft,
        "status": decision.status,
        "outcome": str(decision.outcome),
        "reason": decision.reason,
        "reason_code": decision.reason_code,
        "confidence_bucket": str(decision.confidence_bucket),
        "minimum_confidence_bucket": str(decision.minimum_confidence_bucket),
        "policy_id": decision.policy_id,
        "policy_version_id": decision.policy_version_id,
        "policy_content_hash": decision.policy_content_hash,
        "matched_rule_ids": list(decision.matched_rule_ids),
        "assumptions": list(decision.assumptions),
        "citations": list(decision.citations),
        "trace": list(decision.trace),
    }
