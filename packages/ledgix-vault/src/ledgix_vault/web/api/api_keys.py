"""API keys: the list, handing out, rotating, revoking."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from ledgix.formats.json import JsonObject
from ledgix_vault.errors import Invalid
from ledgix_vault.operations.hand_out_api_keys import HandedOut, hand_out_api_key, replace_api_key, withdraw_api_key
from ledgix_vault.operations.list_api_keys import list_api_keys
from ledgix_vault.operations.steps.keys import Rights
from ledgix_vault.tenancy.api_keys import ApiKey, days_from
from ledgix_vault.tenancy.scopes import read_scopes
from ledgix_vault.times import moment_of, rfc3339
from ledgix_vault.vault import Vault
from ledgix_vault.web.api.context import AKnock, Caller, TheVault, exact_json
from ledgix_vault.web.api.shapes import answers, body
from ledgix_vault.web.doors import Knock

router = APIRouter(tags=["API keys"])


@router.get("/api-keys", **answers("ApiKeys"))
async def get_api_keys(vault: TheVault, caller: Caller) -> Response:
    """All keys of the tenant, oldest first, those that ended too; never a secret. Needs the scope `settings`."""
    now = vault.clock()
    listed = [
        _described(each.key, now) | {"last_used_at": _moment(each.last_used_at)}
        for each in await list_api_keys(vault, caller)
    ]
    return exact_json({"api_keys": list(listed)})


@router.post("/api-keys", **answers("NewApiKey", 422), openapi_extra=body("ApiKeyRequest"))
async def post_api_key(vault: TheVault, asked: AKnock) -> Response:
    """Create a key with a preset or with single scopes, none of which the asking key lacks.

    `api_key` is the secret. It is shown this once: a replay with the same `Idempotency-Key` answers without it.
    """
    content = asked.json()
    rights = Rights(
        name=_text(content, "name"),
        scopes=read_scopes(content.get("preset"), content.get("scopes")),
        agent_ids=tuple(_texts(content, "agent_ids")),
        expires_at=_expiry(content, vault.clock()),
    )
    return _answer(vault, await hand_out_api_key(vault, asked.caller, rights, asked.key))


@router.post(
    "/api-keys/{key_id}/rotate",
    **answers("NewApiKey", 404, 409, 422),
    openapi_extra=body("ApiKeyRotation", required=False),
)
async def post_rotation(key_id: str, vault: TheVault, asked: AKnock) -> Response:
    """Create the successor of a key: same rights, as long a life, and what the old key asked is its own.

    It is valid at once. The old key stays valid for `overlap_seconds`, or without them until it is revoked.
    """
    overlap = asked.json().get("overlap_seconds") if asked.body else None
    if overlap is not None and type(overlap) is not int:
        raise Invalid("must be a whole number", path="$.overlap_seconds")
    made = await replace_api_key(vault, asked.caller, key_id, overlap, asked.key)
    return _answer(vault, made, {"replaces": key_id})


@router.post("/api-keys/{key_id}/revoke", **answers("ApiKey", 404), openapi_extra=body("Nothing", required=False))
async def post_revocation(key_id: str, vault: TheVault, asked: AKnock) -> Response:
    """End a key at once; what it asked stays asked. Revoking it again changes nothing."""
    return await _revoke(key_id, vault, asked)


@router.delete("/api-keys/{key_id}", **answers("ApiKey", 404))
async def delete_api_key(key_id: str, vault: TheVault, asked: AKnock) -> Response:
    """The same as revoking: the key stays in the list, as one that ended."""
    return await _revoke(key_id, vault, asked)


async def _revoke(key_id: str, vault: Vault, asked: Knock) -> Response:
    return _answer(vault, await withdraw_api_key(vault, asked.caller, key_id, asked.key))


def _answer(vault: Vault, made: HandedOut, more: JsonObject | None = None) -> Response:
    secret: JsonObject = {} if made.secret is None else {"api_key": made.secret}
    described = _described(made.key, vault.clock())
    return exact_json({"key_id": made.key.key_id, **secret, **described, **(more or {})}, replayed=made.replayed)


def _described(key: ApiKey, now: int) -> JsonObject:
    return {
        "key_id": key.key_id,
        "name": key.name,
        "preset": key.preset and str(key.preset),
        "scopes": [str(scope) for scope in key.ordered_scopes],
        "agent_ids": list(key.agent_ids),
        "state": str(key.state(now)),
        "created_at": rfc3339(key.created_at),
        "expires_at": _moment(key.expires_at),
        "revoked_at": _moment(key.revoked_at),
    }


def _moment(at: int | None) -> str | None:
    return None if at is None else rfc3339(at)


def _expiry(content: JsonObject, now: int) -> int | None:
    days, at = content.get("expires_in_days"), content.get("expires_at")
    if days is not None and at is not None:
        raise Invalid("give this or expires_in_days, one of the two", path="$.expires_at")
    if days is not None:
        return days_from(now, days)
    try:
        return None if at is None else moment_of(str(at))
    except ValueError as error:
        raise Invalid("must be a date and time like 2027-01-31T12:00:00Z", path="$.expires_at") from error


def _text(content: JsonObject, name: str) -> str:
    value = content.get(name)
    if not isinstance(value, str):
        raise Invalid("is required, a string", path=f"$.{name}")
    return value


def _texts(content: JsonObject, name: str) -> list[str]:
    value = content.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise Invalid("must be a list of strings", path=f"$.{name}")
    return [str(item) for item in value]
