"""`/policies`: the versions of policies and their lives."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from starlette.responses import Response

from ledgix.formats.json import Json, JsonObject
from ledgix_vault.errors import Invalid
from ledgix_vault.operations.activate_policy_version import activate_policy_version
from ledgix_vault.operations.compare_policy_versions import compare_policy_versions
from ledgix_vault.operations.confirm_policy_version import Marks, confirm_policy_version
from ledgix_vault.operations.draft_policy_version import draft_policy_version
from ledgix_vault.operations.read_policies import (
    PolicySummary,
    read_policy,
    read_policy_list,
    read_version,
    read_versions,
    shadow_report,
)
from ledgix_vault.operations.retire_policy_version import retire_policy_version
from ledgix_vault.operations.roll_back_policy import roll_back_policy
from ledgix_vault.operations.shadow_policy_version import shadow_policy_version
from ledgix_vault.operations.steps.drafting import SourceRef
from ledgix_vault.policy.versions import PolicyVersion
from ledgix_vault.times import rfc3339
from ledgix_vault.web.api.context import AKnock, Caller, TheVault, exact_json
from ledgix_vault.web.api.policies import registration, strings
from ledgix_vault.web.api.shapes import answers, body
from ledgix_vault.web.doors import Knock
from ledgix_vault.web.paths import decoded

router = APIRouter(tags=["Policies"])
LARGEST_NUMBER = 2**31 - 1
MOST_SOURCES = 100


def the_policy_id(policy_id: Annotated[str, Path(description="Percent-encoded, a slash as %2F")]) -> str:
    """The policy's id, whatever it holds."""
    return decoded(policy_id)


PolicyId = Annotated[str, Depends(the_policy_id)]
Number = Annotated[int, Path(ge=1, le=LARGEST_NUMBER)]
ANumber = Annotated[int | None, Query(ge=1, le=LARGEST_NUMBER)]


@router.get("/policies", **answers("PolicyList"))
async def get_policies(vault: TheVault, caller: Caller) -> Response:
    """All policies, by id, each with its newest version, the active one and the shadow."""
    found: list[Json] = [_policy(summary) for summary in await read_policy_list(vault, caller)]
    return exact_json({"policies": found})


@router.get("/policies/{policy_id}", **answers("Policy", 404))
async def get_policy(policy_id: PolicyId, vault: TheVault, caller: Caller) -> Response:
    """One policy: its newest version, the active one and the shadow."""
    return exact_json(_policy(await read_policy(vault, caller, policy_id)))


@router.get("/policies/{policy_id}/versions", **answers("PolicyVersionList", 404))
async def get_versions(
    policy_id: PolicyId, vault: TheVault, caller: Caller, limit: int = 100, before: ANumber = None
) -> Response:
    """The policy's versions, newest first; `before` leaves out that one and newer ones, `limit` is clamped."""
    found: list[Json] = [
        _line(version) for version in await read_versions(vault, caller, policy_id, limit=limit, before=before)
    ]
    return exact_json({"versions": found})


@router.post("/policies/{policy_id}/versions", **answers("PolicyVersion", 404, 422), openapi_extra=body("PolicyDraft"))
async def post_version(policy_id: PolicyId, vault: TheVault, asked: AKnock) -> Response:
    """Draft a version: what compiles becomes rules, but nothing is decided by it until it is active."""
    content = {"policy_id": policy_id, **asked.json()}
    if content["policy_id"] != policy_id:
        raise Invalid("is another policy than the one in the address", path="$.policy_id")
    written = replace(registration(content), sources=_sources(content), set_aside=strings(content, "set_aside"))
    drafted, replayed = await draft_policy_version(vault, asked.caller, written, asked.key)
    return _whole(drafted, replayed)


@router.get("/policies/{policy_id}/versions/{number}", **answers("PolicyVersion", 404))
async def get_version(policy_id: PolicyId, number: Number, vault: TheVault, caller: Caller) -> Response:
    """One version, with everything that it says."""
    return _whole(await read_version(vault, caller, policy_id, number))


@router.post(
    "/policies/{policy_id}/versions/{number}/confirm",
    **answers("PolicyVersion", 404, 409, 422),
    openapi_extra=body("PolicyConfirmation", required=False),
)
async def post_confirmation(policy_id: PolicyId, number: Number, vault: TheVault, asked: AKnock) -> Response:
    """Confirm what the Vault understood. With marks on text that no rule stands for, the answer is a new version."""
    content = _optional(asked)
    marks = Marks(strings(content, "set_aside"), strings(content, "settle"))
    return _whole(*await confirm_policy_version(vault, asked.caller, policy_id, number, marks, asked.key))


@router.post(
    "/policies/{policy_id}/versions/{number}/activate",
    **answers("PolicyVersion", 404, 409, 422),
    openapi_extra=body("Nothing", required=False),
)
async def post_activation(policy_id: PolicyId, number: Number, vault: TheVault, asked: AKnock) -> Response:
    """Put a confirmed version in force, in place of the active one."""
    _optional(asked)
    return _whole(*await activate_policy_version(vault, asked.caller, policy_id, number, asked.key))


