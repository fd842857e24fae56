"""`POST /register-policy` and the tool schemas."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from ledgix.formats.json import Json, JsonObject
from ledgix_vault.errors import Invalid, NotFound
from ledgix_vault.operations.import_tool_schemas import import_tool_schemas
from ledgix_vault.operations.register_policy import Registration, register_policy
from ledgix_vault.operations.register_tool_schema import register_tool_schema
from ledgix_vault.policy.versions import PolicyVersion, VersionState
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.web.api.context import AKnock, Caller, TheVault, exact_json
from ledgix_vault.web.api.shapes import answers, body

router = APIRouter(tags=["Policies"])
LONGEST_POLICY_ID = 128
MOST_SENTENCES = 500
LONGEST_SENTENCE = 2000


@router.post("/register-policy", **answers("PolicyRegistered", 422), openapi_extra=body("PolicyRegistration"))
async def post_policy(vault: TheVault, asked: AKnock) -> Response:
    """Register a policy: plain sentences, rules in the rule language, or both.

    What compiles becomes executable at once; a sentence that does not is kept, reported in `message`, and sends the
    requests that the policy covers to review. A new registration of the same `policy_id` is a new version.
    """
    active, replayed = await register_policy(vault, asked.caller, registration(asked.json()), asked.key)
    return exact_json(_answer(active), replayed=replayed)


@router.post("/tool-schemas/import", **answers("ToolSchemasImported", 422), openapi_extra=body("ToolSchemasImport"))
async def post_tool_schemas(vault: TheVault, asked: AKnock) -> Response:
    """Register all tools of an MCP server, from its answer to `tools/list`: all of them, or none."""
    content = asked.json()
    if "tools_list" not in content:
        raise Invalid("is required: what the server answered to `tools/list`", path="$.tools_list")
    answer, replayed = await import_tool_schemas(
        vault, asked.caller, content["tools_list"], content.get("money"), asked.key
    )
    return exact_json(answer, replayed=replayed)


@router.put(
    "/tool-schemas/{tool_name:path}",
    **answers("ToolSchema", 404, 422),
    openapi_extra=body("JsonSchema", idempotent=False),
)
async def put_tool_schema(tool_name: str, vault: TheVault, asked: AKnock) -> Response:
    """Register the JSON Schema of a tool's arguments: rules are type-checked against it from then on."""
    parsed = await register_tool_schema(vault, asked.caller, tool_name, asked.json())
    return exact_json({"tool_name": parsed.tool_name, "schema": parsed.to_json()})


@router.get("/tool-schemas", **answers("ToolSchemaList"))
async def get_tool_schemas(vault: TheVault, caller: Caller) -> Response:
    """The registered tool schemas, by tool name."""
    caller.require(Scope.SCHEMAS)
    schemas = vault.store.tenant(caller.tenant_id).snapshot.schemas
    found: list[Json] = [{"tool_name": name, "schema": schemas[name].to_json()} for name in sorted(schemas)]
    return exact_json({"tool_schemas": found})


@router.get("/tool-schemas/{tool_name:path}", **answers("ToolSchema", 404))
async def get_tool_schema(tool_name: str, vault: TheVault, caller: Caller) -> Response:
    """One tool's schema."""
    caller.require(Scope.SCHEMAS)
    found = vault.store.tenant(caller.tenant_id).snapshot.schemas.get(tool_name)
    if found is None:
        raise NotFound(f"There is no schema for the tool {tool_name!r}.")
    return exact_json({"tool_name": tool_name, "schema": found.to_json()})


def registration(content: JsonObject) -> Registration:
    """A policy as the body has it; raises `Invalid` naming the member that is wrong."""
    policy_id = content.get("policy_id")
    if not isinstance(policy_id, str) or not 1 <= len(policy_id) <= LONGEST_POLICY_ID or not policy_id.isprintable():
        raise Invalid(f"is required: 1 to {LONGEST_POLICY_ID} printable characters", path="$.policy_id")
    description, definition = content.get("description", ""), content.get("definition")
    if not isinstance(description, str):
        raise Invalid("must be a string", path="$.description")
    if definition is not None and not isinstance(definition, str):
        raise Invalid("must be a string: the rules as YAML or JSON text", path="$.definition")
    facts = content.get("facts", {})
    if not isinstance(facts, dict):
        raise Invalid("must be an object: each fact with its type, like a JSON Schema's properties", path="$.facts")
    return Registration(
        policy_id=policy_id,
        description=description,
        sentences=strings(content, "rules"),
        tools=strings(content, "tools"),
        definition=definition,
        facts=facts,
    )


def strings(content: JsonObject, name: str) -> tuple[str, ...]:
    """The list of strings in a member of a body; none where it is absent."""
    value = content.get(name, [])
    if not isinstance(value, list) or len(value) > MOST_SENTENCES:
        raise Invalid(f"must be a list of at most {MOST_SENTENCES} strings", path=f"$.{name}")
    found = []
    for i, item in enumerate(value):
        if not isinstance(item, str) or len(item) > LONGEST_SENTENCE:
            raise Invalid(f"must be a string of at most {LONGEST_SENTENCE} characters", path=f"$.{name}[{i}]")
        found.append(item)
    return tuple(found)


def _answer(version: PolicyVersion) -> JsonObject:
    """What registering it made of it; whatever became of it since, a retry gets the same answer."""
    document = version.document
    state = VersionState.ACTIVE if version.activated_at == version.registered_at else VersionState.DRAFT
    return {
        "policy_id": document.policy_id,
        "status": "registered",
        "message": _message(version, state),
        "policy_version_id": version.version_id,
        "version": version.version,
        "policy_content_hash": document.content_hash,
        "state": str(state),
        "rules": document.to_json()["rules"],
        "uncompiled": list(document.uncompiled),
        "otherwise": str(document.otherwise),
    }


def _message(version: PolicyVersion, state: VersionState) -> str:
    document = version.document
    rules = len(document.rules)
    counted = f"{rules} executable rule{'' if rules == 1 else 's'}"
    if state is VersionState.DRAFT:
        parts = [
            f"Version {version.version} is a draft with {counted}: this tenant asks for two people, so somebody else"
            " has to activate it. What was active before stays active."
        ]
    else:
        parts = [f"Version {version.version} is {state} with {counted}."]
    if document.open_text:
        quoted = "; ".join(f"“{text}”" for text in document.open_text)
        parts.append(
            f"Not understood, so every request that this policy covers goes to a person until it is rewritten: {quoted}"
        )
    return " ".join(parts)
