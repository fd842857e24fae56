"""Requests: looking for them, and one with everything about it and the proof that it is in the ledger."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from ledgix.formats.json import JsonObject
from ledgix_vault.clearance.decision import DeciderType, Outcome
from ledgix_vault.clearance.searching import Sought, read_sought
from ledgix_vault.errors import Invalid
from ledgix_vault.jsontext import encode, encode_text
from ledgix_vault.notices.visible import visible
from ledgix_vault.operations.read_ledger import Wanted, prove_bundle
from ledgix_vault.operations.read_request import read_request
from ledgix_vault.operations.search_requests import RequestPage, search_requests
from ledgix_vault.tenancy.callers import may_read_policies
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.web.api.context import exact_json
from ledgix_vault.web.dashboard.frame import SignedIn, TheVault, TheWorker, flaws_of, render
from ledgix_vault.web.dashboard.readable import read_arguments, summary
from ledgix_vault.web.dashboard.shown.calls import money_in, shown_call
from ledgix_vault.web.dashboard.words import words

router = APIRouter()
PAGE = 50
FIELDS = ("tool", "agent_id", "session_id", "outcome", "decided_by", "policy_id", "reason_code", "text")
DAY = "T00:00:00Z"
DECIDERS = {
    DeciderType.ENGINE: "policies",
    DeciderType.JUDGE: "a judge",
    DeciderType.PERSON: "a person",
    DeciderType.KEY: "an API key",
    DeciderType.SYSTEM: "the Vault (time was over)",
}


@router.get("/requests")
async def get_requests(request: Request, vault: TheVault, member: SignedIn) -> Response:
    """A page of requests; what is looked for stands in the address."""
    asked = {name: request.query_params.get(name, "").strip() for name in (*FIELDS, "from", "to")}
    cursor, flaws = request.query_params.get("cursor", ""), {}
    page = RequestPage([], "", "")
    try:
        page = await search_requests(vault, member, _sought(asked), limit=PAGE, cursor=cursor)
    except Invalid as error:
        flaws = flaws_of(error)
    kept = {name: value for name, value in asked.items() if value}
    return render(
        request,
        "requests.html",
        member=member,
        title="Requests",
        status=422 if flaws else 200,
        rows=[shown_call(vault, member.tenant_id, row) for row in page.requests],
        page=page,
        asked=asked,
        flaws=flaws,
        full=member.allows(Scope.LEDGER_FULL),
        narrowed=bool(kept),
        further=len(set(kept) - {"tool", "agent_id", "outcome", "text"}),
        outcomes=[("", "any"), *((str(each), "waiting" if each is Outcome.PENDING else str(each)) for each in Outcome)],
        deciders=[("", "anybody"), *((str(each), name) for each, name in DECIDERS.items())],
        next_href=f"?{urlencode({**kept, 'cursor': page.next_cursor})}" if page.next_cursor else "",
        first_href=f"?{urlencode(kept)}" if cursor else "",
    )


@router.get("/requests/{request_id}")
async def get_request(request_id: str, request: Request, vault: TheVault, member: SignedIn) -> Response:
    """One request."""
    found: Any = await read_request(vault, member, request_id)
    money = money_in(vault, member.tenant_id, found["tool_name"])
    changed = found["decision"].get("effective_args")
    proposed = found["request"].get("tool_args", {})
    return render(
        request,
        "request.html",
        member=member,
        title=visible(found["tool_name"]),
        agent=visible(found["agent_id"]),
        may_read_policies=may_read_policies(member),
        found=found,
        summary=summary(found["tool_args"], money),
        arguments=read_arguments(found["tool_args"], money),
        proposed=read_arguments(proposed, money) if changed is not None else [],
        exact=_exact(found["tool_args"]),
        circumstances=_circumstances(found["request"]),
        citations=_cited(found["decision"]),
        decider=_decider(found),
        token=_token(found),
        reported=OUTCOME_WORDS[found["reported"]["outcome"]] if found["reported"] else None,
        reporter=_who(found["reported"]["reported_by"]) if found["reported"] else "",
        what_next=RETRY_WORDS[found["retry"]["state"]] if found["retry"] else "",
        may_review=member.allows(Scope.REVIEW),
        steps=[_step(step) for step in found["timeline"]],
    )


@router.get("/requests/{request_id}/bundle.json")
async def get_bundle(
    request_id: str, vault: TheVault, worker: TheWorker, member: SignedIn, download: bool = False
) -> Response:
    """The proof of the request's newest decision: the same as `/ledger/proof/bundle`."""
    answer = exact_json(await prove_bundle(vault, member, Wanted(request_id), worker.sign_now))
    if download:
        answer.headers["Content-Disposition"] = f'attachment; filename="ledgix-{request_id}.json"'
    return answer


def _sought(asked: dict[str, str]) -> Sought:
    """Days in the form are whole days in UTC, the last one included."""
    named = {name: asked[name] for name in FIELDS}
    since, until = asked["from"], asked["to"]
    return read_sought(
        named
        | ({"since": f"{since}{DAY}"} if since else {})
        | ({"until": f"{until}T23:59:59.999999Z"} if until else {})
    )


def _exact(args: Any) -> str:
    return msgspec.json.format(encode(args), indent=2).decode() if args else ""


