"""What is open to everybody: health, readiness and the token keys."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from ledgix.formats.json import Json
from ledgix_vault.store.signing_keys import load_ledger_keys
from ledgix_vault.web.api.context import CallerOrNobody, TheVault, exact_json
from ledgix_vault.web.api.shapes import answers

router = APIRouter(tags=["Open"])


@router.get("/health", **answers("Health", authenticated=False))
async def get_health() -> Response:
    """Whether the process answers."""
    return exact_json({"status": "ok"})


@router.get("/ready", **answers("Health", 503, authenticated=False))
async def get_ready(vault: TheVault) -> Response:
    """Whether the Vault can decide: its store answers."""
    await vault.store.check_ready()
    return exact_json({"status": "ready"})


@router.get(
    "/.well-known/jwks.json",
    **answers("KeySet", 401, authenticated=False),
    openapi_extra={"security": [{}]},  # the key is optional
)
async def get_jwks(vault: TheVault, caller: CallerOrNobody) -> Response:
    """The keys that tokens are verified by; with an API key also all ledger keys of its tenant."""
    keys: list[Json] = [dict(key.jwk()) for key in vault.token_keys().values()]
    if caller is not None:
        ledger = await vault.store.read(lambda connection: load_ledger_keys(connection, caller.tenant_id))
        keys += [dict(key.public.jwk()) for key in ledger]
    return exact_json({"keys": keys})
