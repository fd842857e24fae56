"""Errors as RFC 9457 problem details: which status, which body, which headers.

- Every class of `errors` has an answer; a class that is added without one fails a test, not a caller.
- What is the Vault's own fault is told in general words: its detail may name files, and is in the log.
- `type` is `urn:ledgix:error:<code>`: a name, not an address, so that it holds wherever a Vault runs.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ledgix.formats.json import JsonObject
from ledgix_vault import errors

MEDIA_TYPE: Final = "application/problem+json"
TYPE_PREFIX: Final = "urn:ledgix:error:"
OWN_FAULT: Final = "The Vault failed; its log says why."

_log = logging.getLogger(__name__)

STATUS: Final[Mapping[type[errors.VaultError], HTTPStatus]] = {
    errors.VaultError: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.CallerError: HTTPStatus.BAD_REQUEST,
    errors.Unauthenticated: HTTPStatus.UNAUTHORIZED,
    errors.TokenRefused: HTTPStatus.UNAUTHORIZED,
    errors.Forbidden: HTTPStatus.FORBIDDEN,
    errors.MissingScope: HTTPStatus.FORBIDDEN,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.Invalid: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.PolicyInvalid: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.DocumentRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.Busy: HTTPStatus.TOO_MANY_REQUESTS,
    errors.NotYetCheckpointed: HTTPStatus.TOO_MANY_REQUESTS,
    errors.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.HighWaterConflict: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.StartRefused: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.InUse: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.SettingsInvalid: HTTPStatus.INTERNAL_SERVER_ERROR,
}

# What the framework refuses itself carries the same codes as what we refuse.
_CODE_OF_STATUS: Final[Mapping[int, str]] = {
    401: errors.Unauthenticated.code,
    403: errors.Forbidden.code,
    404: errors.NotFound.code,
    405: "method_not_allowed",
    413: errors.TooLarge.code,
    415: "unsupported_media_type",
    422: errors.Invalid.code,
    429: errors.Busy.code,
    503: errors.Unavailable.code,
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One answer. `extras` are members beyond RFC 9457's own and `code`."""

    status: int
    code: str
    detail: str
    extras: JsonObject = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> JsonObject:
        """The body. The title follows from the code, so it is the same whenever the type is (RFC 9457, 3.1.4)."""
        return {
            "type": TYPE_PREFIX + self.code,
            "title": self.code.replace("_", " ").capitalize(),
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            **self.extras,
        }

    def response(self) -> Response:
        """The answer as Starlette sends it; never cached, since the next try may succeed."""
        body = json.dumps(self.to_json(), ensure_ascii=False, separators=(",", ":"))
        return Response(
            body.encode("utf-8", "replace"),  # a JSON path may quote a lone surrogate that the caller sent
            status_code=self.status,
            headers={"Cache-Control": "no-store", **self.headers},
            media_type=MEDIA_TYPE,
        )


def problem(error: errors.VaultError) -> Problem:
    """The answer to an error of ours."""
    status = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    extras: JsonObject = {}
    headers: dict[str, str] = {}
    if isinstance(error, errors.Invalid):
        extras["path"] = error.path
        if error.problems:
            extras["problems"] = list(error.problems)
    if isinstance(error, errors.MissingScope):
        extras["scope"] = error.scope
    if isinstance(error, errors.Busy | errors.Unavailable):
        headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, errors.Unauthenticated):
        headers["WWW-Authenticate"] = "ApiKey"  # RFC 9110, 15.5.2 asks for one; ours has no registered scheme
    if error.request_id is not None:
        extras["request_id"] = error.request_id
    detail = OWN_FAULT if status == HTTPStatus.INTERNAL_SERVER_ERROR else error.detail
    return Problem(int(status), error.code, detail, extras, headers)


def problem_of_status(status: int, detail: str | None = None, headers: Mapping[str, str] | None = None) -> Problem:
    """The answer to what the web framework refuses itself: no such path, another method, a broken body."""
    general = errors.CallerError.code if status < HTTPStatus.INTERNAL_SERVER_ERROR else errors.VaultError.code
    code = _CODE_OF_STATUS.get(status, general)
    return Problem(status, code, detail or code.replace("_", " ").capitalize(), {}, headers or {})


async def answer_vault_error(request: Request, error: errors.VaultError) -> Response:
    """Exception handler for `VaultError`; what the caller isn't told goes into the log."""
    answer = problem(error)
    if answer.status == HTTPStatus.INTERNAL_SERVER_ERROR or isinstance(error, errors.HighWaterConflict):
        _log.error("%s: %s", error.code, error, exc_info=error)
    return answer.response()


async def answer_http_error(request: Request, error: HTTPException) -> Response:
    """Exception handler for Starlette's `HTTPException`."""
    return problem_of_status(error.status_code, error.detail, error.headers).response()


async def answer_validation_error(request: Request, error: RequestValidationError) -> Response:
    """Exception handler for FastAPI's `RequestValidationError`: the first flaw, and all of them as `problems`."""
    flaws: list[JsonObject] = [{"path": _path(flaw["loc"]), "message": str(flaw["msg"])} for flaw in error.errors()]
    first = flaws[0] if flaws else {"path": "$", "message": "The request isn't valid."}
    return problem(errors.Invalid(str(first["message"]), str(first["path"]), problems=flaws)).response()


async def answer_unexpected(request: Request, error: Exception) -> Response:
    """Exception handler for everything else: says nothing about what went wrong. The server logs the traceback."""
    return problem(errors.VaultError(OWN_FAULT)).response()


HANDLERS: Final[dict[int | type[Exception], Callable[[Request, Any], Coroutine[Any, Any, Response]]]] = {
    errors.VaultError: answer_vault_error,
    HTTPException: answer_http_error,
    RequestValidationError: answer_validation_error,
    Exception: answer_unexpected,
}
"""For `FastAPI(exception_handlers=HANDLERS)`."""


def _path(location: tuple[int | str, ...]) -> str:
    """`$.items[2].amount` for a place in the body, `limit` for a parameter."""
    where, *steps = location
    text = "$" if where == "body" else ""
    text += "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    return text.removeprefix(".") or str(where)