@router.post(
    "/policies/{policy_id}/versions/{number}/shadow",
    **answers("PolicyVersion", 404, 409, 422),
    openapi_extra=body("Nothing", required=False),
)
async def post_shadow(policy_id: PolicyId, number: Number, vault: TheVault, asked: AKnock) -> Response:
    """Evaluate a confirmed version beside the active one: recorded with each decision, never enforced."""
    _optional(asked)
    return _whole(*await shadow_policy_version(vault, asked.caller, policy_id, number, asked.key))


@router.post(
    "/policies/{policy_id}/versions/{number}/retire",
    **answers("PolicyVersion", 404, 409, 422),
    openapi_extra=body("Nothing", required=False),
)
async def post_retirement(policy_id: PolicyId, number: Number, vault: TheVault, asked: AKnock) -> Response:
    """Take a version out of use. Nothing takes the place of an active one."""
    _optional(asked)
    return _whole(*await retire_policy_version(vault, asked.caller, policy_id, number, asked.key))


@router.post(
    "/policies/{policy_id}/rollback",
    **answers("PolicyVersion", 404, 409, 422),
    openapi_extra=body("PolicyRollback", required=False),
)
async def post_rollback(policy_id: PolicyId, vault: TheVault, asked: AKnock) -> Response:
    """Go back to the version that was active before, or to the one that is named."""
    number = _optional(asked).get("version")
    if number is not None and (isinstance(number, bool) or not isinstance(number, int) or number < 1):
        raise Invalid("must be a whole number from 1", path="$.version")
    return _whole(*await roll_back_policy(vault, asked.caller, policy_id, number, asked.key))


@router.get("/policies/{policy_id}/diff", **answers("PolicyDifference", 404))
async def get_difference(
    policy_id: PolicyId,
    vault: TheVault,
    caller: Caller,
    from_: Annotated[int, Query(alias="from", ge=1, le=LARGEST_NUMBER)],
    to: Annotated[int, Query(ge=1, le=LARGEST_NUMBER)],
) -> Response:
    """What the version `to` changes of the version `from`."""
    before, after, found = await compare_policy_versions(vault, caller, policy_id, from_, to)
    return exact_json({"policy_id": policy_id, "from": _line(before), "to": _line(after), **found.to_json()})


@router.get("/policies/{policy_id}/shadow-report", **answers("ShadowReport", 404))
async def get_shadow_report(
    policy_id: PolicyId, vault: TheVault, caller: Caller, last: int = 1000, version: ANumber = None
) -> Response:
    """How the shadow would have decided the newest requests: agreements, and each kind of difference with examples.

    `last` is clamped; `version` names one that was a shadow before.
    """
    return exact_json(await shadow_report(vault, caller, policy_id, number=version, last=last))


def _optional(asked: Knock) -> JsonObject:
    """The body of a request that needs none."""
    return asked.json() if asked.body else {}


def _sources(content: JsonObject) -> tuple[SourceRef, ...]:
    value = content.get("sources", [])
    if not isinstance(value, list) or len(value) > MOST_SOURCES:
        raise Invalid(f"must be a list of at most {MOST_SOURCES} objects", path="$.sources")
    return tuple(_source(item, f"$.sources[{i}]") for i, item in enumerate(value))


def _source(item: Json, path: str) -> SourceRef:
    if not isinstance(item, dict):
        raise Invalid("must be an object", path=path)
    document_id, version = item.get("document_id"), item.get("version")
    if not isinstance(document_id, str):
        raise Invalid("is required: the id of a document", path=f"{path}.document_id")
    if version is not None and (not isinstance(version, int) or isinstance(version, bool)):
        raise Invalid("must be a whole number: a version of the document", path=f"{path}.version")
    return SourceRef(document_id, version)


def _policy(summary: PolicySummary) -> JsonObject:
    return {
        "policy_id": summary.newest.policy_id,
        "newest": _line(summary.newest),
        "active": None if summary.active is None else _line(summary.active),
        "shadow": None if summary.shadow is None else _line(summary.shadow),
    }


def _line(version: PolicyVersion) -> JsonObject:
    return {
        "policy_id": version.policy_id,
        "version": version.version,
        "policy_version_id": version.version_id,
        "policy_content_hash": version.document.content_hash,
        "state": str(version.state),
        "description": version.document.description,
        "tools": list(version.document.tools),
        "rule_count": len(version.document.rules),
        "open_text": list(version.document.open_text),
        "authors": list(version.authors),
        "registered_at": rfc3339(version.registered_at),
        "registered_by": version.registered_by,
        "confirmed_at": _moment(version.confirmed_at),
        "confirmed_by": version.confirmed_by,
        "confirmation_hash": version.confirmation_hash,
        "activated_at": _moment(version.activated_at),
        "activated_by": version.activated_by,
        "replaced": version.replaced,
    }


def _whole(version: PolicyVersion, replayed: bool = False) -> Response:
    return exact_json({**_line(version), "document": version.document.to_json()}, replayed=replayed)


def _moment(moment: int | None) -> str | None:
    return None if moment is None else rfc3339(moment)