def _circumstances(asked: JsonObject) -> list[tuple[str, str]]:
    """What came with the call beside its arguments; what wasn't given is left out."""
    context: Any = asked.get("context") or {}
    found: list[tuple[str, Any]] = [(label, asked.get(name)) for name, label in CIRCUMSTANCES]
    found += [(f"fact “{name}”", value) for name, value in (context.get("facts") or {}).items()]
    return [(visible(label), _spelled(value)) for label, value in found if value not in (None, "", [])]


def _spelled(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        value = ", ".join(value)
    return visible(value if isinstance(value, str) else encode_text(value))


def _cited(decision: JsonObject) -> list[dict[str, Any]]:
    citations: Any = decision.get("citations", [])
    clauses: Any = decision.get("clauses", [])
    return [
        {"cited": cited, "clause": clause}
        for cited, clause in zip(citations, [*clauses, *[None] * len(citations)], strict=False)
    ]


def _decider(found: Any) -> str:
    """Who decided, in words."""
    decider = found["decision"].get("decider", {"type": found["decided_by"], "name": "", "id": ""})
    return _who(decider)


def _who(decider: Any) -> str:
    named = decider.get("name") or decider.get("id") or ""
    match decider.get("type", ""):
        case DeciderType.PERSON:
            return named or "a person"
        case DeciderType.KEY:
            return f"API key “{named}”" if named else "an API key"
        case "":
            return ""
        case other:
            return DECIDERS[DeciderType(other)]


def _token(found: Any) -> tuple[str, str, str]:
    """Kind, word and sentence. A token that a report used up after it had lapsed reads as lapsed."""
    state = found["token"]["state"]
    if found["reported"] and state in ("used", "lapsed"):
        kind, word, sentence = TOKEN_WORDS[state]
        return kind, word, f"{sentence} {TOKEN_AFTER[found['reported']['outcome']]}"
    return TOKEN_WORDS[state]


def _step(step: Any) -> dict[str, Any]:
    outcome = step["outcome"]
    title = STEPS.get(step["kind"], words(step["kind"]))
    if step["after_outcome"]:
        title = RETRIED if step["kind"] == "token.minted" else REFUSED_RETRY
    if step["kind"] in TELLING and outcome:
        title = f"{title}: {'waits for a person' if outcome == Outcome.PENDING else outcome}"
    return {**step, "title": title, "who": _who(step["decider"])}


CIRCUMSTANCES = (
    ("session_id", "session"),
    ("human_principal", "on behalf of"),
    ("destination_provider", "provider"),
    ("destination_uri", "address"),
    ("destination_account_ref", "account"),
    ("purpose", "purpose"),
    ("data_categories", "personal data"),
    ("processing_register_ref", "processing register"),
    ("dataset_ref", "data set"),
)
TELLING = ("clearance.decided", "review.decided", "outcome.reported")
RETRIED = "Retried, since the outcome of the first call is unknown"
REFUSED_RETRY = "A retry after an unknown outcome was asked for"
STEPS = {
    "clearance.decided": "Decided",
    "review.decided": "Reviewed",
    "review.voted": "One approval of several",
    "review.expired": "Nobody decided in time",
    "review.cancelled_by_agent": "Taken back by whoever asked",
    "token.minted": "Decided anew from an earlier approval",
    "token.consumed": "Token used: the call was let through",
    "outcome.reported": "Outcome reported",
}
OUTCOME_WORDS = {
    "delivered": ("good", "delivered", "The call was carried out."),
    "refused": (
        "bad",
        "refused",
        "Whoever received the call did nothing. What it had taken of budgets came back; to have it done after all, the"
        " agent asks for clearance again.",
    ),
    "unknown": (
        "wait",
        "unknown",
        "Nobody can tell whether the call was carried out. It keeps what it took of budgets.",
    ),
}
TOKEN_AFTER = {
    "delivered": "The call that it was for was delivered.",
    "refused": "The call that it was for was refused.",
    "unknown": "What became of the call that it was for is unknown.",
}
RETRY_WORDS = {
    "possible": "Its policy allows one retry: the agent that asked may mint once more, if all policies approve by then."
    " The retry counts against budgets like a further call.",
    "used": "It was retried once, and there is no second retry. Find out what became of both calls before anybody"
    " asks again.",
    "not_allowed": "Its policy allows no retry. Find out from the receiver what became of the call; if nothing was"
    " done, the agent asks for clearance again.",
    "over": "The time for a retry is over. Find out from the receiver what became of the call; if nothing was done, the"
    " agent asks for clearance again.",
    "none": "There is no retry of a retry, nor of a call whose approval was taken back or whose arguments a person"
    " changed. Find out from the receiver what became of the call before anybody asks again.",
}
TOKEN_WORDS = {
    "none": ("plain", "no token", "Only an approval carries one."),
    "waiting": ("wait", "not fetched yet", "The agent has not asked for it since the approval."),
    "handed_out": ("good", "handed out", "The agent has it; it can be used once."),
    "used": ("good", "used", "It was used once, and is worth nothing since."),
    "lapsed": ("plain", "lapsed", "It was not used in time."),
    "void": ("bad", "void", "The approval was taken back before it was used."),
}
