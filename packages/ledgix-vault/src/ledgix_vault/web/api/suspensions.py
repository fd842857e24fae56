"""The kill switch: what is suspended, suspending, releasing."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter
from starlette.responses import Response

from ledgix.formats.json import Json, JsonObject
from ledgix_vault.clearance.decision import Decider, DeciderType
from ledgix_vault.errors import Invalid
from ledgix_vault.operations.suspend import release, suspend
from ledgix_vault.store.suspensions import list_released
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.tenancy.suspensions import SuspensionKind
from ledgix_vault.web.api.context import AKnock, Caller, TheVault, exact_json
from ledgix_vault.web.api.shapes import answers, body

router = APIRouter(tags=["Suspensions"])
MOST_LISTED = 500


@router.get("/suspensions", **answers("Suspensions", 422))
async def get_suspensions(vault: TheVault, caller: Caller, status: str = "standing", limit: int = 100) -> Response:
    """What is suspended now, oldest first; with `status=released` what was, newest release first (`limit` of them,
    clamped to 1–500)."""
    caller.require(Scope.SETTINGS)
    if status == "standing":
        found = vault.store.tenant(caller.tenant_id).suspensions
    elif status == "released":
        most = min(max(limit, 1), MOST_LISTED)
        found = tuple(await vault.store.read(partial(list_released, tenant_id=caller.tenant_id, limit=most)))
    else:
        raise Invalid("must be standing or released", path="status")
    listed: list[Json] = [suspension.to_json() for suspension in found]
    return exact_json({"suspensions": listed})


@router.post("/suspensions", **answers("Suspension", 409, 422), openapi_extra=body("SuspensionRequest"))
async def post_suspension(vault: TheVault, asked: AKnock) -> Response:
    """Stop an agent, a tool or the whole tenant at once: nothing that it means is cleared, handed out, minted or
    consumed until it is released. What is suspended already stays as it is."""
    asked.caller.require(Scope.SETTINGS)
    content = asked.json()
    kind = content.get("kind")
    if kind not in tuple(SuspensionKind):
        raise Invalid(f"must be one of {', '.join(SuspensionKind)}", path="$.kind")
    by = Decider(DeciderType.KEY, asked.caller.key_id)
    subject, reason = _text(content, "subject"), _text(content, "reason")
    made, replayed = await suspend(
        vault, asked.caller.tenant_id, SuspensionKind(str(kind)), subject, reason, by, asked.key
    )
    return exact_json(made.to_json(), replayed=replayed)


@router.post(
    "/suspensions/{suspension_id}/release",
    **answers("Suspension", 404, 422),
    openapi_extra=body("SuspensionRelease"),
)
async def post_release(suspension_id: str, vault: TheVault, asked: AKnock) -> Response:
    """End a suspension. Approvals from before it can be used again, as far as their time isn't over."""
    asked.caller.require(Scope.SETTINGS)
    by = Decider(DeciderType.KEY, asked.caller.key_id)
    reason = _text(asked.json(), "reason")
    released, replayed = await release(vault, asked.caller.tenant_id, suspension_id, reason, by, asked.key)
    return exact_json(released.to_json(), replayed=replayed)


def _text(content: JsonObject, name: str) -> str:
    value = content.get(name, "")
    if not isinstance(value, str):
        raise Invalid("must be a string", path=f"$.{name}")
    return value
