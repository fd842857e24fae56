"""The four endpoints that every guarded call passes: raw bytes in, raw bytes out, no framework in between."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import structlog
from starlette.requests import Request

from ledgix.formats.json import JsonObject
from ledgix_vault.clearance.request import ClearanceRequest
from ledgix_vault.errors import Invalid, VaultError
from ledgix_vault.jsontext import encode
from ledgix_vault.operations.clearance_status import clearance_status
from ledgix_vault.operations.consume_token import Consumption, consume_token
from ledgix_vault.operations.mint_token import mint_token
from ledgix_vault.operations.request_clearance import request_clearance
from ledgix_vault.vault import Vault
from ledgix_vault.web.doors import API_KEY_HEADER, REPLAYED_HEADER, authenticate, knock
from ledgix_vault.web.problems import OWN_FAULT, problem, problem_of_status

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]]
Answer = App
Handler = Callable[[Vault, Request], Awaitable[Answer]]

STATUS_PREFIX = "/clearance-status/"
REQUEST_ID = "ledgix.request_id"
"""Where the scope of an answered request says which request for clearance it was about."""
LONGEST_TOKEN = 16_384
_JSON_HEADERS = ((b"content-type", b"application/json"), (b"cache-control", b"no-store"))
_REPLAYED = (REPLAYED_HEADER.lower().encode(), b"true")
logger = structlog.get_logger(__name__)


class HotPath:
    """Answers the hot endpoints itself and hands everything else to `rest`."""

    def __init__(self, vault: Vault, rest: App) -> None:
        self._vault = vault
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        handler = _handler(scope) if scope["type"] == "http" else None
        if handler is None:
            await self._rest(scope, receive, send)
            return
        response = await _answer(handler, self._vault, Request(scope, receive))
        await response(scope, receive, send)


def _handler(scope: Scope) -> Handler | None:
    path, method = scope["path"], scope["method"]
    if path in _POSTS:
        return _POSTS[path] if method == "POST" else _allow_post
    if path.startswith(STATUS_PREFIX):
        return _clearance_status if method == "GET" else _allow_get
    return None


async def _answer(handler: Handler, vault: Vault, request: Request) -> Answer:
    try:
        return await handler(vault, request)
    except VaultError as error:
        return problem(error).response()
    except Exception:
        logger.exception("request_failed", path=request.scope["path"])
        return problem(VaultError(OWN_FAULT)).response()


async def _allow_post(vault: Vault, request: Request) -> Answer:
    return problem_of_status(405, headers={"Allow": "POST"}).response()


async def _allow_get(vault: Vault, request: Request) -> Answer:
    return problem_of_status(405, headers={"Allow": "GET"}).response()


async def _request_clearance(vault: Vault, request: Request) -> Answer:
    asked = await knock(request, vault, vault.settings.body_limit)
    clearance, replayed = await request_clearance(vault, asked.caller, ClearanceRequest.parse(asked.json()), asked.key)
    request.scope[REQUEST_ID] = clearance.request_id
    return _Json(vault.answer(clearance), replayed=replayed)


async def _clearance_status(vault: Vault, request: Request) -> Answer:
    caller = authenticate(vault, request.headers.get(API_KEY_HEADER))
    answer = await clearance_status(vault, caller, request.scope["path"].removeprefix(STATUS_PREFIX))
    request.scope[REQUEST_ID] = answer["request_id"]
    return _Json(answer)


async def _mint_token(vault: Vault, request: Request) -> Answer:
    asked = await knock(request, vault, vault.settings.body_limit)
    body = asked.json()
    original = _required_text(body, "original_request_id", 64)
    minted, replayed = await mint_token(vault, asked.caller, ClearanceRequest.parse(body), original, asked.key)
    request.scope[REQUEST_ID] = minted.request_id
    answer = vault.answer(minted)
    return _Json({name: answer[name] for name in ("token", "reason", "request_id")}, replayed=replayed)


async def _consume_token(vault: Vault, request: Request) -> Answer:
    asked = await knock(request, vault, vault.settings.body_limit)
    body = asked.json()
    consumption = Consumption(
        token=_required_text(body, "token", LONGEST_TOKEN),
        tool_name=_optional(body, "tool_name", str),
        tool_args=_optional(body, "tool_args", dict),
    )
    claims, replayed = await consume_token(vault, asked.caller, consumption, vault.token_keys(), asked.key)
    request.scope[REQUEST_ID] = claims.request_id
    return _Json(
        {"status": "consumed", "jti": claims.jti, "request_id": claims.request_id, "claims": claims.to_json()},
        replayed=replayed,
    )


_POSTS: dict[str, Handler] = {
    "/request-clearance": _request_clearance,
    "/mint-token": _mint_token,
    "/consume-token": _consume_token,
}


ENDPOINTS = frozenset((*_POSTS, STATUS_PREFIX.rstrip("/")))
"""What is answered here, without identifiers."""


class _Json:
    """A good answer, straight to the server: a framework's response costs as much as evaluating three rules."""

    __slots__ = ("_body", "_replayed")

    def __init__(self, content: JsonObject, *, replayed: bool = False) -> None:
        self._body = encode(content)
        self._replayed = replayed

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        headers = [*_JSON_HEADERS, (b"content-length", b"%d" % len(self._body))]
        if self._replayed:
            headers.append(_REPLAYED)
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": self._body})


def _required_text(body: JsonObject, name: str, longest: int) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= longest:
        raise Invalid(f"is required: a string of 1 to {longest} characters", path=f"$.{name}")
    return value


def _optional(body: JsonObject, name: str, kind: type[Any]) -> Any:
    value = body.get(name)
    if value is not None and not isinstance(value, kind):
        raise Invalid(f"must be {'a string' if kind is str else 'an object'} or absent", path=f"$.{name}")
    return value
