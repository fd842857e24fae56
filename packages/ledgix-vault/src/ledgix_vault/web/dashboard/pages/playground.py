"""The playground: a call as any agent, tried without a trace or asked for real."""

from __future__ import annotations

import re
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from ledgix.errors import JsonError
from ledgix.formats import json
from ledgix.formats.json import JsonObject
from ledgix_vault.clearance.clearance import Clearance
from ledgix_vault.clearance.decision import Decision, Outcome
from ledgix_vault.clearance.request import ClearanceRequest
from ledgix_vault.clearance.searching import Sought
from ledgix_vault.errors import CallerError, Invalid
from ledgix_vault.ids import new_id
from ledgix_vault.operations.read_request import read_request
from ledgix_vault.operations.request_clearance import request_clearance
from ledgix_vault.operations.search_requests import search_requests
from ledgix_vault.operations.try_clearance import try_clearance
from ledgix_vault.policy.schemas import ToolSchema
from ledgix_vault.tenancy.people import Member
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.web.dashboard.examples import example_of
from ledgix_vault.web.dashboard.frame import Form, SignedIn, TheForm, TheVault, flaws_of, render
from ledgix_vault.web.dashboard.once import sent_once
from ledgix_vault.web.dashboard.readable import pretty, read_arguments, summary
from ledgix_vault.web.problems import problem

router = APIRouter()
HERE = "/app/playground"
MOST_EXAMPLES = 6
FIELDS = ("tool_name", "tool_args", "agent_id", "context", "session_id", "human_principal")
EMPTY = {"tool_name": "", "tool_args": "{}", "agent_id": "playground", "context": "{}"}
AT_CHARACTER = re.compile(r" at character (\d+)$")


@router.get("/playground")
async def get_playground(
    request: Request, vault: TheVault, member: SignedIn, tool: str = "", like: str = ""
) -> Response:
    """An empty form; or one filled with an example of a tool's call, or with an earlier call."""
    if like:
        return await _page(request, vault, member, await _like(vault, member, like))
    if tool:
        args = example_of(vault.store.tenant(member.tenant_id).snapshot.schemas.get(tool))
        return await _page(request, vault, member, {"tool_name": tool[:256], "tool_args": pretty(args)})
    return await _page(request, vault, member, {})


@router.post("/playground")
async def post_playground(request: Request, vault: TheVault, member: SignedIn, form: TheForm) -> Response:
    """Tries or asks; sending the same form again asks nothing again."""
    typed = {name: form.raw(name) for name in FIELDS}
    try:
        call = _call(form)
        if form.text("how") != "real":
            tried = await try_clearance(vault, member, call, None)
            return await _page(request, vault, member, typed, call=call, decision=tried.decision)
        asked, _ = await request_clearance(vault, member, call, sent_once(request, member, form))
    except Invalid as error:
        return await _page(request, vault, member, typed, flaws=flaws_of(error))
    except CallerError as error:
        return await _page(request, vault, member, typed, flaws={"": error.detail}, status=problem(error).status)
    return await _page(request, vault, member, typed, call=call, decision=asked.decision, asked=asked)


def _call(form: Form) -> ClearanceRequest:
    body: JsonObject = {
        "tool_name": form.text("tool_name"),
        "tool_args": _object(form, "tool_args"),
        "context": _object(form, "context"),
        "agent_id": form.text("agent_id") or EMPTY["agent_id"],
        "session_id": form.text("session_id"),
        "human_principal": form.text("human_principal") or None,
    }
    return ClearanceRequest.parse(body)


def _object(form: Form, name: str) -> JsonObject:
    """What was typed as JSON; a flaw says in which line, and inside of what."""
    text = form.raw(name).strip() or "{}"
    try:
        return json.parse_object(text.encode("utf-8", "surrogatepass"))
    except JsonError as error:
        place = AT_CHARACTER.search(error.message)
        told = AT_CHARACTER.sub("", error.message).removeprefix("not JSON: ")
        if place:
            before = text[: int(place[1])]
            line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
            told = f"Line {line}, character {column}: {told}."
        where = "" if error.path == "$" else f" (in {error.path.removeprefix('$.')})"
        raise Invalid(f"{told[:1].upper()}{told[1:]}{where}", path=name) from error


async def _like(vault: TheVault, member: Member, request_id: str) -> dict[str, str]:
    """An earlier call, as far as this person may see it."""
    found: Any = await read_request(vault, member, request_id)
    asked = found["request"]
    if not asked:
        return {"tool_name": found["tool_name"], "agent_id": found["agent_id"]}
    return {
        "tool_name": asked["tool_name"],
        "agent_id": asked["agent_id"],
        "tool_args": pretty(asked["tool_args"]),
        "context": pretty(asked["context"]),
        "session_id": asked["session_id"],
        "human_principal": asked["human_principal"] or "",
    }


async def _page(
    request: Request,
    vault: TheVault,
    member: Member,
    typed: dict[str, str],
    *,
    flaws: dict[str, str] | None = None,
    status: int = 422,
    call: ClearanceRequest | None = None,
    decision: Decision | None = None,
    asked: Clearance | None = None,
) -> Response:
    member.require_any(Scope.CLEARANCE, Scope.POLICY)
    schemas = vault.store.tenant(member.tenant_id).snapshot.schemas
    latest = (await search_requests(vault, member, Sought(), limit=MOST_EXAMPLES, cursor="")).requests
    money = _money(schemas.get(call.tool_name)) if call is not None else None
    return render(
        request,
        "playground.html",
        member=member,
        title="Playground",
        status=status if flaws else 200,
        typed={**dict.fromkeys(FIELDS, ""), **EMPTY, **typed},
        flaws=flaws or {},
        tools=sorted(schemas)[:50],
        known=sorted({*schemas, *(str(row["tool_name"]) for row in latest)}),
        latest=[{**row, "summary": _summary(row, schemas)} for row in latest],
        call=call,
        arguments=read_arguments(call.tool_args, money) if call is not None else [],
        decision=decision,
        asked=asked,
        has_token=asked is not None and asked.decision.outcome is Outcome.APPROVED,
        may_try=member.allows(Scope.POLICY),
        may_ask=member.allows(Scope.CLEARANCE),
        sees_rules=member.allows(Scope.POLICY) or member.allows(Scope.LEDGER_FULL),
        once=new_id(),
    )


def _summary(row: Any, schemas: Any) -> str:
    return summary(row["tool_args"], _money(schemas.get(row["tool_name"])))


def _money(schema: ToolSchema | None) -> Any:
    return schema.money if schema is not None else None
