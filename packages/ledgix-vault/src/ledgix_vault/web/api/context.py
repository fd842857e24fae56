"""What FastAPI's endpoints get handed: the Vault, the worker, and who is asking."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import APIKeyHeader
from starlette.responses import Response

from ledgix.formats.json import JsonObject
from ledgix_vault.jsontext import encode
from ledgix_vault.tenancy.api_keys import ApiKey
from ledgix_vault.vault import Vault
from ledgix_vault.web.doors import API_KEY_HEADER, REPLAYED_HEADER, Knock, authenticate, knock
from ledgix_vault.worker import Worker

_header = APIKeyHeader(name=API_KEY_HEADER, auto_error=False, description="The tenant's API key.")


def the_vault(request: Request) -> Vault:
    """The running Vault."""
    vault: Vault = request.app.state.vault
    return vault


def the_worker(request: Request) -> Worker:
    """The running worker."""
    worker: Worker = request.app.state.worker
    return worker


TheVault = Annotated[Vault, Depends(the_vault)]
TheWorker = Annotated[Worker, Depends(the_worker)]


def the_caller(vault: TheVault, secret: Annotated[str | None, Depends(_header)]) -> ApiKey:
    """The API key of the request; 401 without a valid one."""
    return authenticate(vault, secret)


def a_caller_or_nobody(vault: TheVault, secret: Annotated[str | None, Depends(_header)]) -> ApiKey | None:
    """The API key of the request, or None without one; a wrong one is still a 401."""
    return authenticate(vault, secret) if secret else None


async def the_knock(request: Request, vault: TheVault, _: Annotated[str | None, Depends(_header)]) -> Knock:
    """Caller, body and idempotency key of a request that changes something."""
    return await knock(request, vault, vault.settings.body_limit)


Caller = Annotated[ApiKey, Depends(the_caller)]
CallerOrNobody = Annotated[ApiKey | None, Depends(a_caller_or_nobody)]
AKnock = Annotated[Knock, Depends(the_knock)]


def exact_json(content: JsonObject, *, replayed: bool = False) -> Response:
    """A JSON answer in which numbers are exactly what is stored."""
    headers = {"Cache-Control": "no-store"}
    if replayed:
        headers[REPLAYED_HEADER] = "true"
    return Response(encode(content), media_type="application/json", headers=headers)
