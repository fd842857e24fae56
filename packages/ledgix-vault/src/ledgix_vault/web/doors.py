"""What every door does first: who is asking, with which key for retries, and what the body says."""

from __future__ import annotations

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
    """The whole body; raises `TooLarge` as soon as it is longer than `limit` bytes."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise TooLarge(f"The body is longer than {limit} bytes.")
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
    """Authenticates, then reads the body."""
    caller = authenticate(vault, request.headers.get(API_KEY_HEADER))
    body = await read_body(request, limit)
    key = idempotency_key(caller, request.method, request.scope["path"], request.headers.get(IDEMPOTENCY_HEADER), body)
    return Knock(caller, body, key)
