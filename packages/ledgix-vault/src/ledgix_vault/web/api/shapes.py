"""The shapes of bodies and answers, for OpenAPI. A test holds real answers against these."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from ledgix_vault.web.api.components import (
    clearances,
    documents,
    keys,
    ledger,
    notifications,
    people,
    policies,
    requests,
    reviews,
)
from ledgix_vault.web.api.components.terms import (
    STRING,
    Schema,
    ref,
)


def answers(name: str, *errors: int, authenticated: bool = True, binary: bool = False) -> dict[str, Any]:
    """For a route: what a good answer looks like, and which problems there may be."""
    media_type = "application/octet-stream" if binary else "application/json"
    statuses = {*errors, 500, *((401, 403, 413, 422, 429, 503) if authenticated else ())}
    return {
        "responses": {
            200: {"description": "Done", "content": {media_type: {"schema": ref(name)}}},
            **{status: problem_answer(status) for status in sorted(statuses)},
        }
    }


def streamed(answered: dict[str, Any], *media_types: str) -> dict[str, Any]:
    """The same, where a good answer may also be a stream of steps."""
    content = answered["responses"][200]["content"]
    content.update({media_type: {"schema": STRING} for media_type in media_types})
    return answered


def only_streamed(media_type: str, *errors: int) -> dict[str, Any]:
    """For a route whose good answer is a stream and nothing else."""
    answered = answers("Problem", *errors)
    answered["responses"][200]["content"] = {media_type: {"schema": STRING}}
    return answered


def problem_answer(status: int) -> dict[str, Any]:
    """The OpenAPI response of a problem (RFC 9457)."""
    return {
        "description": HTTPStatus(status).phrase,
        "content": {"application/problem+json": {"schema": ref("Problem")}},
    }


def body(name: str, *, idempotent: bool = True, required: bool = True) -> dict[str, Any]:
    """For a route: its JSON body, and the header for safe retries."""
    extra: dict[str, Any] = {
        "requestBody": {"required": required, "content": {"application/json": {"schema": ref(name)}}}
    }
    if idempotent:
        extra["parameters"] = [IDEMPOTENCY_PARAMETER]
    return extra


IDEMPOTENCY_PARAMETER = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "maxLength": 255},
    "description": "One key for all retries of one request (24 h): the same answer, never a second effect.",
}

DOCUMENT_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": ref("PastedDocument")},
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
        },
    },
    "parameters": [IDEMPOTENCY_PARAMETER],
}

COMPONENTS: dict[str, Schema] = {
    **clearances.SHAPES,
    **policies.SHAPES,
    **documents.SHAPES,
    **reviews.SHAPES,
    **notifications.SHAPES,
    **people.SHAPES,
    **keys.SHAPES,
    **requests.SHAPES,
    **ledger.SHAPES,
}
