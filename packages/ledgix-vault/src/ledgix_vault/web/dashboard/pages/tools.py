"""Tools: what their arguments look like, which rules rely on."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from ledgix.errors import FormatError
from ledgix.formats import json
from ledgix.formats.json import Json, JsonObject
from ledgix_vault.errors import Invalid, NotFound
from ledgix_vault.jsontext import encode_text
from ledgix_vault.operations.import_tool_schemas import import_tool_schemas
from ledgix_vault.operations.register_tool_schema import register_tool_schema
from ledgix_vault.policy.globs import covers
from ledgix_vault.policy.schemas import ToolSchema
from ledgix_vault.tenancy.people import Member
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.vault import Vault
from ledgix_vault.web.dashboard.frame import SignedIn, TheForm, TheVault, redirect, render
from ledgix_vault.web.dashboard.shown.links import policy_href, tool_href
from ledgix_vault.web.dashboard.shown.schemas import shown_arguments

router = APIRouter()
HERE = "/app/tools"


@router.get("/tools")
async def get_tools(request: Request, vault: TheVault, member: SignedIn) -> Response:
    """Every tool with a registered schema, and how more are added."""
    return _list(request, vault, member)


@router.post("/tools")
async def post_schema(request: Request, vault: TheVault, member: SignedIn, form: TheForm) -> Response:
    """One tool's JSON Schema, or what an MCP server answered to `tools/list`."""
    member.require(Scope.SCHEMAS)
    try:
        content = _read(form.raw("schema"))
        if isinstance(content, dict) and not form.text("name") and ("tools" in content or "jsonrpc" in content):
            return await _import(vault, member, content)
        if not isinstance(content, dict):
            raise Invalid("A schema is a JSON object.", path="schema")
        if not form.text("name"):
            raise Invalid("Give the tool’s name, as agents call it.", path="name")
        await register_tool_schema(vault, member, form.text("name"), content)
    except Invalid as error:
        return _list(request, vault, member, error=error, name=form.text("name"), schema=form.raw("schema"))
    return redirect(tool_href(form.text("name")), said="The tool’s arguments are registered, and in force from now on.")


@router.get("/tools/{tool_name:path}")
async def get_tool(tool_name: str, request: Request, vault: TheVault, member: SignedIn) -> Response:
    """What rules can rely on in one tool's arguments."""
    return _tool(request, vault, member, tool_name)


@router.post("/tools/{tool_name:path}")
async def post_replacement(
    tool_name: str, request: Request, vault: TheVault, member: SignedIn, form: TheForm
) -> Response:
    """Another schema for a tool that has one."""
    _schema_of(vault, member, tool_name)
    try:
        content = _read(form.raw("schema"))
        if not isinstance(content, dict):
            raise Invalid("A schema is a JSON object.", path="schema")
        await register_tool_schema(vault, member, tool_name, content)
    except Invalid as error:
        return _tool(request, vault, member, tool_name, error=error, text=form.raw("schema"))
    return redirect(tool_href(tool_name), said="The tool’s arguments were replaced; the new ones are in force.")


def _schema_of(vault: Vault, member: Member, tool_name: str) -> ToolSchema:
    member.require(Scope.SCHEMAS)
    schema = vault.store.tenant(member.tenant_id).snapshot.schemas.get(tool_name)
    if schema is None:
        raise NotFound("There is no schema for such a tool.")
    return schema


def _tool(
    request: Request, vault: Vault, member: Member, name: str, *, error: Invalid | None = None, text: str = ""
) -> Response:
    schema = _schema_of(vault, member, name)
    snapshot = vault.store.tenant(member.tenant_id).snapshot
    covering = [each.document.policy_id for each in snapshot.policies if covers(each.document.tools, name)]
    return render(
        request,
        "tool.html",
        member=member,
        title=name,
        status=200 if error is None else 422,
        error=error,
        arguments=shown_arguments(schema),
        text=text or encode_text(schema.to_json()),
        covering=covering if member.allows(Scope.POLICY) else [],
        is_open=schema.args.is_open,
        policy_href=policy_href,
        tool_href=tool_href,
    )


async def _import(vault: Vault, member: Member, content: JsonObject) -> Response:
    answer, _ = await import_tool_schemas(vault, member, content, None, None)
    said = [f"{len(_names(answer, 'registered'))} registered", f"{len(_names(answer, 'unchanged'))} unchanged"]
    if skipped := _names(answer, "skipped"):
        said.append(f"{len(skipped)} without declared arguments left out")
    if answer.get("is_partial"):
        said.append("the server has more on a further page")
    return redirect(HERE, said=f"Tools: {', '.join(said)}.")


def _names(answer: JsonObject, name: str) -> list[Json]:
    found = answer.get(name)
    return found if isinstance(found, list) else []


def _read(text: str) -> Json:
    if not text.strip():
        raise Invalid("Paste a JSON Schema, or what the server answered to tools/list.", path="schema")
    try:
        return json.parse(text.encode("utf-8", "replace"))
    except FormatError as error:
        raise Invalid(f"This is no JSON: {error}", path="schema") from error


def _list(
    request: Request, vault: Vault, member: Member, *, error: Invalid | None = None, name: str = "", schema: str = ""
) -> Response:
    member.require(Scope.SCHEMAS)
    schemas = vault.store.tenant(member.tenant_id).snapshot.schemas
    flaws = {} if error is None else {("name" if error.path in ("name", "tool_name") else "schema"): error.detail}
    return render(
        request,
        "tools.html",
        member=member,
        title="Tools",
        status=422 if flaws else 200,
        schemas=[schemas[each] for each in sorted(schemas)],
        flaws=flaws,
        problems=() if error is None else error.problems,
        name=name,
        schema=schema,
        tool_href=tool_href,
    )
