"""What every door does first: who is asking, with which key for retries, and what the body says."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from starlette.requests import Request

from ledgix.errors import JsonError
from ledgix.formats import json
from ledgix.formats.json import JsonObject
from ledgix_vault.errors import Invalid, TooLarge, Unauthenticated
from ledgix_vault.store.idempotency import IdempotencyKey
from ledgix_vault.tenancy.api_keys import ApiKey, hash_secret
from ledgix_vault.vault import Vault

API_KEY_HEADER = "X-Vault-API-Key"
IDEMPOTENCY_HEADER = "Idempotency-Key"
REPLAYED_HEADER = "Idempotency-Replayed"
LONGEST_IDEMPOTENCY_KEY = 255
BODY_SECONDS = 60
SLOWEST = 50_000
"""Bytes in a second: a body that comes more slowly for long is given up."""


def authenticate(vault: Vault, secret: str | None) -> ApiKey:
    """The valid API key with this secret, which is now in use; raises `Unauthenticated`."""
    if not secret:
        raise Unauthenticated(f"This needs an API key in the header {API_KEY_HEADER}.")
    key, now = vault.store.key_by_hash(hash_secret(secret)), vault.clock()
    if key is None or not key.is_valid(now):
        raise Unauthenticated("This API key is not known here, has expired or was revoked.")
    vault.store.key_use.saw(key.tenant_id, key.key_id, now)
    return key


def parse_body(raw: bytes) -> JsonObject:
    """The JSON object that the body is, strictly; raises `Invalid` naming the path."""
    if not raw:
        raise Invalid("The body is empty; send a JSON object.")
    try:
        return json.parse_object(raw)
    except JsonError as error:
        raise Invalid(error.message, path=error.path) from error


def idempotency_key(caller: ApiKey, method: str, path: str, key: str | None, body: bytes) -> IdempotencyKey | None:
    """What the caller's `Idempotency-Key` header stands for; None without one."""
    if not key:
        return None
    if len(key) > LONGEST_IDEMPOTENCY_KEY:
        raise Invalid(f"must be at most {LONGEST_IDEMPOTENCY_KEY} characters", path=IDEMPOTENCY_HEADER)
    return IdempotencyKey.of(
        tenant_id=caller.tenant_id, key_id=caller.key_id, method=method, path=path, key=key, body=body
    )


@dataclass(frozen=True, slots=True)
class Knock:
    """A request at the door, with its body read."""

    caller: ApiKey
    body: bytes
    key: IdempotencyKey | None

    def json(self) -> JsonObject:
        """The body as a JSON object."""
        return parse_body(self.body)


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body; raises `TooLarge` as soon as it is longer than `limit` bytes, `Invalid` if it takes too long."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise TooLarge(f"The body is longer than {limit} bytes.")
    try:
        async with asyncio.timeout(seconds_for(limit)):
            return await _read(request, limit)
    except TimeoutError as error:
        raise Invalid("The body didn't arrive in time.") from error


def seconds_for(limit: int) -> float:
    """How long a body of at most `limit` bytes may take."""
    return BODY_SECONDS + limit / SLOWEST


async def _read(request: Request, limit: int) -> bytes:
    parts, length, more = [], 0, True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise Invalid("The connection ended before the body did.")
        parts.append(message.get("body", b""))
        length += len(parts[-1])
        if length > limit:
            raise TooLarge(f"The body is longer than {limit} bytes.")
        more = message.get("more_body", False)
    return b"".join(parts)


async def knock(request: Request, vault: Vault, limit: int) -> Knock:
    """Authenticates, reads the body, and authenticates again: a key that was revoked meanwhile is of no use, however
    long its holder takes to finish a request."""
    secret = request.headers.get(API_KEY_HEADER)
    authenticate(vault, secret)
    body = await read_body(request, limit)
    caller = authenticate(vault, secret)
    key = idempotency_key(caller, request.method, request.scope["path"], request.headers.get(IDEMPOTENCY_HEADER), body)
    return Knock(caller, body, key)
